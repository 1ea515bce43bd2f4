//! Campaigns: to whom, what, when, and how far.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use super::TEXT_BYTES;
use crate::{GroupId, List, Text, Timestamp, UserId, message};

/// The longest title of a campaign, in bytes.
pub const TITLE_BYTES: usize = 256;
/// How many users a [`Segment::Users`] may list.
pub const SEGMENT_USERS_MAX: usize = 4_096;
/// The most recipients a campaign sends to in a second.
pub const PER_SECOND_MAX: u32 = 10_000;

/// Whom a campaign reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// Every account.
    All {},
    /// The members of a group.
    Group(GroupId),
    /// Who signed up in a time.
    SignedUp(Span),
    /// Who was last signed in in a time. Who is online now is seen now.
    LastSeen(Span),
    /// These.
    Users(List<UserId, SEGMENT_USERS_MAX>),
}

/// A time with two ends, either of which may be open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// From this moment on, it included.
    pub from: Option<Timestamp>,
    /// Up to this moment, it excluded.
    pub to: Option<Timestamp>,
}

/// The hours of a day, in UTC, in which something may happen. A window that ends before it begins goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Minutes after midnight, 0 to 1,439.
    pub from_minute: u16,
    /// Minutes after midnight, 0 to 1,439, excluded.
    pub to_minute: u16,
}

impl Hours {
    /// Whether `at` is within the hours of its day.
    #[must_use]
    pub fn include(self, at: Timestamp) -> bool {
        let minute = at.0.div_euclid(60_000).rem_euclid(24 * 60);
        let (after_begin, before_end) =
            (minute >= i64::from(self.from_minute), minute < i64::from(self.to_minute));
        if self.from_minute < self.to_minute { after_begin && before_end } else { after_begin || before_end }
    }
}

/// See [`Admin`](super::Admin)'s `campaign_create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct CreateCampaign {
    /// What staff calls it.
    pub title: Text<TITLE_BYTES>,
    /// What recipients read, 1 byte to 4 KiB.
    pub text: Text<TEXT_BYTES>,
    /// To whom.
    pub segment: Segment,
    /// Not before this moment.
    pub starts_at: Option<Timestamp>,
    /// Not after this moment: the campaign ends, even with recipients left.
    pub ends_at: Option<Timestamp>,
    /// Only in these hours of a day.
    pub hours: Option<Hours>,
    /// Recipients per second, 1 to 10,000; 500 when absent.
    pub per_second: Option<u32>,
}

/// A new campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct CampaignCreated {
    /// Its id.
    pub campaign: u64,
}

/// See [`Admin`](super::Admin)'s `campaign_dry_run`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct DryRun {
    /// Which.
    pub campaign: u64,
}

/// What a campaign would do if it were started now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Forecast {
    /// How many would receive it.
    pub recipients: u64,
    /// For how many seconds it would send at its rate, its hours not counted.
    pub seconds: u64,
}

/// See [`Admin`](super::Admin)'s `campaign_start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct StartCampaign {
    /// Which.
    pub campaign: u64,
}

/// See [`Admin`](super::Admin)'s `campaign_pause`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct PauseCampaign {
    /// Which.
    pub campaign: u64,
}

/// See [`Admin`](super::Admin)'s `campaign_resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ResumeCampaign {
    /// Which.
    pub campaign: u64,
}

/// See [`Admin`](super::Admin)'s `campaign_cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct CancelCampaign {
    /// Which.
    pub campaign: u64,
}

/// See [`Admin`](super::Admin)'s `campaign`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetCampaign {
    /// Which.
    pub campaign: u64,
}

/// See [`Admin`](super::Admin)'s `campaigns`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListCampaigns {
    /// Only those before this one.
    pub before: Option<u64>,
    /// 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// A page of campaigns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Campaigns {
    /// The newest first.
    pub campaigns: Vec<Campaign>,
    /// Whether there are older ones.
    pub more: bool,
}

/// Where a campaign is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    /// Written down, and not started.
    Draft,
    /// Started: it sends, or waits for its time.
    Running,
    /// Halted, until it is resumed.
    Paused,
    /// Everyone has it.
    Done,
    /// Its end came with recipients left.
    Expired,
    /// Ended by an operator.
    Cancelled,
}

/// A campaign, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Campaign {
    /// Its id.
    pub campaign: u64,
    /// What staff calls it.
    pub title: String,
    /// What recipients read.
    pub text: String,
    /// To whom.
    pub segment: Segment,
    /// Not before this moment.
    pub starts_at: Option<Timestamp>,
    /// Not after this moment.
    pub ends_at: Option<Timestamp>,
    /// Only in these hours of a day.
    pub hours: Option<Hours>,
    /// Recipients per second.
    pub per_second: u32,
    /// Where it is.
    pub state: CampaignState,
    /// Why it doesn't send though it is running, such as a module that can't be reached.
    pub trouble: Option<String>,
    /// How many it was for when it was started; absent before.
    pub recipients: Option<u64>,
    /// How many it was sent to; absent when the message module can't be asked.
    pub reach: Option<message::Reach>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64, minute: i64) -> Timestamp {
        Timestamp(20_000 * 24 * 60 * 60_000 + (hour * 60 + minute) * 60_000 + 59_999)
    }

    #[test]
    fn hours_include_their_first_minute_and_not_their_last() {
        let day = Hours { from_minute: 9 * 60, to_minute: 17 * 60 };
        for (hour, minute, expected) in
            [(8, 59, false), (9, 0, true), (16, 59, true), (17, 0, false), (0, 0, false)]
        {
            assert_eq!(day.include(at(hour, minute)), expected, "{hour}:{minute}");
        }
    }

    #[test]
    fn hours_over_midnight_go_on_in_the_morning() {
        let night = Hours { from_minute: 22 * 60, to_minute: 6 * 60 };
        for (hour, expected) in
            [(21, false), (22, true), (23, true), (0, true), (5, true), (6, false), (12, false)]
        {
            assert_eq!(night.include(at(hour, 0)), expected, "{hour}");
        }
        let until_midnight = Hours { from_minute: 22 * 60, to_minute: 0 };
        assert!(until_midnight.include(at(23, 59)) && !until_midnight.include(at(0, 0)));
    }
}

//! What operators, moderators and auditors do: broadcasts, announcements, campaigns, moderation, insight, audit.
//!
//! Its methods have subjects of their own (`natter.admin.…`). Every act on them, refused ones included, is in the audit log.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::caller::{Auditor, Moderator, Operator, Part, Role, Staff};
use crate::{
    Code, Conversation, Done, EdgeId, GroupId, List, Seq, Text, Timestamp, UserId, events, facts, group,
    message, service, user,
};

/// The longest text of a broadcast, an announcement or a reason, in bytes of UTF-8.
pub const TEXT_BYTES: usize = 4 * 1024;
/// The longest title of a campaign, in bytes.
pub const TITLE_BYTES: usize = 256;
/// How many users a [`Segment::Users`] may list.
pub const SEGMENT_USERS_MAX: usize = 4_096;
/// The longest [`Rule`]'s pattern, in bytes.
pub const PATTERN_BYTES: usize = 512;
/// The most rules.
pub const RULES_MAX: usize = 256;
/// The most entries in one answer.
pub const PAGE_MAX: u32 = 200;
/// How many entries an answer has when the request doesn't say.
pub const PAGE_DEFAULT: u32 = 50;
/// The most recipients a campaign sends to in a second.
pub const PER_SECOND_MAX: u32 = 10_000;

service! {
    /// What operators, moderators and auditors do.
    Admin = "admin" version 1,
    calls: [
        user::Lookup, user::FindUsers, user::SetRole, user::ListStaff, user::SetBan, user::EndSessions, user::SystemAccount,
        user::GetCensus, user::SetRules,
        group::MemberIds, group::DissolveByStaff, group::SetRules,
        message::Post, message::GetReach, message::Remove, message::SetSilence, message::SetRules,
    ],
    hears: [],
    delivers: [Everyone];

    /// Gives a user a role. It counts from the user's next sign-in.
    "grant": Grant => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Takes a role from a user, whose sessions end.
    "revoke": Revoke => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Gives a user a role, by the name, for whoever holds the credential of the bus's operator: so there is a first one.
    "appoint": Appoint => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 5_000 }

    /// Who has a role.
    "staff": ListStaff => StaffMembers { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// Shows a text to everyone who is online now, once.
    "broadcast": Broadcast => Done { by: Operator, on: [Admin], repeat: Once, deadline_ms: 5_000 }

    /// Shows a text to everyone until its end: at once to who is online, else at the next sign-in.
    "announce": Announce => Announced { by: Operator, on: [Admin], repeat: Once, deadline_ms: 5_000 }

    /// Changes an announcement's text or end. Who has seen it sees it once more if the text changed.
    "change_announcement": ChangeAnnouncement => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Takes an announcement back.
    "withdraw": Withdraw => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// A page of the announcements, the newest first, with how many have seen each.
    "announcements": ListAnnouncements => Announcements { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// Writes a campaign down. Nothing is sent before it is started.
    "campaign_create": CreateCampaign => CampaignCreated { by: Operator, on: [Admin], repeat: Once, deadline_ms: 5_000 }

    /// Counts whom a campaign would reach now, and for how long it would send.
    "campaign_dry_run": DryRun => Forecast { by: Operator, on: [Admin], repeat: Read, deadline_ms: 30_000 }

    /// Starts a campaign: its sending begins at `starts_at`, or at once.
    "campaign_start": StartCampaign => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Halts a campaign that was started; what is under way still arrives.
    "campaign_pause": PauseCampaign => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Goes on with a campaign that was paused.
    "campaign_resume": ResumeCampaign => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Ends a campaign for good. What was sent stays.
    "campaign_cancel": CancelCampaign => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// One campaign, and how far it is.
    "campaign": GetCampaign => Campaign { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// A page of the campaigns, the newest first.
    "campaigns": ListCampaigns => Campaigns { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// Keeps a user out: the sessions end within 5 s, and sign-in says why.
    "ban": Ban => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Lets a banned user in again.
    "unban": Unban => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Keeps a user from writing anywhere, until a moment; or lets the user write again.
    "mute": Mute => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Ends every session of a user, who may sign in again.
    "sign_out": SignOut => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Erases what a message says, for everyone in its conversation.
    "remove_message": RemoveMessage => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Ends a group for good, as its owner could.
    "dissolve_group": DissolveGroup => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// A page of what users reported, the oldest open one first.
    "reports": ListReports => Reports { by: Moderator, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// Closes a report, with a note on what was done.
    "settle_report": SettleReport => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// What names and texts must not contain.
    "rules": ListRules => Rules { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// Adds a rule, or replaces one. In force everywhere within seconds.
    "set_rule": SetRule => RuleSet { by: Operator, on: [Admin], repeat: Once, deadline_ms: 5_000 }

    /// Removes a rule.
    "remove_rule": RemoveRule => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// The platform at a glance: who is online, what each copy of each part does, how large the databases are.
    "stats": GetStats => Stats { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// A page of the audit log, the newest entry first.
    "audit": ListAudit => Audit { by: Auditor, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// What a user reports, from the module that knows that the user may see it.
    "take_report": TakeReport => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 3_000 }
}

/// See [`Admin`]'s `grant`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// To whom.
    pub user: UserId,
    /// Which.
    pub role: Role,
}

/// See [`Admin`]'s `revoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Revoke {
    /// From whom.
    pub user: UserId,
    /// Which.
    pub role: Role,
}

/// See [`Admin`]'s `appoint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Appoint {
    /// The account's name, whatever the case of its letters.
    pub name: Text<{ user::NAME_BYTES }>,
    /// Which role.
    pub role: Role,
    /// Who does this, for the audit log: the name of the account on the machine and the machine's.
    pub from: Text<256>,
}

/// See [`Admin`]'s `staff`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListStaff {}

/// Everyone with a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct StaffMembers {
    /// By user id.
    pub members: Vec<user::StaffMember>,
}

/// See [`Admin`]'s `broadcast`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Broadcast {
    /// 1 byte to 4 KiB.
    pub text: Text<TEXT_BYTES>,
}

/// See [`Admin`]'s `announce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Announce {
    /// 1 byte to 4 KiB.
    pub text: Text<TEXT_BYTES>,
    /// Until when, within a year from now.
    pub until: Timestamp,
}

/// A new announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Announced {
    /// Its id. Later ones have greater ones.
    pub announcement: u64,
}

/// See [`Admin`]'s `change_announcement`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAnnouncement {
    /// Which.
    pub announcement: u64,
    /// The new text; as it is when absent.
    pub text: Option<Text<TEXT_BYTES>>,
    /// The new end; as it is when absent.
    pub until: Option<Timestamp>,
}

/// See [`Admin`]'s `withdraw`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// Which.
    pub announcement: u64,
}

/// See [`Admin`]'s `announcements`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListAnnouncements {
    /// Only those before this one.
    pub before: Option<u64>,
    /// 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// A page of announcements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Announcements {
    /// The newest first, ended and withdrawn ones included.
    pub announcements: Vec<AnnouncementEntry>,
    /// Whether there are older ones.
    pub more: bool,
}

/// An announcement, as staff sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct AnnouncementEntry {
    /// Its id.
    pub announcement: u64,
    /// 1 at first; each change of the text counts it up.
    pub revision: u32,
    /// What it says.
    pub text: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it is shown.
    pub until: Timestamp,
    /// When it was taken back.
    pub withdrawn_at: Option<Timestamp>,
    /// How many users have seen it in its present revision.
    pub seen_by: u64,
}

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

/// See [`Admin`]'s `campaign_create`.
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

/// See [`Admin`]'s `campaign_dry_run`.
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

/// See [`Admin`]'s `campaign_start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct StartCampaign {
    /// Which.
    pub campaign: u64,
}

/// See [`Admin`]'s `campaign_pause`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct PauseCampaign {
    /// Which.
    pub campaign: u64,
}

/// See [`Admin`]'s `campaign_resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ResumeCampaign {
    /// Which.
    pub campaign: u64,
}

/// See [`Admin`]'s `campaign_cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct CancelCampaign {
    /// Which.
    pub campaign: u64,
}

/// See [`Admin`]'s `campaign`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetCampaign {
    /// Which.
    pub campaign: u64,
}

/// See [`Admin`]'s `campaigns`.
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

/// See [`Admin`]'s `ban`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// Whom.
    pub user: UserId,
    /// Why, in words that the user reads. 1 byte to 1 KiB.
    pub reason: Text<1024>,
    /// Until when; for good when absent.
    pub until: Option<Timestamp>,
}

/// See [`Admin`]'s `unban`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Unban {
    /// Whom.
    pub user: UserId,
}

/// See [`Admin`]'s `mute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Mute {
    /// Whom.
    pub user: UserId,
    /// Until when; a moment that has passed, or none, lets the user write again.
    pub until: Option<Timestamp>,
}

/// See [`Admin`]'s `sign_out`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SignOut {
    /// Whom.
    pub user: UserId,
}

/// See [`Admin`]'s `remove_message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct RemoveMessage {
    /// Where it stands.
    pub conversation: Conversation,
    /// Its place there.
    pub seq: Seq,
}

/// See [`Admin`]'s `dissolve_group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct DissolveGroup {
    /// Which.
    pub group: GroupId,
}

/// What a user reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A user.
    User(UserId),
    /// A message, as the reporter saw it.
    Message {
        /// Where it stands.
        conversation: Conversation,
        /// Its place there.
        seq: Seq,
        /// Who sent it.
        from: UserId,
        /// What it said when it was reported, cut at 4 KiB.
        text: Text<TEXT_BYTES>,
    },
}

/// See [`Admin`]'s `take_report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct TakeReport {
    /// Who reports.
    pub by: UserId,
    /// What.
    pub about: Subject,
    /// Why, in the reporter's words.
    pub reason: Text<1024>,
}

/// See [`Admin`]'s `reports`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListReports {
    /// Settled ones instead of open ones, the newest first.
    pub settled: Option<bool>,
    /// Only those that follow this one in that order.
    pub after: Option<u64>,
    /// 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// A page of reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Reports {
    /// In the order asked for.
    pub reports: Vec<Report>,
    /// Whether there are more.
    pub more: bool,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Report {
    /// Its id.
    pub report: u64,
    /// Who reported first.
    pub by: UserId,
    /// How many users reported the same.
    pub times: u32,
    /// What.
    pub about: Subject,
    /// Why, in the first reporter's words. From a rule: which one.
    pub reason: String,
    /// When.
    pub made_at: Timestamp,
    /// Who settled it, when, and with which note.
    pub settled: Option<Settled>,
}

/// How a report was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Settled {
    /// By whom.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub note: String,
}

/// See [`Admin`]'s `settle_report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SettleReport {
    /// Which.
    pub report: u64,
    /// What was done, 1 byte to 1 KiB.
    pub note: Text<1024>,
}

/// To what a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Applies {
    /// To names and display names of users, and to names of groups.
    Names,
    /// To texts of messages and of groups' announcements.
    Texts,
}

/// What follows when a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The request is refused, as `invalid`.
    Refuse,
    /// It is done, and a report is made. Only for texts of messages.
    Report,
}

/// What names or texts must not contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// To what it applies.
    pub applies: Applies,
    /// A regular expression in the syntax of the `regex` crate, matched anywhere, whatever the case of letters.
    pub pattern: Text<PATTERN_BYTES>,
    /// What follows.
    pub then: Then,
    /// What the refusal says: `"<field>: <words>"`. 1 to 256 bytes.
    pub words: Text<256>,
}

/// See [`Admin`]'s `rules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListRules {}

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Rules {
    /// Counts their changes.
    pub version: u64,
    /// By id.
    pub rules: Vec<NumberedRule>,
    /// Modules that don't have this version yet.
    pub pending: Vec<String>,
}

/// A rule and its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct NumberedRule {
    /// Its id.
    pub id: u64,
    /// What it says.
    pub rule: Rule,
}

/// See [`Admin`]'s `set_rule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetRule {
    /// The one to replace; a new one when absent.
    pub id: Option<u64>,
    /// What it says.
    pub rule: Rule,
}

/// A rule that was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct RuleSet {
    /// Its id.
    pub id: u64,
}

/// See [`Admin`]'s `remove_rule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct RemoveRule {
    /// Which.
    pub id: u64,
}

/// The rules, as the admin module hands them to a module that applies them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct RuleBook {
    /// Counts their changes: an older one never replaces a newer one.
    pub version: u64,
    /// All of them.
    pub rules: List<Rule, RULES_MAX>,
}

/// See [`Admin`]'s `stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetStats {}

/// The platform at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
pub struct Stats {
    /// When.
    pub at: Timestamp,
    /// Accounts and sessions; absent when the user module can't be asked.
    pub census: Option<user::Census>,
    /// Every copy of every service that answered within half a second, by service and id.
    pub copies: Vec<CopyStats>,
}

/// What one copy of a service did since it started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
pub struct CopyStats {
    /// Which service.
    pub service: String,
    /// The copy's id, as in `nats micro ls`.
    pub id: String,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// Requests that it is working on.
    pub in_flight: u32,
    /// How many it works on at most.
    pub limit: u32,
    /// Requests since it started.
    pub requests: u64,
    /// How many of them were refused or failed.
    pub errors: u64,
    /// The mean time that a request took, in microseconds.
    pub mean_us: u64,
    /// The size of its database, in bytes; absent where it has none.
    pub database_bytes: Option<u64>,
    /// The same for each of its methods.
    pub methods: Vec<MethodStats>,
}

/// What one copy of a service did of one method since it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct MethodStats {
    /// Which.
    pub method: String,
    /// Requests.
    pub requests: u64,
    /// How many of them were refused or failed.
    pub errors: u64,
    /// The mean time that a request took, in microseconds.
    pub mean_us: u64,
}

/// See [`Admin`]'s `audit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListAudit {
    /// Only acts of this user.
    pub by: Option<UserId>,
    /// Only acts on this user.
    pub on: Option<UserId>,
    /// Only acts of this method, such as `"ban"`.
    pub method: Option<Text<64>>,
    /// Only those before this entry.
    pub before: Option<u64>,
    /// 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// A page of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Audit {
    /// The newest first.
    pub entries: Vec<AuditEntry>,
    /// Whether there are older ones.
    pub more: bool,
}

/// An act in the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct AuditEntry {
    /// Its place in the log.
    pub entry: u64,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who; absent when nobody was signed in, and for the console.
    pub by: Option<UserId>,
    /// With which roles.
    pub roles: Vec<Role>,
    /// From where: the client's address and edge, or the console.
    pub from: String,
    /// The method's name.
    pub method: String,
    /// On which user.
    pub on: Option<UserId>,
    /// What was asked for, in JSON, cut at 8 KiB.
    pub request: String,
    /// `ok`, or the refusal's code; absent while it is being done, or when the module died doing it.
    pub outcome: Option<AuditOutcome>,
}

/// What became of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// It was refused, or failed.
    Refused {
        /// Why, as a code.
        code: Code,
        /// Why, in words.
        message: String,
    },
}

/// Sessions on one edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct EdgeSessions {
    /// Which edge.
    pub edge: EdgeId,
    /// How many sessions are open on it.
    pub sessions: u64,
}

/// Pushed to everyone who is online.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct BroadcastEvent {
    /// What it says.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// Pushed to everyone who is online when an announcement is made, changed or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct AnnouncedEvent {
    /// Its id.
    pub announcement: u64,
    /// Which revision of its text.
    pub revision: u32,
    /// What it says; absent when it was withdrawn.
    pub text: Option<String>,
    /// Until when.
    pub until: Timestamp,
}

events! {
    "admin.broadcast": BroadcastEvent,
    "admin.announced": AnnouncedEvent,
}

facts! { Admin {} }

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

//! Who is in a conversation, and who may write there. For groups this agrees with the rows `message.…` of
//! [`broker_schemas::rights::RIGHTS`].

use broker_schemas::message::Standing;
use broker_schemas::rights::Role;
use broker_schemas::{Conversation, Error, Seq, Timestamp};
use natter_host::moment;

/// What holds for a conversation as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The last message; 0 when there is none.
    pub(crate) last_seq: u64,
    /// Whether the two are friends; whether the group hasn't been dissolved.
    pub(crate) is_open: bool,
    /// Whether one of the two is the platform's own account, which alone writes here.
    pub(crate) is_one_way: bool,
    /// Of the gate; of the group.
    pub(crate) version: u64,
    /// Until when plain members can't write.
    pub(crate) muted_until: Timestamp,
    /// Counts the changes of messages.
    pub(crate) revision: u64,
}

/// What holds for one who is in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) role: Role,
    /// The first message that the member may read.
    pub(crate) first_seq: u64,
    /// Up to where the member has read.
    pub(crate) read_seq: u64,
    /// The group's version that made this a member.
    pub(crate) since: u64,
    /// Until when the member can't write.
    pub(crate) muted_until: Timestamp,
}

impl Member {
    /// What each of the two of a direct conversation is.
    pub(crate) const OF_TWO: Self =
        Self { role: Role::Member, first_seq: 1, read_seq: 0, since: 0, muted_until: Timestamp(0) };
}

/// A conversation as one of its members sees it. Having one is the proof of being in it, at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    pub(crate) conversation: Conversation,
    pub(crate) place: Place,
    pub(crate) member: Member,
}

impl Seat {
    /// Whether the member may write now.
    ///
    /// # Errors
    /// Says why not.
    pub(crate) fn check_may_write(&self, now: Timestamp) -> Result<(), Error> {
        let Self { conversation, place, member } = self;
        if !place.is_open {
            return Err(Error::forbidden(match conversation.group_id() {
                Some(_) => "the group was dissolved",
                None if place.is_one_way => "the platform wrote this to you; nobody would read an answer",
                None => "you can write to friends only",
            }));
        }
        if member.muted_until > now {
            let until = moment(member.muted_until);
            return Err(Error::forbidden(format!("you can't write in this group until {until}")));
        }
        if place.muted_until > now && member.role == Role::Member {
            let until = moment(place.muted_until);
            return Err(Error::forbidden(format!(
                "only administrators can write in this group until {until}"
            )));
        }
        Ok(())
    }

    /// # Errors
    /// When there is no message at `seq` yet.
    pub(crate) fn check_is_there(&self, seq: Seq) -> Result<(), Error> {
        let last = self.place.last_seq;
        if seq.get() > last {
            return Err(Error::invalid(format!("seq: the last message is {last}, got {seq}")));
        }
        Ok(())
    }

    /// Whether the member may read the message at `seq`, if there is one.
    pub(crate) fn sees(&self, seq: Seq) -> bool {
        (self.member.first_seq..=self.place.last_seq).contains(&seq.get())
    }

    pub(crate) fn standing(&self) -> Standing {
        Standing {
            conversation: self.conversation,
            first_seq: self.member.first_seq,
            last_seq: self.place.last_seq,
            read_seq: self.member.read_seq,
            revision: self.place.revision,
        }
    }
}

/// Not there, or not the caller's: the caller learns no difference.
pub(crate) fn no_such_conversation() -> Error {
    Error::not_found("conversation: you are in no such conversation")
}

/// Not there, or from before the caller joined.
pub(crate) fn no_such_message() -> Error {
    Error::not_found("seq: there is no such message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_schemas::rights::{Standing as In, Verdict, verdict};
    use broker_schemas::{Code, GroupId};

    const NOW: Timestamp = Timestamp(1_000_000);
    const LATER: Timestamp = Timestamp(1_000_001);

    fn in_group(role: Role, muted_until: Timestamp, all_muted_until: Timestamp) -> Seat {
        Seat {
            conversation: Conversation::group(GroupId::new(9).unwrap()),
            place: Place {
                last_seq: 5,
                is_open: true,
                is_one_way: false,
                version: 3,
                muted_until: all_muted_until,
                revision: 0,
            },
            member: Member { role, muted_until, ..Member::OF_TWO },
        }
    }

    fn may(seat: &Seat) -> Verdict {
        match seat.check_may_write(NOW) {
            Ok(()) => Verdict::May,
            Err(error) => {
                assert_eq!(error.code, Code::Forbidden);
                Verdict::Forbidden
            }
        }
    }

    #[test]
    fn who_may_write_agrees_with_the_table() {
        let never = Timestamp(0);
        let seats = [
            (In::Owner, in_group(Role::Owner, never, never)),
            (In::Administrator, in_group(Role::Administrator, never, never)),
            (In::Member, in_group(Role::Member, never, never)),
            (In::Member, in_group(Role::Member, NOW, NOW)),
            (In::Muted, in_group(Role::Member, LATER, never)),
            // When all are muted, plain members are, and nobody else.
            (In::Muted, in_group(Role::Member, never, LATER)),
            (In::Administrator, in_group(Role::Administrator, never, LATER)),
            (In::Owner, in_group(Role::Owner, never, LATER)),
        ];
        for method in ["message.send", "message.typing", "message.edit", "message.react"] {
            for (standing, seat) in &seats {
                assert_eq!(verdict(method, *standing), Some(may(seat)), "{method} {standing:?} {seat:?}");
            }
        }
    }

    #[test]
    fn nobody_writes_in_what_is_closed_and_the_words_fit_it() {
        let mut seat = in_group(Role::Owner, Timestamp(0), Timestamp(0));
        seat.place.is_open = false;
        assert!(seat.check_may_write(NOW).unwrap_err().message.contains("dissolved"));
        seat.conversation = "u1-u2".parse().unwrap();
        assert!(seat.check_may_write(NOW).unwrap_err().message.contains("friends"));
        seat.place.is_one_way = true;
        assert!(seat.check_may_write(NOW).unwrap_err().message.contains("nobody would read"));
    }

    #[test]
    fn the_muted_learn_until_when_also_when_that_is_for_good() {
        let until = |at| in_group(Role::Member, at, Timestamp(0)).check_may_write(NOW).unwrap_err().message;
        assert!(until(Timestamp(1_769_860_800_000)).ends_with("2026-01-31T12:00:00Z"));
        assert!(until(Timestamp(i64::MAX)).ends_with("9999-12-31T23:59:59Z"));
    }

    #[test]
    fn what_was_said_before_joining_is_not_seen() {
        let mut seat = in_group(Role::Member, Timestamp(0), Timestamp(0));
        seat.member.first_seq = 4;
        let sees: Vec<_> = (1..=6).filter(|&seq| seat.sees(Seq::new(seq).unwrap())).collect();
        assert_eq!(sees, [4, 5]);
    }
}

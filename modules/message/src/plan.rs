//! Decides what each message of a batch becomes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use broker_schemas::message::{Entry, Payload, Sent};
use broker_schemas::{Conversation, Error, Seq, Timestamp, UserId};
use natter_host::Failure;
use natter_host::silence::silenced;
use uuid::Uuid;

use crate::access::{Member, Place, Seat};

/// A message that isn't stored yet.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) conversation: Conversation,
    pub(crate) from: UserId,
    pub(crate) client_id: Uuid,
    pub(crate) content: Content,
}

/// What the sender says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) quote: Option<Seq>,
    pub(crate) mentions: Vec<UserId>,
    pub(crate) payload: Option<Payload>,
}

impl Draft {
    const fn key(&self) -> (UserId, Uuid) {
        (self.from, self.client_id)
    }

    /// Whether `stored`, which has the same `client_id`, is this message. What it said first isn't known any more once it was
    /// edited or recalled.
    fn is(&self, stored: &Entry) -> bool {
        let was_rewritten = stored.edited_at.is_some() || stored.recalled_by.is_some();
        let same = || {
            self.content.text == stored.text
                && self.content.quote == stored.quote
                && self.content.mentions == stored.mentions
                && self.content.payload == stored.payload
        };
        self.conversation == stored.conversation && (was_rewritten || same())
    }

    fn entry(&self, seq: Seq, sent_at: Timestamp) -> Entry {
        let Content { text, quote, mentions, payload } = self.content.clone();
        Entry {
            conversation: self.conversation,
            seq,
            from: self.from,
            client_id: Some(self.client_id),
            text,
            sent_at,
            quote,
            mentions,
            payload,
            notice: None,
            edited_at: None,
            recalled_by: None,
            reactions: Vec::new(),
            revision: 0,
            campaign: None,
        }
    }
}

/// What became of a draft.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// Stored, now or by an earlier send with the same `client_id`.
    Sent(Sent),
    /// The module doesn't know whether the two may write to each other.
    UnknownGate,
    /// It is against a rule; nothing was done.
    Refused(Error),
    /// The database did not do it, or nobody knows.
    Failed(Error),
}

/// What each draft of a batch becomes, as far as it is known.
pub(crate) struct Plan<'a> {
    drafts: &'a [Draft],
    decided: Vec<Option<Outcome>>,
    /// Of a draft that repeats another one of the same batch, which.
    same_as: Vec<Option<usize>>,
    /// Those that were stored before, each once, and may not have been pushed: the process that stored them may have died.
    pub(crate) repeated: Vec<Entry>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(drafts: &'a [Draft], stored: &HashMap<(UserId, Uuid), Entry>) -> Self {
        let mut plan = Self {
            drafts,
            decided: vec![None; drafts.len()],
            same_as: vec![None; drafts.len()],
            repeated: Vec::new(),
        };
        let conflict =
            || Outcome::Refused(Error::conflict("client_id: you have sent something else with this one"));
        let (mut first_of, mut repeated) = (HashMap::new(), HashSet::new());
        for (index, draft) in drafts.iter().enumerate() {
            if let Some(stored) = stored.get(&draft.key()) {
                if !draft.is(stored) {
                    plan.decided[index] = Some(conflict());
                    continue;
                }
                plan.decided[index] = Some(Outcome::Sent(sent(stored)));
                // Whoever gets a message that was changed since would see it as it was.
                if stored.revision == 0 && repeated.insert((stored.conversation, stored.seq)) {
                    plan.repeated.push(stored.clone());
                }
            } else if let Some(&first) = first_of.get(&draft.key()) {
                let earlier: &Draft = &drafts[first];
                if earlier.conversation == draft.conversation && earlier.content == draft.content {
                    plan.same_as[index] = Some(first);
                } else {
                    plan.decided[index] = Some(conflict());
                }
            } else {
                first_of.insert(draft.key(), index);
            }
        }
        plan
    }

    /// The drafts that are new, in the order of their arrival.
    fn undecided(&self) -> Vec<usize> {
        let open = |index: &usize| self.decided[*index].is_none() && self.same_as[*index].is_none();
        (0..self.drafts.len()).filter(open).collect()
    }

    /// Where the new messages go.
    pub(crate) fn conversations(&self) -> BTreeSet<Conversation> {
        self.undecided().into_iter().map(|index| self.drafts[index].conversation).collect()
    }

    /// Who wants to write.
    pub(crate) fn writers(&self) -> BTreeSet<UserId> {
        self.undecided().into_iter().map(|index| self.drafts[index].from).collect()
    }

    /// Who wants to write in a group.
    pub(crate) fn senders(&self) -> BTreeSet<(UserId, Conversation)> {
        let key = |index: usize| (self.drafts[index].from, self.drafts[index].conversation);
        self.undecided()
            .into_iter()
            .map(key)
            .filter(|(_, conversation)| conversation.group_id().is_some())
            .collect()
    }

    /// Gives each new draft that is within the rules the next place of its conversation, in the order of their arrival.
    pub(crate) fn place(
        &mut self,
        places: &HashMap<Conversation, Place>,
        members: &HashMap<(UserId, Conversation), Member>,
        silences: &HashMap<UserId, Timestamp>,
        now: Timestamp,
    ) -> Result<Placed, Failure> {
        let mut placed = Placed { entries: Vec::new(), last: BTreeMap::new() };
        for index in self.undecided() {
            let draft = &self.drafts[index];
            let conversation = draft.conversation;
            let mut seat = match (places.get(&conversation), conversation.group_id()) {
                (None, None) => {
                    self.decided[index] = Some(Outcome::UnknownGate);
                    continue;
                }
                (Some(place), None) => Seat { conversation, place: *place, member: Member::OF_TWO },
                (place, Some(_)) => match (place, members.get(&(draft.from, conversation))) {
                    (Some(place), Some(member)) => Seat { conversation, place: *place, member: *member },
                    _ => {
                        let error = Error::not_found("to.group: you are in no such group");
                        self.decided[index] = Some(Outcome::Refused(error));
                        continue;
                    }
                },
            };
            if let Some(last) = placed.last.get(&conversation) {
                seat.place.last_seq = *last;
            }
            let silenced = silences.get(&draft.from).map(|until| silenced(*until));
            if let Err(error) = silenced.map_or_else(|| check(&seat, draft, now), Err) {
                self.decided[index] = Some(Outcome::Refused(error));
                continue;
            }
            let seq = seat.place.last_seq + 1;
            placed.last.insert(conversation, seq);
            let entry = draft.entry(Seq::new(seq)?, now);
            self.decided[index] = Some(Outcome::Sent(sent(&entry)));
            placed.entries.push(entry);
        }
        Ok(placed)
    }

    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        let decided = |index: usize| self.decided[self.same_as[index].unwrap_or(index)].clone();
        (0..self.drafts.len()).map(|index| decided(index).unwrap_or(Outcome::UnknownGate)).collect()
    }
}

/// New messages with their places.
pub(crate) struct Placed {
    pub(crate) entries: Vec<Entry>,
    /// Of each conversation, the last place that was taken.
    pub(crate) last: BTreeMap<Conversation, u64>,
}

fn check(seat: &Seat, draft: &Draft, now: Timestamp) -> Result<(), Error> {
    seat.check_may_write(now)?;
    match draft.content.quote {
        Some(quote) if !seat.sees(quote) => {
            Err(Error::invalid(format!("quote: there is no message {quote} before this one")))
        }
        _ => Ok(()),
    }
}

const fn sent(entry: &Entry) -> Sent {
    Sent { conversation: entry.conversation, seq: entry.seq, sent_at: entry.sent_at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{draft, pair, user};
    use broker_schemas::Code;

    const NOW: Timestamp = Timestamp(1_000);

    fn place(last_seq: u64) -> Place {
        Place {
            last_seq,
            is_open: true,
            is_one_way: false,
            version: 1,
            muted_until: Timestamp(0),
            revision: 0,
        }
    }

    fn outcomes(drafts: &[Draft], stored: &[Entry], places: &[(Conversation, Place)]) -> Vec<String> {
        let stored =
            stored.iter().map(|entry| ((entry.from, entry.client_id.unwrap()), entry.clone())).collect();
        let mut plan = Plan::new(drafts, &stored);
        let nobody = HashMap::new();
        plan.place(&places.iter().copied().collect(), &HashMap::new(), &nobody, NOW).unwrap();
        let shown = |outcome| match outcome {
            Outcome::Sent(sent) => format!("{}", sent.seq),
            Outcome::UnknownGate => "unknown".to_owned(),
            Outcome::Refused(error) => error.code.to_string(),
            Outcome::Failed(error) => panic!("{error}"),
        };
        plan.outcomes().into_iter().map(shown).collect()
    }

    #[test]
    fn places_follow_the_order_of_arrival_in_each_conversation() {
        let (here, there) = (pair(1, 2), pair(1, 3));
        let drafts =
            [draft(here, 1, "a"), draft(there, 1, "b"), draft(here, 2, "c"), draft(pair(1, 4), 1, "d")];
        let places = [(here, place(5)), (there, place(0))];
        assert_eq!(outcomes(&drafts, &[], &places), ["6", "1", "7", "unknown"]);
    }

    #[test]
    fn one_client_id_gets_one_place_and_other_words_with_it_a_conflict() {
        let here = pair(1, 2);
        let first = draft(here, 1, "a");
        let other = Draft { content: draft(here, 1, "b").content, ..first.clone() };
        let elsewhere = Draft { conversation: pair(1, 3), ..first.clone() };
        let places = [(here, place(5)), (pair(1, 3), place(0))];
        let batch = [first.clone(), first.clone(), other.clone(), elsewhere.clone()];
        assert_eq!(outcomes(&batch, &[], &places), ["6", "6", "conflict", "conflict"]);
        let stored = first.entry(Seq::new(3).unwrap(), NOW);
        assert_eq!(outcomes(&batch, &[stored], &places), ["3", "3", "conflict", "conflict"]);
    }

    #[test]
    fn a_repeat_of_what_was_changed_since_is_answered_and_not_pushed_again() {
        let draft = draft(pair(1, 2), 1, "a");
        let stored = draft.entry(Seq::new(3).unwrap(), NOW);
        let edited = Entry { text: "b".into(), edited_at: Some(NOW), revision: 1, ..stored.clone() };
        let recalled =
            Entry { text: String::new(), recalled_by: Some(user(1)), revision: 1, ..stored.clone() };
        for (stored, pushed) in [(stored, 1), (edited, 0), (recalled, 0)] {
            // Twice in one batch, it is pushed once.
            let drafts = [draft.clone(), draft.clone()];
            let plan = Plan::new(&drafts, &HashMap::from([(draft.key(), stored)]));
            let [Outcome::Sent(sent), Outcome::Sent(again)] = &plan.outcomes()[..] else { panic!() };
            assert_eq!((sent.seq.get(), again.seq.get()), (3, 3));
            assert_eq!(plan.repeated.len(), pushed);
        }
    }

    #[test]
    fn a_quote_names_an_earlier_message_be_it_of_the_same_batch() {
        let here = pair(1, 2);
        let quoting = |seq| {
            let mut draft = draft(here, 1, "a");
            draft.content.quote = Some(Seq::new(seq).unwrap());
            draft
        };
        let places = [(here, place(2))];
        assert_eq!(outcomes(&[quoting(3)], &[], &places), ["invalid"]);
        assert_eq!(
            outcomes(&[quoting(2), quoting(3), quoting(5), quoting(4)], &[], &places),
            ["3", "4", "invalid", "5"]
        );
    }

    #[test]
    fn only_members_write_in_a_group() {
        let group = Conversation::group(broker_schemas::GroupId::new(9).unwrap());
        let drafts = [draft(group, 1, "a"), draft(group, 2, "b")];
        let mut plan = Plan::new(&drafts, &HashMap::new());
        let member = Member { first_seq: 4, ..Member::OF_TWO };
        let placed = plan
            .place(&[(group, place(5))].into(), &[((user(1), group), member)].into(), &[].into(), NOW)
            .unwrap();
        assert_eq!(placed.last, BTreeMap::from([(group, 6)]));
        let [Outcome::Sent(_), Outcome::Refused(error)] = &plan.outcomes()[..] else { panic!() };
        assert_eq!(error.code, Code::NotFound);
    }
}

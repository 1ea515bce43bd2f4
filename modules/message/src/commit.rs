//! Stores a batch of sends in one transaction, then acks and pushes each.

use std::collections::{BTreeMap, HashMap};

use broker_schemas::message::{Entry, NewEvent, Sent};
use broker_schemas::subject::Audience;
use broker_schemas::{Conversation, Error, Seq, Timestamp, UserId};
use natter_host::{Bus, Failure};
use uuid::Uuid;

use crate::batch::Work;
use crate::store::{Store, Stored};

/// How often a batch is tried when another copy of the module got in its way.
const TRIES: usize = 3;

/// A message that isn't stored yet.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) conversation: Conversation,
    pub(crate) from: UserId,
    pub(crate) client_id: Uuid,
    pub(crate) text: String,
}

/// What became of a draft.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// Stored, now or by an earlier send with the same `client_id`.
    Sent(Sent),
    /// The conversation exists, but nobody may write in it any more.
    Closed,
    /// The module doesn't know whether the two may write to each other.
    UnknownGate,
    /// The same `client_id` was used for something else.
    Conflict,
    /// The database did not do it, or nobody knows.
    Failed(Error),
}

pub(crate) struct Committer {
    store: Store,
    bus: Bus,
}

/// What a transaction did, before anyone is told.
struct Committed {
    outcomes: Vec<Outcome>,
    /// New ones, and those that were repeated: their first push may have been lost with the process that stored them.
    push: Vec<Entry>,
}

impl Committer {
    pub(crate) const fn new(store: Store, bus: Bus) -> Self {
        Self { store, bus }
    }

    async fn commit(&self, drafts: &[Draft]) -> Result<Committed, Failure> {
        let mut transaction = self.store.begin().await?;
        let keys: Vec<_> = drafts.iter().map(|draft| (draft.from, draft.client_id)).collect();
        let stored = Store::find_stored(&mut transaction, &keys).await?;
        let mut plan = Plan::new(drafts, &stored);
        if !plan.counts.is_empty() {
            let now = Timestamp::now();
            let last = Store::take_places(&mut transaction, &plan.counts, now).await?;
            let refused: Vec<_> = plan.counts.keys().filter(|id| !last.contains_key(id)).copied().collect();
            let closed =
                if refused.is_empty() { vec![] } else { Store::existing(&mut transaction, &refused).await? };
            let entries = plan.place(drafts, &last, &closed, now)?;
            if !entries.is_empty() {
                Store::insert(&mut transaction, &entries).await?;
            }
            transaction.commit().await?;
            plan.push.extend(entries);
        }
        Ok(Committed { outcomes: plan.outcomes(drafts), push: plan.push })
    }

    async fn push(&self, entries: Vec<Entry>) {
        for entry in entries {
            let Some((a, b)) = entry.conversation.pair() else { continue };
            if let Err(error) =
                self.bus.push_each([Audience::User(a), Audience::User(b)], &NewEvent(entry)).await
            {
                // The record is stored: whoever misses the push finds the message by message.sync.
                tracing::debug!(%error, "message not pushed");
            }
        }
    }
}

impl Work<Draft, Outcome> for Committer {
    async fn work(&mut self, drafts: Vec<Draft>) -> Vec<Outcome> {
        let mut tries = 1;
        loop {
            match self.commit(&drafts).await {
                Ok(Committed { outcomes, push }) => {
                    self.push(push).await;
                    return outcomes;
                }
                Err(failure) if tries < TRIES && is_collision(&failure) => tries += 1,
                Err(failure) => {
                    let error = refusal(failure);
                    return vec![Outcome::Failed(error); drafts.len()];
                }
            }
        }
    }
}

/// Another copy stored the same `client_id`, or the two waited for each other's rows: nothing was done, and a second try
/// sees what the other one did.
pub(crate) fn is_collision(failure: &Failure) -> bool {
    let Failure::Broken(cause) = failure else { return false };
    let Some(sqlx::Error::Database(error)) = cause.downcast_ref() else { return false };
    const DEADLOCK: &str = "40P01";
    error.is_unique_violation() || error.code().is_some_and(|code| code == DEADLOCK)
}

/// What the senders are told; the cause is logged once for the whole batch.
pub(crate) fn refusal(failure: Failure) -> Error {
    match failure {
        Failure::Refused(error) => error,
        Failure::Broken(cause) => {
            tracing::error!(error = format!("{cause:#}"), "batch not stored");
            Error::internal()
        }
    }
}

/// Decides what each draft of a batch becomes.
struct Plan {
    /// How many places each conversation needs.
    counts: BTreeMap<Conversation, i64>,
    decided: Vec<Option<Outcome>>,
    /// Of a draft that repeats another one of the same batch, which.
    same_as: Vec<Option<usize>>,
    push: Vec<Entry>,
}

impl Plan {
    fn new(drafts: &[Draft], stored: &HashMap<(UserId, Uuid), Stored>) -> Self {
        let mut plan = Self {
            counts: BTreeMap::new(),
            decided: vec![None; drafts.len()],
            same_as: vec![None; drafts.len()],
            push: Vec::new(),
        };
        let mut first_of = HashMap::new();
        for (index, draft) in drafts.iter().enumerate() {
            let key = (draft.from, draft.client_id);
            if let Some(stored) = stored.get(&key) {
                let same = stored.conversation == draft.conversation && stored.text == draft.text;
                plan.decided[index] = Some(if same { plan.repeat(draft, stored) } else { Outcome::Conflict });
            } else if let Some(&first) = first_of.get(&key) {
                let earlier: &Draft = &drafts[first];
                let same = earlier.conversation == draft.conversation && earlier.text == draft.text;
                if same {
                    plan.same_as[index] = Some(first);
                } else {
                    plan.decided[index] = Some(Outcome::Conflict);
                }
            } else {
                first_of.insert(key, index);
                *plan.counts.entry(draft.conversation).or_default() += 1;
            }
        }
        plan
    }

    fn repeat(&mut self, draft: &Draft, stored: &Stored) -> Outcome {
        self.push.push(entry(draft, stored.seq, stored.sent_at));
        Outcome::Sent(Sent { conversation: stored.conversation, seq: stored.seq, sent_at: stored.sent_at })
    }

    /// Gives each new draft its place, in the order of their arrival.
    fn place(
        &mut self,
        drafts: &[Draft],
        last: &HashMap<Conversation, i64>,
        closed: &[Conversation],
        now: Timestamp,
    ) -> Result<Vec<Entry>, Failure> {
        let mut next: HashMap<_, _> = last
            .iter()
            .map(|(conversation, last)| (*conversation, last - self.counts[conversation] + 1))
            .collect();
        let mut entries = Vec::new();
        for (index, draft) in drafts.iter().enumerate() {
            if self.decided[index].is_some() || self.same_as[index].is_some() {
                continue;
            }
            self.decided[index] = Some(match next.get_mut(&draft.conversation) {
                Some(place) => {
                    let seq = Seq::try_from(*place)?;
                    *place += 1;
                    entries.push(entry(draft, seq, now));
                    Outcome::Sent(Sent { conversation: draft.conversation, seq, sent_at: now })
                }
                None if closed.contains(&draft.conversation) => Outcome::Closed,
                None => Outcome::UnknownGate,
            });
        }
        Ok(entries)
    }

    fn outcomes(&self, drafts: &[Draft]) -> Vec<Outcome> {
        let decided = |index: usize| self.decided[self.same_as[index].unwrap_or(index)].clone();
        (0..drafts.len()).map(|index| decided(index).unwrap_or(Outcome::UnknownGate)).collect()
    }
}

fn entry(draft: &Draft, seq: Seq, sent_at: Timestamp) -> Entry {
    Entry {
        conversation: draft.conversation,
        seq,
        from: draft.from,
        client_id: draft.client_id,
        text: draft.text.clone(),
        sent_at,
    }
}

//! `message.post`: sends one text of a campaign to many users, each in their conversation with the platform's own account.
//!
//! Messages between people go first: a post is stored in small transactions of its own, one at a time. After each it rests for
//! as long as that took, and then waits for a moment at which none of theirs waits. Each user gets a campaign once, whatever is repeated: a row says who has it.

use std::collections::BTreeSet;
use std::time::Duration;

use broker_schemas::message::{Entry, NewEvent, Post, Posted};
use broker_schemas::subject::Audience;
use broker_schemas::{Conversation, Error, Part, Seq, Timestamp, UserId};
use natter_host::{Batcher, Call, Handle, Result, failpoint};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout};
use uuid::{Builder, Uuid};

use crate::Module;

use crate::retry::retrying;
use crate::send::check_text;
use crate::store::Store;

/// How many messages one transaction stores: for so long, what people send may have to wait.
const AT_ONCE: usize = 64;
/// While people's messages never end, of so many parts of the time one is a campaign's.
const GIVES_WAY: u32 = 20;
/// For how long one post waits at most, in all, for people's messages to end; the caller waits for it.
const PATIENCE: Duration = Duration::from_secs(4);
/// Posts that may wait for the one that runs; further ones are refused.
const WAITING: usize = 8;
/// Campaigns have 48 bits of a `client_id`.
const CAMPAIGN_MAX: u64 = (1 << 48) - 1;

impl Handle<Post> for Module {
    async fn handle(&self, _: &Call<Part>, request: Post) -> Result<Posted> {
        check(&request)?;
        let _turn = self.posts.turn().await?;
        let users: Vec<_> = request.to.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let mut sent = 0;
        let patience = PATIENCE / u32::try_from(users.len().div_ceil(AT_ONCE)).unwrap_or(u32::MAX).max(1);
        for users in users.chunks(AT_ONCE) {
            let began = Instant::now();
            let done = retrying(|| apply(&self.store, &request, users, Timestamp::now())).await?;
            failpoint::reach("message.post.before_push");
            sent += done.sent;
            for (user, entry) in done.push {
                if let Err(error) = self.bus.push(Audience::User(user), &NewEvent(entry)).await {
                    tracing::debug!(%error, "not pushed");
                }
            }
            give_way(&self.sends, began.elapsed(), patience).await;
        }
        Ok(Posted { sent })
    }
}

/// Lets people's messages go first, after `worked` was taken from them: those of this copy, for the others' each sees to.
async fn give_way<In, Out>(people: &Batcher<In, Out>, worked: Duration, patience: Duration)
where
    In: Send + 'static,
    Out: Send + 'static,
{
    sleep(worked).await;
    // That they didn't end is no reason never to go on.
    let _ = timeout((worked * (GIVES_WAY - 2)).min(patience), people.idle()).await;
}

/// # Errors
/// Names the field that is against a rule.
fn check(request: &Post) -> std::result::Result<(), Error> {
    if !(1..=CAMPAIGN_MAX).contains(&request.campaign) {
        return Err(Error::invalid(format!("campaign: expected 1 to {CAMPAIGN_MAX}")));
    }
    if request.text.is_empty() {
        return Err(Error::invalid("text: expected 1 to 16384 bytes, got none"));
    }
    check_text(&request.text)
}

/// Whose turn it is to post.
pub(crate) struct Posts {
    turn: Semaphore,
    room: Semaphore,
}

/// A post that runs.
pub(crate) struct Turn<'a> {
    _turn: SemaphorePermit<'a>,
    _room: SemaphorePermit<'a>,
}

impl Posts {
    pub(crate) fn new() -> Self {
        Self { turn: Semaphore::new(1), room: Semaphore::new(1 + WAITING) }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// When too many wait already.
    async fn turn(&self) -> Result<Turn<'_>> {
        let full = || Error::unavailable("more posts wait than fit; try again");
        let room = self.room.try_acquire().map_err(|_| full())?;
        let turn = self.turn.acquire().await.map_err(|_| full())?;
        Ok(Turn { _turn: turn, _room: room })
    }
}

/// What one transaction of a post did.
#[derive(Debug)]
struct Stored {
    /// How many got it now.
    sent: u32,
    /// What to push: to those who got it now, and to those who had it but may not have been told, for the process that stored it
    /// may have died.
    push: Vec<(UserId, Entry)>,
}

/// Stores the campaign's text for those of `users` who don't have it.
async fn apply(store: &Store, request: &Post, users: &[UserId], now: Timestamp) -> Result<Stored> {
    let Post { campaign, from, ref text, .. } = *request;
    let mut transaction = store.begin().await?;
    let had = Store::have_campaign(&mut transaction, campaign, users).await?;
    let mut push = match had.is_empty() {
        true => Vec::new(),
        false => Store::not_received(&mut transaction, campaign, &had).await?,
    };
    let new: Vec<(UserId, Conversation)> = users
        .iter()
        .filter(|user| !had.contains(user))
        .filter_map(|user| Some((*user, Conversation::direct(from, *user).ok()?)))
        .collect();
    if new.is_empty() {
        return Ok(Stored { sent: 0, push });
    }
    let conversations: BTreeSet<_> = new.iter().map(|(_, conversation)| *conversation).collect();
    Store::open_one_way(&mut transaction, &conversations).await?;
    let places = store.lock(&mut transaction, &conversations).await?;
    let mut entries = Vec::with_capacity(new.len());
    for (user, conversation) in new {
        // Closed for good, if the user's account was deleted.
        let Some(place) = places.get(&conversation).filter(|place| place.is_one_way) else { continue };
        let entry = Entry {
            conversation,
            seq: Seq::new(place.last_seq + 1)?,
            from,
            client_id: Some(client_id(campaign, user)),
            text: text.to_string(),
            sent_at: now,
            quote: None,
            mentions: Vec::new(),
            payload: None,
            notice: None,
            edited_at: None,
            recalled_by: None,
            reactions: Vec::new(),
            revision: 0,
            campaign: Some(campaign),
        };
        entries.push((user, entry));
    }
    if !entries.is_empty() {
        store.insert_campaign(&mut transaction, campaign, &entries, now).await?;
    }
    failpoint::commit(transaction, "message.post").await?;
    let sent = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    push.extend(entries);
    Ok(Stored { sent, push })
}

/// What the message of a campaign to a user is called: always the same.
fn client_id(campaign: u64, user: UserId) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&campaign.to_be_bytes()[2..]);
    bytes[8..].copy_from_slice(&user.get().to_be_bytes());
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use broker_schemas::message::{History, Reach, Search};
    use broker_schemas::{List, Text};
    use futures_util::future::join_all;

    use super::*;
    use crate::plan::Outcome;
    use crate::receipts::{Receipt, Writer};
    use crate::testing::{another_copy, draft, entries, pair, send, seq, stores, user};
    use natter_host::Work;

    const NATTER: u64 = 1_000_000;

    fn request(campaign: u64, users: impl IntoIterator<Item = u64>) -> Post {
        Post {
            campaign,
            from: user(NATTER),
            to: List::new(users.into_iter().map(user).collect()).unwrap(),
            text: Text::new("Try the new stickers").unwrap(),
        }
    }

    /// What the handler does, but for the pushes; how many got it, and how many would be pushed.
    async fn post(store: &Store, request: &Post) -> (u32, usize) {
        let (mut sent, mut pushed) = (0, 0);
        for users in request.to.chunks(AT_ONCE) {
            let done = retrying(|| apply(store, request, users, Timestamp::now())).await.unwrap();
            sent += done.sent;
            pushed += done.push.len();
        }
        (sent, pushed)
    }

    async fn reach(store: &Store, campaign: u64) -> (u64, u64, u64) {
        let Reach { sent, delivered, read } = store.reach(campaign).await.unwrap();
        (sent, delivered, read)
    }

    #[tokio::test]
    async fn of_many_those_who_have_it_already_do_not_get_it_again() {
        for (store, test) in stores().await {
            assert_eq!(post(&store, &request(7, (1..=512).step_by(3))).await, (171, 171), "{}", test.name);
            let all = request(7, 1..=512);
            // Who has it may not have been told: they are, once more.
            assert_eq!(post(&store, &all).await, (512 - 171, 512), "{}", test.name);
            assert_eq!(post(&store, &all).await, (0, 512), "{}: repeated", test.name);
            assert_eq!(reach(&store, 7).await, (512, 0, 0), "{}", test.name);
            for number in [1, 2, 512] {
                let stored = entries(&store, pair(number, NATTER)).await;
                assert_eq!(stored.len(), 1, "{}", test.name);
                assert_eq!((stored[0].from, stored[0].campaign), (user(NATTER), Some(7)), "{}", test.name);
            }
            assert_eq!(post(&store, &request(8, [1])).await, (1, 1), "{}: another campaign", test.name);
            let stored = entries(&store, pair(1, NATTER)).await;
            let places: Vec<_> = stored.iter().map(|entry| (entry.seq.get(), entry.campaign)).collect();
            assert_eq!(places, [(1, Some(7)), (2, Some(8))], "{}", test.name);
        }
    }

    #[tokio::test]
    async fn copies_that_post_the_same_at_once_send_it_once() {
        for (store, test) in stores().await {
            let other = another_copy(&test).await;
            let (there, back) = (request(7, 1..=100), request(7, (1..=100).rev()));
            let posts = [(&store, &there), (&other, &back), (&store, &back), (&other, &there)];
            let sent = join_all(posts.map(async |(store, request)| {
                let users: BTreeSet<_> = request.to.iter().copied().collect();
                let users: Vec<_> = users.into_iter().collect();
                retrying(|| apply(store, request, &users, Timestamp::now())).await.unwrap().sent
            }));
            assert_eq!(sent.await.iter().sum::<u32>(), 100, "{}", test.name);
            for number in 1..=100 {
                assert_eq!(entries(&store, pair(number, NATTER)).await.len(), 1, "{}", test.name);
            }
        }
    }

    #[tokio::test]
    async fn the_user_reads_it_like_a_message_and_cannot_answer() {
        for (store, test) in stores().await {
            // Even who has shut the conversation gets it, and no gate opens it.
            store.set_gate(pair(1, NATTER), false, 3).await.unwrap();
            post(&store, &request(7, [1])).await;
            store.set_gate(pair(1, NATTER), true, 4).await.unwrap();
            let there = pair(1, NATTER);
            let history = History { conversation: there, before: None, after: None, limit: None };
            let page = crate::history::page(&store, user(1), &history).await.unwrap();
            assert_eq!(page.messages[0].text, "Try the new stickers", "{}", test.name);
            assert_eq!(page.messages[0].campaign, Some(7), "{}", test.name);
            let search =
                Search { text: Text::new("stickers").unwrap(), conversation: None, limit: None, skip: None };
            let found = crate::search::find(&store, user(1), &search).await.unwrap();
            assert_eq!(found.messages.len(), 1, "{}", test.name);
            let standing = store.standings(user(1), 9).await.unwrap().remove(0);
            assert_eq!((standing.conversation, standing.unread()), (there, 1), "{}", test.name);
            let Outcome::Refused(error) = send(&store, &draft(there, 1, "thanks")).await else {
                panic!("{}", test.name)
            };
            assert!(error.message.contains("nobody would read an answer"), "{error}");
            let listed = store.list(user(1), None, 9, Timestamp::now()).await.unwrap();
            assert!(!listed.overviews[0].open, "{}", test.name);
        }
    }

    #[tokio::test]
    async fn who_deleted_the_account_gets_nothing_any_more() {
        for (store, test) in stores().await {
            post(&store, &request(7, [1, 2])).await;
            store.forget(user(1)).await.unwrap();
            assert_eq!(post(&store, &request(8, [1, 2])).await, (1, 1), "{}", test.name);
            assert_eq!(entries(&store, pair(1, NATTER)).await.len(), 1, "{}", test.name);
            assert!(store.seat(user(1), pair(1, NATTER)).await.unwrap().is_none(), "{}", test.name);
        }
    }

    #[tokio::test]
    async fn reach_counts_who_has_received_and_who_has_read() {
        for (store, test) in stores().await {
            post(&store, &request(7, 1..=5)).await;
            post(&store, &request(8, 1..=2)).await;
            let receive = async |receipts: &[(u64, u64)]| {
                let receipts = receipts
                    .iter()
                    .map(|&(number, at)| Receipt { conversation: pair(number, NATTER), seq: seq(at) });
                let done = Writer::new(store.clone()).work(receipts.collect()).await;
                assert!(done.iter().all(std::result::Result::is_ok), "{}", test.name);
            };
            receive(&[(1, 1), (2, 1), (2, 2), (1, 1)]).await;
            assert_eq!(reach(&store, 7).await, (5, 2, 0), "{}", test.name);
            assert_eq!(reach(&store, 8).await, (2, 1, 0), "{}: up to there", test.name);
            assert!(!store.is_to_receive(pair(1, NATTER), seq(1)).await.unwrap(), "{}", test.name);
            assert!(store.is_to_receive(pair(1, NATTER), seq(2)).await.unwrap(), "{}", test.name);
            // Who has received it needs to be told no more.
            assert_eq!(post(&store, &request(7, 1..=5)).await, (0, 3), "{}", test.name);
            let read: BTreeMap<_, _> =
                [(1, 1), (3, 1)].map(|(number, at)| ((user(number), pair(number, NATTER)), seq(at))).into();
            store.move_cursors(&read).await.unwrap();
            assert_eq!(reach(&store, 7).await, (5, 3, 2), "{}: who reads has received", test.name);
            assert_eq!(reach(&store, 9).await, (0, 0, 0), "{}", test.name);
        }
    }

    #[test]
    fn a_campaign_to_a_user_has_a_name_of_its_own() {
        let id = client_id(7, user(300));
        assert_eq!(id, client_id(7, user(300)));
        assert_eq!(id.to_string(), "00000000-0007-8000-8000-00000000012c");
        assert_ne!(id, client_id(8, user(300)));
        assert_ne!(id, client_id(7, user(301)));
        let last = client_id(CAMPAIGN_MAX, user(broker_schemas::id::MAX_ID));
        assert_ne!(last, client_id(CAMPAIGN_MAX - 1, user(broker_schemas::id::MAX_ID)));
    }

    #[test]
    fn a_post_says_something_for_a_campaign_that_can_be_named() {
        assert!(check(&request(CAMPAIGN_MAX, [1])).is_ok());
        for (campaign, text) in [(0, "x"), (CAMPAIGN_MAX + 1, "x"), (7, ""), (7, "a\0")] {
            let post = Post { text: Text::new(text).unwrap(), ..request(campaign, [1]) };
            assert!(check(&post).is_err(), "{campaign} {text:?}");
        }
    }

    #[tokio::test]
    async fn one_post_runs_at_a_time_and_few_wait() {
        let posts = Posts::new();
        let first = posts.turn().await.unwrap();
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(posts.turn())).collect();
        for turn in &mut waiting {
            assert!(futures_util::poll!(turn).is_pending());
        }
        assert_eq!(crate::testing::code(posts.turn().await.map(|_| ())), broker_schemas::Code::Unavailable);
        drop(first);
        waiting.remove(0).await.unwrap();
    }

    /// Work that takes a while, for every item.
    struct Slow;

    impl Work<(), ()> for Slow {
        async fn work(&mut self, items: Vec<()>) -> Vec<()> {
            sleep(Duration::from_millis(20)).await;
            items
        }
    }

    #[tokio::test]
    async fn a_post_goes_on_once_no_messages_of_people_wait_and_in_time_if_they_never_end() {
        let patience = Duration::from_millis(400);
        // Nobody waits: it rests for as long as it worked.
        let people = Batcher::start("messages", 1, Slow);
        let began = Instant::now();
        give_way(&people, Duration::from_millis(100), Duration::from_secs(60)).await;
        assert!((100..1_500).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());

        // Ten wait, for 200 ms in all: it waits for the last of them.
        let ten = join_all((0..10).map(|_| people.submit(())));
        let (answers, done) = tokio::join!(ten, async {
            give_way(&people, Duration::from_millis(30), Duration::from_secs(60)).await;
            Instant::now()
        });
        let last = Instant::now();
        assert!(
            answers.iter().all(std::result::Result::is_ok) && last - done < Duration::from_millis(100),
            "{:?}",
            last - done
        );
        assert!(done - began >= Duration::from_millis(200));

        // They never end: it goes on when it has been patient, or has worked for a twentieth of the time.
        let endless = async { join_all((0..1_000).map(|_| people.submit(()))).await };
        let ended = async {
            let began = Instant::now();
            give_way(&people, Duration::from_millis(30), patience).await;
            let patient = began.elapsed();
            give_way(&people, Duration::from_millis(10), Duration::from_secs(60)).await;
            (patient, began.elapsed() - patient)
        };
        tokio::select! {
            _ = endless => panic!("it waited for the end"),
            (patient, share) = ended => {
                assert!(patient >= Duration::from_millis(430), "{patient:?}");
                assert!((190..5_000).contains(&share.as_millis()), "{share:?}");
            }
        }
    }
}

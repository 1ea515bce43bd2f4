//! The task behind a [`crate::Chat`]: keeps a connection, and turns what arrives on it into updates.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_schemas::announcement::{self, SeenRevision, Unseen};
use broker_schemas::message::{self, Missed, Received, SYNC_MAX};
use broker_schemas::{Code, Conversation, Error, Fetched, List, Map, Outcome, Text, group, user};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::backoff::{Backoff, shorten};
use crate::board::Board;
use crate::inbox::{self, Fit, Inbox};
use crate::receipts::Receipts;
use crate::updates::{Moved, Told};
use crate::{Address, CallError, ChatOptions, Client, Closed, Event, Events, SignInError, Update};

/// Whether calls can be made.
#[derive(Debug, Clone)]
pub(crate) enum Link {
    /// Not now.
    Offline,
    /// On this connection.
    Online(Client),
    /// Never again.
    Over,
}

/// A connection with the user signed in.
pub(crate) struct Online {
    pub(crate) client: Client,
    pub(crate) events: Events,
    pub(crate) session: user::Session,
}

/// Why a connection is no longer of use.
enum End {
    /// Another one will do.
    Lost(Closed),
    /// The session is over with it.
    Over(Closed),
}

/// A question to the server that is under way.
type Question<T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send>>;

/// When to ask for what was missed, and the question that is under way.
struct Syncing {
    call: Option<Question<Missed>>,
    due: Instant,
    /// The last one failed; nothing makes the next one come before its time.
    failing: bool,
    backoff: Backoff,
}

/// When to ask for announcements, and the question that is under way.
struct Listing {
    call: Option<Question<Unseen>>,
    due: Option<Instant>,
    backoff: Backoff,
    /// Told to the application before, and listed all the same: the server has yet to hear that they were seen.
    unheard: Vec<SeenRevision>,
}

/// The receipt that is under way, and when to try again after one that failed.
struct Acknowledging {
    call: Option<Question<Received>>,
    due: Instant,
    backoff: Backoff,
}

pub(crate) struct Driver {
    address: Address,
    options: Arc<ChatOptions>,
    token: Arc<Mutex<String>>,
    inbox: Inbox,
    board: Board,
    receipts: Receipts,
    link: watch::Sender<Link>,
    updates: mpsc::Sender<Told>,
    logged_out: Arc<Notify>,
    backoff: Backoff,
}

impl Driver {
    pub(crate) fn new(
        address: Address,
        options: Arc<ChatOptions>,
        token: Arc<Mutex<String>>,
        inbox: Inbox,
        link: watch::Sender<Link>,
        updates: mpsc::Sender<Told>,
        logged_out: Arc<Notify>,
    ) -> Self {
        let backoff = Backoff::new(options.first_wait, options.longest_wait);
        let (board, receipts) = (Board::default(), Receipts::default());
        Self { address, options, token, inbox, board, receipts, link, updates, logged_out, backoff }
    }

    /// Serves connection after connection, until the session is over.
    pub(crate) async fn run(mut self, mut online: Option<Online>) {
        let over = loop {
            let end = match online.take() {
                Some(online) => self.serve(online).await,
                None => match self.sign_in().await {
                    Ok(signed_in) => {
                        online = Some(signed_in);
                        continue;
                    }
                    Err(end) => end,
                },
            };
            match end {
                End::Over(closed) => break closed,
                End::Lost(reason) => {
                    self.link.send_replace(Link::Offline);
                    let retry_in = self.backoff.wait();
                    tracing::debug!(%reason, ?retry_in, "connection lost");
                    self.tell(Update::Offline { reason, retry_in }).await;
                    sleep(retry_in).await;
                }
            }
        };
        self.link.send_replace(Link::Over);
        self.tell(Update::Over(over)).await;
    }

    /// Connects and resumes the session.
    async fn sign_in(&mut self) -> Result<Online, End> {
        let attempt = async {
            let (client, events) = Client::connect_with(&self.address, &self.options.connection).await?;
            let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let token = Text::new(token).map_err(|message| CallError::unfit(Error::invalid(message)))?;
            let session = client.call(&user::Resume { token }).await?;
            Ok(Online { client, events, session })
        };
        match attempt.await {
            Ok(online) => Ok(online),
            Err(SignInError::Call(CallError::Refused { error, outcome: Outcome::Rejected }))
                if error.code != Code::RateLimited =>
            {
                Err(End::Over(Closed { code: Some(error.code.name().to_owned()), message: error.message }))
            }
            // The previous token is good until the new one was used, so a lost reply loses nothing.
            Err(error) => Err(End::Lost(Closed::broken(error.to_string()))),
        }
    }

    /// Serves one connection until it is of no use any more.
    async fn serve(&mut self, Online { client, mut events, session }: Online) -> End {
        session.token.clone_into(&mut self.token.lock().unwrap_or_else(PoisonError::into_inner));
        match &session.unread {
            Fetched::Available(standings) => self.inbox.sign_in(standings, standings.len() < SYNC_MAX),
            Fetched::Unavailable { .. } => self.inbox.sign_in(&[], false),
        }
        self.link.send_replace(Link::Online(client.clone()));
        let moved = Moved::All(self.inbox.cursors());
        self.tell_moved(Update::Online(Box::new(session)), moved).await;
        let backoff = Backoff::new(self.options.first_wait, self.options.longest_wait);
        // At once, whatever the session says: a message may have come between its making and the first push.
        let mut syncing = Syncing { call: None, due: Instant::now(), failing: false, backoff };
        let backoff = Backoff::new(self.options.first_wait * 5, self.options.sync_every);
        let mut listing = Listing { call: None, due: Some(Instant::now()), backoff, unheard: Vec::new() };
        let backoff = Backoff::new(self.options.first_wait, self.options.longest_wait);
        let mut acknowledging = Acknowledging { call: None, due: Instant::now(), backoff };
        loop {
            let receipt = self.receipts.next().filter(|_| acknowledging.call.is_none());
            tokio::select! {
                // What a sync brought goes before what was pushed after it, which would look like a gap. Events come last:
                // there may always be one more, while the others are ready once.
                biased;
                answer = answered(&mut syncing.call) => {
                    syncing.call = None;
                    if let Err(lost) = self.take_missed(answer, &mut syncing).await {
                        return End::Lost(lost);
                    }
                }
                () = self.logged_out.notified() => {
                    return End::Over(Closed { code: None, message: "logged out".into() });
                }
                () = sleep_until(syncing.due), if syncing.call.is_none() => {
                    syncing.due = Instant::now() + shorten(self.options.sync_every);
                    let (have, revisions) = self.inbox.ask();
                    syncing.call = Some(Box::pin(ask(client.clone(), have, revisions)));
                }
                answer = answered(&mut listing.call) => {
                    listing.call = None;
                    self.take_unseen(answer, &mut listing).await;
                }
                () = sleep_until(listing.due.unwrap_or_else(Instant::now)),
                    if listing.due.is_some() && listing.call.is_none() =>
                {
                    listing.due = None;
                    let unheard = std::mem::take(&mut listing.unheard);
                    listing.call = Some(Box::pin(ask_unseen(client.clone(), unheard)));
                }
                answer = answered(&mut acknowledging.call) => {
                    acknowledging.call = None;
                    match answer {
                        Ok(receipt) => {
                            self.receipts.told(&receipt);
                            acknowledging.backoff.reset();
                        }
                        Err(error) => {
                            tracing::debug!(%error, "receipt not told");
                            acknowledging.due = Instant::now() + acknowledging.backoff.wait();
                        }
                    }
                }
                () = sleep_until(acknowledging.due), if receipt.is_some() => {
                    acknowledging.call = receipt.map(|receipt| -> Question<_> {
                        Box::pin(acknowledge(client.clone(), receipt))
                    });
                }
                event = events.next() => match event {
                    Some(event) => {
                        if event == Event::Resync {
                            listing.due = Some(Instant::now());
                        }
                        if let Some(over) = self.take(event, &mut syncing).await {
                            return End::Over(over);
                        }
                    }
                    None => {
                        let closed = client.closed().unwrap_or_else(|| Closed::broken("the connection is gone"));
                        let over = closed.code.as_deref() == Some(Closed::SESSION_ENDED);
                        return if over { End::Over(closed) } else { End::Lost(closed) };
                    }
                },
            }
        }
    }

    /// Acts on one event. The reason, when it ends the session.
    async fn take(&mut self, event: Event, syncing: &mut Syncing) -> Option<Closed> {
        if let Some(change) = event.change() {
            match self.inbox.push_change(change.conversation, change.seq, change.revision) {
                Fit::Next => self.tell_of(change.conversation, Update::Event(event)).await,
                Fit::Seen => {}
                Fit::Gap => syncing.hasten(),
            }
            return None;
        }
        let mut moved = Moved::Nothing;
        match &event {
            Event::Message(entry) => {
                self.receipts.note(entry);
                match self.inbox.push(entry) {
                    Fit::Next => {
                        let Event::Message(entry) = event else { return None };
                        self.tell_of(entry.conversation, Update::Message(*entry)).await;
                    }
                    Fit::Seen => {}
                    Fit::Gap => syncing.hasten(),
                }
                return None;
            }
            Event::Announced(_) => {
                let Event::Announced(event) = event else { return None };
                if let Some(new) = self.board.push(event) {
                    self.tell(Update::Announcement(new)).await;
                }
                return None;
            }
            Event::SessionClosed { code, message } => {
                return Some(Closed { code: Some(code.clone()), message: message.clone() });
            }
            // What was said until now was not pushed here.
            Event::Resync => syncing.hasten(),
            Event::GroupJoined(joined) => {
                // Not from where the user has read: another device may have, before this one had it.
                if let Some(seq) = joined.seq {
                    self.inbox.start(Conversation::group(joined.group), seq.get() - 1);
                }
                syncing.hasten();
            }
            // Somebody has read what was not pushed here.
            Event::Read(read) if self.inbox.lacks(read.conversation, read.seq) => syncing.hasten(),
            Event::GroupLeft(group::LeftEvent { group })
            | Event::GroupKicked(group::KickedEvent { group, .. }) => {
                let conversation = Conversation::group(*group);
                self.inbox.forget(conversation);
                moved = Moved::Gone(conversation);
            }
            _ => {}
        }
        self.tell_moved(Update::Event(event), moved).await;
        None
    }

    /// Acts on what a sync brought.
    ///
    /// # Errors
    /// When nobody is signed in on this connection any more; resuming finds out why.
    async fn take_missed(
        &mut self,
        answer: Result<Missed, CallError>,
        syncing: &mut Syncing,
    ) -> Result<(), Closed> {
        let missed = match answer {
            Ok(missed) => missed,
            Err(error) => {
                self.inbox.give_up();
                if error.code() == Code::Unauthenticated {
                    return Err(Closed::broken(error.to_string()));
                }
                let wait = syncing.backoff.wait();
                tracing::debug!(%error, ?wait, "sync failed");
                syncing.due = Instant::now() + wait;
                syncing.failing = true;
                return Ok(());
            }
        };
        syncing.failing = false;
        let mut new = 0;
        for entry in missed.messages {
            self.receipts.note(&entry);
            let conversation = entry.conversation;
            let update = match self.inbox.fetch(&entry) {
                inbox::Fetched::Message => Update::Message(entry),
                inbox::Fetched::Changed => Update::Changed(entry),
                inbox::Fetched::Nothing => continue,
            };
            new += 1;
            self.tell_of(conversation, update).await;
        }
        for entry in missed.changed {
            if self.inbox.fetch_change(&entry, missed.more) {
                new += 1;
                self.tell_of(entry.conversation, Update::Changed(entry)).await;
            }
        }
        // Answers that bring nothing new, one after the other, would make a loop of full speed.
        let again = self.inbox.settle(missed.more);
        if new > 0 || !missed.more {
            // Only now: a server that drops everyone after sign-in must not be hurried.
            self.backoff.reset();
        }
        if new > 0 || !again {
            syncing.backoff.reset();
        }
        if again {
            syncing.due = Instant::now() + if new > 0 { Duration::ZERO } else { syncing.backoff.wait() };
        }
        Ok(())
    }

    /// Acts on a list of announcements. That there is none to be had bothers nobody: it is asked for again, later.
    async fn take_unseen(&mut self, answer: Result<Unseen, CallError>, listing: &mut Listing) {
        let listed = match answer {
            Ok(unseen) => unseen.announcements,
            Err(error) => {
                let wait = listing.backoff.wait();
                tracing::debug!(%error, ?wait, "announcements not listed");
                listing.due = Some(Instant::now() + wait);
                return;
            }
        };
        // A full answer may hide further ones, until these are seen.
        let full = listed.len() >= announcement::MAX;
        let (new, unheard) = self.board.list(listed);
        for event in new {
            self.tell(Update::Announcement(event)).await;
        }
        if full || !unheard.is_empty() {
            listing.due = Some(Instant::now() + listing.backoff.wait());
        } else {
            listing.backoff.reset();
        }
        listing.unheard = unheard;
    }

    /// Hands over an update about a conversation, with how far that has come.
    async fn tell_of(&self, conversation: Conversation, update: Update) {
        let moved = self.inbox.cursor(conversation).map_or(Moved::Nothing, |at| Moved::To(conversation, at));
        self.tell_moved(update, moved).await;
    }

    async fn tell(&self, update: Update) {
        self.tell_moved(update, Moved::Nothing).await;
    }

    /// Hands an update to the application. One that does not listen still sends.
    async fn tell_moved(&self, update: Update, moved: Moved) {
        let _ = self.updates.send(Told { update, moved }).await;
    }
}

impl Syncing {
    /// Syncs as soon as possible: now, or once the answer is in that may not know yet what hastens it.
    fn hasten(&mut self) {
        if !self.failing {
            self.due = self.due.min(Instant::now());
        }
    }
}

/// Asks for the messages after `have`, and for what changed since `revisions`.
async fn ask(
    client: Client,
    have: BTreeMap<Conversation, u64>,
    revisions: BTreeMap<Conversation, u64>,
) -> Result<Missed, CallError> {
    let unfit = |message| CallError::unfit(Error::invalid(message));
    let (have, revisions) = (Map::new(have).map_err(unfit)?, Map::new(revisions).map_err(unfit)?);
    client.call(&message::Sync { have, revisions: Some(revisions) }).await
}

/// Says which announcements were seen, if any, and asks for those that were not.
async fn ask_unseen(client: Client, seen: Vec<SeenRevision>) -> Result<Unseen, CallError> {
    if !seen.is_empty() {
        let seen = List::new(seen).map_err(|message| CallError::unfit(Error::invalid(message)))?;
        client.call(&announcement::MarkSeen { seen }).await?;
    }
    client.call(&announcement::ListUnseen {}).await
}

/// Tells the server what was received. That it won't hear of it, for example because the message is gone, ends it too.
async fn acknowledge(client: Client, receipt: Received) -> Result<Received, CallError> {
    match client.call(&receipt).await {
        Err(error) if error.outcome() != Outcome::Rejected || error.code() == Code::RateLimited => Err(error),
        _ => Ok(receipt),
    }
}

/// The answer of the call that is under way; never, if there is none.
async fn answered<T>(call: &mut Option<Question<T>>) -> Result<T, CallError> {
    match call {
        Some(call) => call.await,
        None => std::future::pending().await,
    }
}

//! The task behind a [`crate::Chat`]: keeps a connection, and turns what arrives on it into updates.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_schemas::message::{self, Missed};
use broker_schemas::{Code, Conversation, Error, Fetched, Map, Outcome, Text, user};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::backoff::{Backoff, shorten};
use crate::inbox::{Fit, Inbox};
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

type SyncCall = Pin<Box<dyn Future<Output = Result<Missed, CallError>> + Send>>;

/// When to ask for what was missed, and the question that is under way.
struct Syncing {
    /// The call, and the strangers that it tells about.
    call: Option<(SyncCall, HashMap<Conversation, u64>)>,
    due: Instant,
    /// The last one failed; nothing makes the next one come before its time.
    failing: bool,
    backoff: Backoff,
}

pub(crate) struct Driver {
    address: Address,
    options: Arc<ChatOptions>,
    token: Arc<Mutex<String>>,
    inbox: Inbox,
    link: watch::Sender<Link>,
    updates: mpsc::Sender<Update>,
    logged_out: Arc<Notify>,
    backoff: Backoff,
}

impl Driver {
    pub(crate) fn new(
        address: Address,
        options: Arc<ChatOptions>,
        token: Arc<Mutex<String>>,
        cursors: &HashMap<Conversation, u64>,
        link: watch::Sender<Link>,
        updates: mpsc::Sender<Update>,
        logged_out: Arc<Notify>,
    ) -> Self {
        let mut inbox = Inbox::default();
        for (&conversation, &seq) in cursors {
            inbox.start(conversation, seq);
        }
        let backoff = Backoff::new(options.first_wait, options.longest_wait);
        Self { address, options, token, inbox, link, updates, logged_out, backoff }
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
        if let Fetched::Available(conversations) = &session.unread {
            for entry in conversations {
                self.inbox.start(entry.conversation, entry.read_seq);
            }
        }
        self.link.send_replace(Link::Online(client.clone()));
        self.tell(Update::Online(Box::new(session))).await;
        let backoff = Backoff::new(self.options.first_wait, self.options.longest_wait);
        // At once, whatever the session says: a message may have come between its making and the first push.
        let mut syncing = Syncing { call: None, due: Instant::now(), failing: false, backoff };
        loop {
            tokio::select! {
                // What a sync brought goes before what was pushed after it, which would look like a gap. Events come last:
                // there may always be one more, while the others are ready once.
                biased;
                (answer, strangers) = answered(&mut syncing.call) => {
                    syncing.call = None;
                    if let Err(lost) = self.take_missed(answer, &strangers, &mut syncing).await {
                        return End::Lost(lost);
                    }
                }
                () = self.logged_out.notified() => {
                    return End::Over(Closed { code: None, message: "logged out".into() });
                }
                () = sleep_until(syncing.due), if syncing.call.is_none() => {
                    syncing.due = Instant::now() + shorten(self.options.sync_every);
                    let call = Box::pin(ask(client.clone(), self.inbox.have()));
                    syncing.call = Some((call, self.inbox.strangers()));
                }
                event = events.next() => match event {
                    Some(event) => {
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
        match event {
            Event::Message(entry) => match self.inbox.push(entry.conversation, entry.seq.get()) {
                Fit::Next => self.tell(Update::Message(entry)).await,
                Fit::Seen => {}
                Fit::Gap => syncing.hasten(),
            },
            Event::SessionClosed { code, message } => return Some(Closed { code: Some(code), message }),
            other => {
                match &other {
                    Event::Resync => syncing.hasten(),
                    // Somebody has read what was not pushed here.
                    Event::Read(read) if self.inbox.lacks(read.conversation, read.seq.get()) => {
                        syncing.hasten()
                    }
                    _ => {}
                }
                self.tell(Update::Event(other)).await;
            }
        }
        None
    }

    /// Acts on what a sync brought.
    ///
    /// # Errors
    /// When nobody is signed in on this connection any more; resuming finds out why.
    async fn take_missed(
        &mut self,
        answer: Result<Missed, CallError>,
        strangers: &HashMap<Conversation, u64>,
        syncing: &mut Syncing,
    ) -> Result<(), Closed> {
        let missed = match answer {
            Ok(missed) => missed,
            Err(error) if error.code() == Code::Unauthenticated => {
                return Err(Closed::broken(error.to_string()));
            }
            Err(error) => {
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
            if self.inbox.fetch(entry.conversation, entry.seq.get()) == Fit::Next {
                new += 1;
                self.tell(Update::Message(entry)).await;
            }
        }
        // Pages that bring nothing new, one after the other, would make a loop of full speed.
        let fruitful = new > 0 || !missed.more;
        if fruitful {
            // Only now: a server that drops everyone after sign-in must not be hurried.
            self.backoff.reset();
            syncing.backoff.reset();
        }
        if missed.more {
            syncing.due = Instant::now() + if fruitful { Duration::ZERO } else { syncing.backoff.wait() };
        } else if self.inbox.settle(strangers) {
            syncing.hasten();
        }
        Ok(())
    }

    /// Hands an update to the application. One that does not listen still sends.
    async fn tell(&self, update: Update) {
        let _ = self.updates.send(update).await;
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

/// Asks for what is missing after `have`.
async fn ask(client: Client, have: BTreeMap<Conversation, u64>) -> Result<Missed, CallError> {
    let have = Map::new(have).map_err(|message| CallError::unfit(Error::invalid(message)))?;
    client.call(&message::Sync { have }).await
}

/// The answer of the call that is under way; never, if there is none.
async fn answered(
    call: &mut Option<(SyncCall, HashMap<Conversation, u64>)>,
) -> (Result<Missed, CallError>, HashMap<Conversation, u64>) {
    match call {
        Some((call, strangers)) => (call.await, std::mem::take(strangers)),
        None => std::future::pending().await,
    }
}

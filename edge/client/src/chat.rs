//! One signed-in user, whatever happens to the connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_schemas::message::{self, Recipient};
use broker_schemas::{Code, Conversation, Error, List, Method, Outcome, Seq, announcement, user};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::driver::{Driver, Link, Online};
use crate::inbox::Inbox;
use crate::receipts;
use crate::{Address, CallError, Client, Cursor, Draft, Options, SignInError, Updates};

/// When the answer to a send, which the server gives within its deadline, give or take a second, may be lost. Whoever stored the
/// message knows it by its id.
const ANSWERED: Duration = message::Send::SPEC.deadline.saturating_add(Duration::from_secs(1));

/// How a [`Chat`] behaves.
#[derive(Debug, Clone)]
pub struct ChatOptions {
    /// Each of its connections.
    pub connection: Options,
    /// The wait before the first attempt to reconnect; it doubles with each. 200 ms by default.
    pub first_wait: Duration,
    /// The longest wait between two attempts; 15 s by default.
    pub longest_wait: Duration,
    /// How often to ask for missed messages though nothing hints at any: finds a last message whose push was lost. 5 min
    /// by default.
    pub sync_every: Duration,
    /// How many updates wait for the application; past it, reading from the connection stops being this library's
    /// business and turns into [`crate::Event::Resync`]. 256 by default.
    pub update_queue: usize,
}

impl Default for ChatOptions {
    fn default() -> Self {
        Self {
            connection: Options::default(),
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(15),
            sync_every: Duration::from_secs(300),
            update_queue: 256,
        }
    }
}

/// One signed-in user over as many connections as it takes. Clones share it; it ends with the last one.
#[derive(Debug, Clone)]
pub struct Chat {
    link: watch::Receiver<Link>,
    token: Arc<Mutex<String>>,
    options: Arc<ChatOptions>,
    logged_out: Arc<Notify>,
    /// The driver's task; dropping this ends it.
    _task: Arc<JoinSet<()>>,
}

impl Chat {
    /// Connects and signs in with a password. Messages begin after what the user has read.
    ///
    /// # Errors
    /// [`SignInError`]; this first time, nothing is tried twice.
    pub async fn sign_in(
        address: &Address,
        login: &user::Login,
        options: ChatOptions,
    ) -> Result<(Self, Updates), SignInError> {
        let (client, events) = Client::connect_with(address, &options.connection).await?;
        let session = client.call(login).await?;
        let token = session.token.clone();
        let online = Online { client, events, session };
        Ok(Self::start(address, token, HashMap::new(), options, Some(online)))
    }

    /// Goes on with an earlier session: at once, or as soon as the server can be reached. Must be called on a tokio
    /// runtime.
    ///
    /// `cursors` are those of [`Updates::cursors`]; a conversation that isn't named begins after what the user has read.
    #[must_use]
    pub fn resume(
        address: &Address,
        token: String,
        cursors: HashMap<Conversation, Cursor>,
        options: ChatOptions,
    ) -> (Self, Updates) {
        Self::start(address, token, cursors, options, None)
    }

    fn start(
        address: &Address,
        token: String,
        cursors: HashMap<Conversation, Cursor>,
        options: ChatOptions,
        online: Option<Online>,
    ) -> (Self, Updates) {
        let (updates, queue) = mpsc::channel(options.update_queue.max(1));
        let (set_link, link) = watch::channel(Link::Offline);
        let (token, options) = (Arc::new(Mutex::new(token)), Arc::new(options));
        let logged_out = Arc::new(Notify::new());
        let driver = Driver::new(
            address.clone(),
            Arc::clone(&options),
            Arc::clone(&token),
            Inbox::resumed(&cursors),
            set_link,
            updates,
            Arc::clone(&logged_out),
        );
        let mut task = JoinSet::new();
        task.spawn(driver.run(online));
        let updates = Updates::new(queue, cursors);
        (Self { link, token, options, logged_out, _task: Arc::new(task) }, updates)
    }

    /// Calls a method on the present connection.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::NotSent`] at once while there is no connection.
    pub async fn call<R: Method>(&self, request: &R) -> Result<R::Reply, CallError> {
        self.client()?.call(request).await
    }

    /// The present connection, with the user signed in.
    ///
    /// # Errors
    /// [`CallError::NotSent`] while there is none.
    pub fn client(&self) -> Result<Client, CallError> {
        match &*self.link.borrow() {
            Link::Online(client) => Ok(client.clone()),
            Link::Offline => Err(CallError::NotSent("not connected".into())),
            Link::Over => Err(CallError::NotSent("the session is over".into())),
        }
    }

    /// Sends a message, a text or a [`Draft`] of more, and tries again with the same `client_id`, over as many connections as it
    /// takes, until the server takes or refuses it, or `limit` has passed. To be told to slow down is no refusal: it waits as
    /// long as told. Sends that run at the same time may be stored in any order.
    ///
    /// # Errors
    /// [`CallError`] of the last attempt, except that an outcome that was unknown once stays unknown.
    pub async fn send(
        &self,
        to: Recipient,
        client_id: Uuid,
        message: impl Into<Draft>,
        limit: Duration,
    ) -> Result<message::Sent, CallError> {
        let request = message.into().request(to, client_id)?;
        let deadline = Instant::now() + limit;
        let mut backoff = Backoff::new(self.options.first_wait, self.options.longest_wait);
        let mut link = self.link.clone();
        let mut uncertain = None;
        loop {
            let failed = match timeout_at(deadline, connected(&mut link)).await {
                Ok(Ok(client)) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    match client.call_within(&request, left.min(ANSWERED)).await {
                        Ok(sent) => return Ok(sent),
                        Err(error) if error.outcome() != Outcome::Rejected => error,
                        // Too fast: the server says when to try again, and so does this.
                        Err(error) if error.code() == Code::RateLimited => error,
                        Err(error) => return Err(error),
                    }
                }
                Ok(Err(over)) => return Err(uncertain.unwrap_or(over)),
                Err(_) => CallError::NotSent("no connection in time".into()),
            };
            if failed.outcome() == Outcome::Unknown {
                uncertain = Some(failed.clone());
            }
            let wait = backoff.wait().max(failed.retry_after().unwrap_or_default());
            if Instant::now() + wait >= deadline {
                return Err(uncertain.unwrap_or(failed));
            }
            sleep(wait).await;
        }
    }

    /// A page of older messages, newest last: those before `before`, or the last ones.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn history(
        &self,
        conversation: Conversation,
        before: Option<Seq>,
        limit: u32,
    ) -> Result<Vec<message::Entry>, CallError> {
        let request = message::History { conversation, before, after: None, limit: Some(limit) };
        let messages = self.call(&request).await?.messages;
        // For those whom nobody needs to tell of it twice: the server takes a receipt that it has for done.
        if let Some(receipt) = receipts::of_page(&messages)
            && let Err(error) = self.call(&receipt).await
        {
            tracing::debug!(%error, "receipt not told");
        }
        Ok(messages)
    }

    /// Says that the application has shown an announcement, so that the server lists it no more, on any device; and says so again
    /// over as many connections as it takes, until the server knows or `limit` has passed.
    ///
    /// # Errors
    /// [`CallError`] of the last attempt; then the announcement is shown once more, after another start.
    pub async fn mark_seen(
        &self,
        seen: announcement::SeenRevision,
        limit: Duration,
    ) -> Result<(), CallError> {
        let unfit = |message| CallError::unfit(Error::invalid(message));
        let request = announcement::MarkSeen { seen: List::new(vec![seen]).map_err(unfit)? };
        let deadline = Instant::now() + limit;
        let mut backoff = Backoff::new(self.options.first_wait, self.options.longest_wait);
        let mut link = self.link.clone();
        loop {
            let failed = match timeout_at(deadline, connected(&mut link)).await {
                Ok(Ok(client)) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    match client.call_within(&request, left).await {
                        Ok(_) => return Ok(()),
                        Err(error) if error.outcome() == Outcome::Rejected => return Err(error),
                        Err(error) => error,
                    }
                }
                Ok(Err(over)) => return Err(over),
                Err(_) => CallError::NotSent("no connection in time".into()),
            };
            let wait = backoff.wait();
            if Instant::now() + wait >= deadline {
                return Err(failed);
            }
            sleep(wait).await;
        }
    }

    /// Ends the session for good; [`crate::Update::Over`] follows.
    ///
    /// # Errors
    /// [`CallError`]; then the session may still be open.
    pub async fn log_out(&self) -> Result<(), CallError> {
        self.call(&user::Logout {}).await?;
        self.logged_out.notify_one();
        Ok(())
    }

    /// Opens the session again from another process. Changes with each [`crate::Update::Online`].
    #[must_use]
    pub fn token(&self) -> String {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Waits for a connection with the user signed in.
async fn connected(link: &mut watch::Receiver<Link>) -> Result<Client, CallError> {
    let over = || CallError::NotSent("the session is over".into());
    let found = link.wait_for(|link| !matches!(link, Link::Offline)).await.map_err(|_| over())?;
    match &*found {
        Link::Online(client) => Ok(client.clone()),
        Link::Offline | Link::Over => Err(over()),
    }
}

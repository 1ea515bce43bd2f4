//! Carries out effects: the only part of this crate that knows the network and the token file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use broker_schemas::message::Recipient;
use broker_schemas::{Code, Conversation, Error, Outcome, Text, user};
use natter_client::{Address, CallError, Chat, ChatOptions, Draft, Update, Updates};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::exit::Failure;
use crate::model::{Answer, Effect, Input, explain};
use crate::requests;
use crate::token::TokenFile;

/// How long a message may take to be stored before it counts as not sent.
const SEND_LIMIT: Duration = Duration::from_secs(60);
/// How many effects may wait to be carried out, or their answers to be taken; a person can't type that fast.
const UNDER_WAY: usize = 256;

pub(crate) struct Runner {
    server: Address,
    /// Where sessions are kept for the next start, if anywhere.
    tokens: Option<PathBuf>,
    session: Option<Session>,
    /// Why the last attempt to sign in failed, or the session ended.
    pub(crate) failure: Option<Failure>,
    done: mpsc::Sender<Done>,
    finished: mpsc::Receiver<Done>,
    tasks: JoinSet<()>,
}

struct Session {
    chat: Chat,
    updates: Updates,
    kept: Option<Kept>,
    /// Sent one after the other, so that they are stored in the order in which they were typed.
    outbox: mpsc::Sender<Outbound>,
}

/// Where a session waits for the next start. No other process has it meanwhile: a session is on one connection at a time, and
/// a second `natter chat` would take it from this one.
struct Kept {
    file: TokenFile,
    _lock: std::fs::File,
}

struct Outbound {
    conversation: Conversation,
    to: Recipient,
    client_id: Uuid,
    draft: Draft,
}

enum Done {
    Answer(Answer),
    SignedIn(String, Result<(Chat, Updates), Failure>),
}

impl Runner {
    pub(crate) fn new(server: Address, tokens: Option<PathBuf>) -> Self {
        let (done, finished) = mpsc::channel(UNDER_WAY);
        Self { server, tokens, session: None, failure: None, done, finished, tasks: JoinSet::new() }
    }

    /// Opens the session that an earlier run left behind. Whether there is one, and nobody has it.
    pub(crate) fn resume(&mut self, name: &str) -> bool {
        let Some(kept) = self.keep(name) else { return false };
        let Some(token) = kept.file.load() else { return false };
        let (chat, updates) = Chat::resume(&self.server, token, HashMap::new(), ChatOptions::default());
        self.open(Some(kept), chat, updates);
        true
    }

    /// A place for the session of `name`; none if it can't be kept, or another process has it.
    fn keep(&mut self, name: &str) -> Option<Kept> {
        // The last one may be here.
        self.session = None;
        let file = TokenFile::of(self.tokens.as_ref()?, &self.server, name);
        let lock = file.lock().ok()??;
        Some(Kept { file, _lock: lock })
    }

    fn open(&mut self, kept: Option<Kept>, chat: Chat, updates: Updates) {
        let (outbox, mut queue) = mpsc::channel(UNDER_WAY);
        let (sender, done) = (chat.clone(), self.done.clone());
        self.tasks.spawn(async move {
            while let Some(Outbound { conversation, to, client_id, draft }) = queue.recv().await {
                let result = sender.send(to, client_id, draft, SEND_LIMIT).await;
                let _ = done.send(Done::Answer(Answer::Sent { conversation, client_id, result })).await;
            }
        });
        self.session = Some(Session { chat, updates, kept, outbox });
    }

    /// The next thing that happens. May be dropped at any time without losing one.
    pub(crate) async fn next(&mut self) -> Input {
        loop {
            tokio::select! {
                Some(done) = self.finished.recv() => return Input::Answer(self.finish(done)),
                update = next_update(&mut self.session) => match update {
                    Some(update) => {
                        self.keep_token(&update);
                        return Input::Update(update);
                    }
                    None => self.session = None,
                },
                // Nothing to do with them but to let them go.
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    fn finish(&mut self, done: Done) -> Answer {
        match done {
            Done::SignedIn(name, Ok((chat, updates))) => {
                let kept = self.keep(&name);
                self.open(kept, chat, updates);
                self.failure = None;
                Answer::SignedIn(Ok(()))
            }
            Done::SignedIn(_, Err(failure)) => {
                let words = match &failure {
                    Failure::Call(error) => explain(error),
                    failure => failure.to_string(),
                };
                self.failure = Some(failure);
                Answer::SignedIn(Err(words))
            }
            Done::Answer(answer) => {
                if matches!(answer, Answer::LoggedOut(Ok(())))
                    && let Some(kept) = self.session.take().and_then(|session| session.kept)
                {
                    kept.file.remove();
                }
                answer
            }
        }
    }

    fn keep_token(&mut self, update: &Update) {
        let file = self.session.as_ref().and_then(|session| session.kept.as_ref()).map(|kept| &kept.file);
        match update {
            // A session that can't be kept is still good for as long as this process runs.
            Update::Online(session) => drop(file.map(|file| file.save(&session.token))),
            Update::Over(closed) => {
                if let Some(file) = file {
                    file.remove();
                }
                if closed.code.is_none() {
                    // Logged out from here.
                    return;
                }
                let error = Error::new(Code::Unauthenticated, closed.message.clone());
                self.failure = Some(CallError::Refused { error, outcome: Outcome::Rejected }.into());
            }
            _ => {}
        }
    }

    /// Starts to carry out `effect`. Whether an answer follows.
    pub(crate) fn run(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Say(_) | Effect::Quit => return false,
            Effect::SignIn { name, password, register } => {
                let server = self.server.clone();
                self.spawn(async move {
                    let signed_in = sign_in(&server, &name, &password, register).await;
                    Done::SignedIn(name, signed_in)
                });
            }
            Effect::Send { conversation, to, client_id, draft } => {
                let outbound = Outbound { conversation, to, client_id, draft };
                let queued = self.session.as_ref().is_some_and(|open| open.outbox.try_send(outbound).is_ok());
                if !queued {
                    let result = Err(CallError::NotSent("too many messages wait".into()));
                    self.spawn(async move { Done::Answer(Answer::Sent { conversation, client_id, result }) });
                }
            }
            effect => {
                let Some(chat) = self.session.as_ref().map(|session| session.chat.clone()) else {
                    return false;
                };
                self.spawn(async move { Done::Answer(requests::ask(&chat, effect).await) });
            }
        }
        true
    }

    fn spawn(&mut self, work: impl Future<Output = Done> + Send + 'static) {
        let done = self.done.clone();
        self.tasks.spawn(async move {
            let _ = done.send(work.await).await;
        });
    }
}

async fn next_update(session: &mut Option<Session>) -> Option<Update> {
    match session {
        Some(session) => session.updates.next().await,
        None => std::future::pending().await,
    }
}

/// Makes the account if asked to, and signs in.
async fn sign_in(
    server: &Address,
    name: &str,
    password: &str,
    register: bool,
) -> Result<(Chat, Updates), Failure> {
    let name = Text::new(name).map_err(|error| Failure::Usage(format!("the name: {error}")))?;
    let password = Text::new(password).map_err(|error| Failure::Usage(format!("the password: {error}")))?;
    if register {
        let (client, _events) = natter_client::Client::connect(server).await?;
        client
            .call(&user::Register { name: name.clone(), password: password.clone(), display_name: None })
            .await?;
    }
    let login = user::Login { name, password, device: Text::new("natter chat").ok() };
    Ok(Chat::sign_in(server, &login, ChatOptions::default()).await?)
}

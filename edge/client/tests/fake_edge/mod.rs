//! An edge that does what a test tells it: a real socket on port 0, in binary.

#![allow(dead_code, reason = "each test file uses its part")]

use std::time::Duration;

use broker_schemas::{
    ContentType, Conversation, Error, Event, Fetched, Method, SessionId, Timestamp, UserId,
};
use broker_schemas::{admin, announcement, message, user};
use natter_client::Address;
use natter_protocol::{BINARY_MAGIC, ClientFrame, Encoding, Failure, ServerFrame};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct FakeEdge {
    listener: TcpListener,
    pub(crate) address: Address,
}

/// One connection, from the edge's side.
pub(crate) struct Peer {
    stream: TcpStream,
    /// What is answered when the client asks for announcements, as it does after each sign-in.
    pub(crate) unseen: Result<Vec<admin::AnnouncedEvent>, Error>,
}

/// A call that arrived.
pub(crate) struct Call {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) body: Vec<u8>,
}

impl FakeEdge {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
        Self { listener, address }
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> Peer {
        let (mut stream, _) =
            timeout(PATIENCE, self.listener.accept()).await.expect("a client connects").unwrap();
        let mut magic = [0; 4];
        stream.read_exact(&mut magic).await.unwrap();
        assert_eq!(magic, BINARY_MAGIC);
        Peer { stream, unseen: Ok(Vec::new()) }
    }

    /// The next connection, with user 1 signed in on it by login or resume.
    pub(crate) async fn accept_session(&self, token: &str, unread: Vec<message::Standing>) -> Peer {
        let mut peer = self.accept().await;
        let call = peer.call().await;
        assert!(["user.login", "user.resume"].contains(&call.name.as_str()), "{}", call.name);
        peer.ok(&call, &session(token, unread)).await;
        peer
    }
}

impl Peer {
    /// The next call, whatever it is.
    pub(crate) async fn call(&mut self) -> Call {
        timeout(PATIENCE, self.try_call()).await.expect("the client calls").expect("a frame")
    }

    /// The next call, unless the client closes.
    pub(crate) async fn try_call(&mut self) -> Option<Call> {
        loop {
            let mut bytes = vec![0; self.stream.read_u32().await.ok()? as usize];
            self.stream.read_exact(&mut bytes).await.ok()?;
            match ClientFrame::decode(Encoding::Binary, &bytes).unwrap() {
                ClientFrame::Call { id, call, body } => {
                    let call = Call { id, name: call.into_owned(), body: body.to_vec() };
                    if call.name != "announcement.list" {
                        return Some(call);
                    }
                    match self.unseen.clone() {
                        Ok(announcements) => self.ok(&call, &announcement::Unseen { announcements }).await,
                        Err(error) => self.fail(&call, &error).await,
                    }
                }
                ClientFrame::Ping { id } => self.frame(ServerFrame::Pong { id }).await,
            }
        }
    }

    /// The next call, which must be of method `R`.
    pub(crate) async fn expect<R: Method>(&mut self) -> (Call, R) {
        let call = self.call().await;
        assert_eq!(call.name, format!("{}.{}", R::SPEC.service, R::SPEC.name));
        let request = ContentType::Postcard.decode(&call.body).unwrap();
        (call, request)
    }

    /// Expects a sync, and answers it. What the client said it has.
    pub(crate) async fn sync(&mut self, messages: Vec<message::Entry>, more: bool) -> message::Sync {
        self.sync_changes(messages, Vec::new(), more).await
    }

    /// The same, also with messages that changed.
    pub(crate) async fn sync_changes(
        &mut self,
        messages: Vec<message::Entry>,
        changed: Vec<message::Entry>,
        more: bool,
    ) -> message::Sync {
        let (call, request) = self.expect::<message::Sync>().await;
        self.ok(&call, &message::Missed { messages, changed, more }).await;
        request
    }

    pub(crate) async fn ok(&mut self, call: &Call, reply: &impl Serialize) {
        let body = ContentType::Postcard.encode(reply).unwrap();
        self.frame(ServerFrame::Ok { id: call.id, body: &body }).await;
    }

    pub(crate) async fn fail(&mut self, call: &Call, error: &Error) {
        self.frame(ServerFrame::Error { id: call.id, error: Failure::from(error) }).await;
    }

    pub(crate) async fn push<E: Event>(&mut self, event: &E) {
        let body = ContentType::Postcard.encode(event).unwrap();
        self.push_raw(E::NAME, &body).await;
    }

    pub(crate) async fn push_raw(&mut self, name: &str, body: &[u8]) {
        self.frame(ServerFrame::Event { event: name.into(), body }).await;
    }

    pub(crate) async fn frame(&mut self, frame: ServerFrame<'_>) {
        self.stream.write_all(&frame.encode(Encoding::Binary, true)).await.unwrap();
    }
}

pub(crate) fn user_id(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

/// The conversation of users 1 and `peer`.
pub(crate) fn with(peer: u64) -> Conversation {
    Conversation::direct(user_id(1), user_id(peer)).unwrap()
}

/// Message `seq` from user `peer` to user 1.
pub(crate) fn entry(peer: u64, seq: u64) -> message::Entry {
    message::Entry {
        conversation: with(peer),
        seq: broker_schemas::Seq::new(seq).unwrap(),
        from: user_id(peer),
        client_id: Some(Uuid::from_u128(u128::from(seq))),
        text: format!("message {seq}"),
        sent_at: Timestamp(1_700_000_000_000),
        quote: None,
        mentions: Vec::new(),
        payload: None,
        notice: None,
        edited_at: None,
        recalled_by: None,
        reactions: Vec::new(),
        revision: 0,
        campaign: None,
    }
}

/// Where user 1 stands in the conversation with `peer`.
pub(crate) fn unread(peer: u64, last_seq: u64, read_seq: u64) -> message::Standing {
    message::Standing { conversation: with(peer), first_seq: 1, last_seq, read_seq, revision: 0 }
}

pub(crate) fn session(token: &str, unread: Vec<message::Standing>) -> user::Session {
    user::Session {
        user: user_id(1),
        name: "alice".into(),
        display_name: "Alice".into(),
        session: SessionId::new(5).unwrap(),
        token: token.into(),
        expires_at: Timestamp(i64::MAX),
        friends: Fetched::Available(Vec::new()),
        groups: Fetched::Available(Vec::new()),
        unread: Fetched::Available(unread),
    }
}

pub(crate) fn login() -> user::Login {
    user::Login { name: "alice".try_into().unwrap(), password: "password1".try_into().unwrap(), device: None }
}

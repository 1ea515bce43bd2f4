//! A user with one client.

use std::time::Duration;

use broker_schemas::message::{Entry, Recipient, Sent};
use broker_schemas::{Conversation, UserId, friend, user};
use natter_client::{Address, CallError, Chat, ChatOptions, Client, Cursor, Event, Update, Updates};
use tokio::time::timeout;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(10);
const PASSWORD: &str = "a perfectly fine passphrase";

/// A user with one client.
#[derive(Debug)]
pub struct Person {
    /// The account's name.
    pub name: String,
    /// The account.
    pub user: UserId,
    /// The client.
    pub chat: Chat,
    /// What the client learns.
    pub updates: Updates,
    /// What the sign-in answered.
    pub session: user::Session,
    address: Address,
}

impl Person {
    /// Makes an account and signs in.
    pub async fn register(address: &Address, name: &str) -> Self {
        Self::register_with(address, name, ChatOptions::default()).await
    }

    /// The same, with a client that behaves otherwise.
    pub async fn register_with(address: &Address, name: &str, options: ChatOptions) -> Self {
        let (client, _events) = Client::connect(address).await.unwrap();
        let register = user::Register {
            name: name.try_into().unwrap(),
            password: PASSWORD.try_into().unwrap(),
            display_name: None,
        };
        client.call(&register).await.unwrap();
        Self::sign_in_with(address, name, options).await
    }

    /// Signs in to an account that [`Person::register`] made.
    pub async fn sign_in(address: &Address, name: &str) -> Self {
        Self::sign_in_with(address, name, ChatOptions::default()).await
    }

    async fn sign_in_with(address: &Address, name: &str, options: ChatOptions) -> Self {
        let login = Self::login(name);
        let (chat, mut updates) = Chat::sign_in(address, &login, options).await.unwrap();
        let Some(Update::Online(session)) = timeout(PATIENCE, updates.next()).await.unwrap() else {
            panic!("signed in, and then not online");
        };
        Self {
            name: name.to_owned(),
            user: session.user,
            chat,
            updates,
            session: *session,
            address: address.clone(),
        }
    }

    /// The sign-in of an account that [`Person::register`] made.
    #[must_use]
    pub fn login(name: &str) -> user::Login {
        user::Login { name: name.try_into().unwrap(), password: PASSWORD.try_into().unwrap(), device: None }
    }

    /// The password of every account that [`Person::register`] made.
    #[must_use]
    pub const fn password() -> &'static str {
        PASSWORD
    }

    /// Goes away; `Absent::back` comes back with the same session.
    #[must_use]
    pub fn leave(self) -> Absent {
        let cursors = self.updates.cursors().clone();
        Absent { name: self.name, user: self.user, token: self.chat.token(), cursors, address: self.address }
    }

    /// The conversation with another one.
    #[must_use]
    pub fn with(&self, other: &Self) -> Conversation {
        Conversation::direct(self.user, other.user).unwrap()
    }

    /// Sends a text, once, whatever it takes within 10 s.
    ///
    /// # Errors
    /// What the last attempt failed with.
    pub async fn send(&self, to: UserId, text: &str) -> Result<Sent, CallError> {
        self.chat.send(Recipient::User(to), Uuid::now_v7(), text, PATIENCE).await
    }

    /// The next message, whatever else comes before it.
    pub async fn message(&mut self) -> Entry {
        loop {
            if let Update::Message(entry) = self.update().await {
                return entry;
            }
        }
    }

    /// The next event that `wanted` takes, whatever else comes before it.
    pub async fn event<T>(&mut self, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Update::Event(event) = self.update().await
                && let Some(found) = wanted(event)
            {
                return found;
            }
        }
    }

    /// The next update.
    pub async fn update(&mut self) -> Update {
        let update = timeout(PATIENCE, self.updates.next()).await;
        update.unwrap_or_else(|_| panic!("{} waits for nothing", self.name)).expect("the session goes on")
    }

    /// Asserts that no message comes for a while.
    pub async fn expect_silence(&mut self, how_long: Duration) {
        let silence = async {
            loop {
                if let Update::Message(entry) = self.updates.next().await.unwrap() {
                    return entry;
                }
            }
        };
        if let Ok(entry) = timeout(how_long, silence).await {
            panic!("{} got {entry:?}", self.name);
        }
    }
}

/// A user whose client is not running.
#[derive(Debug)]
pub struct Absent {
    name: String,
    user: UserId,
    token: String,
    cursors: std::collections::HashMap<Conversation, Cursor>,
    address: Address,
}

impl Absent {
    /// Starts the client again, at another address if one is given.
    pub async fn back(self, address: Option<&Address>) -> Person {
        let address = address.unwrap_or(&self.address).clone();
        let (chat, mut updates) = Chat::resume(&address, self.token, self.cursors, ChatOptions::default());
        let session = loop {
            match timeout(PATIENCE, updates.next()).await.unwrap() {
                Some(Update::Online(session)) => break *session,
                Some(Update::Offline { .. }) => {}
                other => panic!("{} is not back: {other:?}", self.name),
            }
        };
        Person { name: self.name, user: self.user, chat, updates, session, address }
    }
}

/// Makes two people friends.
pub async fn befriend(a: &mut Person, b: &mut Person) {
    let (first, second) = (a.user, b.user);
    a.chat.call(&friend::Request { user: second }).await.unwrap();
    b.event(|event| matches!(event, Event::Requested(request) if request.user == first).then_some(())).await;
    b.chat.call(&friend::Accept { user: first }).await.unwrap();
    a.event(|event| matches!(event, Event::Accepted(friend) if friend.user == second).then_some(())).await;
}

//! What an application is told.

use std::collections::HashMap;
use std::time::Duration;

use broker_schemas::{Conversation, admin, message, user};
use tokio::sync::mpsc;

use crate::{Closed, Cursor, Event};

/// What an application learns, in this order for each conversation: every message once, by seq, without gaps; and after a
/// message, each of its changes, or the state that they left it in, by revision.
///
/// A conversation of which the user was put out begins anew when the user joins again: with what they may read then.
#[derive(Debug, Clone)]
pub enum Update {
    /// Signed in, again or for the first time. Carries the token that resumes the session from now on: keep that one. What
    /// the lists of friends and groups say here replaces what was known before.
    Online(Box<user::Session>),
    /// No connection, or nobody signed in on it; the next attempt is made after `retry_in`.
    Offline {
        /// Why.
        reason: Closed,
        /// How long until the next attempt.
        retry_in: Duration,
    },
    /// The next message of its conversation, of oneself or of another, as it is now.
    Message(message::Entry),
    /// A message as it is now: it was edited, recalled or reacted to while nobody could say so. The application may not have it,
    /// or have it in this state: see its `revision`.
    Changed(message::Entry),
    /// Anything else that was pushed. An edit, a recall or a reaction ([`Event::change`]) applies to a message that came before,
    /// or to one that the application took from history.
    Event(Event),
    /// What the platform's operators announce: each wording once in the life of a [`crate::Chat`], whether it was pushed or asked
    /// for. An application that has shown it says so with [`crate::Chat::mark_seen`]. One without a text was withdrawn after it
    /// was told here.
    Announcement(admin::AnnouncedEvent),
    /// The session is over: its token is void, and nothing follows.
    Over(Closed),
}

/// An update, and how far the application has come with it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) update: Update,
    pub(crate) moved: Moved,
}

/// How an update moves what [`Updates::cursors`] says.
#[derive(Debug)]
pub(crate) enum Moved {
    Nothing,
    To(Conversation, Cursor),
    Gone(Conversation),
    All(HashMap<Conversation, Cursor>),
}

/// What happens to one [`crate::Chat`].
#[derive(Debug)]
pub struct Updates {
    queue: mpsc::Receiver<Told>,
    cursors: HashMap<Conversation, Cursor>,
}

impl Updates {
    pub(crate) const fn new(queue: mpsc::Receiver<Told>, cursors: HashMap<Conversation, Cursor>) -> Self {
        Self { queue, cursors }
    }

    /// The next update; nothing after the session is over. May be dropped at any time without losing an update.
    pub async fn next(&mut self) -> Option<Update> {
        let Told { update, moved } = self.queue.recv().await?;
        match moved {
            Moved::Nothing => {}
            Moved::To(conversation, cursor) => drop(self.cursors.insert(conversation, cursor)),
            Moved::Gone(conversation) => drop(self.cursors.remove(&conversation)),
            Moved::All(cursors) => self.cursors = cursors,
        }
        Some(update)
    }

    /// Up to where [`Updates::next`] returned each conversation. An application that keeps messages keeps this with them, and
    /// gives it to [`crate::Chat::resume`] after a restart.
    #[must_use]
    pub const fn cursors(&self) -> &HashMap<Conversation, Cursor> {
        &self.cursors
    }
}

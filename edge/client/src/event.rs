//! What an edge pushes.

use broker_schemas::{Event as _, admin, friend, group, message, user};
use bytes::Bytes;
use natter_protocol::Encoding;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `message.new`: a message was stored in one of the user's conversations.
    Message(Box<message::Entry>),
    /// `message.read`: somebody read a conversation.
    Read(message::ReadEvent),
    /// `message.typing`: somebody is writing.
    Typing(message::TypingEvent),
    /// `message.edited`: a message says something else now.
    Edited(message::EditedEvent),
    /// `message.recalled`: a message was taken back.
    Recalled(message::RecalledEvent),
    /// `message.reacted`: somebody reacted to a message, or took that back.
    Reacted(message::ReactedEvent),
    /// `friend.requested`: somebody asks.
    Requested(friend::RequestedEvent),
    /// `friend.accepted`: a friendship began.
    Accepted(friend::AcceptedEvent),
    /// `friend.removed`: a friendship or request ended.
    Removed(friend::RemovedEvent),
    /// `friend.presence`: a friend came or went.
    Presence(friend::PresenceEvent),
    /// `group.joined`: the user is in a group now.
    GroupJoined(group::JoinedEvent),
    /// `group.left`: the user left a group. Nothing of it comes any more; joining again begins anew.
    GroupLeft(group::LeftEvent),
    /// `group.kicked`: the user was put out of a group. Nothing of it comes any more; joining again begins anew.
    GroupKicked(group::KickedEvent),
    /// `group.dissolved`: a group has ended; what was said in it stays.
    GroupDissolved(group::DissolvedEvent),
    /// `group.announced`: a group has another announcement.
    GroupAnnounced(group::AnnouncedEvent),
    /// `group.asked`: somebody asks to join a group that the user looks after.
    GroupAsked(group::AskedEvent),
    /// `user.deleted`: somebody's account is gone.
    Deleted(user::Deleted),
    /// `admin.broadcast`: the platform's operators say something to everyone who is online.
    Broadcast(admin::BroadcastEvent),
    /// `admin.announced`: an announcement was made, changed or withdrawn. [`crate::Chat`] makes it an
    /// [`crate::Update::Announcement`], beside those that it asks for.
    Announced(admin::AnnouncedEvent),
    /// `session.closed`: this session ended elsewhere; its token is void, and the connection closes.
    SessionClosed {
        /// Why, as a word for programs.
        code: String,
        /// Why, in words.
        message: String,
    },
    /// `session.resync`: pushes may have been missed, by the edge or because the application was slow to take them. What
    /// they would have said has to be asked for.
    Resync,
    /// An event that this library does not know, such as another team's.
    Other(RawEvent),
}

/// An event as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// Its name, `service.event`.
    pub name: String,
    /// What it says, in `encoding`.
    pub body: Bytes,
    /// The encoding of the connection that it came on.
    pub encoding: Encoding,
}

impl RawEvent {
    /// The body as a `T`.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Invalid`] when it is none.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, broker_schemas::Error> {
        self.encoding.content_type().decode(&self.body)
    }
}

#[derive(Deserialize)]
struct SessionClosed {
    code: String,
    message: String,
}

impl From<RawEvent> for Event {
    /// A known event whose body can't be read stays raw: it is a newer version's, and the application may know it.
    fn from(raw: RawEvent) -> Self {
        let known = match raw.name.as_str() {
            message::NewEvent::NAME => {
                raw.decode().map(|message::NewEvent(entry)| Self::Message(Box::new(entry)))
            }
            message::ReadEvent::NAME => raw.decode().map(Self::Read),
            message::TypingEvent::NAME => raw.decode().map(Self::Typing),
            message::EditedEvent::NAME => raw.decode().map(Self::Edited),
            message::RecalledEvent::NAME => raw.decode().map(Self::Recalled),
            message::ReactedEvent::NAME => raw.decode().map(Self::Reacted),
            friend::RequestedEvent::NAME => raw.decode().map(Self::Requested),
            friend::AcceptedEvent::NAME => raw.decode().map(Self::Accepted),
            friend::RemovedEvent::NAME => raw.decode().map(Self::Removed),
            friend::PresenceEvent::NAME => raw.decode().map(Self::Presence),
            group::JoinedEvent::NAME => raw.decode().map(Self::GroupJoined),
            group::LeftEvent::NAME => raw.decode().map(Self::GroupLeft),
            group::KickedEvent::NAME => raw.decode().map(Self::GroupKicked),
            group::DissolvedEvent::NAME => raw.decode().map(Self::GroupDissolved),
            group::AnnouncedEvent::NAME => raw.decode().map(Self::GroupAnnounced),
            group::AskedEvent::NAME => raw.decode().map(Self::GroupAsked),
            user::Deleted::NAME => raw.decode().map(Self::Deleted),
            admin::BroadcastEvent::NAME => raw.decode().map(Self::Broadcast),
            admin::AnnouncedEvent::NAME => raw.decode().map(Self::Announced),
            "session.closed" => {
                raw.decode().map(|SessionClosed { code, message }| Self::SessionClosed { code, message })
            }
            "session.resync" => Ok(Self::Resync),
            _ => return Self::Other(raw),
        };
        known.unwrap_or_else(|error| {
            tracing::debug!(event = raw.name, %error, "event of an unknown shape");
            Self::Other(raw)
        })
    }
}

//! What the model takes in and gives out.

use std::time::Duration;

use broker_schemas::announcement::SeenRevision;
use broker_schemas::message::{self, Recipient};
use broker_schemas::{Conversation, GroupId, Seq, UserId, friend, group, user};
use natter_client::{CallError, Draft, Update};
use uuid::Uuid;

use super::{Act, Amend, Key, Verb};
use crate::text::Safe;

/// Something that happened.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time is made, and taken apart at once")]
pub(crate) enum Input {
    /// A key.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// A line was entered.
    Line(String),
    /// The screen was drawn: `page` lines of the conversation fit, of `scroll_max` more, and `scroll` of these are below.
    Drawn { page: usize, scroll_max: usize, scroll: usize },
    /// So much time has passed since the program began.
    Clock(Duration),
    /// From the server.
    Update(Update),
    /// An effect was carried out.
    Answer(Answer),
}

/// Which messages of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// The last ones, before this one if it is named.
    Before(Option<Seq>),
    /// Those after this one, the first of them.
    After(Seq),
}

/// Why something is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is part of what is shown.
    Shown,
    /// The conversation was opened.
    Opened,
    /// Somebody asked for it.
    Asked,
}

/// What became of an effect.
#[derive(Debug)]
pub(crate) enum Answer {
    SignedIn(Result<(), String>),
    Sent {
        conversation: Conversation,
        client_id: Uuid,
        result: Result<message::Sent, CallError>,
    },
    History {
        conversation: Conversation,
        page: Page,
        result: Result<message::Messages, CallError>,
    },
    /// A message that others quote; none if there is none such.
    Quoted {
        conversation: Conversation,
        seq: Seq,
        result: Result<Option<Box<message::Entry>>, CallError>,
    },
    Read {
        conversation: Conversation,
        seq: Seq,
        result: Result<(), CallError>,
    },
    Readers {
        conversation: Conversation,
        seq: Option<Seq>,
        say: bool,
        result: Result<message::Readers, CallError>,
    },
    Amended {
        seq: Seq,
        amend: Amend,
        result: Result<(), CallError>,
    },
    Found {
        skip: u32,
        result: Result<message::Found, CallError>,
    },
    Conversations(Result<Vec<message::Overview>, CallError>),
    /// The other one, and whether the two are friends now.
    Related {
        verb: Verb,
        name: String,
        result: Result<(user::Profile, bool), CallError>,
    },
    Friends(Result<friend::Friends, CallError>),
    Requests(Result<friend::Requests, CallError>),
    Profile {
        user: UserId,
        result: Result<user::Profile, CallError>,
    },
    Created {
        name: String,
        result: Result<GroupId, CallError>,
    },
    /// Whether the user is a member now; else they have asked.
    Joined {
        group: GroupId,
        result: Result<bool, CallError>,
    },
    Acted {
        group: GroupId,
        act: Act,
        result: Result<(), CallError>,
    },
    Groups {
        say: bool,
        result: Result<group::Groups, CallError>,
    },
    GroupProfile {
        group: GroupId,
        why: Why,
        result: Result<group::Profile, CallError>,
    },
    Members {
        group: GroupId,
        say: bool,
        result: Result<Vec<group::MemberEntry>, CallError>,
    },
    GroupRequests {
        group: GroupId,
        result: Result<group::Requests, CallError>,
    },
    /// The moderators were told about somebody or something, called so.
    Reported {
        what: String,
        result: Result<(), CallError>,
    },
    PasswordChanged(Result<(), CallError>),
    LoggedOut(Result<(), CallError>),
    /// What nobody waits for was tried.
    Tried,
}

/// Whom or what the moderators are told about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    /// The user of this name.
    User(String),
    /// A message.
    Message(Conversation, Seq),
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    SignIn {
        name: String,
        password: String,
        register: bool,
    },
    Send {
        conversation: Conversation,
        to: Recipient,
        client_id: Uuid,
        draft: Draft,
    },
    History {
        conversation: Conversation,
        page: Page,
    },
    /// Fetch a message that others quote.
    Quoted {
        conversation: Conversation,
        seq: Seq,
    },
    Read {
        conversation: Conversation,
        seq: Seq,
    },
    /// Who has read up to where; with a message, who has read that far.
    Readers {
        conversation: Conversation,
        seq: Option<Seq>,
        /// Whether somebody asked for it, or only the screen shows it.
        say: bool,
    },
    Typing(Conversation),
    Amend {
        conversation: Conversation,
        seq: Seq,
        amend: Amend,
    },
    Search {
        words: String,
        skip: u32,
    },
    Conversations,
    Relate {
        verb: Verb,
        name: String,
    },
    Friends,
    Requests,
    Profile(UserId),
    Create {
        name: String,
        members: Vec<String>,
    },
    Join(GroupId),
    Act {
        group: GroupId,
        act: Act,
    },
    Groups {
        say: bool,
    },
    GroupProfile {
        group: GroupId,
        why: Why,
    },
    Members {
        group: GroupId,
        say: bool,
    },
    GroupRequests(GroupId),
    /// Tell the moderators.
    Report {
        about: About,
        why: String,
    },
    /// An announcement was shown.
    Seen(SeenRevision),
    ChangePassword {
        old: String,
        new: String,
    },
    LogOut,
    /// Write a line; the screen shows it by other means.
    Say(Safe),
    Quit,
}

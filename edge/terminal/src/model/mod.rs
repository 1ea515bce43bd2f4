//! What both modes show and do, without a terminal and without a network: a [`State`], and `update`, which makes a new
//! state and [`Effect`]s of each [`Input`].

mod arrive;
mod command;
mod form;
mod line;
mod thread;
mod update;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, VecDeque};

use broker_schemas::{Conversation, Seq, UserId, friend, message, user};
use natter_client::{CallError, Update};
use uuid::Uuid;

pub(crate) use arrive::explain;
pub(crate) use command::{HELP, Verb};
pub(crate) use form::{Field, Form};
pub(crate) use line::{Key, Line};
pub(crate) use thread::{Stage, Thread};
pub(crate) use update::update;

use crate::text::Safe;

/// How many notices are kept.
const NOTICES: usize = 100;

/// How the state is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One conversation at a time, and keys.
    Screen,
    /// Everything, line by line.
    Plain,
}

/// Everything there is to show.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) mode: Mode,
    pub(crate) phase: Phase,
    pub(crate) link: Link,
    pub(crate) me: Option<Me>,
    pub(crate) people: BTreeMap<UserId, Person>,
    pub(crate) threads: BTreeMap<Conversation, Thread>,
    /// The conversation on the screen, or that plain lines go to.
    pub(crate) open: Option<Conversation>,
    pub(crate) input: Line,
    /// A question that the next line answers.
    pub(crate) asking: Option<Asking>,
    pub(crate) notices: VecDeque<Safe>,
    pub(crate) show_help: bool,
    pub(crate) view: View,
    /// Signs in when the kept session turns out to be over: name and password, from the command line.
    pub(crate) spare: Option<(String, String)>,
}

/// Which screen.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nobody is signed in.
    SignIn(Form),
    /// Signing in, or signed in.
    Chat,
}

/// Whether the server can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    Connecting,
    Online,
    Offline(Safe),
}

/// Who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Me {
    pub(crate) user: UserId,
    pub(crate) name: Safe,
}

/// Somebody else.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: Safe,
    pub(crate) display_name: Safe,
    pub(crate) online: bool,
    pub(crate) relation: Relation,
}

/// What somebody is to the user, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Relation {
    Friend,
    /// Asked the user.
    Asks,
    /// Was asked by the user.
    Asked,
    Blocked,
    /// Only known from messages.
    Stranger,
}

/// What the next line answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asking {
    OldPassword,
    NewPassword { old: String },
}

/// How the open conversation is being looked at; the screen says how far that can go.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    /// How many lines below the screen.
    pub(crate) scroll: usize,
    /// The most that `scroll` can be.
    pub(crate) scroll_max: usize,
    /// How many lines fit on the screen.
    pub(crate) page: usize,
    /// The first message that was unread when the conversation was opened.
    pub(crate) unread_from: Option<u64>,
}

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// A key.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// A line was entered.
    Line(String),
    /// The screen was drawn: `page` lines of the conversation fit, and `scroll_max` more are above.
    Drawn { page: usize, scroll_max: usize },
    /// From the server.
    Update(Update),
    /// An effect was carried out.
    Answer(Answer),
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
        result: Result<Vec<message::Entry>, CallError>,
    },
    Read {
        conversation: Conversation,
        seq: Seq,
        result: Result<(), CallError>,
    },
    /// The other one, and whether the two are friends now.
    Related {
        verb: Verb,
        name: String,
        result: Result<(user::Profile, bool), CallError>,
    },
    Friends(Result<friend::Friends, CallError>),
    Requests(Result<friend::Requests, CallError>),
    Profile(Result<user::Profile, CallError>),
    PasswordChanged(Result<(), CallError>),
    LoggedOut(Result<(), CallError>),
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
        to: UserId,
        client_id: Uuid,
        text: String,
    },
    History {
        conversation: Conversation,
        before: Option<Seq>,
    },
    Read {
        conversation: Conversation,
        seq: Seq,
    },
    Relate {
        verb: Verb,
        name: String,
    },
    Friends,
    Requests,
    Profile(UserId),
    ChangePassword {
        old: String,
        new: String,
    },
    LogOut,
    /// Write a line; the screen shows it by other means.
    Say(Safe),
    Quit,
}

impl State {
    /// Nobody signed in: a form to do so, filled in with `name`.
    pub(crate) fn signed_out(mode: Mode, name: &str) -> Self {
        Self {
            mode,
            phase: Phase::SignIn(Form::new(name)),
            link: Link::Connecting,
            me: None,
            people: BTreeMap::new(),
            threads: BTreeMap::new(),
            open: None,
            input: Line::default(),
            asking: None,
            notices: VecDeque::new(),
            show_help: false,
            view: View::default(),
            spare: None,
        }
    }

    /// A sign-in that is under way: the form, waiting.
    pub(crate) fn signing_in_as(mode: Mode, name: &str) -> Self {
        Self { phase: Phase::SignIn(Form { busy: true, ..Form::new(name) }), ..Self::signed_out(mode, name) }
    }

    /// A session that is being resumed.
    pub(crate) fn resuming(mode: Mode) -> Self {
        Self { phase: Phase::Chat, ..Self::signed_out(mode, "") }
    }

    /// The other one of a conversation of two.
    pub(crate) fn peer_of(&self, conversation: Conversation) -> Option<UserId> {
        conversation.peer_of(self.me.as_ref()?.user)
    }

    /// What to call a user: the account's name, which nobody else can take.
    pub(crate) fn name_of(&self, user: UserId) -> Safe {
        match (&self.me, self.people.get(&user)) {
            (Some(me), _) if me.user == user => me.name.clone(),
            (_, Some(person)) => person.name.clone(),
            _ => Safe::line(&format!("user {user}")),
        }
    }

    /// What to call a conversation.
    pub(crate) fn title_of(&self, conversation: Conversation) -> Safe {
        self.peer_of(conversation)
            .map_or_else(|| Safe::line(&conversation.to_string()), |peer| self.name_of(peer))
    }

    /// The people to show, in order: friends by name, then requests, then the others.
    pub(crate) fn roster(&self) -> Vec<(UserId, &Person)> {
        let talks = |user: UserId| {
            self.me.as_ref().is_some_and(|me| {
                Conversation::direct(me.user, user).is_ok_and(|there| self.threads.contains_key(&there))
            })
        };
        let mut roster: Vec<_> = self
            .people
            .iter()
            .filter(|(user, person)| person.relation != Relation::Stranger || talks(**user))
            .map(|(user, person)| (*user, person))
            .collect();
        roster.sort_by_key(|(_, person)| (person.relation, person.name.as_str().to_lowercase()));
        roster
    }

    /// How many messages of others in `conversation` the user has not read.
    pub(crate) fn unread_in(&self, conversation: Conversation) -> usize {
        match (&self.me, self.threads.get(&conversation)) {
            (Some(me), Some(thread)) => thread.unread(me.user),
            _ => 0,
        }
    }

    /// Tells the person something, in whichever way the mode has.
    fn notice(&mut self, text: impl AsRef<str>) -> Effect {
        let text = Safe::line(text.as_ref());
        if self.notices.len() == NOTICES {
            self.notices.pop_front();
        }
        let said = Effect::Say(Safe::line(&format!("* {text}")));
        self.notices.push_back(text);
        said
    }
}

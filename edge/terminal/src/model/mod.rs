//! What both modes show and do, without a terminal and without a network: a [`State`], and `update`, which makes a new
//! state and [`Effect`]s of each [`Input`].

mod answer;
mod arrive;
mod command;
mod form;
mod group;
mod io;
mod line;
mod names;
mod open;
mod panel;
mod people;
mod platform;
mod recent;
mod say;
mod send;
mod thread;
mod update;
mod words;

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use broker_schemas::{Conversation, GroupId, Timestamp, UserId};

pub(crate) use answer::explain;
pub(crate) use command::{Act, Amend, HELP, Verb};
pub(crate) use form::{Field, Form};
pub(crate) use group::Group;
pub(crate) use io::{About, Answer, Effect, Input, Page, Why};
pub(crate) use line::{Key, Line};
pub(crate) use panel::Panel;
pub(crate) use people::{Person, Relation};
pub(crate) use thread::{Stage, Stored, Thread};
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
    /// Plain mode writes the numbers of messages of conversations of two, too.
    pub(crate) numbers: bool,
    pub(crate) phase: Phase,
    pub(crate) link: Link,
    pub(crate) me: Option<Me>,
    pub(crate) people: BTreeMap<UserId, Person>,
    pub(crate) groups: BTreeMap<GroupId, Group>,
    pub(crate) threads: BTreeMap<Conversation, Thread>,
    /// The conversation on the screen, or that plain lines go to.
    pub(crate) open: Option<Conversation>,
    pub(crate) input: Line,
    /// A question that the next line answers.
    pub(crate) asking: Option<Asking>,
    pub(crate) notices: VecDeque<Safe>,
    /// A list that lies over the conversation.
    pub(crate) panel: Option<Panel>,
    pub(crate) view: View,
    /// Signs in when the kept session turns out to be over: name and password, from the command line.
    pub(crate) spare: Option<(String, String)>,
    /// How long the program has run.
    pub(crate) clock: Duration,
    /// Where the others were told that the user is writing, and when.
    told_typing: Option<(Conversation, Duration)>,
    /// What was searched for last, and how much of it was shown.
    search: Option<(String, u32)>,
    recent: recent::Recent,
    /// Lines that wait for the names in them.
    unsaid: VecDeque<say::Saying>,
    lookups: Lookups,
}

/// Names that are being asked for, and those that can't be had until the next sign-in.
#[derive(Debug, Default)]
struct Lookups {
    users: BTreeSet<UserId>,
    groups: BTreeSet<GroupId>,
    nameless_users: BTreeSet<UserId>,
    nameless_groups: BTreeSet<GroupId>,
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

/// What the next line answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asking {
    OldPassword,
    NewPassword {
        old: String,
    },
    /// Whether this is meant: the name of the group says so.
    Confirm {
        group: GroupId,
        act: Act,
    },
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
    /// The message to show at the top, instead of scrolling.
    pub(crate) from: Option<u64>,
    /// The first message that was unread when the conversation was opened.
    pub(crate) unread_from: Option<u64>,
}

impl State {
    /// Nobody signed in: a form to do so, filled in with `name`.
    pub(crate) fn signed_out(mode: Mode, name: &str) -> Self {
        Self {
            mode,
            numbers: false,
            phase: Phase::SignIn(Form::new(name)),
            link: Link::Connecting,
            me: None,
            people: BTreeMap::new(),
            groups: BTreeMap::new(),
            threads: BTreeMap::new(),
            open: None,
            input: Line::default(),
            asking: None,
            notices: VecDeque::new(),
            panel: None,
            view: View::default(),
            spare: None,
            clock: Duration::ZERO,
            told_typing: None,
            search: None,
            recent: recent::Recent::default(),
            unsaid: VecDeque::new(),
            lookups: Lookups::default(),
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

    /// Whether `user` is who is signed in.
    pub(crate) fn is_me(&self, user: UserId) -> bool {
        self.me.as_ref().is_some_and(|me| me.user == user)
    }

    /// The other one of a conversation of two.
    pub(crate) fn peer_of(&self, conversation: Conversation) -> Option<UserId> {
        conversation.peer_of(self.me.as_ref()?.user)
    }

    fn conversation_with(&self, user: UserId) -> Option<Conversation> {
        Conversation::direct(self.me.as_ref()?.user, user).ok()
    }

    /// How many messages of `conversation` the user has not read.
    pub(crate) fn unread_in(&self, conversation: Conversation) -> u64 {
        self.threads.get(&conversation).map_or(0, Thread::unread)
    }

    /// Whether an unread message of `conversation` points out the user.
    pub(crate) fn calls_me(&self, conversation: Conversation) -> bool {
        let (Some(me), Some(thread)) = (&self.me, self.threads.get(&conversation)) else { return false };
        thread.calls(me.user)
    }

    /// Who is writing in a conversation, and for how long that is still shown.
    pub(crate) fn typing_in(&self, conversation: Conversation) -> Vec<(UserId, Duration)> {
        let typing = self.threads.get(&conversation).map(|thread| &thread.typing);
        let shown = typing.into_iter().flatten().filter(|(_, until)| **until > self.clock);
        shown.map(|(user, until)| (*user, *until - self.clock)).collect()
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

    /// The same, about a conversation.
    fn notice_in(&mut self, conversation: Conversation, text: impl AsRef<str>) -> Effect {
        let label = self.label(conversation);
        self.notice(format!("[{label}] {}", text.as_ref()))
    }
}

/// A moment, on the clock of this machine; with its day, unless it is today.
pub(crate) fn moment(at: Timestamp) -> String {
    let zone = jiff::tz::TimeZone::system();
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(zone.clone());
    let today = jiff::Timestamp::now().to_zoned(zone).date();
    let format = if at.date() == today { "%H:%M" } else { "%H:%M on %-d %B %Y" };
    at.strftime(format).to_string()
}

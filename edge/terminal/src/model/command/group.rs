//! Commands about groups.

use broker_schemas::group::{Admission, Visible};
use broker_schemas::rights::Role;

use super::{Arguments, Command};

/// The longest mute, in minutes: a year.
const MUTE_MAX: u32 = 366 * 24 * 60;

pub(super) const GROUPS: &[(&str, &str)] = &[
    ("/create NAME [FRIEND…]", "make a group; a NAME with spaces in \"quotes\""),
    ("/join ID", "join a group, or ask to; an ID is like g9"),
    ("/groups", "list your groups"),
];

pub(super) const IN_GROUP: &[(&str, &str)] = &[
    ("/about", "what it is called, how one gets in, what it announces"),
    ("/members", "who is in it"),
    ("/invite NAME", "put a friend in"),
    ("/leave [ID]", "leave it, or take back that you asked to join"),
    ("/requests", "who asks to join, and who is kept out"),
    ("/approve NAME", "take somebody in who asked"),
    ("/refuse NAME", "don't; they may ask again"),
    ("/kick NAME [block]", "put somebody out; with block, for good"),
    ("/readmit NAME", "no longer keep somebody out"),
    ("/mute NAME|all TIME", "keep somebody, or every member, from writing: for 30m, 2h, 1d"),
    ("/unmute NAME|all", "let them write again"),
    ("/announce [TEXT]", "what whoever opens it sees; none takes it away"),
    ("/rename NAME", "give it another name"),
    ("/admission open|approval|invitation", "how one gets in"),
    ("/visible joining|everything", "what new members see of it"),
    ("/role NAME administrator|member", "name an administrator, or no longer"),
    ("/transfer NAME", "make somebody else the owner"),
    ("/dissolve [NAME]", "end it for good; NAME is the group's own"),
];

/// Something to do about a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Leave it, or take back that one asked to join.
    Leave {
        member: bool,
    },
    Invite(String),
    Approve(String),
    Refuse(String),
    Kick {
        name: String,
        block: bool,
    },
    Readmit(String),
    /// Everybody, without a name; and for no minutes, so that they can write again.
    Mute {
        name: Option<String>,
        minutes: u32,
    },
    /// Without a text, take the announcement away.
    Announce(Option<String>),
    Rename(String),
    Admission(Admission),
    Visible(Visible),
    Role {
        name: String,
        role: Role,
    },
    Transfer(String),
    Dissolve,
}

/// Reads a command about groups.
///
/// # Errors
/// Says what is accepted instead.
pub(super) fn parse(arguments: &mut Arguments<'_>) -> Result<Command, String> {
    let act = match arguments.command {
        "create" => return Ok(Command::Create(arguments.name()?, arguments.names()?)),
        "join" => {
            let group = arguments.optional_group()?;
            return group.map(Command::Join).ok_or_else(|| arguments.needs("the id of a group"));
        }
        "leave" => return Ok(Command::Leave(arguments.optional_group()?)),
        "groups" => return Ok(Command::Groups),
        "about" => return Ok(Command::About),
        "members" => return Ok(Command::Members),
        "requests" => return Ok(Command::GroupRequests),
        "dissolve" => return Ok(Command::Dissolve(arguments.optional_title()?)),
        "invite" => Act::Invite(arguments.name()?),
        "approve" => Act::Approve(arguments.name()?),
        "refuse" => Act::Refuse(arguments.name()?),
        "kick" => {
            let name = arguments.name()?;
            let block = arguments.end().is_err() && arguments.one_of(&[("block", true)])?;
            Act::Kick { name, block }
        }
        "readmit" => Act::Readmit(arguments.name()?),
        "mute" => {
            let name = somebody(arguments.name()?);
            let minutes = minutes(&arguments.word("a time, like 30m")?);
            let minutes = minutes.ok_or_else(|| arguments.needs("a time like 30m, 2h or 1d, up to 366d"))?;
            Act::Mute { name, minutes }
        }
        "unmute" => Act::Mute { name: somebody(arguments.name()?), minutes: 0 },
        "announce" => Act::Announce(arguments.optional_text()),
        "rename" => Act::Rename(arguments.title()?),
        "admission" => Act::Admission(arguments.one_of(&[
            ("open", Admission::Open),
            ("approval", Admission::Approval),
            ("invitation", Admission::Invitation),
        ])?),
        "visible" => Act::Visible(
            arguments.one_of(&[("joining", Visible::FromJoining), ("everything", Visible::Everything)])?,
        ),
        "role" => {
            let name = arguments.name()?;
            let roles = [("administrator", Role::Administrator), ("member", Role::Member)];
            Act::Role { name, role: arguments.one_of(&roles)? }
        }
        "transfer" => Act::Transfer(arguments.name()?),
        other => return Err(format!("there is no /{other}; /help lists what there is")),
    };
    Ok(Command::Act(act))
}

/// How many minutes `30`, `30m`, `2h` or `1d` are, if no more than a mute may last.
fn minutes(time: &str) -> Option<u32> {
    let units = [("m", 1), ("h", 60), ("d", 24 * 60)];
    let of = |(unit, minutes)| Some((time.strip_suffix(unit)?, minutes));
    let (number, unit) = units.into_iter().find_map(of).unwrap_or((time, 1));
    let minutes = number.parse::<u32>().ok()?.checked_mul(unit)?;
    (1..=MUTE_MAX).contains(&minutes).then_some(minutes)
}

/// Nobody in particular, if everybody is meant.
fn somebody(name: String) -> Option<String> {
    (name != "all").then_some(name)
}

impl Act {
    /// That it was done, for a person.
    pub(crate) fn done(&self) -> String {
        match self {
            Self::Leave { member: true } => "you left".into(),
            Self::Leave { member: false } => "you don't ask to join any more".into(),
            Self::Invite(name) | Self::Approve(name) => format!("{name} is in"),
            Self::Refuse(name) => format!("{name} is refused"),
            Self::Kick { name, block: false } => format!("{name} is out"),
            Self::Kick { name, block: true } => {
                format!("{name} is out, and kept out: /readmit {name} ends that")
            }
            Self::Readmit(name) => format!("{name} is no longer kept out"),
            Self::Mute { name, minutes: 0 } => {
                format!("{} can write", name.as_deref().unwrap_or("everybody"))
            }
            Self::Mute { name: Some(name), minutes } => {
                format!("{name} can't write for {}", how_long(*minutes))
            }
            Self::Mute { name: None, minutes } => {
                format!("only administrators can write for {}", how_long(*minutes))
            }
            Self::Announce(Some(_)) => "it is announced".into(),
            Self::Announce(None) => "there is no announcement any more".into(),
            Self::Rename(name) => format!("it is called {name}"),
            Self::Admission(admission) => how_to_join(*admission).into(),
            Self::Visible(visible) => what_is_seen(*visible).into(),
            Self::Role { name, role: Role::Member } => format!("{name} is a plain member"),
            Self::Role { name, .. } => format!("{name} is an administrator"),
            Self::Transfer(name) => format!("{name} is the owner"),
            Self::Dissolve => "it is dissolved".into(),
        }
    }
}

/// So many minutes, in words.
fn how_long(minutes: u32) -> String {
    let (number, unit) = match minutes {
        minutes if minutes.is_multiple_of(24 * 60) => (minutes / (24 * 60), "day"),
        minutes if minutes.is_multiple_of(60) => (minutes / 60, "hour"),
        minutes => (minutes, "minute"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// How one gets in, in words.
pub(in crate::model) const fn how_to_join(admission: Admission) -> &'static str {
    match admission {
        Admission::Open => "whoever knows its id can join",
        Admission::Approval => "whoever knows its id can ask to join",
        Admission::Invitation => "one gets in by invitation only",
    }
}

/// What new members see, in words.
pub(in crate::model) const fn what_is_seen(visible: Visible) -> &'static str {
    match visible {
        Visible::FromJoining => "new members see what follows their joining",
        Visible::Everything => "new members see everything",
    }
}

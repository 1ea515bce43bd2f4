//! What moderators do about users, messages and groups.

use broker_schemas::{Conversation, GroupId, Seq, Timestamp, admin};
use clap::{Args, Subcommand};

use super::desk::{Desk, limited};
use super::moment;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Keep a user out: the sessions end within 5 s, and sign-in says why
    Ban {
        /// Whom
        name: String,
        /// Why, in words that the user reads
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        end: End,
    },
    /// Let a banned user in again
    Unban {
        /// Whom
        name: String,
    },
    /// Keep a user from saying anything to others: messages, names, announcements, invitations, requests
    Mute {
        /// Whom
        name: String,
        #[command(flatten)]
        end: RequiredEnd,
    },
    /// Let a muted user speak again
    Unmute {
        /// Whom
        name: String,
    },
    /// End every session of a user, who may sign in again
    SignOut {
        /// Whom
        name: String,
    },
    /// Erase what a message says, for everyone in its conversation
    RemoveMessage {
        /// Where it stands: u3-u7, or g9
        conversation: Conversation,
        /// Its number there
        seq: Seq,
    },
    /// End a group for good, as its owner could
    DissolveGroup {
        /// Which: 9, or g9
        #[arg(value_parser = group)]
        group: GroupId,
    },
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct End {
    /// For how long: 7d, 2h; for good otherwise
    #[arg(long = "for", value_name = "LENGTH", value_parser = moment::ahead)]
    length: Option<Timestamp>,
    /// Until when
    #[arg(long, value_name = "MOMENT", value_parser = moment::ahead)]
    until: Option<Timestamp>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct RequiredEnd {
    /// For how long: 7d, 2h
    #[arg(long = "for", value_name = "LENGTH", value_parser = moment::ahead)]
    length: Option<Timestamp>,
    /// Until when
    #[arg(long, value_name = "MOMENT", value_parser = moment::ahead)]
    until: Option<Timestamp>,
}

/// The id of a group, with or without the letter that it has in a conversation's name.
pub(super) fn group(text: &str) -> Result<GroupId, String> {
    let number = text.strip_prefix('g').unwrap_or(text);
    number.parse().map_err(|_| "expected the id of a group, such as g9".to_owned())
}

pub(super) async fn run(desk: &Desk, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Ban { name, reason, end } => {
            let until = end.length.or(end.until);
            let reason = limited("--reason", &reason)?;
            let user = desk.user(&name).await?;
            let done = desk.call(&admin::Ban { user, reason, until }).await?;
            let end = until.map_or("for good".to_owned(), |until| format!("until {}", moment::shown(until)));
            desk.say(&done, format!("{name} (user {user}) is banned {end}"))
        }
        Command::Unban { name } => {
            let user = desk.user(&name).await?;
            let done = desk.call(&admin::Unban { user }).await?;
            desk.say(&done, format!("{name} (user {user}) may sign in"))
        }
        Command::Mute { name, end } => {
            let until = end.length.or(end.until);
            let user = desk.user(&name).await?;
            let done = desk.call(&admin::Mute { user, until }).await?;
            let end = until.map(moment::shown).unwrap_or_default();
            desk.say(&done, format!("{name} (user {user}) can't write until {end}"))
        }
        Command::Unmute { name } => {
            let user = desk.user(&name).await?;
            let done = desk.call(&admin::Mute { user, until: None }).await?;
            desk.say(&done, format!("{name} (user {user}) can write"))
        }
        Command::SignOut { name } => {
            let user = desk.user(&name).await?;
            let done = desk.call(&admin::SignOut { user }).await?;
            desk.say(&done, format!("every session of {name} (user {user}) has ended"))
        }
        Command::RemoveMessage { conversation, seq } => {
            let done = desk.call(&admin::RemoveMessage { conversation, seq }).await?;
            desk.say(&done, format!("message {seq} of {conversation} says nothing any more"))
        }
        Command::DissolveGroup { group } => {
            let done = desk.call(&admin::DissolveGroup { group }).await?;
            desk.say(&done, format!("group g{group} is dissolved"))
        }
    }
}

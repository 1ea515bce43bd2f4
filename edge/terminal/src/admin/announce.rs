//! Broadcasts and announcements.

use broker_schemas::{Timestamp, admin};
use clap::Subcommand;

use super::desk::{Desk, further, limited, text_of};
use super::moment;
use super::table::{Table, beginning};

/// How many columns of a text stand in a table.
const TEXT: usize = 48;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show a text to everyone who is online now, once
    Broadcast {
        /// What; `-` reads it from standard input
        text: String,
    },
    /// Show a text to everyone until its end, also to who signs in later
    Announce {
        /// What; `-` reads it from standard input
        text: String,
        /// Until when: 2h, 7d, or a moment
        #[arg(long, value_name = "MOMENT", value_parser = moment::ahead)]
        until: Timestamp,
    },
    /// Change an announcement's text or end; who has seen it sees a new text once more
    ChangeAnnouncement {
        /// Which
        announcement: u64,
        /// The new text; `-` reads it from standard input
        #[arg(long, required_unless_present = "until")]
        text: Option<String>,
        /// The new end
        #[arg(long, value_name = "MOMENT", value_parser = moment::ahead)]
        until: Option<Timestamp>,
    },
    /// Take an announcement back
    Withdraw {
        /// Which
        announcement: u64,
    },
    /// List announcements, the newest first
    Announcements {
        /// Only those before this one
        #[arg(long, value_name = "ID")]
        before: Option<u64>,
        /// How many, up to 200
        #[arg(long)]
        limit: Option<u32>,
    },
}

pub(super) async fn run(desk: &Desk, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Broadcast { text } => {
            let text = limited("the text", &text_of(&text)?)?;
            let done = desk.call(&admin::Broadcast { text }).await?;
            desk.say(&done, "everyone who is online was told")
        }
        Command::Announce { text, until } => {
            let text = limited("the text", &text_of(&text)?)?;
            let made = desk.call(&admin::Announce { text, until }).await?;
            let words = format!("announcement {}, until {}", made.announcement, moment::shown(until));
            desk.say(&made, words)
        }
        Command::ChangeAnnouncement { announcement, text, until } => {
            let text = text.map(|text| anyhow::Ok(limited("the text", &text_of(&text)?)?)).transpose()?;
            let done = desk.call(&admin::ChangeAnnouncement { announcement, text, until }).await?;
            desk.say(&done, format!("announcement {announcement} is changed"))
        }
        Command::Withdraw { announcement } => {
            let done = desk.call(&admin::Withdraw { announcement }).await?;
            desk.say(&done, format!("announcement {announcement} is withdrawn"))
        }
        Command::Announcements { before, limit } => {
            let page = desk.call(&admin::ListAnnouncements { before, limit }).await?;
            let mut table = Table::new(&["ID>", "WORDING>", "UNTIL", "STATE", "SEEN BY>", "TEXT"]);
            let now = Timestamp::now();
            for entry in &page.announcements {
                table.row([
                    entry.announcement.to_string(),
                    entry.revision.to_string(),
                    moment::shown(entry.until),
                    state(entry, now).to_owned(),
                    entry.seen_by.to_string(),
                    beginning(&entry.text, TEXT),
                ]);
            }
            let last = page.announcements.last().map(|entry| entry.announcement);
            let below = further(page.more, "announcements", "--before", last);
            desk.show(&page, &table, below.as_slice())
        }
    }
}

fn state(entry: &admin::AnnouncementEntry, now: Timestamp) -> &'static str {
    match entry.withdrawn_at {
        Some(_) => "withdrawn",
        None if entry.until <= now => "ended",
        None => "shown",
    }
}

//! What users reported.

use broker_schemas::admin::{self, Subject};
use clap::Subcommand;

use super::desk::{Desk, Names, further, limited};
use super::moment;
use super::table::{Table, beginning};

/// How many columns of a text stand in a table.
const TEXT: usize = 40;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what users reported, the oldest open report first
    Reports {
        /// Settled ones instead, the newest first
        #[arg(long)]
        settled: bool,
        /// Only those that follow this one in that order
        #[arg(long, value_name = "ID")]
        after: Option<u64>,
        /// How many, up to 200
        #[arg(long)]
        limit: Option<u32>,
    },
    /// Close a report
    Settle {
        /// Which
        report: u64,
        /// What was done about it
        #[arg(long)]
        note: String,
    },
}

pub(super) async fn run(desk: &Desk, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Reports { settled, after, limit } => {
            let page = desk.call(&admin::ListReports { settled: Some(settled), after, limit }).await?;
            let named = page.reports.iter().flat_map(users_in);
            let names = if desk.is_json() { Names::default() } else { desk.names(named).await };
            let table = table(&page.reports, &names);
            let option = if settled { "--settled --after" } else { "--after" };
            let last = page.reports.last().map(|report| report.report);
            let below = further(page.more, "reports", option, last);
            desk.show(&page, &table, below.as_slice())
        }
        Command::Settle { report, note } => {
            let note = limited("--note", &note)?;
            let done = desk.call(&admin::SettleReport { report, note }).await?;
            desk.say(&done, format!("report {report} is settled"))
        }
    }
}

fn users_in(report: &admin::Report) -> Vec<broker_schemas::UserId> {
    let about = match report.about {
        Subject::User(user) => user,
        Subject::Message { from, .. } => from,
    };
    let settled = report.settled.as_ref().map(|settled| settled.by);
    [report.by, Some(about), settled].into_iter().flatten().collect()
}

fn table(reports: &[admin::Report], names: &Names) -> Table {
    let mut table = Table::new(&["ID>", "AT", "BY", "TIMES>", "ABOUT", "WHY", "SAID", "SETTLED"]);
    for report in reports {
        let (about, said) = match &report.about {
            Subject::User(user) => (names.of(*user), String::new()),
            Subject::Message { conversation, seq, from, text } => {
                (format!("{} in {conversation} #{seq}", names.of(*from)), beginning(text, TEXT))
            }
        };
        let settled = report.settled.as_ref();
        let settled = settled.map(|done| format!("{}: {}", names.of(done.by), beginning(&done.note, TEXT)));
        table.row([
            report.report.to_string(),
            moment::shown(report.made_at),
            report.by.map_or_else(|| "a rule".to_owned(), |by| names.of(by)),
            report.times.to_string(),
            about,
            beginning(&report.reason, TEXT),
            said,
            settled.unwrap_or_default(),
        ]);
    }
    table
}

//! The platform at a glance.

mod rates;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use broker_schemas::admin::{self, Stats};
use clap::Args;
use crossterm::cursor::MoveTo;
use crossterm::queue;
use crossterm::terminal::{Clear, ClearType};
use serde::Serialize;

use super::desk::{Desk, print};
use super::moment;
use super::table::{Table, bytes};
use crate::text::Safe;
use rates::Rates;

/// The time between the two readings that `--once` takes.
const BETWEEN: Duration = Duration::from_secs(1);

/// Show who is online, and what each copy of each part does; refreshes on a terminal until Ctrl-C
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Show it once; also without a terminal, and with --json. Takes two readings, a second apart
    #[arg(long)]
    once: bool,
    /// How often to refresh, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

/// What `--json` answers: the last reading, and what the two together say.
#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    stats: &'a Stats,
    messages_per_second: f64,
}

pub(super) async fn run(desk: &Desk, arguments: &Arguments) -> anyhow::Result<()> {
    let once = arguments.once || desk.is_json() || !std::io::stdout().is_terminal();
    let pause = if once { BETWEEN } else { Duration::from_secs(arguments.every) };
    let mut before = desk.call(&admin::GetStats {}).await?;
    if !once {
        refresh(&page(&before, &Rates::default()))?;
    }
    loop {
        tokio::time::sleep(pause).await;
        let now = desk.call(&admin::GetStats {}).await?;
        let rates = Rates::between(&before, &now);
        if desk.is_json() {
            return print(&Document { stats: &now, messages_per_second: rates.messages });
        }
        let page = page(&now, &rates);
        if once {
            std::io::stdout().lock().write_all(page.as_bytes())?;
            return Ok(());
        }
        refresh(&page)?;
        before = now;
    }
}

/// Puts a page in the place of the last one.
fn refresh(page: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    queue!(out, MoveTo(0, 0), Clear(ClearType::All))?;
    out.write_all(page.as_bytes())?;
    out.flush()
}

/// Everything, as lines.
fn page(stats: &Stats, rates: &Rates) -> String {
    let mut page = format!("{}   {:.1} messages a second\n", moment::shown(stats.at), rates.messages);
    match &stats.census {
        Some(census) => {
            page.push_str(&format!("{} accounts, {} online", census.accounts, census.online));
            for edge in &census.edges {
                page.push_str(&format!(
                    "   edge {}: {} sessions",
                    Safe::line(edge.edge.as_str()),
                    edge.sessions
                ));
            }
            page.push('\n');
        }
        None => page.push_str("accounts and sessions: the user module can't be asked\n"),
    }
    page.push('\n');
    page.push_str(&table(stats, rates).to_string());
    page
}

fn table(stats: &Stats, rates: &Rates) -> Table {
    let mut table = Table::new(&[
        "SERVICE",
        "COPY",
        "VERSION",
        "UP",
        "LOAD>",
        "REQUESTS/S>",
        "MEAN ms>",
        "REQUESTS>",
        "ERRORS>",
        "DATABASE>",
    ]);
    for copy in &stats.copies {
        let rate = rates.of(copy);
        let up = u64::try_from(stats.at.0.saturating_sub(copy.started_at.0)).unwrap_or_default() / 1_000;
        let mean_us = rate.map_or(copy.mean_us, |rate| rate.mean_us);
        table.row([
            copy.service.clone(),
            copy.id.chars().take(8).collect(),
            copy.version.clone(),
            moment::length(up),
            format!("{}/{}", copy.in_flight, copy.limit),
            rate.map_or("-".to_owned(), |rate| format!("{:.1}", rate.requests)),
            format!("{}.{:03}", mean_us / 1_000, mean_us % 1_000),
            copy.requests.to_string(),
            copy.errors.to_string(),
            copy.database_bytes.map_or("-".to_owned(), bytes),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use broker_schemas::admin::EdgeSessions;
    use broker_schemas::{EdgeId, Timestamp, user};

    use super::rates::tests::{copy, reading};
    use super::*;

    #[test]
    fn a_page_shows_every_edge_and_every_copy() {
        let before = reading(1_000, vec![copy("message", "AAAAAAAAAAAA", 100, 40)]);
        let mut now = reading(
            3_000,
            vec![copy("message", "AAAAAAAAAAAA", 300, 60), copy("user", "BBBBBBBBBBBB", 5, 0)],
        );
        let edges = vec![EdgeSessions { edge: EdgeId::new("e1").unwrap(), sessions: 7 }];
        now.census = Some(user::Census { accounts: 12, online: 3, edges });
        let shown = page(&now, &Rates::between(&before, &now));
        assert!(shown.contains("12 accounts, 3 online   edge e1: 7 sessions"), "{shown}");
        assert!(shown.contains("10.0 messages a second"), "{shown}");
        let rows: Vec<Vec<_>> = shown.lines().skip(4).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0][..2], ["message", "AAAAAAAA"]);
        assert_eq!(rows[0][5], "100.0");
        // A copy that was not there before has no rate yet.
        assert_eq!((rows[1][0], rows[1][5]), ("user", "-"));
    }

    #[test]
    fn a_script_finds_the_reading_and_the_rate_in_one_document() {
        let stats = Stats { at: Timestamp(1), census: None, copies: Vec::new() };
        let document = serde_json::to_value(Document { stats: &stats, messages_per_second: 2.5 }).unwrap();
        assert_eq!(document["messages_per_second"], 2.5);
        assert_eq!(document["at"], 1);
        assert!(document["copies"].is_array());
    }
}

//! Runs the fault matrix and prints the table of `docs/FAULTS.md`; or a soak.
//!
//! `natter-faults [--row NAME]… [--seed N] [--seconds N] [--database sqlite|postgres] [--keep FOLDER] [--write FILE]`; on
//! PostgreSQL too where `NATTER_TEST_POSTGRES` names a server. `--write` puts the table into a page, between its marks.
//! `--asynchronous` runs `primary-dies` without synchronous replication, and is expected to lose something.
//! `--soak MINUTES` lets random faults happen for so long. `--check FILE` judges a history that was kept, and `--lose`
//! loses one acked message of each row's history before the judge sees it, to show that the judge is awake.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for developers"
)]

use std::process::ExitCode;
use std::time::Instant;

use natter_tests::faults::{Plan, ROWS, Row, Verdict, row, soak};
use natter_tests::history::{Bounds, check, load, without_last_acked};
use natter_tests::{Backend, put_into};
use tokio::signal::unix::{SignalKind, signal};

/// At most so many lines of violations per row.
const SHOWN: usize = 20;
const HEADING: &str = "| row | database | bound | measured | seed | verdict |\n|---|---|---|---|---|---|";
/// Between these the page has what the last whole run printed.
const MARKS: [&str; 2] = ["<!-- what `make faults` printed -->", "<!-- end of what it printed -->"];

struct Arguments {
    rows: Vec<&'static Row>,
    database: Option<String>,
    plan: Plan,
    soak: Option<u64>,
    lose: bool,
    write: Option<String>,
    check: Option<String>,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments {
        rows: Vec::new(),
        database: None,
        plan: Plan::standard(1, 10),
        soak: None,
        lose: false,
        write: None,
        check: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("{text} is no number"));
        match word.as_str() {
            "--row" => {
                let name = value()?;
                let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
                let unknown = || format!("there is no row {name}; there are: {}", names.join(", "));
                parsed.rows.push(row(&name).ok_or_else(unknown)?);
            }
            "--seed" => parsed.plan.seed = number(value()?)?,
            "--seconds" => parsed.plan.seconds = number(value()?)?,
            "--database" => parsed.database = Some(value()?),
            "--keep" => parsed.plan.keep = Some(value()?.into()),
            "--soak" => parsed.soak = Some(number(value()?)?),
            "--write" => parsed.write = Some(value()?),
            "--check" => parsed.check = Some(value()?),
            "--asynchronous" => parsed.plan.asynchronous = true,
            "--lose" => parsed.lose = true,
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    if parsed.rows.is_empty() {
        parsed.rows = ROWS.iter().collect();
    }
    Ok(parsed)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("natter-faults: {error}");
            return ExitCode::from(2);
        }
    };
    if let Some(file) = &arguments.check {
        return judge_file(file);
    }
    let mut databases = vec![("sqlite", Some(Backend::Sqlite)), ("postgres", Backend::postgres())];
    databases.retain(|(name, _)| arguments.database.as_deref().is_none_or(|wanted| wanted == *name));
    let mut stop = signal(SignalKind::terminate()).unwrap();
    // Whoever stops this stops a run in its middle, which puts away what it made: processes, namespaces, small disks.
    tokio::select! {
        code = run(&arguments, &databases) => code,
        _ = tokio::signal::ctrl_c() => ExitCode::from(130),
        _ = stop.recv() => ExitCode::from(143),
    }
}

async fn run(arguments: &Arguments, databases: &[(&str, Option<Backend>)]) -> ExitCode {
    let (started, mut bad, mut lines) = (Instant::now(), false, Vec::new());
    println!("{HEADING}");
    if let Some(minutes) = arguments.soak {
        let plan = Plan { seconds: minutes * 60, ..arguments.plan.clone() };
        for (database, backend) in databases {
            let verdict = match backend {
                Some(backend) => soak(backend.clone(), &plan).await,
                None => Verdict::Skipped("NATTER_TEST_POSTGRES is not set".into()),
            };
            bad |= verdict.is_bad();
            lines.push(print("soak", "no violation, memory level", database, verdict, arguments));
        }
    } else {
        for row in &arguments.rows {
            for (database, backend) in databases {
                let verdict = match backend {
                    Some(backend) => row.run(backend.clone(), &arguments.plan).await,
                    None => Verdict::Skipped("NATTER_TEST_POSTGRES is not set".into()),
                };
                let verdict = if arguments.lose { lose(verdict) } else { verdict };
                bad |= verdict.is_bad();
                lines.push(print(row.name, row.bound, database, verdict, arguments));
            }
        }
    }
    let took = started.elapsed().as_secs();
    eprintln!("{} rows in {} min {} s", lines.len(), took / 60, took % 60);
    if let Some(page) = &arguments.write
        && let Err(error) = put_into(page, MARKS, &format!("{HEADING}\n{}", lines.join("\n")))
    {
        eprintln!("natter-faults: {page}: {error}");
        return ExitCode::from(2);
    }
    if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The same run, as if the server had acked one of its messages and lost it.
fn lose(verdict: Verdict) -> Verdict {
    let Verdict::Judged { measured, lines, figures, .. } = &verdict else { return verdict };
    let Some((without, lost)) = without_last_acked(lines) else { return verdict };
    println!("taken out of what the clients saw: acked message {lost}");
    let violations = check(&without, &Bounds::default()).violations;
    Verdict::Judged {
        measured: measured.clone(),
        violations: violations.iter().map(ToString::to_string).collect(),
        figures: *figures,
        lines: without,
    }
}

/// Prints a line of the table, and each violation below it. The line.
fn print(name: &str, bound: &str, database: &str, verdict: Verdict, arguments: &Arguments) -> String {
    let seed = arguments.plan.seed;
    let (line, violations) = match verdict {
        Verdict::Skipped(why) => {
            (format!("| `{name}` | {database} | {bound} | {why} | - | skipped |"), Vec::new())
        }
        Verdict::Judged { measured, violations, .. } => {
            let word = if violations.is_empty() { "ok" } else { "**violated**" };
            (format!("| `{name}` | {database} | {bound} | {measured} | {seed} | {word} |"), violations)
        }
    };
    println!("{line}");
    show(&violations);
    line
}

fn show(violations: &[String]) {
    for violation in violations.iter().take(SHOWN) {
        println!("    {violation}");
    }
    if violations.len() > SHOWN {
        println!("    and {} more", violations.len() - SHOWN);
    }
}

fn judge_file(file: &str) -> ExitCode {
    let lines = match load(file.as_ref()) {
        Ok(lines) => lines,
        Err(error) => {
            eprintln!("natter-faults: {file}: {error}");
            return ExitCode::from(2);
        }
    };
    let report = check(&lines, &Bounds::default());
    println!("{:#?}", report.figures);
    show(&report.violations.iter().map(ToString::to_string).collect::<Vec<_>>());
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

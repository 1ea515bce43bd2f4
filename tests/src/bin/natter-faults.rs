//! Runs the fault matrix and prints the table of `docs/FAULTS.md`.
//!
//! `natter-faults [--row NAME]… [--seed N] [--seconds N] [--database sqlite|postgres] [--keep FOLDER]`; on PostgreSQL
//! too where `NATTER_TEST_POSTGRES` names a server. `natter-faults --check FILE` judges a history that was kept, and
//! `--plant` loses one acked message of each row's history before the judge sees it, to show that the judge is awake.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for developers"
)]

use std::process::ExitCode;
use std::time::Instant;

use natter_tests::Backend;
use natter_tests::faults::{Plan, ROWS, Row, Verdict, row};
use natter_tests::history::{Bounds, check, load, without_last_acked};

/// At most so many lines of violations per row.
const SHOWN: usize = 20;

struct Arguments {
    rows: Vec<&'static Row>,
    database: Option<String>,
    plan: Plan,
    plant: bool,
    check: Option<String>,
}

fn arguments() -> Result<Arguments, String> {
    let mut parsed = Arguments {
        rows: Vec::new(),
        database: None,
        plan: Plan::standard(1, 10),
        plant: false,
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
            "--check" => parsed.check = Some(value()?),
            "--plant" => parsed.plant = true,
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
    println!("| row | database | bound | measured | seed | verdict |\n|---|---|---|---|---|---|");
    let mut bad = false;
    let started = Instant::now();
    for row in &arguments.rows {
        for (database, backend) in &databases {
            let verdict = match backend {
                Some(backend) => row.run(backend.clone(), &arguments.plan).await,
                None => Verdict::Skipped("NATTER_TEST_POSTGRES is not set".into()),
            };
            bad |= print(row, database, verdict, &arguments);
        }
    }
    eprintln!("{} rows in {} s", arguments.rows.len(), started.elapsed().as_secs());
    if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints a row of the table, and each violation below it. Whether there is one.
fn print(row: &Row, database: &str, verdict: Verdict, arguments: &Arguments) -> bool {
    let (measured, violations) = match verdict {
        Verdict::Skipped(why) => {
            println!("| {} | {database} | {} | {why} | - | skipped |", row.name, row.bound);
            return false;
        }
        Verdict::Judged { measured, mut violations, lines, .. } => {
            if arguments.plant
                && let Some((without, lost)) = without_last_acked(&lines)
            {
                println!("planted: acked message {lost} is lost");
                violations =
                    check(&without, &Bounds::default()).violations.iter().map(ToString::to_string).collect();
            }
            (measured, violations)
        }
    };
    let word = if violations.is_empty() { "ok" } else { "VIOLATED" };
    println!("| {} | {database} | {} | {measured} | {} | {word} |", row.name, row.bound, arguments.plan.seed);
    show(&violations);
    !violations.is_empty()
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

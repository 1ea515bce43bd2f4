//! Changes parts while people talk, and prints the tables of `docs/FIGURES.md` about it.
//!
//! `natter-releases [--profile NAME] [--warm] [--seed N] [--write FILE]`. It builds the programs from a copy of these sources, and
//! again with a patch, so it takes as long as a full build and some minutes. `--warm` leaves what it built before, and does not
//! say how long a full build takes. On PostgreSQL where `NATTER_TEST_POSTGRES` names a server, else on SQLite. It fails when a
//! figure is not as it must be.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for developers")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use natter_tests::releases::{Plan, root, run};
use natter_tests::{Backend, put_into};

/// Between these the page has what the last whole run printed.
const MARKS: [&str; 2] = ["<!-- what `make releases` printed -->", "<!-- end of what it printed -->"];

struct Arguments {
    plan: Plan,
    write: Option<String>,
}

fn arguments() -> Result<Arguments, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let plan = Plan {
        profile: "release".into(),
        folder: target.join("releases"),
        warm: false,
        seed: 1,
        calm: Duration::from_secs(3),
        side_by_side: Duration::from_secs(10),
    };
    let mut parsed = Arguments { plan, write: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--profile" => parsed.plan.profile = value()?,
            "--warm" => parsed.plan.warm = true,
            "--seed" => {
                let text = value()?;
                parsed.plan.seed = text.parse().map_err(|_| format!("{text} is no number"))?;
            }
            "--write" => parsed.write = Some(value()?),
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    Ok(parsed)
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { plan, write } = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("natter-releases: {error}");
            return ExitCode::from(2);
        }
    };
    let (name, backend) =
        Backend::postgres().map_or(("SQLite", Backend::Sqlite), |backend| ("PostgreSQL", backend));
    let outcome = Box::pin(run(backend, &plan)).await;
    let profile = &plan.profile;
    let text = format!("On {name}, built with the profile `{profile}`.\n{}", outcome.text);
    println!("{text}");
    for wrong in &outcome.wrong {
        println!("**not as it must be**: {wrong}");
    }
    if !outcome.wrong.is_empty() {
        return ExitCode::FAILURE;
    }
    if let Some(page) = write
        && let Err(error) = put_into(&page, MARKS, &text)
    {
        eprintln!("natter-releases: {page}: {error}");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

//! What can be typed.

use broker_schemas::Code;
use clap::{CommandFactory, Parser};
use natter_client::CallError;

use super::*;
use crate::exit_code;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    admin: AdminArgs,
}

fn parse(line: &[&str]) -> Result<AdminArgs, clap::Error> {
    Line::try_parse_from([&["natter"], line].concat()).map(|line| line.admin)
}

#[test]
fn the_command_line_is_consistent_and_every_command_says_what_it_does() {
    fn check(command: &clap::Command) {
        let name = command.get_name();
        assert!(name == "help" || command.get_about().is_some(), "{name} says nothing");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some() || argument.is_hide_set(), "{name}: {}", argument.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    let mut command = Line::command();
    command.build();
    command.clone().debug_assert();
    command.get_subcommands().for_each(check);
}

#[test]
fn every_kind_of_command_is_understood_in_the_form_that_the_documentation_has() {
    for line in [
        "grant alice operator",
        "revoke alice moderator",
        "staff",
        "broadcast hello",
        "announce hello --until 2h",
        "change-announcement 3 --text bye --until 2030-12-01",
        "withdraw 3",
        "announcements --before 9 --limit 5",
        "campaign create spring hello --all --starts-at 1h --ends-at 2d --hours 09:00-17:00 --per-second 100",
        "campaign create spring hello --group g9",
        "campaign create spring hello --signed-up-after 30d --signed-up-before 1d",
        "campaign create spring hello --last-seen-before 30d",
        "campaign create spring hello --users-file names.txt",
        "campaign dry-run 1",
        "campaign start 1 --watch",
        "campaign pause 1",
        "campaign resume 1",
        "campaign cancel 1",
        "campaign show 1",
        "campaign list",
        "campaign watch 1",
        "ban bob --reason spam",
        "ban bob --reason spam --for 7d",
        "ban bob --reason spam --until 2030-12-01",
        "unban bob",
        "mute bob --for 2h",
        "unmute bob",
        "sign-out bob",
        "remove-message u3-u7 12",
        "dissolve-group g9",
        "reports --settled --after 3",
        "settle 4 --note warned",
        "rules",
        "set-rule --applies texts --then report --pattern casino --words no",
        "set-rule --id 2 --applies names --pattern admin --words reserved",
        "remove-rule 2",
        "stats --once",
        "audit --by root --on bob --method ban --before 9 --limit 5",
    ] {
        let words: Vec<_> = line.split(' ').collect();
        // Who and how stand before or behind.
        let before = [&["--as", "root", "--json"], &*words].concat();
        let behind = [&*words, &["--as", "root", "--json"]].concat();
        for line in [before, behind] {
            let args = parse(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
            assert_eq!((args.door.name.as_deref(), args.door.json), (Some("root"), true), "{line:?}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_tried() {
    for line in [
        "grant alice king",
        "announce hello",
        "announce hello --until -2h",
        "change-announcement 3",
        "ban bob",
        "ban bob --reason spam --for 1d --until 2030-12-01",
        "mute bob",
        "remove-message nowhere 12",
        "remove-message u3-u7 0",
        "campaign create spring hello --hours 9-17",
        "campaign watch",
        "set-rule --applies everything --pattern x --words y",
        "stats --every 0",
    ] {
        assert!(parse(&line.split(' ').collect::<Vec<_>>()).is_err(), "{line}");
    }
}

#[test]
fn a_grant_is_made_at_the_console_unless_somebody_signs_in() {
    let console = parse(&["grant", "alice", "operator", "--data", "d"]).unwrap();
    // The environment of whoever runs this may name somebody.
    if std::env::var_os("NATTER_ADMIN").is_none() {
        let grant = console.console().expect("at the console");
        assert_eq!((grant.name.as_str(), grant.role), ("alice", Role::Operator));
        assert_eq!(grant.data, PathBuf::from("d"));
    }
    assert_eq!(parse(&["--as", "root", "grant", "alice", "operator"]).unwrap().console(), None);
    assert_eq!(parse(&["revoke", "alice", "operator"]).unwrap().console(), None);
}

#[test]
fn a_failure_is_told_to_a_script_by_code_and_outcome() {
    let refusal = broker_schemas::Error::forbidden("only an operator may do this");
    let outcome = refusal.outcome();
    let error = anyhow::Error::from(Failure::from(CallError::Refused { error: refusal, outcome }));
    assert_eq!(failed(&error)["error"]["code"], Code::Forbidden.name());
    assert_eq!(failed(&error)["error"]["outcome"], "rejected");
    assert_eq!(failed(&error)["error"]["message"], "only an operator may do this");
    assert_eq!(exit_code(&error), 1);
    let error = anyhow::Error::from(Failure::Usage("who are you?".into()));
    assert_eq!(failed(&error)["error"]["code"], "invalid");
    assert_eq!(exit_code(&error), 2);
}

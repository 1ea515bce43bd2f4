//! What names and texts must not contain.

use broker_schemas::admin::{self, Applies, Rule, Then};
use clap::{Args, Subcommand, ValueEnum};

use super::desk::{Desk, limited};
use super::table::Table;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the rules in force
    Rules,
    SetRule(SetRule),
    /// Remove a rule
    RemoveRule {
        /// Which
        id: u64,
    },
}

/// Add a rule, or replace one; in force everywhere within seconds
#[derive(Debug, Args)]
pub(super) struct SetRule {
    /// The rule to replace; a new one otherwise
    #[arg(long)]
    id: Option<u64>,
    /// To what it applies
    #[arg(long, value_enum)]
    applies: What,
    /// A regular expression, matched anywhere, whatever the case of letters
    #[arg(long)]
    pattern: String,
    /// What follows when it matches
    #[arg(long, value_enum, default_value = "refuse")]
    then: Follows,
    /// What the refusal says
    #[arg(long)]
    words: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Names and display names of users, names of groups
    Names,
    /// Texts of messages and of groups' announcements
    Texts,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Follows {
    /// The request is refused
    Refuse,
    /// It is done, and a report is made; only for texts
    Report,
}

pub(super) async fn run(desk: &Desk, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Rules => {
            let rules = desk.call(&admin::ListRules {}).await?;
            let mut table = Table::new(&["ID>", "APPLIES TO", "THEN", "PATTERN", "WORDS"]);
            for admin::NumberedRule { id, rule } in &rules.rules {
                let (applies, then) = names_of(rule);
                let (pattern, words) = (String::from(&*rule.pattern), String::from(&*rule.words));
                table.row([id.to_string(), applies.to_owned(), then.to_owned(), pattern, words]);
            }
            let below = match &*rules.pending {
                [] => format!("version {}, in force everywhere", rules.version),
                lacking => format!("version {}, not yet in force in: {}", rules.version, lacking.join(", ")),
            };
            desk.show(&rules, &table, &[below])
        }
        Command::SetRule(SetRule { id, applies, pattern, then, words }) => {
            let applies = match applies {
                What::Names => Applies::Names,
                What::Texts => Applies::Texts,
            };
            let then = match then {
                Follows::Refuse => Then::Refuse,
                Follows::Report => Then::Report,
            };
            let (pattern, words) = (limited("--pattern", &pattern)?, limited("--words", &words)?);
            let rule = Rule { applies, pattern, then, words };
            let set = desk.call(&admin::SetRule { id, rule }).await?;
            desk.say(&set, format!("rule {} is set", set.id))
        }
        Command::RemoveRule { id } => {
            let done = desk.call(&admin::RemoveRule { id }).await?;
            desk.say(&done, format!("rule {id} is removed"))
        }
    }
}

const fn names_of(rule: &Rule) -> (&'static str, &'static str) {
    let applies = match rule.applies {
        Applies::Names => "names",
        Applies::Texts => "texts",
    };
    let then = match rule.then {
        Then::Refuse => "refuse",
        Then::Report => "report",
    };
    (applies, then)
}

//! The audit log.

use broker_schemas::admin::{self, AuditEntry, AuditOutcome};
use clap::Args;

use super::desk::{Desk, Names, further, limited};
use super::moment;
use super::table::{Table, beginning};

/// How many columns of a request stand in the table.
const REQUEST: usize = 60;

/// Read the audit log: who did what, on whom, when, from where, with which outcome; refused acts included
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only acts of this user
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Only acts on this user
    #[arg(long, value_name = "NAME")]
    on: Option<String>,
    /// Only acts of this method, such as ban
    #[arg(long)]
    method: Option<String>,
    /// Only those before this entry
    #[arg(long, value_name = "ENTRY")]
    before: Option<u64>,
    /// How many, up to 200
    #[arg(long)]
    limit: Option<u32>,
}

pub(super) async fn run(desk: &Desk, arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { by, on, method, before, limit } = arguments;
    let user = async |name: Option<&String>| match name {
        Some(name) => desk.user(name).await.map(Some),
        None => Ok(None),
    };
    let request = admin::ListAudit {
        by: user(by.as_ref()).await?,
        on: user(on.as_ref()).await?,
        method: method.as_deref().map(|method| limited("--method", method)).transpose()?,
        before,
        limit,
    };
    let page = desk.call(&request).await?;
    let named = page.entries.iter().flat_map(|entry| [entry.by, entry.on]).flatten();
    let names = if desk.is_json() { Names::default() } else { desk.names(named).await };
    let filters: String = [("--by", &by), ("--on", &on), ("--method", &method)]
        .iter()
        .filter_map(|(option, value)| Some(format!(" {option} {}", value.as_ref()?)))
        .collect();
    let last = page.entries.last().map(|entry| entry.entry);
    let below = further(page.more, &format!("audit{filters}"), "--before", last);
    desk.show(&page, &table(&page.entries, &names), below.as_slice())
}

pub(super) fn table(entries: &[AuditEntry], names: &Names) -> Table {
    let mut table =
        Table::new(&["ENTRY>", "AT", "BY", "ROLES", "METHOD", "ON", "OUTCOME", "FROM", "REQUEST"]);
    for entry in entries {
        let roles: Vec<_> = entry.roles.iter().map(|role| role.name()).collect();
        let outcome = match &entry.outcome {
            Some(AuditOutcome::Done) => "done".to_owned(),
            Some(AuditOutcome::Refused { code, message }) => {
                format!("{}: {}", code.name(), beginning(message, REQUEST))
            }
            None => "unfinished".to_owned(),
        };
        table.row([
            entry.entry.to_string(),
            moment::shown(entry.at),
            entry.by.map_or("-".to_owned(), |by| names.of(by)),
            roles.join(", "),
            entry.method.clone(),
            entry.on.map(|on| names.of(on)).unwrap_or_default(),
            outcome,
            entry.from.clone(),
            beginning(&entry.request, REQUEST),
        ]);
    }
    table
}

//! Who is an operator, a moderator or an auditor.

use std::path::PathBuf;

use broker_schemas::{Role, admin};
use clap::{Args, Subcommand};

use super::ConsoleGrant;
use super::desk::Desk;
use super::table::Table;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Grant(Grant),
    /// Take a role from a user, whose sessions end
    Revoke {
        /// From whom
        name: String,
        /// operator, moderator or auditor
        #[arg(value_parser = role)]
        role: Role,
    },
    /// List who has a role
    Staff,
}

/// Give a user a role; it counts from the next sign-in
///
/// Without --as it is done at the console: with the credential of the bus's operator, on the machine that holds it. So there is
/// a first operator.
#[derive(Debug, Args)]
pub(super) struct Grant {
    /// To whom
    name: String,
    /// operator, moderator or auditor
    #[arg(value_parser = role)]
    role: Role,
    /// At the console: where the platform keeps everything, in `bus` below it the credentials
    #[arg(long, value_name = "DIR", default_value = "data")]
    data: PathBuf,
    /// At the console: where the bus is, if not where `natter serve` started it last
    #[arg(long, value_name = "URL")]
    bus_url: Option<String>,
}

impl Grant {
    pub(super) fn at_console(&self, json: bool) -> ConsoleGrant {
        ConsoleGrant {
            name: self.name.clone(),
            role: self.role,
            data: self.data.clone(),
            bus_url: self.bus_url.clone(),
            json,
        }
    }
}

fn role(text: &str) -> Result<Role, String> {
    Role::ALL
        .into_iter()
        .find(|role| role.name() == text)
        .ok_or_else(|| format!("expected one of {}", Role::ALL.map(Role::name).join(", ")))
}

pub(super) async fn run(desk: &Desk, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Grant(Grant { name, role, .. }) => {
            let user = desk.user(&name).await?;
            let done = desk.call(&admin::Grant { user, role }).await?;
            let role = role.name();
            desk.say(&done, format!("through the edge: {name} is {role} from the next sign-in on"))
        }
        Command::Revoke { name, role } => {
            let user = desk.user(&name).await?;
            let done = desk.call(&admin::Revoke { user, role }).await?;
            desk.say(&done, format!("{name} is no longer {}; the sessions have ended", role.name()))
        }
        Command::Staff => {
            let staff = desk.call(&admin::ListStaff {}).await?;
            let mut table = Table::new(&["USER>", "NAME", "ROLES"]);
            for member in &staff.members {
                let roles: Vec<_> = member.roles.iter().map(|role| role.name()).collect();
                table.row([member.user.to_string(), member.name.clone(), roles.join(", ")]);
            }
            desk.show(&staff, &table, &[])
        }
    }
}

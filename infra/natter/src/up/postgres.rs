//! PostgreSQL of the installation's own, where its programs are installed: one server, or a primary and its standby.

mod keeper;
mod roles;
mod server;

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, bail, ensure};
use rustix::process::getuid;
use tokio::process::Command;

use super::data::Data;
use super::plan::Planner;
use super::recipe::Recipe;
pub(super) use keeper::Keeper;
use roles::Roles;
use server::Server;

const USER: &str = "natter";
const DATABASE: &str = "natter";
/// What its servers are called in `natter ps`, before their numbers.
pub(super) const NAME: &str = "postgres";
/// Where the servers read the password with which they follow each other.
const PASSWORD_FILE: &str = "postgres.pass";

/// The servers, not yet running.
#[derive(Debug, Clone)]
pub(super) struct Postgres {
    servers: Vec<Server>,
    roles_file: PathBuf,
    /// Whether nothing is acked before a standby has it.
    synchronous: bool,
}

impl Postgres {
    /// Makes a database cluster in the data directory, unless there is one.
    ///
    /// # Errors
    /// When there are data, and it isn't clear whose they are: an empty database in their place would look like a loss.
    pub(super) async fn prepare(
        data: &Data,
        planner: &mut Planner,
        (standby, synchronous): (bool, bool),
    ) -> anyhow::Result<Self> {
        let programs = programs()?;
        let roles_file = data.path().join("run/postgres.roles");
        let roles = match Roles::read(&roles_file)? {
            None => found(data)?,
            roles => {
                if has_data(data, NAME) {
                    let path = data.path().join(NAME);
                    tracing::warn!(path = %path.display(), "not used: what an earlier release had; move it away");
                }
                roles
            }
        };
        let password_file = data.path().join("run/postgres.password");
        if !password_file.exists() {
            ensure!(roles.is_none(), "put back {}, the password of the database", password_file.display());
            super::running::write_private(
                &password_file,
                &format!("{:016x}{:016x}\n", getrandom::u64()?, getrandom::u64()?),
            )?;
        }
        let password = std::fs::read_to_string(&password_file)?.trim().to_owned();
        let mut numbers: Vec<usize> = (1..=if standby { 2 } else { 1 }).collect();
        if !standby {
            // The one that was promoted is the one that has the data.
            numbers = vec![roles.map_or(1, |roles| roles.primary)];
        }
        let mut servers = Vec::new();
        for number in numbers {
            let name = format!("{NAME}.{number}");
            let port = planner.postgres_port(&name)?;
            servers.push(Server {
                enter: planner.enter(&name, port)?,
                programs: programs.clone(),
                data: data.path().join(&name),
                port,
                address: planner.address_of(&name)?,
                password: password.clone(),
                password_file: data.path().join(PASSWORD_FILE),
                name,
                number,
            });
        }
        let postgres = Self { servers, roles_file, synchronous: standby && synchronous };
        if getuid().is_root() {
            data.let_pass()?;
        }
        postgres.servers[0].write_password().await?;
        if roles.is_none() {
            postgres.servers[0].make(data).await.context("make a PostgreSQL database")?;
        }
        // From now on it is clear whose data these are: nothing makes an empty database beside them.
        roles.unwrap_or(Roles { primary: 1, replicated: false }).write(&postgres.roles_file)?;
        for server in &postgres.servers {
            server.let_hosts_in(planner.subnet())?;
        }
        Ok(postgres)
    }

    /// Where the modules find the primary, whichever it is.
    pub(super) fn url(&self) -> String {
        let host = |server: &Server| format!("{}:{}", server.address, server.port);
        let hosts: Vec<_> = self.servers.iter().map(host).collect();
        format!("postgres://{USER}:{}@{}/{DATABASE}", self.servers[0].password, hosts.join(","))
    }

    /// What runs each server, the standby's too: which is which, their data say.
    pub(super) fn recipes(&self) -> Vec<Recipe> {
        self.servers.iter().map(|server| server.recipe(self.other(server))).collect()
    }

    pub(super) const fn has_standby(&self) -> bool {
        self.servers.len() > 1
    }

    fn other(&self, server: &Server) -> Option<&Server> {
        self.servers.iter().find(|other| other.number != server.number)
    }

    /// The primary, and its standby.
    fn as_in(&self, roles: Roles) -> anyhow::Result<(&Server, Option<&Server>)> {
        let primary = self.servers.iter().find(|server| server.number == roles.primary);
        let primary = primary.context("the primary is none of the servers")?;
        Ok((primary, self.other(primary)))
    }
}

/// Whose data there are, where nothing says so; none when there are none. Those of a release that had one server are taken
/// over.
fn found(data: &Data) -> anyhow::Result<Option<Roles>> {
    let names = [NAME, "postgres.1", "postgres.2", "postgres.1.former", "postgres.2.former"];
    let found: Vec<_> = names.into_iter().filter(|name| has_data(data, name)).collect();
    let primary = match found.as_slice() {
        [] => return Ok(None),
        [NAME] => {
            std::fs::rename(data.path().join(NAME), data.path().join("postgres.1"))?;
            tracing::info!("the database of an earlier release goes on as postgres.1");
            1
        }
        ["postgres.1"] => 1,
        ["postgres.2"] => 2,
        _ => bail!(
            "nothing says which of these in {} is the primary's: {}. Put run/postgres.roles back, or move all but one away",
            data.path().display(),
            found.join(", ")
        ),
    };
    Ok(Some(Roles { primary, replicated: false }))
}

fn has_data(data: &Data, name: &str) -> bool {
    data.path().join(name).join("PG_VERSION").exists()
}

/// Debian keeps the server's programs outside PATH.
fn programs() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut installed: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    installed.sort();
    let complete = |directory: &PathBuf| {
        ["initdb", "postgres", "createdb", "pg_basebackup", "pg_controldata"]
            .iter()
            .all(|program| directory.join(program).is_file())
    };
    installed.into_iter().rev().chain(std::env::split_paths(&path)).find(complete).context(
        "this topology needs PostgreSQL: install its server, or give --database sqlite or the URL of an empty database",
    )
}

async fn run(command: &mut Command) -> anyhow::Result<()> {
    said(command).await.map(drop)
}

/// What a program printed that did what it should.
async fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn prepare(data: &Data) -> anyhow::Result<Postgres> {
        let mut planner = Planner::new(0, Vec::new()).await?;
        Postgres::prepare(data, &mut planner, (true, true)).await
    }

    #[tokio::test]
    async fn an_empty_database_never_takes_the_place_of_data_that_are_there() {
        let directory = tempfile::tempdir().unwrap();
        let data = Data::open(directory.path()).unwrap();
        let at = |name: &str| data.path().join(name);
        let roles = at("run/postgres.roles");
        prepare(&data).await.unwrap();

        // Where an earlier release had them.
        std::fs::write(at("postgres.1/mark"), "").unwrap();
        std::fs::rename(at("postgres.1"), at("postgres")).unwrap();
        std::fs::remove_file(&roles).unwrap();
        prepare(&data).await.unwrap();
        assert!(at("postgres.1/mark").exists() && !at("postgres").exists());
        assert_eq!(Roles::read(&roles).unwrap(), Some(Roles { primary: 1, replicated: false }));

        // Those of two servers, and nothing says which one was the primary.
        std::fs::remove_file(&roles).unwrap();
        std::fs::create_dir(at("postgres.2")).unwrap();
        std::fs::copy(at("postgres.1/PG_VERSION"), at("postgres.2/PG_VERSION")).unwrap();
        let error = prepare(&data).await.unwrap_err().to_string();
        assert!(error.contains("postgres.1, postgres.2"), "{error}");

        // The user lost all that isn't data.
        std::fs::remove_dir_all(at("postgres.2")).unwrap();
        std::fs::remove_file(at("run/postgres.password")).unwrap();
        let error = prepare(&data).await.unwrap_err().to_string();
        assert!(error.contains("postgres.password") && at("postgres.1/mark").exists(), "{error}");
    }
}

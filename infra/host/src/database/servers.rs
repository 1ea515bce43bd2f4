//! Which of several PostgreSQL servers to use: the primary, wherever it is now.
//!
//! sqlx connects to one host. So a task of its own holds a connection to the primary, sees when that is gone, looks for the
//! server that has become the primary, and tells the pool.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::future::join_all;
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, AnyPool, Connection};
use tokio::time::{Instant, sleep, timeout};

/// How often the primary is asked whether it is there.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// A server that takes longer than that is not there.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// On which timeline it writes, in eight hexadecimal digits; nothing while it follows another server. Each promotion begins
/// the next timeline.
const TIMELINE: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN ''
     ELSE CAST(substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS TEXT) END";
/// The same of a server beside which there is no other: all that matters is whether it writes, and not every service that
/// looks like PostgreSQL has timelines.
const ONLY_TIMELINE: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE '00000001' END";

/// The servers of one URL, `postgres://user:password@host:port,host:port/database` as libpq reads it.
#[derive(Debug, Clone)]
pub(super) struct Servers {
    each: Vec<AnyConnectOptions>,
}

impl Servers {
    pub(super) fn of(url: &str) -> anyhow::Result<Self> {
        let each = split(url)?;
        let parse = |url: &String| url.parse().context("database.url");
        Ok(Self { each: each.iter().map(parse).collect::<anyhow::Result<_>>()? })
    }

    /// Whether there is one to choose.
    pub(super) const fn are_several(&self) -> bool {
        self.each.len() > 1
    }

    /// What to ask a server for its timeline.
    pub(super) const fn timeline(&self) -> &'static str {
        if self.are_several() { TIMELINE } else { ONLY_TIMELINE }
    }

    /// The primary. Of a single server nobody asks whether it is: who connects to it will see.
    pub(super) async fn primary(&self) -> anyhow::Result<AnyConnectOptions> {
        if let [only] = self.each.as_slice() {
            return Ok(only.clone());
        }
        // All at once: one that is cut off delays the others no longer than it takes to know.
        let timelines = join_all(self.each.iter().map(timeline)).await;
        let mut primary: Option<(String, &AnyConnectOptions)> = None;
        for (timeline, server) in timelines.into_iter().zip(&self.each) {
            match timeline {
                // A former primary that nobody has ended yet is on an earlier timeline.
                Ok(timeline) if primary.as_ref().is_none_or(|(latest, _)| *latest < timeline) => {
                    if !timeline.is_empty() {
                        primary = Some((timeline, server));
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(error = format!("{error:#}"), "a database server is away"),
            }
        }
        primary.map(|(_, server)| server.clone()).context("none of the database servers is a primary")
    }
}

/// On which timeline a server writes; empty for a standby.
async fn timeline(server: &AnyConnectOptions) -> anyhow::Result<String> {
    let asked = async {
        let mut connection = AnyConnection::connect_with(server).await?;
        let timeline: String = sqlx::query_scalar(TIMELINE).fetch_one(&mut connection).await?;
        connection.close().await?;
        anyhow::Ok(timeline)
    };
    timeout(ANSWERS_WITHIN, asked).await?
}

/// What tells a pool's connections to the primary from those to a former one.
#[derive(Debug, Clone, Default)]
pub(super) struct Switched(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// Since when the pool is to use the server that it uses now.
    at: Option<Instant>,
    /// The latest timeline of those that were connected to.
    timeline: String,
}

impl Switched {
    fn now(&self) {
        self.seen().at = Some(Instant::now());
    }

    /// Whether a connection of this age is one to a former primary.
    pub(super) fn since(&self, age: Duration) -> bool {
        self.seen().at.is_some_and(|at| at.elapsed() < age)
    }

    /// Whether a server that writes on this timeline may be the primary: one that hung while another took its place still
    /// takes itself for one.
    pub(super) fn is_primary(&self, timeline: &str) -> bool {
        let mut seen = self.seen();
        let may_be = !timeline.is_empty() && *timeline >= *seen.timeline;
        if may_be {
            timeline.clone_into(&mut seen.timeline);
        }
        may_be
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a pool at the primary, as long as this runs.
pub(super) async fn follow_primary(servers: Servers, pool: AnyPool, switched: Switched) {
    let mut current = (*pool.connect_options()).clone();
    loop {
        watch(&current).await;
        match servers.primary().await {
            Ok(primary) if primary.database_url != current.database_url => {
                // The URL itself has a password.
                let (host, port) = (primary.database_url.host_str(), primary.database_url.port());
                tracing::warn!(host, port, "another database server is the primary now");
                pool.set_connect_options(primary.clone());
                switched.now();
                current = primary;
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(error = format!("{error:#}"), "no primary yet"),
        }
        sleep(ASK_EVERY).await;
    }
}

/// Returns when the server doesn't answer as a primary.
async fn watch(server: &AnyConnectOptions) {
    let watching = async {
        let mut connection = timeout(ANSWERS_WITHIN, AnyConnection::connect_with(server)).await??;
        loop {
            let asked =
                sqlx::query_scalar::<_, bool>("SELECT pg_is_in_recovery()").fetch_one(&mut connection);
            ensure!(!timeout(ANSWERS_WITHIN, asked).await??, "it follows another server");
            sleep(ASK_EVERY).await;
        }
    };
    let gone: anyhow::Result<()> = watching.await;
    if let Err(error) = gone {
        tracing::debug!(error = format!("{error:#}"), "the primary doesn't answer");
    }
}

/// A URL for each host of one with several.
fn split(url: &str) -> anyhow::Result<Vec<String>> {
    let (scheme, rest) = url.split_once("://").context("database.url: expected postgres://…")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    let hosts: Vec<_> = hosts.split(',').collect();
    if hosts.len() > 1 && hosts.contains(&"") {
        bail!("database.url: a host is missing between commas");
    }
    Ok(hosts.into_iter().map(|host| format!("{scheme}://{user}{host}{path}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_with_several_hosts_is_one_url_for_each() {
        for (url, expected) in [
            ("postgres://u:p@a:1,b:2/db?x=y", vec!["postgres://u:p@a:1/db?x=y", "postgres://u:p@b:2/db?x=y"]),
            (
                "postgres://u:p%2C@[::1]:1,b/db",
                vec!["postgres://u:p%2C@[::1]:1/db", "postgres://u:p%2C@b/db"],
            ),
            ("postgres://a,b", vec!["postgres://a", "postgres://b"]),
            ("postgres:///db?host=/run,/tmp", vec!["postgres:///db?host=/run,/tmp"]),
        ] {
            assert_eq!(split(url).unwrap(), expected, "{url}");
        }
        assert!(split("postgres://a,,b/db").unwrap_err().to_string().contains("a host is missing"));
    }

    #[test]
    fn a_connection_from_before_the_switch_is_told_from_one_after_it() {
        let switched = Switched::default();
        assert!(!switched.since(Duration::from_secs(9)), "nothing was switched");
        switched.now();
        assert!(switched.since(Duration::from_secs(9)));
        assert!(!switched.since(Duration::ZERO));
    }

    #[test]
    fn a_standby_or_a_former_primary_is_not_connected_to() {
        let switched = Switched::default();
        assert!(!switched.is_primary(""), "a standby");
        assert!(switched.is_primary("00000009") && switched.is_primary("0000000A"));
        assert!(switched.is_primary("0000000A") && !switched.is_primary("00000009"));
    }

    #[tokio::test]
    async fn of_several_servers_the_one_is_used_that_is_there() {
        sqlx::any::install_default_drivers();
        let Ok(server) = std::env::var("NATTER_TEST_POSTGRES") else { return };
        let there = server.replacen("127.0.0.1", "127.0.0.1:1,127.0.0.1", 1);
        let servers = Servers::of(&there).unwrap();
        assert!(servers.are_several());
        assert_eq!(servers.primary().await.unwrap().database_url.as_str(), server);
        let nowhere = Servers::of("postgres://natter@127.0.0.1:1,127.0.0.1:2/natter").unwrap();
        let error = nowhere.primary().await.unwrap_err().to_string();
        assert_eq!(error, "none of the database servers is a primary");
    }
}

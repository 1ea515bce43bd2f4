//! Which of several PostgreSQL servers to use: the primary, wherever it is now.
//!
//! sqlx connects to one host. So a task of its own holds a connection to the primary, sees when that is gone, looks for the
//! server that has become the primary, and tells the pool.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// The servers of one URL, `postgres://user:password@host:port,host:port/database` as libpq reads it. All clones know the same.
#[derive(Debug, Clone)]
pub(super) struct Servers {
    each: Vec<AnyConnectOptions>,
    seen: Arc<Mutex<Seen>>,
}

/// What tells the primary from a former one that hung while another took its place, and takes itself for one still.
#[derive(Debug, Default)]
struct Seen {
    /// The latest timeline that any of them wrote on.
    timeline: String,
    /// Since when the server is the primary that is it now, if it was another one before.
    switched: Option<Instant>,
}

impl Servers {
    pub(super) fn of(url: &str) -> anyhow::Result<Self> {
        let parse = |url: &String| url.parse().context("database.url");
        let each = split(url)?.iter().map(parse).collect::<anyhow::Result<_>>()?;
        Ok(Self { each, seen: Arc::default() })
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
        let (timeline, server) = primary.context("none of the database servers is a primary")?;
        self.check_primary(&timeline)?;
        Ok(server.clone())
    }

    /// Checks that a server that writes on this timeline may be the primary.
    pub(super) fn check_primary(&self, timeline: &str) -> anyhow::Result<()> {
        ensure!(!timeline.is_empty(), "this server follows another one");
        let mut seen = self.seen();
        ensure!(
            *timeline >= *seen.timeline,
            "this server writes on timeline {timeline}, and one that took its place on {}; if that one was given up, and \
             a backup put back, restart this process",
            seen.timeline
        );
        timeline.clone_into(&mut seen.timeline);
        Ok(())
    }

    /// Whether a connection of this age is one to a former primary.
    pub(super) fn are_past(&self, age: Duration) -> bool {
        self.seen().switched.is_some_and(|at| at.elapsed() < age)
    }

    fn switched(&self) {
        self.seen().switched = Some(Instant::now());
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a pool at the primary, as long as this runs.
    pub(super) async fn follow_primary(self, pool: AnyPool) {
        let mut current = (*pool.connect_options()).clone();
        loop {
            self.watch(&current).await;
            match self.primary().await {
                Ok(primary) if primary.database_url != current.database_url => {
                    // The URL itself has a password.
                    let (host, port) = (primary.database_url.host_str(), primary.database_url.port());
                    tracing::warn!(host, port, "another database server is the primary now");
                    pool.set_connect_options(primary.clone());
                    self.switched();
                    current = primary;
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(error = format!("{error:#}"), "no primary yet"),
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// Returns when the server doesn't answer as the primary.
    async fn watch(&self, server: &AnyConnectOptions) {
        let watching = async {
            let mut connection = timeout(ANSWERS_WITHIN, AnyConnection::connect_with(server)).await??;
            loop {
                let asked = sqlx::query_scalar::<_, String>(TIMELINE).fetch_one(&mut connection);
                self.check_primary(&timeout(ANSWERS_WITHIN, asked).await??)?;
                sleep(ASK_EVERY).await;
            }
        };
        let gone: anyhow::Result<()> = watching.await;
        if let Err(error) = gone {
            tracing::debug!(error = format!("{error:#}"), "the primary doesn't answer");
        }
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

    fn two() -> Servers {
        sqlx::any::install_default_drivers();
        Servers::of("postgres://natter@127.0.0.1:1,127.0.0.1:2/natter").unwrap()
    }

    #[test]
    fn a_connection_from_before_the_switch_is_told_from_one_after_it() {
        let servers = two();
        assert!(!servers.are_past(Duration::from_secs(9)), "nothing was switched");
        servers.switched();
        assert!(servers.are_past(Duration::from_secs(9)));
        assert!(!servers.are_past(Duration::ZERO));
    }

    #[test]
    fn a_standby_or_a_former_primary_is_not_taken_for_the_primary() {
        let servers = two();
        let error = servers.check_primary("").unwrap_err().to_string();
        assert_eq!(error, "this server follows another one");
        servers.check_primary("00000009").unwrap();
        servers.check_primary("0000000A").unwrap();
        servers.check_primary("0000000A").unwrap();
        let error = servers.clone().check_primary("00000009").unwrap_err().to_string();
        assert!(error.contains("on timeline 00000009, and one that took its place on 0000000A"), "{error}");
    }

    #[tokio::test]
    async fn of_several_servers_the_one_is_used_that_is_there() {
        sqlx::any::install_default_drivers();
        let Ok(server) = std::env::var("NATTER_TEST_POSTGRES") else { return };
        let there = server.replacen("127.0.0.1", "127.0.0.1:1,127.0.0.1", 1);
        let servers = Servers::of(&there).unwrap();
        assert!(servers.are_several());
        assert_eq!(servers.primary().await.unwrap().database_url.as_str(), server);
        // While the one that took its place is away, a former primary is not gone back to.
        servers.check_primary("FFFFFFFF").unwrap();
        servers.primary().await.unwrap_err();
        let error = two().primary().await.unwrap_err().to_string();
        assert_eq!(error, "none of the database servers is a primary");
    }
}

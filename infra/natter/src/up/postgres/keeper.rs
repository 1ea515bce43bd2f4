//! Keeps a primary and a standby: a primary that died is replaced, one that was replaced never comes back as one, and the
//! standby is brought up to where the primary is.
//!
//! Here one supervisor knows for certain that a process is dead. On several machines nobody does: there an operator such as
//! Patroni or CloudNativePG decides, with a quorum.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep, timeout};

use super::Postgres;
use super::roles::Roles;
use super::server::{Control, Server};
use crate::up::slot::{Handle, Order, State};
use crate::up::supervisor::{Did, Supervisor, tell};

const LOOK_EVERY: Duration = Duration::from_secs(1);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(300);
/// For so long commits wait for a standby that is away.
const MISSED_AFTER: Duration = Duration::from_secs(5);
/// One that runs for so long and doesn't follow can't, such as one whose primary has thrown away what it needs next.
const HOPELESS_AFTER: Duration = Duration::from_secs(30);
const CATCHES_UP_WITHIN: Duration = Duration::from_secs(30);
/// By then every process of a server has read settings that were changed.
const SETTINGS_APPLY: Duration = Duration::from_millis(500);
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// By itself: PostgreSQL gives its own processes five seconds.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Looks after the servers while they run.
#[derive(Debug)]
pub(crate) struct Keeper {
    postgres: Postgres,
    supervisor: Supervisor,
    started: Notify,
    state: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    roles: Roles,
    /// Since when the standby doesn't follow.
    missed_since: Option<Instant>,
    /// Whether commits wait for nobody, as far as is known.
    alone: bool,
}

impl Keeper {
    pub(crate) fn new(postgres: Postgres, supervisor: Supervisor) -> anyhow::Result<Self> {
        let roles = Roles::read(&postgres.roles_file)?.context("there are no roles yet")?;
        let state = Mutex::new(Kept { roles, missed_since: None, alone: false });
        Ok(Self { postgres, supervisor, started: Notify::new(), state })
    }

    /// Starts the servers; when this returns, modules can use the database.
    pub(crate) async fn start(&self) -> anyhow::Result<()> {
        self.start_servers().await?;
        self.started.notify_one();
        Ok(())
    }

    async fn start_servers(&self) -> anyhow::Result<()> {
        let mut kept = self.state.lock().await;
        for server in &self.postgres.servers {
            // Those of a `natter up` that was killed end in a moment. Until then one that doesn't start may still run.
            timeout(GONE_WITHIN, server.unused())
                .await
                .with_context(|| format!("another server runs on {}", server.data.display()))?;
        }
        let (primary, standby) = self.postgres.as_in(kept.roles)?;
        // What goes wrong before a server starts says nothing about that server.
        let primary_handle = self.supervisor.add(primary.recipe(standby)).await?;
        if let Some(standby) = standby {
            self.supervisor.add(standby.recipe(Some(primary))).await?;
        }
        let started = primary_handle.order(Order::Start).await;
        if standby.is_none() {
            started.with_context(|| format!("mend {}, or put back a copy of it", primary.data.display()))?;
            // It may have had one before: nothing waits for that any more, nor takes it for one that lacks nothing.
            primary.promote().await?;
            let roles = Roles { replicated: false, ..kept.roles };
            self.write(&mut kept, roles)?;
            primary.wait_for(None).await?;
            return primary.ensure_database().await;
        }
        if let Err(error) = started {
            self.go_on_without_primary(&mut kept, error).await?;
        }
        let (primary, standby) = self.both(kept.roles)?;
        self.make_primary(primary, standby).await?;
        // Before anything needs it, so that nothing is acked that it lacks.
        let followed = async {
            if !standby.is_standby() {
                let roles = Roles { replicated: false, ..kept.roles };
                self.write(&mut kept, roles)?;
                primary.wait_for(None).await?;
            }
            primary.ensure_database().await?;
            self.let_follow(&mut kept, primary, standby).await
        };
        let followed = timeout(CATCHES_UP_WITHIN, followed).await.context("the standby takes too long");
        if let Err(error) = followed.and_then(|followed| followed) {
            tracing::error!(error = format!("{error:#}"), "the database has no standby now");
        }
        Ok(())
    }

    /// Begins once [`start`](Self::start) has returned, and goes on until it is dropped.
    pub(crate) async fn keep(&self) {
        if !self.postgres.has_standby() {
            return std::future::pending().await;
        }
        self.started.notified().await;
        loop {
            let roles = self.state.lock().await.roles;
            match self.handle_of(roles.primary).await {
                Ok(mut primary) => {
                    let _ = timeout(LOOK_EVERY, primary.failed()).await;
                }
                Err(_) => sleep(LOOK_EVERY).await,
            }
            if let Err(error) = self.look().await {
                tracing::warn!(error = format!("{error:#}"), "the database isn't as it should be");
                sleep(LOOK_EVERY).await;
            }
        }
    }

    async fn look(&self) -> anyhow::Result<()> {
        let mut kept = self.state.lock().await;
        let (primary, Some(standby)) = self.postgres.as_in(kept.roles)? else { return Ok(()) };
        let (primary_handle, standby_handle) =
            (self.handle_of(primary.number).await?, self.handle_of(standby.number).await?);
        match primary_handle.state() {
            // Only one that lacks nothing takes its place by itself.
            State::Failed if kept.roles.replicated && standby_handle.state() == State::Ready => {
                tracing::warn!(died = primary.name, "promoting {}", standby.name);
                return self.take_over(&mut kept).await;
            }
            State::Failed => {
                if let Err(error) = primary_handle.order(Order::Start).await {
                    return self.go_on_without_primary(&mut kept, error).await;
                }
            }
            State::Ready => {}
            // Whoever told it to stop will tell it to start.
            _ => return Ok(()),
        }
        // It may have come no further than that.
        self.make_primary(primary, standby).await?;
        let roles = kept.roles;
        if let Some(following) = primary.following(standby).await? {
            kept.missed_since = None;
            if following.synchronous && roles.replicated || !self.postgres.synchronous {
                return Ok(());
            }
        }
        let missed = kept.missed_since.get_or_insert_with(Instant::now).elapsed();
        if missed < MISSED_AFTER && standby_handle.state() == State::Ready && roles.replicated {
            return Ok(());
        }
        if !kept.alone {
            tracing::warn!("{} is away: nothing waits for it any more", standby.name);
            self.go_alone(&mut kept, primary).await?;
        }
        match standby_handle.state() {
            State::Ready if missed > HOPELESS_AFTER => {
                self.ensure_has_no_more(&mut kept, primary, standby).await?;
                standby_handle.order(Order::Stop).await?;
                // Without data it is one that has to be copied, also when that fails now; and a new copy has its own time.
                standby.fence()?;
                kept.missed_since = None;
            }
            State::Ready | State::Failed => {}
            // A former primary whose place was taken. Whoever stopped a standby will start it.
            State::Stopped if !standby.is_standby() => {}
            _ => return Ok(()),
        }
        self.let_follow(&mut kept, primary, standby).await
    }

    /// Lets the standby follow the primary, and then lets commits wait for it.
    async fn let_follow(&self, kept: &mut Kept, primary: &Server, standby: &Server) -> anyhow::Result<()> {
        let handle = self.handle_of(standby.number).await?;
        if !standby.is_standby() {
            // Its data are those of a former primary, or none.
            self.put_away(standby).await?;
            // Now that nothing waits for it, and before a copy needs the place.
            standby.remove_outdated().await?;
            standby.copy_from(primary).await?;
        }
        // Before it starts, too: what it gets from then on is written over what it has.
        self.ensure_has_no_more(kept, primary, standby).await?;
        handle.order(Order::Start).await?;
        self.ensure_has_no_more(kept, primary, standby).await?;
        let deadline = Instant::now() + CATCHES_UP_WITHIN;
        while primary.following(standby).await?.is_none() {
            ensure!(Instant::now() < deadline, "{} doesn't follow", standby.name);
            ensure!(handle.state() == State::Ready, "{} ended", standby.name);
            sleep(TRY_AGAIN_AFTER).await;
        }
        kept.missed_since = None;
        kept.alone = false;
        if !self.postgres.synchronous {
            self.write(kept, Roles { replicated: false, ..kept.roles })?;
            primary.wait_for(None).await?;
            tracing::info!("{} follows {}; commits don't wait for it", standby.name, primary.name);
            return Ok(());
        }
        primary.wait_for(Some(standby)).await?;
        // What was committed before that has to be there, too.
        sleep(SETTINGS_APPLY).await;
        loop {
            let following = primary.following(standby).await?;
            if following.is_some_and(|following| following.synchronous && following.has_all) {
                break;
            }
            if Instant::now() > deadline || following.is_none() {
                bail!("{} doesn't catch up", standby.name);
            }
            sleep(TRY_AGAIN_AFTER).await;
        }
        self.write(kept, Roles { replicated: true, ..kept.roles })?;
        tracing::info!("{} has all that {} has", standby.name, primary.name);
        Ok(())
    }

    /// From now on commits wait for nobody, and the standby may lack something.
    async fn go_alone(&self, kept: &mut Kept, primary: &Server) -> anyhow::Result<()> {
        self.write(kept, Roles { replicated: false, ..kept.roles })?;
        primary.wait_for(None).await?;
        kept.alone = true;
        Ok(())
    }

    /// A standby whose primary was put back from an older copy alone has all that came after that. It is stopped, and its
    /// data stay where they are, until a person says which of the two is right.
    async fn ensure_has_no_more(
        &self,
        kept: &mut Kept,
        primary: &Server,
        standby: &Server,
    ) -> anyhow::Result<()> {
        let handle = self.handle_of(standby.number).await?;
        let control = standby.control().await?;
        let mut far = control.reached.clone();
        if handle.state() == State::Ready {
            far = standby.position().await?;
        }
        if !primary.is_behind([&far, &control.checkpoint]).await? {
            return Ok(());
        }
        handle.order(Order::Stop).await?;
        self.go_alone(kept, primary).await?;
        let roles = Roles { primary: standby.number, replicated: false };
        bail!(
            "{} has more than {}: it is stopped, and its data are left alone. Move {} away and start again; or, to go on with \
             what it has, stop all, write {} to {} and start again",
            standby.name,
            primary.name,
            standby.data.display(),
            serde_json::to_string(&roles)?,
            self.postgres.roles_file.display()
        )
    }

    /// Makes the standby the primary. In order, so that nothing is lost; or `now`, when the primary hangs: then, unless
    /// commits waited for the standby, what it had not got yet is lost.
    pub(crate) async fn promote(&self, now: bool, did: &Did) -> anyhow::Result<()> {
        let mut kept = self.state.lock().await;
        let (primary, standby) = self.both(kept.roles)?;
        let standby_handle = self.handle_of(standby.number).await?;
        ensure!(standby_handle.state() == State::Ready, "{} doesn't run", standby.name);
        let primary_handle = self.handle_of(primary.number).await?;
        if now {
            primary_handle.order(Order::Kill).await?;
        } else {
            let following = primary.following(standby).await?;
            ensure!(
                following.is_some(),
                "{} doesn't follow {}; --now promotes it all the same",
                standby.name,
                primary.name
            );
            ensure!(
                kept.roles.replicated || !self.postgres.synchronous,
                "{} has not caught up with {} yet; --now promotes it all the same",
                standby.name,
                primary.name
            );
            primary_handle.order(Order::Stop).await?;
            if let Err(error) = self.ensure_handed_over(primary, standby).await {
                // One that was killed leaves processes behind, beside which it doesn't start.
                let unused = timeout(GONE_WITHIN, primary.unused()).await;
                unused.with_context(|| format!("{error:#}; {} doesn't end", primary.name))?;
                let started = primary_handle.order(Order::Start).await;
                started.with_context(|| format!("{error:#}; {} doesn't start again", primary.name))?;
                return Err(error.context(format!("{} is the primary still", primary.name)));
            }
        }
        tell(did, format!("{} stopped", primary.name)).await;
        self.take_over(&mut kept).await?;
        tell(did, format!("{} is the primary; {} will be its standby", standby.name, primary.name)).await;
        Ok(())
    }

    /// A primary that is told to stop sends the standby everything, but not to one that stands still, and not when it has to be
    /// killed.
    async fn ensure_handed_over(&self, primary: &Server, standby: &Server) -> anyhow::Result<()> {
        let Control { shut_down, checkpoint, .. } = primary.control().await?;
        ensure!(
            shut_down,
            "{} did not end in order; --now promotes {}, and what that lacks is lost",
            primary.name,
            standby.name
        );
        ensure!(
            standby.has(&checkpoint).await?,
            "{} lacks what {} wrote last; --now promotes it all the same, and that is lost",
            standby.name,
            primary.name
        );
        Ok(())
    }

    /// The standby takes the place of a primary that has ended. Wherever this breaks off, the next look or start goes on:
    ///
    /// | what was done | what is found then |
    /// |---|---|
    /// | nothing | the primary of before, which has all that was acked; the standby wrote nothing |
    /// | the roles are written | the other one's data are a primary's: they are put away first |
    /// | its data are put away | it can't start; what still runs on them is ended first |
    /// | the standby is promoted | the same |
    ///
    /// So the roles come first: with the data put away before, the primary would be one that has none.
    async fn take_over(&self, kept: &mut Kept) -> anyhow::Result<()> {
        let (primary, standby) = self.both(kept.roles)?;
        self.write(kept, Roles { primary: standby.number, replicated: false })?;
        (kept.missed_since, kept.alone) = (None, false);
        standby.wait_for(None).await?;
        kept.alone = true;
        self.make_primary(standby, primary).await?;
        tracing::warn!("{} is the primary now", standby.name);
        Ok(())
    }

    /// Lets `primary` write, once the other one can't: two that write would each ack what the other one lacks. Where there
    /// are two servers, nothing else promotes one.
    async fn make_primary(&self, primary: &Server, other: &Server) -> anyhow::Result<()> {
        // On data of a standby it doesn't write: PostgreSQL makes them a primary's before it does.
        if !other.is_standby() {
            self.put_away(other).await?;
        }
        primary.promote().await
    }

    /// Sees to it that a former primary never writes again. First its data, so that nothing starts on them any more; then
    /// what had started before, also what its process left behind.
    async fn put_away(&self, former: &Server) -> anyhow::Result<()> {
        let handle = self.handle_of(former.number).await?;
        former.fence()?;
        let ended = async {
            handle.order(Order::Kill).await?;
            former.end_leftovers().await;
            anyhow::Ok(())
        };
        timeout(ENDS_WITHIN, ended).await.with_context(|| format!("{} doesn't end", former.name))?
    }

    /// The primary doesn't start, so it doesn't run: the standby takes its place if it lacks nothing. Otherwise a person has
    /// to say which loss is the smaller one.
    async fn go_on_without_primary(&self, kept: &mut Kept, error: anyhow::Error) -> anyhow::Result<()> {
        let (primary, standby) = self.both(kept.roles)?;
        let mend = || {
            format!(
                "mend {}, or put back a copy of it, and move {} away first, which may have more than that",
                primary.data.display(),
                standby.data.display()
            )
        };
        if !standby.is_standby() {
            return Err(error).with_context(mend);
        }
        if !kept.roles.replicated {
            let roles = Roles { primary: standby.number, replicated: false };
            let (file, line) = (self.postgres.roles_file.display(), serde_json::to_string(&roles)?);
            let other = &standby.name;
            return Err(error).with_context(|| {
                format!(
                    "{}; {other} may lack what was acked last: it becomes the primary if you write {line} to {file}",
                    mend()
                )
            });
        }
        tracing::error!(error = format!("{error:#}"), "promoting {}, which lacks nothing", standby.name);
        self.handle_of(standby.number).await?.order(Order::Start).await.context("neither server starts")?;
        self.take_over(kept).await
    }

    /// The primary and the standby.
    fn both(&self, roles: Roles) -> anyhow::Result<(&Server, &Server)> {
        let (primary, standby) = self.postgres.as_in(roles)?;
        Ok((primary, standby.context("the topology has no standby")?))
    }

    /// What a server is now, in a word; none when the server of that name isn't one of these.
    pub(crate) async fn role_of(&self, name: &str) -> Option<&'static str> {
        // Whoever asks doesn't wait for a promotion.
        let roles = Roles::read(&self.postgres.roles_file).ok()??;
        let (primary, standby) = self.postgres.as_in(roles).ok()?;
        let is_standby = standby.is_some_and(|standby| standby.name == name);
        match roles.replicated {
            _ if primary.name == name => Some("primary"),
            true if is_standby => Some("standby, synchronous"),
            false if is_standby => Some("standby"),
            _ => None,
        }
    }

    fn write(&self, kept: &mut Kept, roles: Roles) -> anyhow::Result<()> {
        if kept.roles != roles {
            roles.write(&self.postgres.roles_file).context("write down who is the primary")?;
            kept.roles = roles;
        }
        Ok(())
    }

    async fn handle_of(&self, number: usize) -> anyhow::Result<Handle> {
        let server = self.postgres.servers.iter().find(|server| server.number == number);
        let name = &server.context("no such server")?.name;
        let handles = self.supervisor.named(name).await?;
        handles.into_iter().next().with_context(|| format!("there is no {name}"))
    }
}

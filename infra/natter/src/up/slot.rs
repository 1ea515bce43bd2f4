//! One copy over its life: it is started, watched, started again when it dies, replaced, stopped.

mod handle;

use std::io;
use std::process::ExitStatus;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, bail};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::log::Log;
use super::probe;
use super::recipe::Recipe;
use super::running::{Fingerprint, Running};
use handle::Answer;
pub(super) use handle::{Done, HEALTH, Handle, Order, Shown, State};

const READY_WITHIN: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(50);
/// After so many failures in a row a copy is given up.
const FAILURES_MAX: u32 = 6;
const RETRY_AFTER: Duration = Duration::from_millis(200);
const RETRY_AFTER_AT_MOST: Duration = Duration::from_secs(10);
/// What ran for so long has not failed at once.
const CALM: Duration = Duration::from_secs(10);

/// A copy that has been asked for so long, and answered nothing, hangs.
const HUNG_AFTER: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One copy.
#[derive(Debug)]
pub(super) struct Slot {
    recipe: Recipe,
    log: Log,
    orders: mpsc::Receiver<(Order, Answer)>,
    shown: watch::Sender<(Shown, usize)>,
    /// Once all stops, nothing is worth waiting for.
    all_stop: CancellationToken,
    running: Option<Running>,
    generation: usize,
    failures: u32,
    retry_at: Option<Instant>,
    calm_at: Option<Instant>,
    look_at: Option<Instant>,
    /// When it was first asked in vain, of all the times since it answered last.
    silent_since: Option<Instant>,
}

impl Slot {
    /// A copy that doesn't run yet.
    pub(super) fn new(recipe: Recipe, log: Log, all_stop: CancellationToken) -> (Handle, Self) {
        let (sender, orders) = mpsc::channel(4);
        let shown = Shown {
            copy: recipe.name.clone(),
            process: recipe.process.clone(),
            state: State::Stopped,
            pid: None,
            since: None,
            restarts: 0,
            version: String::new(),
            addresses: recipe.addresses.clone(),
            role: None,
            trouble: None,
        };
        let (shown, see) = watch::channel((shown, 0));
        let handle = Handle { recipe: recipe.clone(), orders: sender, shown: see };
        let slot = Self {
            recipe,
            log,
            orders,
            shown,
            all_stop,
            running: None,
            generation: 0,
            failures: 0,
            retry_at: None,
            calm_at: None,
            look_at: None,
            silent_since: None,
        };
        (handle, slot)
    }

    /// Lives until nobody can tell it anything any more.
    pub(super) async fn live(mut self) {
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some((order, answer)) => {
                        let done = self.obey(order).await;
                        // Nobody looked after it meanwhile.
                        self.silent_since = None;
                        // Whoever asked may have left.
                        let _ = answer.send(done);
                    }
                    None => return self.stop().await,
                },
                status = ended(self.running.as_mut()) => self.died(&status),
                () = at(self.retry_at) => {
                    self.retry_at = None;
                    self.shown.send_modify(|(shown, _)| shown.restarts += 1);
                    if let Err(error) = self.start().await {
                        self.failed(&format!("{error:#}"));
                    }
                }
                () = at(self.calm_at) => {
                    (self.calm_at, self.failures) = (None, 0);
                }
                () = at(self.look_at) => self.look_after().await,
            }
        }
    }

    async fn obey(&mut self, order: Order) -> anyhow::Result<Done> {
        match order {
            Order::Stop => self.stop().await,
            Order::Kill => {
                (self.retry_at, self.calm_at) = (None, None);
                if let Some(running) = self.running.take() {
                    running.kill().await;
                }
                self.show(State::Stopped, None);
            }
            Order::Start if self.running.is_some() => return Ok(Done::Unchanged),
            Order::Restart if self.running.is_some() => self.replace().await?,
            Order::Start | Order::Restart => {
                (self.failures, self.retry_at) = (0, None);
                self.start().await.inspect_err(|error| self.failed(&format!("{error:#}")))?;
            }
            Order::Follow(recipe) => return self.follow(*recipe).await,
            Order::Signal(signal) => {
                if let Some(running) = &self.running {
                    running.signal(signal);
                }
            }
        }
        Ok(Done::Changed)
    }

    async fn follow(&mut self, recipe: Recipe) -> anyhow::Result<Done> {
        let program = self.running.as_ref().and_then(|running| running.program);
        if recipe == self.recipe && (self.running.is_none() || program == Fingerprint::of(&recipe.binary)) {
            return Ok(Done::Unchanged);
        }
        let before = std::mem::replace(&mut self.recipe, recipe);
        if self.running.is_none() {
            return Ok(Done::Changed);
        }
        match self.replace().await {
            Ok(()) => Ok(Done::Changed),
            Err(error) => {
                self.recipe = before;
                Err(error)
            }
        }
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        self.show(State::Starting, None);
        let running = self.launch().await?;
        self.take(running);
        Ok(())
    }

    /// The new process does its work before the old one drains, where two can run side by side.
    async fn replace(&mut self) -> anyhow::Result<()> {
        // One that hangs may hold what its successor needs to start.
        if !self.recipe.can_overlap() || !self.answers().await {
            self.stop().await;
            return self.start().await.inspect_err(|error| self.failed(&format!("{error:#}")));
        }
        self.shown.send_modify(|(shown, _)| shown.state = State::Replacing);
        let launched = self.launch().await;
        match launched {
            Ok(new) => {
                let old = self.running.take();
                self.take(new);
                if let Some(old) = old {
                    old.stop(&self.recipe, &self.log).await;
                }
                Ok(())
            }
            Err(error) => {
                self.shown.send_modify(|(shown, _)| shown.state = State::Ready);
                Err(error).context("the old process goes on")
            }
        }
    }

    /// Starts a process and waits until it does its work.
    async fn launch(&mut self) -> anyhow::Result<Running> {
        // After an attempt that failed, still the other port than that of the process that runs.
        self.generation = self.running.as_ref().map_or(self.generation, |running| running.generation) + 1;
        let mut running = Running::launch(&self.recipe, self.generation, &self.log).await?;
        if self.running.is_none() {
            self.show(State::Starting, Some(&running));
        }
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            tokio::select! {
                () = sleep(ASK_EVERY) => {}
                status = running.ended() => {
                    bail!("ended with {}; see {}", status?, self.log.path().display());
                }
                () = self.all_stop.cancelled() => {
                    running.stop(&self.recipe, &self.log).await;
                    bail!("all stops");
                }
            }
            if probe::is_ready(&self.recipe.ready, self.generation).await {
                return Ok(running);
            }
            if Instant::now() > deadline {
                running.kill().await;
                bail!("not ready after {READY_WITHIN:?}; see {}", self.log.path().display());
            }
        }
    }

    fn take(&mut self, running: Running) {
        self.show(State::Ready, Some(&running));
        self.running = Some(running);
        self.calm_at = Some(Instant::now() + CALM);
        self.look_at = self.recipe.is_watched.then(|| Instant::now() + LOOK_EVERY);
        self.silent_since = None;
    }

    /// Ends a process that hangs: it may hold what others wait for, such as the lock of a SQLite file.
    async fn look_after(&mut self) {
        let asked = Instant::now();
        self.look_at = Some(asked + LOOK_EVERY);
        if self.answers().await {
            self.silent_since = None;
            return;
        }
        let silent_since = *self.silent_since.get_or_insert(asked);
        if silent_since.elapsed() >= HUNG_AFTER
            && let Some(running) = self.running.take()
        {
            running.kill().await;
            (self.calm_at, self.look_at) = (None, None);
            self.failed(&format!("was killed: no answer for {HUNG_AFTER:?}"));
        }
    }

    /// Whether the process answers, if there is one and it is watched.
    async fn answers(&self) -> bool {
        match &self.running {
            Some(running) if self.recipe.is_watched => {
                probe::answers_at_all(&self.recipe.ready, running.generation).await
            }
            _ => true,
        }
    }

    async fn stop(&mut self) {
        (self.retry_at, self.calm_at, self.look_at) = (None, None, None);
        if let Some(running) = self.running.take() {
            self.show(State::Stopping, Some(&running));
            running.stop(&self.recipe, &self.log).await;
        }
        self.show(State::Stopped, None);
    }

    fn died(&mut self, status: &io::Result<ExitStatus>) {
        self.running = None;
        self.calm_at = None;
        let how = match status {
            Ok(status) => format!("ended with {status}"),
            Err(error) => format!("is lost: {error}"),
        };
        self.failed(&how);
    }

    fn failed(&mut self, how: &str) {
        self.failures += 1;
        let (name, failures) = (&self.recipe.name, self.failures);
        self.shown.send_modify(|(shown, _)| shown.trouble = Some(how.to_owned()));
        self.log.write(&format!("({how})"));
        if self.all_stop.is_cancelled() {
            return self.show(State::Stopped, None);
        }
        if !self.recipe.comes_back {
            tracing::warn!(copy = name, how, "down");
            return self.show(State::Failed, None);
        }
        if self.failures >= FAILURES_MAX {
            tracing::error!(copy = name, how, failures, "given up; `natter start {name}` tries again");
            return self.show(State::Failed, None);
        }
        let delay = (RETRY_AFTER * 2_u32.pow(self.failures - 1)).min(RETRY_AFTER_AT_MOST);
        tracing::warn!(copy = name, how, ?delay, "starting again");
        self.retry_at = Some(Instant::now() + delay);
        self.show(State::Waiting, None);
    }

    fn show(&self, state: State, running: Option<&Running>) {
        self.shown.send_modify(|(shown, generation)| {
            shown.state = state;
            shown.pid = running.map(|running| running.pid);
            let since = running.and_then(|running| running.since.duration_since(UNIX_EPOCH).ok());
            shown.since = since.and_then(|since| u64::try_from(since.as_millis()).ok());
            shown.addresses.clone_from(&self.recipe.addresses);
            if let Some(running) = running {
                shown.version.clone_from(&running.version);
                *generation = running.generation;
                if let Some(health) = self.recipe.ready.health(running.generation) {
                    shown.addresses.insert(HEALTH.to_owned(), health);
                }
            }
        });
    }
}

async fn ended(running: Option<&mut Running>) -> io::Result<ExitStatus> {
    match running {
        Some(running) => running.ended().await,
        None => std::future::pending().await,
    }
}

async fn at(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => std::future::pending().await,
    }
}

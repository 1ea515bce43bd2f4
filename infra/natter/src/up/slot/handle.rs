//! What the rest knows of a copy, and tells it.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::up::probe;
use crate::up::recipe::Recipe;

/// What a copy is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Its process runs, but doesn't do its work yet.
    Starting,
    /// It does its work.
    Ready,
    /// It runs, but says that it can't do its work now.
    NotReady,
    /// It does its work until its successor does.
    Replacing,
    /// It died, and is started again in a moment.
    Waiting,
    /// It is down, and isn't started again by itself: `natter start` tries.
    Failed,
    /// It drains.
    Stopping,
    /// It was told to stop.
    Stopped,
}

/// A copy as `natter ps` shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Shown {
    /// Such as `message.1`.
    pub(crate) copy: String,
    /// Such as `message`.
    pub(crate) process: String,
    /// What it is doing.
    pub(crate) state: State,
    /// Its process; none while there is none.
    pub(crate) pid: Option<u32>,
    /// Since when that runs, in milliseconds since 1970.
    pub(crate) since: Option<u64>,
    /// How many times it died and was started again.
    pub(crate) restarts: u32,
    /// The version of its program.
    pub(crate) version: String,
    /// Where it is reached, by the key of the setting.
    pub(crate) addresses: BTreeMap<String, String>,
    /// What it is to the others, where they aren't all the same.
    pub(crate) role: Option<String>,
    /// The last thing that went wrong.
    pub(crate) trouble: Option<String>,
}

/// The key of the address where `/readyz` and `/metrics` are.
pub(in crate::up) const HEALTH: &str = "health";

/// What a copy can be told.
#[derive(Debug)]
pub(in crate::up) enum Order {
    /// Start, unless it runs.
    Start,
    /// Drain and end.
    Stop,
    /// Replace the process by a new one.
    Restart,
    /// Do as this says from now on: replaces the process when that, or its program, has changed.
    Follow(Box<Recipe>),
    /// Pass a signal on.
    Signal(Signal),
    /// End it at once.
    Kill,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::up) enum Done {
    Changed,
    Unchanged,
}

pub(super) type Answer = oneshot::Sender<anyhow::Result<Done>>;

/// How the rest speaks to a copy.
#[derive(Debug, Clone)]
pub(in crate::up) struct Handle {
    pub(in crate::up) recipe: Recipe,
    pub(super) orders: mpsc::Sender<(Order, Answer)>,
    pub(super) shown: watch::Receiver<(Shown, usize)>,
}

impl Handle {
    /// Tells the copy something, and waits until it is done.
    pub(in crate::up) async fn order(&self, order: Order) -> anyhow::Result<Done> {
        let (answer, answered) = oneshot::channel();
        let gone = || anyhow!("{} is gone", self.recipe.name);
        self.orders.send((order, answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?.with_context(|| self.recipe.name.clone())
    }

    /// What it does, as far as its process shows it.
    pub(in crate::up) fn state(&self) -> State {
        self.shown.borrow().0.state
    }

    /// Waits until it is down, and nobody told it to be.
    pub(in crate::up) async fn failed(&mut self) {
        let seen = self.shown.wait_for(|(shown, _)| shown.state == State::Failed).await.map(drop);
        if seen.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The copy as it is now.
    pub(in crate::up) async fn look(&self) -> Shown {
        let (mut shown, generation) = self.shown.borrow().clone();
        if shown.state == State::Ready && !probe::is_ready(&self.recipe.ready, generation).await {
            shown.state = State::NotReady;
        }
        shown
    }
}

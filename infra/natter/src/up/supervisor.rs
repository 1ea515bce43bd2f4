//! All copies of an installation: started in order, changed while they run, stopped in the reverse order.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::bail;
use futures_util::future::join_all;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::data::Data;
use super::log::{Log, Terminal};
use super::recipe::Recipe;
use super::slot::{Done, HEALTH, Handle, Order, Shown, Slot};

/// Hears what was done, one line each.
pub(super) type Did = mpsc::Sender<String>;

pub(super) async fn tell(did: &Did, what: String) {
    // Whoever asked may have left: what has begun is brought to its end.
    let _ = did.send(what).await;
}

/// All copies. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Supervisor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// In the order in which they start.
    handles: Mutex<Vec<Handle>>,
    /// One change at a time.
    changing: Mutex<()>,
    slots: TaskTracker,
    all_stop: CancellationToken,
    logs: std::path::PathBuf,
    terminal: Terminal,
}

impl Supervisor {
    pub(super) fn new(data: &Data, terminal: Terminal) -> Self {
        Self {
            shared: Arc::new(Shared {
                handles: Mutex::default(),
                changing: Mutex::default(),
                slots: TaskTracker::new(),
                all_stop: CancellationToken::new(),
                logs: data.logs(),
                terminal,
            }),
        }
    }

    /// Starts copies, those of one process at a time, after all that were started before.
    /// When one doesn't start, the others do nevertheless.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub(super) async fn start(&self, recipes: Vec<Recipe>) -> anyhow::Result<()> {
        let mut result = Ok(());
        for together in recipes.chunk_by(|a, b| a.process == b.process) {
            let mut handles = Vec::new();
            for recipe in together {
                handles.push(self.add(recipe.clone()).await?);
            }
            let started = join_all(handles.iter().map(|handle| handle.order(Order::Start))).await;
            for failed in started.into_iter().filter(Result::is_err) {
                result = result.and(failed.map(drop));
            }
        }
        result
    }

    /// Adds a copy that doesn't run yet.
    pub(super) async fn add(&self, recipe: Recipe) -> anyhow::Result<Handle> {
        let shared = &self.shared;
        let log = Log::open(&shared.logs, &recipe.name, shared.terminal.clone())?;
        let (handle, slot) = Slot::new(recipe, log, shared.all_stop.clone());
        shared.slots.spawn(slot.live());
        shared.handles.lock().await.push(handle.clone());
        Ok(handle)
    }

    /// All copies as they are now.
    pub(super) async fn look(&self) -> Vec<Shown> {
        let handles = self.shared.handles.lock().await.clone();
        join_all(handles.iter().map(Handle::look)).await
    }

    /// Gives an order to each copy that `what` names, one after the other; tells `did` of each that it changed, with `verb`.
    pub(super) async fn each(
        &self,
        what: &str,
        order: impl Fn() -> Order + Send + Sync,
        verb: &str,
        did: &Did,
    ) -> anyhow::Result<()> {
        let _one_at_a_time = self.shared.changing.lock().await;
        let handles = self.named(what).await?;
        for handle in handles {
            if handle.order(order()).await? == Done::Changed {
                tell(did, format!("{} {verb}", handle.recipe.name)).await;
            }
        }
        Ok(())
    }

    /// The copies that `what` names: a copy, all copies of a process, or all that run a part.
    pub(super) async fn named(&self, what: &str) -> anyhow::Result<Vec<Handle>> {
        let handles = self.shared.handles.lock().await.clone();
        let is_named = |handle: &&Handle| {
            let Recipe { name, process, parts, .. } = &handle.recipe;
            name == what || process == what || parts.iter().any(|part| part == what)
        };
        let named: Vec<_> = handles.iter().filter(is_named).cloned().collect();
        if named.is_empty() {
            let names: BTreeSet<_> = handles.iter().map(|handle| handle.recipe.process.as_str()).collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            bail!("nothing is called {what}; there are: {names}, and copies such as NAME.1");
        }
        Ok(named)
    }

    /// Lets a copy do as `recipe` says.
    pub(super) async fn replace(&self, recipe: Recipe) -> anyhow::Result<Done> {
        let _one_at_a_time = self.shared.changing.lock().await;
        let mut done = Done::Unchanged;
        for handle in self.named(&recipe.name).await? {
            done = handle.order(Order::Follow(Box::new(recipe.clone()))).await?;
        }
        self.remember(recipe).await;
        Ok(done)
    }

    /// Makes the processes those of `recipes`: replaces what has changed, one copy after the other, adds what is new,
    /// stops what is gone.
    pub(super) async fn follow(&self, recipes: Vec<Recipe>, did: &Did) -> anyhow::Result<()> {
        let _one_at_a_time = self.shared.changing.lock().await;
        let names: BTreeSet<_> = recipes.iter().map(|recipe| recipe.name.clone()).collect();
        for recipe in recipes {
            let name = recipe.name.clone();
            let known =
                self.shared.handles.lock().await.iter().find(|handle| handle.recipe.name == name).cloned();
            match known {
                Some(handle) => {
                    if handle.order(Order::Follow(Box::new(recipe.clone()))).await? == Done::Changed {
                        self.remember(recipe).await;
                        tell(did, format!("{name} replaced")).await;
                    }
                }
                None => {
                    self.add(recipe).await?.order(Order::Start).await?;
                    tell(did, format!("{name} added")).await;
                }
            }
        }
        let handles = self.shared.handles.lock().await.clone();
        for handle in handles.iter().filter(|handle| !names.contains(&handle.recipe.name)) {
            let name = &handle.recipe.name;
            self.remove(handle).await?;
            tell(did, format!("{name} removed")).await;
        }
        Ok(())
    }

    /// Stops a copy for good.
    pub(super) async fn remove(&self, handle: &Handle) -> anyhow::Result<()> {
        handle.order(Order::Stop).await?;
        let name = &handle.recipe.name;
        self.shared.handles.lock().await.retain(|handle| handle.recipe.name != *name);
        Ok(())
    }

    async fn remember(&self, recipe: Recipe) {
        let mut handles = self.shared.handles.lock().await;
        if let Some(handle) = handles.iter_mut().find(|handle| handle.recipe.name == recipe.name) {
            handle.recipe = recipe;
        }
    }

    /// Stops all, those that started last first.
    pub(super) async fn stop(&self) {
        // Whoever waits for a copy to be ready stops waiting.
        self.shared.all_stop.cancel();
        let _one_at_a_time = self.shared.changing.lock().await;
        let handles = std::mem::take(&mut *self.shared.handles.lock().await);
        for together in handles.chunk_by(|a, b| a.recipe.process == b.recipe.process).rev() {
            let stopped = join_all(together.iter().map(|handle| handle.order(Order::Stop))).await;
            for error in stopped.into_iter().filter_map(Result::err) {
                tracing::warn!(error = format!("{error:#}"), "not stopped in order");
            }
        }
        drop(handles);
        self.shared.slots.close();
        self.shared.slots.wait().await;
    }
}

/// One line about who is where, for people.
pub(super) fn addresses(copies: &[Shown]) -> Vec<String> {
    let line = |shown: &Shown| {
        let for_clients = shown.addresses.iter().filter(|(key, _)| *key != HEALTH);
        let addresses: Vec<_> = for_clients.map(|(key, address)| format!("{key} {address}")).collect();
        (!addresses.is_empty()).then(|| format!("  {:<10} {}", shown.copy, addresses.join("   ")))
    };
    copies.iter().filter_map(line).collect()
}

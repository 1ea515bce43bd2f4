//! The platform under load.

use std::time::Duration;

use natter_client::Address;
use tokio::time::{Instant, sleep};

use super::{Done, Plan};
use crate::history::{Mark, Recorder};
use crate::load::{Load, Running};
use crate::{Backend, Platform};

/// The platform under load.
pub(super) struct Scene {
    pub(super) platform: Platform,
    pub(super) load: Running,
    pub(super) started: Instant,
}

impl Scene {
    pub(super) async fn start(backend: Backend, plan: &Plan, settings: &[&str]) -> Self {
        let platform = Platform::distributed_with(backend, settings).await;
        Self::begin(platform, plan, false).await
    }

    /// The same, and each operation of the load is one call.
    pub(super) async fn start_once(backend: Backend, plan: &Plan) -> Self {
        let platform = Platform::distributed_with(backend, &[]).await;
        Self::begin(platform, plan, true).await
    }

    /// Puts load on a platform.
    pub(super) async fn begin(platform: Platform, plan: &Plan, once: bool) -> Self {
        let addresses = vec![platform.tcp().await];
        Self::begin_at(platform, plan, addresses, once).await
    }

    /// The same, on these edges.
    pub(super) async fn begin_at(
        platform: Platform,
        plan: &Plan,
        addresses: Vec<Address>,
        once: bool,
    ) -> Self {
        let load = load(plan, addresses, once).start().await;
        Self { load, platform, started: Instant::now() }
    }

    pub(super) const fn recorder(&self) -> &Recorder {
        self.load.recorder()
    }

    /// The time that both ends of a run have, so that there is something to compare.
    pub(super) async fn calm(&self) {
        sleep(Duration::from_secs(2)).await;
        self.sample();
    }

    pub(super) fn fault(&self, what: &str) {
        self.recorder().mark(Mark::Fault, what);
    }

    pub(super) fn heal(&self, what: &str) {
        self.recorder().mark(Mark::Heal, what);
    }

    pub(super) fn sample(&self) {
        for (part, usage) in self.platform.usage() {
            self.recorder().sample(part, usage.pid, usage.resident, usage.descriptors);
        }
    }

    /// Kills a part, and starts it again as its supervisor would.
    pub(super) async fn kill(&mut self, part: &'static str) {
        self.platform.kill(part).await;
        // What was asked until now was under way when it broke.
        self.fault(part);
        self.heal(part);
        self.platform.start(part).await;
    }

    /// Lets the load go on until the plan's time is over, and gathers what there is to judge.
    pub(super) async fn finish(self, plan: &Plan) -> Done {
        sleep(plan.time().saturating_sub(self.started.elapsed())).await;
        self.calm().await;
        self.end().await
    }

    /// Ends the load now, and gathers what there is to judge.
    pub(super) async fn end(mut self) -> Done {
        let recorder = self.load.finish().await;
        for (part, usage) in self.platform.usage() {
            recorder.sample(part, usage.pid, usage.resident, usage.descriptors);
        }
        let died = self.platform.died();
        let wrong = died.iter().map(|part| format!("{part} ended by itself:\n{}", self.platform.logs()));
        Done { wrong: wrong.collect(), lines: recorder.lines(), ..Done::default() }
    }
}

fn load(plan: &Plan, addresses: Vec<Address>, once: bool) -> Load {
    let standard = Load::standard(plan.seed, addresses);
    let part = plan.per_second / standard.per_second;
    Load {
        clients: plan.clients,
        per_second: plan.per_second,
        moves_per_second: standard.moves_per_second * part,
        once,
        ..standard
    }
}

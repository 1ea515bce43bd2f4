//! Who is online: noticing edges that fall silent, and telling others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use broker_schemas::Timestamp;
use broker_schemas::user::PresenceChanged;
use natter_host::{Bus, Result};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::Module;
use crate::store::Edge;

/// How often one looks at the edges. The lease of an edge counts looks, not time: while this process stands still it
/// hears no report, and must not take its own silence for the edge's.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many looks make a round.
const LOOKS_A_ROUND: u64 = 60;

impl Module {
    /// Tells other modules whose presence changed; best effort.
    pub(crate) async fn tell_presence(&self, changes: &[PresenceChanged]) {
        tell(&self.bus, changes).await;
    }

    /// Gives up the edges that have been silent for too long.
    async fn look_at_edges(&self, watch: &mut Watch) -> Result<()> {
        let silent = watch.look(self.store.edges().await?);
        if silent.is_empty() {
            return Ok(());
        }
        // When the bus is away, no edge can be heard.
        if let Err(error) = self.bus.fence().await {
            tracing::warn!(%error, silent = silent.len(), "edges are silent, but so is the bus");
            watch.forget();
            return Ok(());
        }
        for edge in silent {
            let changes = self.store.give_up(&edge).await?;
            tracing::info!(
                edge = edge.id,
                offline = changes.len(),
                "edge fell silent; its sessions count as closed"
            );
            self.tell_presence(&changes).await;
        }
        Ok(())
    }

    /// Looks through the sessions, and what guessing cost.
    async fn begin_round(&self) -> Result<()> {
        let lost = self.store.begin_round().await?;
        self.tell_presence(&lost).await;
        let expired = self.store.forget_expired_sessions().await?;
        let whole = self.store.forget_whole_budgets(Timestamp::now()).await?;
        let attached = self.store.attached_sessions().await?;
        metrics::gauge!("natter_user_sessions_attached").set(attached as f64);
        tracing::debug!(lost = lost.len(), expired, whole, attached, "sessions looked through");
        Ok(())
    }
}

/// Tells other modules whose presence changed; best effort.
pub(crate) async fn tell(bus: &Bus, changes: &[PresenceChanged]) {
    for change in changes {
        if let Err(error) = bus.tell(change).await {
            tracing::warn!(user = %change.user, online = change.online, %error, "presence not told");
        }
    }
}

/// Watches the edges until `stop`. Several copies of the module may: the database lets one of them give an edge up.
pub(crate) async fn watch_edges(module: Arc<Module>, stop: CancellationToken) {
    let mut watch = Watch::new(module.settings.edge_lease_s);
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for look in 0_u64.. {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(failure) = module.look_at_edges(&mut watch).await {
            tracing::warn!(?failure, "edges not looked at");
        }
        if look % LOOKS_A_ROUND == 0
            && let Err(failure) = module.begin_round().await
        {
            tracing::warn!(?failure, "sessions not looked through");
        }
    }
}

/// What one copy has seen of the edges.
#[derive(Debug)]
struct Watch {
    /// How many looks an edge may be silent.
    patience: u32,
    /// Each edge's count of reports, and for how many looks it has stood still.
    seen: HashMap<String, (i64, u32)>,
}

impl Watch {
    fn new(patience: u32) -> Self {
        Self { patience, seen: HashMap::new() }
    }

    /// Compares with what was seen before; returns the edges that have been silent for too long.
    fn look(&mut self, edges: Vec<Edge>) -> Vec<Edge> {
        let before = std::mem::take(&mut self.seen);
        let mut silent = Vec::new();
        for edge in edges {
            let looks = match before.get(&edge.id) {
                Some((reports, looks)) if *reports == edge.reports => looks + 1,
                _ => 0,
            };
            self.seen.insert(edge.id.clone(), (edge.reports, looks));
            if looks >= self.patience {
                silent.push(edge);
            }
        }
        silent
    }

    /// Begins anew.
    fn forget(&mut self) {
        self.seen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(id: &str, reports: i64) -> Edge {
        Edge { id: id.into(), reports }
    }

    #[test]
    fn an_edge_that_reports_now_and_then_is_not_silent() {
        let mut watch = Watch::new(3);
        for reports in 0..20 {
            assert!(watch.look(vec![edge("a", reports)]).is_empty());
            assert!(watch.look(vec![edge("a", reports)]).is_empty());
            assert!(watch.look(vec![edge("a", reports)]).is_empty());
        }
    }

    #[test]
    fn only_the_silent_edge_is_given_up_and_not_before_a_whole_lease_was_watched() {
        let mut watch = Watch::new(3);
        for look in 0..3 {
            assert!(watch.look(vec![edge("a", 7), edge("b", look)]).is_empty());
        }
        assert_eq!(watch.look(vec![edge("a", 7), edge("b", 3)]), [edge("a", 7)]);
    }

    #[test]
    fn silence_of_the_bus_is_nobodys_silence() {
        let mut watch = Watch::new(1);
        watch.look(vec![edge("a", 7)]);
        watch.forget();
        assert!(watch.look(vec![edge("a", 7)]).is_empty());
        assert_eq!(watch.look(vec![edge("a", 7)]), [edge("a", 7)]);
    }

    #[test]
    fn edges_that_are_gone_are_not_remembered() {
        let mut watch = Watch::new(1);
        watch.look((0..100).map(|n| edge(&n.to_string(), 1)).collect());
        watch.look(vec![]);
        assert!(watch.seen.is_empty());
    }
}

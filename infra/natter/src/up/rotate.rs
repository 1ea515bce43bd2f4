//! Replaces a credential of the bus while everything runs.

use std::time::Duration;

use anyhow::{Context, bail};
use broker_schemas::permission::Holder;
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::recipe::Ready;
use super::slot::{Order, State};
use super::supervisor::{Did, Supervisor, tell};
use super::{plan, probe};

const SETTLES_WITHIN: Duration = Duration::from_secs(30);
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Replaces the credential of the holder called `name`; both are accepted for as long as `keep`.
pub(super) async fn rotate(
    bus: &natter_nats::Bus,
    supervisor: &Supervisor,
    name: &str,
    keep: Duration,
    did: &Did,
) -> anyhow::Result<()> {
    let names = || Holder::all().map(Holder::name).collect::<Vec<_>>().join(", ");
    let holder = Holder::find(name)
        .with_context(|| format!("nobody holds a credential as {name}; there are: {}", names()))?;
    bus.begin_rotation(holder)?;
    reload(supervisor, did).await?;
    bus.use_next(holder)?;
    tell(did, format!("{name}: the new credential is in use, the former one is accepted for {keep:?} more"))
        .await;
    sleep(keep).await;
    bus.end_rotation(holder)?;
    reload(supervisor, did).await?;
    tell(did, format!("{name}: only the new credential is accepted")).await;
    Ok(())
}

/// Lets the NATS servers read their configuration again, one after the other: whoever is cut off by one finds another.
pub(super) async fn reload(supervisor: &Supervisor, did: &Did) -> anyhow::Result<()> {
    for server in supervisor.named(plan::NATS).await? {
        let Ready::Http { address, .. } = &server.recipe.ready else { continue };
        // One that doesn't run reads it when it starts.
        let Some(before) = loaded_at(address).await else { continue };
        server.order(Order::Signal(Signal::HUP)).await?;
        let name = &server.recipe.name;
        let deadline = Instant::now() + SETTLES_WITHIN;
        while loaded_at(address).await.is_none_or(|now| now == before) {
            wait(deadline, || format!("{name} reads its configuration")).await?;
        }
        while supervisor.look().await.iter().any(|copy| copy.state == State::NotReady) {
            wait(deadline, || "everything is ready again".to_owned()).await?;
        }
        tell(did, format!("{name} reloaded")).await;
    }
    Ok(())
}

/// When the server read its configuration last.
async fn loaded_at(monitoring: &str) -> Option<String> {
    let page = probe::page(monitoring, "/varz").await?;
    let page: serde_json::Value = serde_json::from_str(&page).ok()?;
    page["config_load_time"].as_str().map(str::to_owned)
}

async fn wait(deadline: Instant, what: impl FnOnce() -> String) -> anyhow::Result<()> {
    if Instant::now() > deadline {
        bail!("not in {SETTLES_WITHIN:?}: {}", what());
    }
    sleep(ASK_EVERY).await;
    Ok(())
}

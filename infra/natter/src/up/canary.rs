//! A new version is tried on a share of the calls: a copy of its own, to which the NATS servers map that share.

use std::path::PathBuf;

use super::installation::Installation;
use super::rotate::reload;
use super::slot::Done;
use super::supervisor::Supervisor;
use super::supervisor::{Did, tell};

/// Sends `percent` of the calls of `what` (a part, or `part.method`) to a canary; 0 ends it.
pub(super) async fn canary(
    installation: &mut Installation,
    supervisor: &Supervisor,
    what: &str,
    percent: u8,
    program: Option<PathBuf>,
    did: &Did,
) -> anyhow::Result<()> {
    natter_nats::check_canary(what, percent)?;
    let part = what.split('.').next().unwrap_or(what).to_owned();
    let name = format!("{part}.canary");
    let bus = natter_nats::Bus::open_secrets(&installation.data.bus())?;
    if percent > 0 {
        // First the copy, then its calls.
        let recipe = installation.canary(&part, program.as_deref())?;
        if supervisor.named(&name).await.is_err() {
            supervisor.start(vec![recipe]).await?;
            tell(did, format!("{name} started")).await;
        } else if supervisor.replace(recipe).await? == Done::Changed {
            tell(did, format!("{name} replaced")).await;
        }
        installation.canaries.insert(part, program);
        bus.set_canary(what, percent)?;
        reload(supervisor, did).await?;
        tell(did, format!("{percent} % of the calls of {what} go to {name}")).await;
        return Ok(());
    }
    // First its calls, then the copy.
    bus.set_canary(what, 0)?;
    reload(supervisor, did).await?;
    if bus.has_canary(&part)? {
        tell(did, format!("{name} goes on for other methods")).await;
        return Ok(());
    }
    installation.canaries.remove(&part);
    for handle in supervisor.named(&name).await? {
        supervisor.remove(&handle).await?;
        tell(did, format!("{name} removed")).await;
    }
    Ok(())
}

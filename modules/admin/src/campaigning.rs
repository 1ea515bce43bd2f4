//! Sending campaigns, in the background.
//!
//! A campaign pages through its segment by user id: it asks for the next users, has the message module post to them, and
//! notes up to whom it got. What was posted and not noted, because this process died between, is posted again, and the
//! message module passes over who has it. So everyone gets it once, whatever dies. A lease in SQL keeps several copies of this
//! module from sending the same one at once, which would do no harm but be no faster.
//!
//! `supervise` looks for campaigns whose time has come and starts a `runner` for each; `courier` is how a runner reaches other
//! modules; `state` says what may follow what, `hours` when a campaign sends.

mod courier;
mod hours;
mod pace;
mod runner;
mod state;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use broker_schemas::Timestamp;
use natter_host::Result;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use courier::{BusCourier, Courier};
pub(crate) use hours::check_hours;
pub(crate) use state::{Step, next};

use crate::Module;
use crate::store::{Leased, Store};
use runner::Runner;

/// The most campaigns that are sent at once; those that wait for their start aside.
pub(crate) const RUNNING_MAX: usize = 16;
/// The most campaigns that it looks at for one whose hours these are.
const LOOK_AT: u32 = 1_000;
/// How often it looks for campaigns whose time has come.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For so long a copy that died keeps others from going on with its campaigns.
const LEASE: Duration = Duration::from_secs(5);

/// Whose leases a process takes: no other's, not even its predecessor's.
fn copy_name() -> String {
    format!("{:016x}", getrandom::u64().unwrap_or_else(|_| std::process::id().into()))
}

/// A lease from now on.
fn lease(by: &str) -> Leased<'_> {
    let now = Timestamp::now();
    Leased { by, now, until: now.after(LEASE) }
}

/// Sends what is to be sent, until it is stopped; returns once every runner has noted how far it got.
pub(crate) async fn supervise(module: Arc<Module>, stop: CancellationToken) {
    let copy = copy_name();
    let (runners, running) = (TaskTracker::new(), Running::default());
    loop {
        if let Err(failure) = start_due(&module, &copy, &running, &runners, &stop).await {
            tracing::warn!(?failure, "campaigns not looked for; trying again");
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = module.campaigns_changed.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    runners.close();
    runners.wait().await;
}

/// The campaigns that have a runner in this process.
type Running = Arc<Mutex<HashSet<u64>>>;

async fn start_due(
    module: &Module,
    copy: &str,
    running: &Running,
    runners: &TaskTracker,
    stop: &CancellationToken,
) -> Result<()> {
    let expired = module.store.expire_campaigns(Timestamp::now()).await?;
    if expired > 0 {
        tracing::info!(expired, "campaigns whose end has come");
    }
    let lease = lease(copy);
    for (campaign, hours) in module.store.due_campaigns(lease, LOOK_AT).await? {
        let opens = hours.is_none_or(|hours| hours.include(lease.now));
        if opens && take_place(running, campaign) {
            let runner = Runner::new(
                module.store.clone(),
                module.courier.clone(),
                copy.to_owned(),
                campaign,
                stop.clone(),
            );
            let running = running.clone();
            runners.spawn(async move {
                runner.run().await;
                running.lock().unwrap_or_else(PoisonError::into_inner).remove(&campaign);
            });
        }
    }
    Ok(())
}

/// Takes one of the places for campaigns that are sent at once; `false` when none is free, or this one has one.
fn take_place(running: &Running, campaign: u64) -> bool {
    let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
    running.len() < RUNNING_MAX && running.insert(campaign)
}

/// Whether this copy may still send, kept true while `work` is done.
async fn keeping_lease<T>(store: &Store, copy: &str, campaign: u64, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(LEASE / 3) => {
                // Lost or not, what is under way is under way; the next step finds out.
                if let Err(failure) = store.lease_campaign(campaign, lease(copy)).await {
                    tracing::warn!(?failure, campaign, "lease not kept");
                }
            }
        }
    }
}

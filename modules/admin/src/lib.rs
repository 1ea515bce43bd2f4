//! Administration: roles, broadcasts, announcements, campaigns, moderation, insight, and the audit log of it all.
//!
//! Two services in one process: `admin` is for staff, `announcement` for everyone. One copy is enough, and several do no
//! harm: what one of them works on, a lease in SQL keeps from the others.
//!
//! - The way of a call: its method's file has the handler and the rules; all SQL is in `store`. Each act goes through
//!   `audit`, which writes it down before it is done, and what became of it after. What was refused before its handler
//!   saw it, the host tells; `audit::recorder` writes that down.
//! - `campaigning` sends campaigns in the background. `distribution` hands rules to the modules that apply them.
//! - `moderation` says whom a moderator may act on. `page` bounds answers.
//!
//! Accounts, groups and messages are other modules'; what is done to them is asked of them. Nothing here knows about sockets
//! or sessions.

mod announce;
mod announcements;
mod appoint;
mod audit;
mod ban;
mod broadcast;
mod campaign;
mod campaign_cancel;
mod campaign_create;
mod campaign_dry_run;
mod campaign_pause;
mod campaign_resume;
mod campaign_start;
mod campaigning;
mod campaigns;
mod change_announcement;
mod dissolve_group;
mod distribution;
mod grant;
mod horizon;
mod list_audit;
mod list_unseen;
mod moderation;
mod mute;
mod page;
mod remove_message;
mod remove_rule;
mod reports;
mod revoke;
mod rules;
mod seen;
mod set_rule;
mod settings;
mod settle_report;
mod sign_out;
mod staff;
mod stats;
mod store;
mod take_report;
mod text;
mod unban;
mod withdraw;

use std::sync::Arc;

use broker_schemas::permission::Holder;
use broker_schemas::{Error, Service, admin, announcement};
use natter_host::{Bus, Part, Process, Running};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use settings::Settings;

use audit::recorder::{self, Recorder, Refusals};
use campaigning::BusCourier;
use store::{MIGRATIONS, Store};

/// What a check gives: a value, or the refusal.
type Checked<T> = Result<T, Error>;

/// The admin module, as a part that a process can run.
#[derive(Debug, Clone, Copy)]
pub struct Admin;

/// What every handler works with.
#[derive(Debug)]
struct Module {
    bus: Bus,
    store: Store,
    settings: Settings,
    recorder: Recorder,
    courier: BusCourier,
    /// A campaign was started or resumed.
    campaigns_changed: Notify,
    rules_changed: Notify,
}

impl Part for Admin {
    const NAME: &'static str = admin::Admin::NAME;
    type Settings = Settings;

    async fn start(process: &Process, settings: Settings) -> anyhow::Result<Running> {
        settings.check()?;
        let store = Store::new(process.database(Self::NAME, MIGRATIONS).await?);
        let bus = process.bus(Holder::Service(Self::NAME)).await?;
        let announcing = process.bus(Holder::Service(announcement::Announcement::NAME)).await?;
        let refusals = Arc::<Refusals>::default();
        let (recorder, ended) = Recorder::new();
        let module = Arc::new(Module {
            bus: bus.clone(),
            store: store.clone(),
            settings,
            recorder,
            courier: BusCourier::new(bus.clone()),
            campaigns_changed: Notify::new(),
            rules_changed: Notify::new(),
        });

        let (stop_recording, stop) = (CancellationToken::new(), CancellationToken::new());
        let (records, workers) = (TaskTracker::new(), TaskTracker::new());
        records.spawn(recorder::run(store.clone(), refusals.clone(), ended, stop_recording.clone()));
        records.close();
        let serving = process.serve_observed::<admin::Admin, _>(bus, module.clone(), Some(refusals)).await?;
        let announcements =
            process.serve::<announcement::Announcement, _>(announcing, module.clone()).await?;
        workers.spawn(campaigning::supervise(module.clone(), stop.clone()));
        workers.spawn(distribution::run(module.clone(), stop.clone()));
        workers.close();

        Ok(Running::new(Self::NAME, async move {
            stop.cancel();
            workers.wait().await;
            announcements.drain().await;
            serving.drain().await;
            // Last, so that what these wrote down is in the log.
            stop_recording.cancel();
            records.wait().await;
            store.close().await;
        }))
    }
}

//! Groups: who is in them, who may do what, how one gets in.
//!
//! The way of a call: its method's file (`join.rs`, `kick.rs`, …) has the handler and the rule by which the group
//! changes. `change` locks the group, has `authorise` decide by the table of rights, applies the rule, and stores what it
//! changed through `store`, where all SQL is. Then `outbox` tells the message module, which keeps who reads and
//! writes in the group's conversation, and `push` tells the users. Names come from the user module, through
//! `people`; `friends` asks the friend module whom one may put into a group.
//!
//! Nothing here knows about sockets, sessions or messages.

mod announce;
mod approve;
mod authorise;
mod change;
mod configure;
mod create;
mod decline;
mod dissolve;
mod dissolve_by_staff;
mod forget_user;
mod friends;
mod group;
mod invite;
mod join;
mod kick;
mod leave;
mod list;
mod member_ids;
mod members;
mod mute;
mod outbox;
mod people;
mod profile;
mod push;
mod rename;
mod requests;
mod set_role;
mod set_rules;
mod set_silence;
mod settings;
mod store;
mod transfer;
mod turns;
mod unblock;
mod watch;

use std::sync::Arc;

use broker_schemas::permission::Holder;
use broker_schemas::{Error, Service, UserId};
use natter_host::{Bus, Limiter, Part, PlatformSettings, Process, RulesInForce, Running, Silences};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use settings::Settings;

use store::{MIGRATIONS, Store};
use turns::Turns;

/// What a check of a request gives: a value, or the refusal.
type Checked<T> = Result<T, Error>;

/// The group module, as a part that a process can run.
#[derive(Debug, Clone, Copy)]
pub struct Group;

/// What every handler works with.
#[derive(Debug)]
struct Module {
    bus: Bus,
    store: Store,
    limits: Settings,
    changes: Limiter<UserId>,
    turns: Turns,
    /// What names and announcements must not contain.
    rules: RulesInForce,
    silences: Silences,
    platform: PlatformSettings,
    making: Limiter<UserId>,
}

impl Part for Group {
    const NAME: &'static str = broker_schemas::group::Group::NAME;
    type Settings = Settings;

    async fn start(process: &Process, settings: Settings) -> anyhow::Result<Running> {
        settings.check()?;
        let platform = process.platform()?;
        let database = process.database(Self::NAME, MIGRATIONS).await?;
        let rules = RulesInForce::open(database.clone()).await?;
        let silences = Silences::new(database.clone());
        let store = Store::new(database);
        let bus = process.bus(Holder::Service(Self::NAME)).await?;
        let turns = Turns::default();
        let (making, sharing_making) = settings.making().shared(&bus, "making").await?;
        let (changes, sharing_changes) = settings.changes().shared(&bus, "changes").await?;
        let module = Arc::new(Module {
            bus: bus.clone(),
            store: store.clone(),
            limits: settings,
            changes,
            turns,
            rules,
            silences,
            platform,
            making,
        });
        let serving = process.serve::<broker_schemas::group::Group, _>(bus, module.clone()).await?;
        let stop = CancellationToken::new();
        let worker = TaskTracker::new();
        worker.spawn(stop.clone().run_until_cancelled_owned(sharing_making));
        worker.spawn(stop.clone().run_until_cancelled_owned(sharing_changes));
        let follower = module.clone();
        worker.spawn(stop.clone().run_until_cancelled_owned(async move { follower.rules.follow().await }));
        worker.spawn(stop.clone().run_until_cancelled_owned(module.empty_outbox()));
        worker.close();
        Ok(Running::new(Self::NAME, async move {
            stop.cancel();
            worker.wait().await;
            serving.drain().await;
            store.close().await;
        }))
    }
}

//! Accounts, sign-in, sessions and presence.
//!
//! One file per method: its handler and its tests. Beside them:
//!
//! | file | what is there |
//! |---|---|
//! | `name`, `password`, `token`, `passport` | what each of them is, and its rules |
//! | `guessing` | limits on guessing passwords and on making accounts |
//! | `welcome` | what `login` and `resume` answer |
//! | `ban` | what a ban is, and what a banned user is told |
//! | `presence` | who is online: edges that fall silent, and telling others |
//! | `departure` | telling the other services that an account was deleted |
//! | `store` | the tables, and every statement on them |
//! | `settings` | section `[user]` of the configuration |

mod ban;
mod census;
mod change_password;
mod delete_account;
mod departure;
mod end_sessions;
mod find;
mod find_users;
mod guessing;
mod login;
mod logout;
mod lookup;
mod name;
mod passport;
mod password;
mod presence;
mod profile;
mod register;
mod renew;
mod report;
mod report_sessions;
mod resolve;
mod resume;
mod set_ban;
mod set_display_name;
mod set_role;
mod set_rules;
mod set_silence;
mod settings;
mod staff;
mod store;
mod system_account;
mod token;
mod welcome;

use std::sync::Arc;

use broker_schemas::permission::Holder;
use broker_schemas::{Error, Service, Timestamp, UserId, user};
use natter_host::{
    Batcher, Bus, BusSettings, Part, PlatformSettings, Process, Result, RulesInForce, Running, Silences,
    Verifier,
};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use settings::Settings;

use guessing::Guessing;
use passport::Signer;
use password::Passwords;
use resume::{Resumed, Resuming};
use store::{Resumption, Store};

/// The user module, for a process to run.
#[derive(Debug, Clone, Copy)]
pub struct User;

/// What the handlers share.
#[derive(Debug)]
struct Module {
    bus: Bus,
    store: Arc<Store>,
    /// Sessions that are to be opened again.
    resumptions: Batcher<Resumption, Resumed>,
    passwords: Passwords,
    guessing: Guessing,
    signer: Signer,
    /// What names must not contain.
    rules: RulesInForce,
    silences: Silences,
    verifier: Verifier,
    settings: Settings,
    platform: PlatformSettings,
}

impl Part for User {
    const NAME: &'static str = user::User::NAME;
    type Settings = Settings;

    async fn start(process: &Process, settings: Settings) -> anyhow::Result<Running> {
        settings.check()?;
        let platform = process.platform()?;
        let bus_settings: BusSettings = process.settings().section("bus")?;
        let verifier = process.verifier()?;
        let key = bus_settings.directory.join("passport.key");
        let bus = process.bus(Holder::Service(Self::NAME)).await?;
        let database = process.database(Self::NAME, store::MIGRATIONS).await?;
        let rules = RulesInForce::open(database.clone()).await?;
        let silences = Silences::new(database.clone());
        let store = Arc::new(Store::new(database));
        let (guessing, sharing) = Guessing::new(&settings, store.clone()).shared(&bus).await?;
        let module = Arc::new(Module {
            bus: bus.clone(),
            rules,
            silences,
            resumptions: Resuming::start(store.clone(), bus.clone()),
            store,
            passwords: Passwords::new(&settings)?,
            guessing,
            signer: Signer::load(&key, settings.passport_lifetime(), &verifier)?,
            verifier,
            settings,
            platform,
        });
        let serving = process.serve::<user::User, _>(bus, module.clone()).await?;

        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(stop.clone().run_until_cancelled_owned(sharing));
        tasks.spawn(presence::watch_edges(module.clone(), stop.clone()));
        tasks.spawn(departure::tell_of_departures(module.clone(), stop.clone()));
        let follower = module.clone();
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move { follower.rules.follow().await }));
        tasks.close();

        Ok(Running::new(Self::NAME, async move {
            stop.cancel();
            tasks.wait().await;
            serving.drain().await;
            module.store.close().await;
        }))
    }
}

/// The refusal of a user that doesn't exist, or no longer does.
fn no_such_user() -> Error {
    Error::not_found("there is no such user")
}

impl Module {
    /// Checks the password of somebody who is signed in, with the limits of a sign-in, and returns the name and the
    /// PHC string.
    async fn check_own_password(
        &self,
        user: UserId,
        client_address: Option<&str>,
        field: &str,
        password: String,
    ) -> Result<(String, String)> {
        let (name, stored) = self.store.name_and_password(user).await?.ok_or_else(no_such_user)?;
        let origin = guessing::Origin::of(client_address);
        let attempt = self.guessing.attempt(Timestamp::now(), &name::key(&name), &origin, true).await?;
        if !self.passwords.verify(password, Some(stored.clone())).await? {
            attempt.failed().await?;
            return Err(Error::forbidden(format!("{field}: this is not your password")).into());
        }
        Ok((name, stored))
    }
}

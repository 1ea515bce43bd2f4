//! What every process of Natter stands on, and what another team's service can stand on too: the connection to the
//! bus, serving a contract, calling another service, configuration, telemetry, databases, start-up and drain.
//!
//! Nothing here knows what any service does. Only this crate names the NATS client.
//!
//! - [`Process`] starts everything from [`Settings`] and stops it in order.
//! - [`Bus`] calls and tells; [`serve`](Process::serve) answers, through [`Handle`].
//! - [`Database`] is one module's own tables, in SQLite or PostgreSQL.

mod allocator;
mod batch;
pub mod bus;
mod database;
mod discovery;
pub mod failpoint;
mod failure;
mod limiter;
mod moment;
mod names;
mod passport;
mod process;
pub mod rules;
mod scope;
mod serve;
mod settings;
pub mod silence;
mod telemetry;
#[cfg(any(feature = "testing", test))]
pub mod testing;
#[cfg(test)]
mod tests;
mod trace;

pub use batch::{Batcher, Work};
pub use bus::{Bus, Forward, Reply};
pub use database::{Database, Dialect, Migration, Transaction, placeholders};
pub use failure::{Failure, Result};
pub use limiter::Limiter;
pub use moment::moment;
pub use names::{PlatformSettings, shown_name};
pub use passport::{Verifier, passport_keys};
pub use process::{Part, Process, Running, block_on, main, print_config, toml_of};
pub use rules::{Rules, RulesInForce};
pub use scope::Scope;
pub use serve::{Call, Handle, Handlers, Hear, Observer, Refused, Serving};
pub use settings::{Arguments, BusSettings, DatabaseSettings, LogFormat, Settings, TelemetrySettings};
pub use silence::Silences;
pub use telemetry::init as init_telemetry;
pub use trace::Trace;

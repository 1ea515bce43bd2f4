//! What crosses a process: real processes, a real NATS server, real databases, real sockets.
//!
//! [`Platform`] runs the platform in one of its shapes, on one of its databases; [`Person`] is a user of it. The tests
//! are in `tests/`, one file per property that they protect.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "only tests use this")]

pub mod crowd;
pub mod device;
pub mod faults;
pub mod history;
pub mod load;
mod page;
mod person;
pub mod plan;
mod platform;
pub mod proxy;
mod random;
pub mod records;
pub mod releases;
pub mod shell;
mod terminal;
mod wire;

pub use device::Device;
pub use natter_host::testing::signal;
pub use page::put_into;
pub use person::{Person, befriend};
pub use platform::{ADMIN_EDGE, Backend, Platform, Shown, Usage, is_left_out, program};
pub use random::Random;
pub use shell::Shell;
pub use terminal::Terminal;
pub use wire::Wire;

/// Makes two tests of one: on SQLite and, where `NATTER_TEST_POSTGRES` names a server, on PostgreSQL. Without one, the
/// second says that it was skipped; `make test` brings one.
#[macro_export]
macro_rules! on_both_databases {
    ($(#[$doc:meta])* async fn $name:ident($backend:ident: Backend) $body:block) => {
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn test($backend: $crate::Backend) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                test($crate::Backend::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                match $crate::Backend::postgres() {
                    Some(backend) => test(backend).await,
                    None => eprintln!("skipped: NATTER_TEST_POSTGRES is not set"),
                }
            }
        }
    };
}

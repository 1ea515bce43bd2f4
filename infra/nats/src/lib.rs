//! The NATS server of a Natter installation: credentials, permissions, configuration, child process.
//!
//! A [`Bus`] is the directory that holds them; a [`Server`] is the child process that runs on it. An installation with
//! a NATS server of its own uses the first without the second: its configuration includes `accounts.conf`.

mod bus;
mod canary;
mod certificate;
mod config;
mod file;
mod member;
mod passport;
mod rotate;
mod server;

pub use bus::{Bus, Options};
pub use canary::check_canary;
pub use member::Member;
pub use passport::{PassportKey, load_public_keys};
pub use server::{Server, find};

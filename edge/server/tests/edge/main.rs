//! An edge between real sockets and a real bus, with a service that does what the tests ask for.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic in a test is its report")]

mod calls;
mod client;
mod demo;
mod doors;
mod drain;
mod groups;
mod hostile;
mod memberships;
mod sessions;
mod world;

//! A bus on disk, and a real `nats-server` on it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a panic in a test is its report")]

mod cluster;
mod directory;
mod fixture;
mod lifecycle;
mod permissions;

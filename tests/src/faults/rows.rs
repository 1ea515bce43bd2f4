//! Each row: what is broken, for how long, and what it has to do with the load.

mod broker;
mod edge;
mod modules;
mod network;
mod points;
mod resources;
mod topology;

use std::pin::Pin;
use std::time::Duration;

use super::{Done, Plan, Row, Skip};
use crate::Backend;
use crate::history::{Event as Logged, Line, Operation, Step};

pub(super) use broker::keep_dead as keep_broker_dead;

/// Runs a row.
pub(super) type Run = fn(Backend, Plan) -> Pin<Box<dyn Future<Output = Result<Done, Skip>> + Send>>;

macro_rules! rows {
    ($($name:literal, $bound:literal, $recovery:expr, $run:path;)*) => {
        /// Every row, in the order of docs/FAULTS.md.
        pub const ROWS: &[Row] = &[$(Row {
            name: $name,
            bound: $bound,
            recovery: $recovery,
            run: |backend, plan| Box::pin($run(backend, plan)),
        }),*];
    };
}

const fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

rows! {
    "module-dies", "3 s", seconds(3), modules::dies;
    "module-dies-second-copy", "3 s", seconds(3), modules::dies_beside_another;
    "death-at-a-point", "delivered in 5 s, once", seconds(5), points::death;
    "campaign-dies-at-a-point", "each recipient once", seconds(5), points::campaign;
    "zombie", "no seq used twice", None, modules::zombie;
    "broker-dies", "10 s, client sockets stay open", seconds(10), broker::dies;
    "broker-hangs", "retryable errors, no false ack", None, broker::hangs;
    "edge-dies", "30 s", seconds(30), edge::dies;
    "edge-dies-10000", "10,000 clients back in 30 s", seconds(30), edge::dies_with_many;
    "half-open", "reaped in 35 s", None, network::half_open;
    "partition", "10 s after heal", seconds(10), network::partition_of_message;
    "partition-group", "10 s after heal", seconds(10), network::partition_of_group;
    "slow-client", "cut at 1 MiB queued; the others' p99 at most doubles", None, edge::slow_client;
    "disk-full", "refused, nothing acked lost, heals without restart", seconds(10), resources::disk_full;
    "database-restarts", "10 s", seconds(10), resources::database_restarts;
    "clock-skew", "order unchanged", None, resources::clock_skew;
    "rolling-restart", "0 failed calls, 0 disconnects", None, modules::rolling_restart;
    "primary-dies", "10 s, nothing acked lost", seconds(10), topology::primary_dies;
    "nats-server-dies", "10 s, client sockets stay open", seconds(10), topology::nats_server_dies;
    "copy-hangs", "after 25 s no call knows of it", None, topology::copy_hangs;
    "copy-hangs-on", "after 25 s no call knows of it", None, topology::copy_hangs_on;
    "module-host-cut", "10 s after heal", seconds(10), topology::module_host_cut;
    "nats-host-cut", "10 s after heal", seconds(10), topology::nats_host_cut;
    "memory", "sheds, no kill", None, resources::memory;
}

/// Client sockets have to stay open.
fn no_disconnect(done: &mut Done) {
    let lost: Vec<&Logged> = done
        .lines
        .iter()
        .filter_map(|line| match line {
            Line::Event(event) if event.operation == Operation::Resume && event.step == Step::Info => {
                Some(event)
            }
            _ => None,
        })
        .collect();
    if let Some(first) = lost.first() {
        done.wrong.push(format!("{} clients were disconnected, such as: {}", lost.len(), first.why));
    }
}

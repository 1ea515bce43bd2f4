//! How many connections there may be, in total and from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files of a process besides its clients' connections: ports, the bus, databases, whoever asks for its health.
const BESIDES: usize = 256;

/// How many of `wanted` connections the process may have open, of which each takes a file. Its limit is raised as far as it may be.
pub(crate) fn within_open_files(wanted: usize) -> usize {
    let needed = u64::try_from(wanted + BESIDES).unwrap_or(u64::MAX);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return wanted;
    }
    let raised = Some(maximum.map_or(needed, |maximum| maximum.min(needed)));
    let current = match setrlimit(Resource::Nofile, Rlimit { current: raised, maximum }) {
        Ok(()) => raised,
        Err(_) => current,
    };
    let files = current.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    // With very few, some are for clients all the same.
    let possible = wanted.min(files.saturating_sub(BESIDES).max(files / 2));
    if possible < wanted {
        tracing::warn!(
            wanted,
            possible,
            files,
            "edge.max_connections: this process may not open so many files; raise its limit (ulimit -n)"
        );
    }
    possible
}

/// The bounds, and what is taken of them.
#[derive(Debug)]
pub(crate) struct Limits {
    total: usize,
    per_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// A place for one connection, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    /// Where the client is.
    pub(crate) address: IpAddr,
    limits: Arc<Limits>,
    network: IpAddr,
}

impl Limits {
    /// At most `total` connections, and at most `per_address` from one address unless that is 0.
    pub(crate) fn new(total: usize, per_address: usize) -> Arc<Self> {
        Arc::new(Self { total, per_address, taken: Mutex::default() })
    }

    /// A place for a connection from `address`, if there is one.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Arc<Place>> {
        let network = network(address);
        let mut taken = self.lock();
        if taken.total >= self.total {
            return None;
        }
        let there = taken.by_network.entry(network).or_default();
        if self.per_address > 0 && *there >= self.per_address {
            return None;
        }
        *there += 1;
        taken.total += 1;
        Some(Arc::new(Place { address, limits: self.clone(), network }))
    }

    /// The counts are consistent between any two statements, so a panic elsewhere doesn't spoil them.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.limits.lock();
        taken.total -= 1;
        if let Some(there) = taken.by_network.get_mut(&self.network) {
            *there -= 1;
            if *there == 0 {
                taken.by_network.remove(&self.network);
            }
        }
    }
}

/// Who counts as one: an IPv4 address, or a /64 of IPv6, which is what one customer has at the least.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_gets_so_many_places_and_each_is_free_again_once_dropped() {
        let limits = Limits::new(100, 2);
        let first = limits.admit(address("192.0.2.1")).unwrap();
        let _second = limits.admit(address("192.0.2.1")).unwrap();
        assert!(limits.admit(address("192.0.2.1")).is_none());
        assert!(limits.admit(address("::ffff:192.0.2.1")).is_none());
        assert!(limits.admit(address("192.0.2.2")).is_some());
        drop(first);
        assert!(limits.admit(address("192.0.2.1")).is_some());
    }

    #[test]
    fn all_addresses_together_have_a_bound_and_none_stays_behind() {
        let limits = Limits::new(3, 0);
        let places: Vec<_> = (0..3).map(|_| limits.admit(address("192.0.2.1")).unwrap()).collect();
        assert!(limits.admit(address("192.0.2.2")).is_none());
        drop(places);
        assert!(limits.lock().by_network.is_empty());
        assert!(limits.admit(address("192.0.2.2")).is_some());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let limits = Limits::new(100, 1);
        let _place = limits.admit(address("2001:db8::1")).unwrap();
        assert!(limits.admit(address("2001:db8::2")).is_none());
        assert!(limits.admit(address("2001:db8:0:1::1")).is_some());
    }
}

//! Ports of this machine, given to whoever asks by name: the same name gets the same one again.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::ops::Range;

use anyhow::{Context, bail};

/// Where any free ones are looked for: the system gives these to nobody who didn't ask for them.
const ANY: Range<u16> = 10_000..32_000;
/// How many of those an installation takes at once, for itself alone.
const BLOCK: u16 = 100;

/// Who has which port.
#[derive(Debug)]
pub(super) struct Ports {
    next: u16,
    blocks: Option<Blocks>,
    given: BTreeMap<String, u16>,
}

/// What keeps installations apart that choose their ports themselves. Most ports stand empty for a while after they were
/// given, and a part's second one until its successor starts: to find a port free says little.
#[derive(Debug)]
struct Blocks {
    /// The first port of each block that is ours. Who listens there has the others.
    ours: Vec<TcpListener>,
    end: u16,
}

impl Ports {
    /// Gives the ports from `base` on, or any free ones when that is 0.
    pub(super) fn from(base: u16) -> Self {
        let blocks = (base == 0).then(|| Blocks { ours: Vec::new(), end: 0 });
        Self { next: base, blocks, given: BTreeMap::new() }
    }

    /// The port of `name`.
    pub(super) fn of(&mut self, name: impl Into<String>) -> anyhow::Result<u16> {
        let name = name.into();
        if let Some(port) = self.given.get(&name) {
            return Ok(*port);
        }
        loop {
            if let Some(blocks) = &mut self.blocks
                && self.next >= blocks.end
            {
                self.next = blocks.one_more()?;
            }
            let port = self.next;
            self.next = port.checked_add(1).context("no ports are left above the base")?;
            // Parts may share a port with their successors, and so with a stranger: look before they do.
            match TcpListener::bind(("127.0.0.1", port)) {
                Ok(_) => {
                    self.given.insert(name, port);
                    return Ok(port);
                }
                Err(error) if self.blocks.is_some() && error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("port {port} for {name}; --base-port chooses others"));
                }
            }
        }
    }
}

impl Blocks {
    /// Takes a block that nobody has, and says where it begins.
    fn one_more(&mut self) -> anyhow::Result<u16> {
        let count = ANY.len() / usize::from(BLOCK);
        // Installations that start at once look in different places.
        let from = usize::try_from(std::process::id())? * 31;
        for first in ANY.step_by(usize::from(BLOCK)).cycle().skip(from % count).take(count) {
            match TcpListener::bind(("127.0.0.1", first)) {
                Ok(listener) => {
                    self.ours.push(listener);
                    self.end = first + BLOCK;
                    return Ok(first + 1);
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => return Err(error).context("look for free ports"),
            }
        }
        bail!("no port is free from {} to {}", ANY.start, ANY.end - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_port_and_shares_it_with_nobody() {
        let mut ports = Ports::from(0);
        let (a, b) = (ports.of("a").unwrap(), ports.of("b").unwrap());
        assert_ne!(a, b);
        assert_eq!(ports.of("a").unwrap(), a);
    }

    #[test]
    fn two_installations_never_get_the_same_port() {
        let (mut a, mut b) = (Ports::from(0), Ports::from(0));
        let of = |ports: &mut Ports| -> Vec<_> {
            (0..2 * BLOCK).map(|name| ports.of(name.to_string()).unwrap()).collect()
        };
        let (a, b) = (of(&mut a), of(&mut b));
        assert!(a.iter().all(|port| !b.contains(port)), "{a:?} {b:?}");
    }

    #[test]
    fn a_port_that_somebody_has_is_not_given() {
        let mut ports = Ports::from(0);
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        ports.next = port;
        ports.blocks.as_mut().unwrap().end = u16::MAX;
        assert_ne!(ports.of("a").unwrap(), port);
        let error = Ports::from(port).of("edge.1").unwrap_err();
        assert!(error.to_string().contains(&format!("port {port} for edge.1")), "{error}");
    }
}

//! Ports of this machine, given to whoever asks by name: the same name gets the same one again.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::ops::RangeInclusive;

use anyhow::{Context, bail};

/// Where any free ones are looked for: the system gives these to nobody who didn't ask for them.
const ANY: RangeInclusive<u16> = 10_000..=31_999;

/// Who has which port.
#[derive(Debug)]
pub(super) struct Ports {
    next: u16,
    any: bool,
    given: BTreeMap<String, u16>,
}

impl Ports {
    /// Gives the ports from `base` on, or any free ones when that is 0.
    pub(super) fn from(base: u16) -> anyhow::Result<Self> {
        let any = base == 0;
        let next = if any { somewhere()? } else { base };
        Ok(Self { next, any, given: BTreeMap::new() })
    }

    /// The port of `name`.
    pub(super) fn of(&mut self, name: impl Into<String>) -> anyhow::Result<u16> {
        let name = name.into();
        if let Some(port) = self.given.get(&name) {
            return Ok(*port);
        }
        for _ in ANY {
            let port = self.next;
            let following = port.checked_add(1).context("no ports are left above the base")?;
            self.next = if self.any && !ANY.contains(&following) { *ANY.start() } else { following };
            // Parts may share a port with their successors, and so with a stranger: look before they do.
            match TcpListener::bind(("127.0.0.1", port)) {
                Ok(_) => {
                    self.given.insert(name, port);
                    return Ok(port);
                }
                Err(_) if self.any => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("port {port} for {name}; --base-port chooses others"));
                }
            }
        }
        bail!("no port is free")
    }
}

/// Several installations that start at once look in different places.
fn somewhere() -> anyhow::Result<u16> {
    let free = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?.local_addr()?.port();
    let width = ANY.end() - ANY.start() + 1;
    Ok(ANY.start() + (free.wrapping_mul(31).wrapping_add(u16::try_from(std::process::id() % 9973)?)) % width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_port_and_shares_it_with_nobody() {
        let mut ports = Ports::from(0).unwrap();
        let (a, b) = (ports.of("a").unwrap(), ports.of("b").unwrap());
        assert_ne!(a, b);
        assert_eq!(ports.of("a").unwrap(), a);
    }

    #[test]
    fn a_port_that_somebody_has_is_not_given() {
        let mut ports = Ports::from(0).unwrap();
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        ports.next = port;
        assert_ne!(ports.of("a").unwrap(), port);
        let error = Ports::from(port).unwrap().of("edge.1").unwrap_err();
        assert!(error.to_string().contains(&format!("port {port} for edge.1")), "{error}");
    }
}

//! One server of several on the same bus.

use std::path::PathBuf;

use crate::bus::Bus;
use crate::certificate::Authority;
use crate::{config, file};

/// One server of a bus, alone or in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name, unlike any other's; also that of its directory in the bus's.
    pub name: String,
    /// The address on which it listens, for clients and for other servers.
    pub address: String,
    /// The port where clients connect.
    pub port: u16,
    /// The port on loopback of its monitoring pages. They ask nobody who they are.
    pub monitoring_port: u16,
    /// The port where the other servers of its cluster connect.
    pub route_port: u16,
    /// The other servers of its cluster, as `host:port`; none when it is alone.
    pub routes: Vec<String>,
    /// Where the server sees the bus's directory, when it runs elsewhere, such as in a container. It writes no files then,
    /// and logs to standard error.
    pub seen_at: Option<PathBuf>,
    /// Names and addresses under which it is reached, when the bus is encrypted.
    pub encrypted_as: Option<Vec<String>>,
}

impl Bus {
    /// Writes the configuration of a server, and a certificate where it needs one; where the configuration is.
    ///
    /// # Errors
    /// When the directory can't be written, or a name can't be in a certificate.
    pub fn configure(&self, member: &Member) -> anyhow::Result<PathBuf> {
        let dir = self.dir().join(&member.name);
        crate::bus::private_dir(&dir)?;
        if let Some(hosts) = &member.encrypted_as {
            let (certificate, key) = Authority::create_or_open(self.dir())?.certify(&member.name, hosts)?;
            // The key first: a server that reads in between finds a pair that disagrees, and keeps the one it has.
            file::write(&dir.join("server.key"), &key)?;
            file::write(&dir.join("server.crt"), &certificate)?;
        }
        let path = dir.join("nats-server.conf");
        let seen = member.seen_at.as_deref().unwrap_or(self.dir());
        file::write(&path, &config::member(member, seen))?;
        Ok(path)
    }

    /// The certificate of the authority that signs those of an encrypted bus's servers.
    #[must_use]
    pub fn authority_path(&self) -> PathBuf {
        crate::certificate::certificate_path(self.dir())
    }
}

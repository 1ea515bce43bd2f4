//! The directory of the bus.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use broker_schemas::permission::Holder;
use broker_schemas::subject;
use nkeys::KeyPair;
use serde::Deserialize;

use crate::{config, file, passport, rotate};

/// How the server of a [`Bus`] runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The port on loopback where clients connect; 0 is any free one.
    pub port: u16,
    /// The port on loopback of the server's monitoring pages; 0 is any free one. They ask nobody who they are.
    pub monitoring_port: Option<u16>,
    /// The longest message, in bytes.
    pub max_payload: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { port: 4222, monitoring_port: None, max_payload: 1 << 20 }
    }
}

/// The directory that holds every secret of the bus and the configuration of its server.
///
/// | file | content |
/// |---|---|
/// | `<holder>.nk`, `system.nk` | one NKey seed |
/// | `<holder>.nk.next`, `<holder>.nk.former` | while a credential is replaced: also accepted |
/// | `canaries` | which share of which calls goes to a canary |
/// | `passport.key`, `passport.pub` | see [`PassportKey`](crate::PassportKey) |
/// | `nats-server.conf`, `accounts.conf` | public keys only, written anew at every opening |
/// | `ca.crt`, `ca.key` | the authority of an encrypted bus |
/// | `<server>/` | configuration, certificate and log of each of several servers |
/// | `operator.env`, `system.env` | for people at the NATS CLI; the `.json` files beside them are its contexts |
#[derive(Debug, Clone)]
pub struct Bus {
    dir: PathBuf,
}

impl Bus {
    /// Opens the bus in `dir`. What is missing is made: everything at the first start, the key of a new service after an
    /// update, the rest after a start that was interrupted. A secret that is there is never replaced.
    ///
    /// # Errors
    /// When the directory can't be written, or a file in it is damaged.
    pub fn create_or_open(dir: &Path, options: &Options) -> anyhow::Result<Self> {
        let bus = Self::open_secrets(dir)?;
        let outputs = config::Outputs { pid: &bus.pid_path(), log: &bus.log_path(), ports: &bus.dir };
        file::write(&bus.conf_path(), &config::server(options, &outputs))?;
        Ok(bus)
    }

    /// The same, for an installation that runs its servers otherwise: each [`Member`](crate::Member) is configured by
    /// [`Bus::configure`].
    ///
    /// # Errors
    /// As [`Bus::create_or_open`].
    pub fn open_secrets(dir: &Path) -> anyhow::Result<Self> {
        let bus = Self { dir: private_dir(dir).with_context(|| format!("can't create {}", dir.display()))? };
        let mut holders = Vec::new();
        for holder in Holder::all() {
            let seed = bus.seed_path(holder);
            holders.push((holder, ensure_seed(&seed)?));
            for other in [rotate::next(&seed), rotate::former(&seed)] {
                if other.exists() {
                    holders.push((holder, public_key(&other)?));
                }
            }
        }
        let system = ensure_seed(&bus.system_seed_path())?;
        passport::ensure_keys(&bus.passport_key_path(), &bus.passport_public_path())?;
        file::write(&bus.dir.join("accounts.conf"), &config::accounts(&holders, &system, &bus.canaries()?))?;
        Ok(bus)
    }

    /// Writes `operator.env` and `system.env`, for people at the NATS CLI. [`Server::start`](crate::Server::start) does
    /// it; an installation with a NATS server of its own says here where that is.
    ///
    /// # Errors
    /// When the directory can't be written.
    pub fn write_environments(&self, url: &str) -> anyhow::Result<()> {
        let operator = Holder::Operator;
        let inbox = subject::inbox_prefix(operator.name());
        for (name, seed, inbox) in [
            (operator.name(), self.seed_path(operator), Some(inbox.as_str())),
            (SYSTEM, self.system_seed_path(), None),
        ] {
            let context = self.dir.join(format!("{name}.json"));
            let authority = url.starts_with("tls:").then(|| self.authority_path());
            file::write(&context, &config::context(url, &seed, inbox, authority.as_deref()))?;
            let environment = self.dir.join(format!("{name}.env"));
            file::write(&environment, &config::environment(url, &seed, &context))?;
        }
        Ok(())
    }

    /// The directory, as an absolute path.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The NKey seed of a holder.
    #[must_use]
    pub fn seed_path(&self, holder: Holder) -> PathBuf {
        self.dir.join(format!("{}.nk", holder.name()))
    }

    /// The NKey seed of the system account, which sees connections and traffic of the server.
    #[must_use]
    pub fn system_seed_path(&self) -> PathBuf {
        self.dir.join(format!("{SYSTEM}.nk"))
    }

    /// The key that signs passports.
    #[must_use]
    pub fn passport_key_path(&self) -> PathBuf {
        self.dir.join("passport.key")
    }

    /// The keys that check passports.
    #[must_use]
    pub fn passport_public_path(&self) -> PathBuf {
        self.dir.join("passport.pub")
    }

    /// The configuration of the server.
    #[must_use]
    pub fn conf_path(&self) -> PathBuf {
        self.dir.join("nats-server.conf")
    }

    /// What the server logs.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("nats-server.log")
    }

    pub(crate) fn pid_path(&self) -> PathBuf {
        self.dir.join("nats-server.pid")
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.dir.join("nats-server.lock")
    }
}

/// The name of the system account's files.
const SYSTEM: &str = "system";

/// Creates `dir` for its owner only, or closes it to everyone else, and returns its absolute path.
pub(crate) fn private_dir(dir: &Path) -> std::io::Result<PathBuf> {
    const OWNER_ONLY: u32 = 0o700;
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    match DirBuilder::new().mode(OWNER_ONLY).create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::set_permissions(dir, Permissions::from_mode(OWNER_ONLY))?;
        }
        done => done?,
    }
    dir.canonicalize()
}

/// Makes a seed unless there is one, and returns its public key.
pub(crate) fn ensure_seed(path: &Path) -> anyhow::Result<String> {
    file::create(path, || Ok(format!("{}\n", KeyPair::new_user().seed()?)))?;
    public_key(path)
}

fn public_key(path: &Path) -> anyhow::Result<String> {
    let key = KeyPair::from_seed(file::read(path)?.trim_end())
        .with_context(|| format!("{} is damaged; delete it to get a new key", path.display()))?;
    Ok(key.public_key())
}

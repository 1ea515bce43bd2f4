//! One process: what it starts, and how it stops.

use std::collections::HashMap;
use std::future::Future;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use broker_schemas::Service;
use broker_schemas::permission::Holder;
use broker_schemas::visible::is_deceptive;
use clap::{CommandFactory, FromArgMatches, Parser};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::serve::{Observer, Serving, With};
use crate::telemetry::Health;
use crate::{
    Arguments, Bus, BusSettings, Database, DatabaseSettings, Handlers, Migration, PlatformSettings, Settings,
    TelemetrySettings, Verifier, telemetry,
};

/// A part of the platform that a process can run: a module or the edge.
pub trait Part {
    /// Its name, which is also its section of the configuration.
    const NAME: &'static str;
    /// Its section of the configuration.
    type Settings: Default + Serialize + DeserializeOwned + Send;

    /// Starts it; returns once it serves.
    fn start(
        process: &Process,
        settings: Self::Settings,
    ) -> impl Future<Output = anyhow::Result<Running>> + Send;
}

/// A part that runs.
pub struct Running {
    name: &'static str,
    stop: BoxFuture<'static, ()>,
}

impl Running {
    /// The part called `name`, which `stop` ends without losing anything.
    pub fn new(name: &'static str, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        Self { name, stop: stop.boxed() }
    }

    /// Stops it, without losing anything.
    pub async fn stop(self) {
        tracing::debug!(part = self.name, "stopping");
        self.stop.await;
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Running").field(&self.name).finish()
    }
}

/// What all parts of a process share.
#[derive(Debug)]
pub struct Process {
    settings: Settings,
    version: &'static str,
    health: Health,
    /// What was opened, by the module's name: whoever serves a service of that name tells how large it is.
    databases: Mutex<HashMap<&'static str, Database>>,
}

impl Process {
    /// Starts logging and the health port.
    ///
    /// # Errors
    /// When a setting is wrong or the port is taken.
    pub async fn start(settings: Settings, version: &'static str) -> anyhow::Result<Self> {
        let shown: TelemetrySettings = settings.section("telemetry")?;
        telemetry::init(&shown)?;
        let health = Health::install()?;
        health.clone().serve(&shown.listen).await?;
        Ok(Self { settings, version, health, databases: Mutex::default() })
    }

    /// Starts one part.
    ///
    /// # Errors
    /// When its settings are wrong, or it can't reach what it needs.
    pub async fn run<P: Part>(&self) -> anyhow::Result<Running> {
        let settings = self.settings.section(P::NAME)?;
        P::start(self, settings).await.with_context(|| format!("start {}", P::NAME))
    }

    /// Connects to the bus as `holder`.
    ///
    /// # Errors
    /// As [`Bus::connect`].
    pub async fn bus(&self, holder: Holder) -> anyhow::Result<Bus> {
        let settings = self.settings.section::<BusSettings>("bus")?;
        // Boxed: connecting is done once, and its future is large.
        let bus = Box::pin(Bus::connect(&settings, holder)).await?;
        self.health.watch(bus.clone());
        Ok(bus)
    }

    /// Opens a module's tables.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn database(
        &self,
        module: &'static str,
        migrations: &[impl Copy + Into<Migration> + Sync],
    ) -> anyhow::Result<Database> {
        let settings = self.settings.section::<DatabaseSettings>("database")?;
        let database = Database::open(&settings, module, migrations).await?;
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).insert(module, database.clone());
        Ok(database)
    }

    /// Trusts passports that the installation's user module signed.
    ///
    /// # Errors
    /// As [`Verifier::from_file`].
    pub fn verifier(&self) -> anyhow::Result<Verifier> {
        let bus: BusSettings = self.settings.section("bus")?;
        Verifier::from_file(&bus.directory.join("passport.pub"))
    }

    /// Serves `S` on `bus` with the handlers of `module`. A method without a handler does not compile.
    ///
    /// # Errors
    /// When the bus doesn't take the subscriptions.
    pub async fn serve<S: Service, M: Handlers<S::Methods>>(
        &self,
        bus: Bus,
        module: Arc<M>,
    ) -> anyhow::Result<Serving<M>> {
        self.serve_observed::<S, M>(bus, module, None).await
    }

    /// As [`Process::serve`], and tells `observer` of each request that was refused before its handler saw it.
    ///
    /// # Errors
    /// As [`Process::serve`].
    pub async fn serve_observed<S: Service, M: Handlers<S::Methods>>(
        &self,
        bus: Bus,
        module: Arc<M>,
        observer: Option<Arc<dyn Observer>>,
    ) -> anyhow::Result<Serving<M>> {
        let database = self.databases.lock().unwrap_or_else(PoisonError::into_inner).get(S::NAME).cloned();
        let with = With { observer, database };
        Serving::start::<S>(bus, Arc::new(self.verifier()?), self.version, module, with).await
    }

    /// The settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the platform is called.
    ///
    /// # Errors
    /// When the settings have something else there than a name that can be read.
    pub fn platform(&self) -> anyhow::Result<PlatformSettings> {
        let platform: PlatformSettings = self.settings.section("platform")?;
        platform.check()?;
        Ok(platform)
    }

    /// Says on `/readyz` that every part has started, or that they are stopping.
    pub fn set_ready(&self, ready: bool) {
        self.health.set_started(ready);
    }

    /// Waits until the process is asked to stop: by SIGTERM, by Ctrl-C, or because its terminal was closed.
    ///
    /// # Errors
    /// When signals can't be received.
    pub async fn stop_requested() -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate()).context("receive SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("receive SIGINT")?;
        let mut hang_up = signal(SignalKind::hangup()).context("receive SIGHUP")?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
        // Whoever asks twice doesn't want to wait.
        spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(130);
        });
        Ok(())
    }
}

/// Spawns a task that lives as long as the process, or whose handle its owner keeps. Parts spawn on trackers of their
/// own, so that they can wait for what they started.
#[allow(clippy::disallowed_methods)]
pub(crate) fn spawn<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(task)
}

#[derive(Debug, Parser)]
#[command(version, about = "One part of Natter, in a process of its own")]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

/// The whole `main` of a program that runs one part.
pub fn main<P: Part>(version: &'static str) -> ExitCode {
    // Each part has a version of its own: not that of the host, which clap would take.
    let arguments = CommandLine::command().version(version).get_matches();
    let arguments = match CommandLine::from_arg_matches(&arguments) {
        Ok(line) => line.arguments,
        Err(error) => error.exit(),
    };
    let run = async {
        let settings = Settings::load(&arguments)?;
        // What is misspelt is refused while nothing has happened yet.
        let sections = [
            ("bus", toml_of::<BusSettings>(&settings, "bus")?),
            ("database", toml_of::<DatabaseSettings>(&settings, "database")?),
            ("telemetry", toml_of::<TelemetrySettings>(&settings, "telemetry")?),
            ("platform", toml_of::<PlatformSettings>(&settings, "platform")?),
            (P::NAME, toml_of::<P::Settings>(&settings, P::NAME)?),
        ];
        if arguments.print_config {
            return print_config(&sections);
        }
        let process = Process::start(settings, version).await?;
        let part = process.run::<P>().await?;
        process.set_ready(true);
        Process::stop_requested().await?;
        process.set_ready(false);
        part.stop().await;
        Ok(())
    };
    block_on(run, |_| 1)
}

/// Runs `work` on a runtime of all cores; prints the error it ends with, which `exit_code` makes a number for the shell.
#[allow(clippy::print_stderr)]
pub fn block_on(
    work: impl Future<Output = anyhow::Result<()>>,
    exit_code: impl FnOnce(&anyhow::Error) -> u8,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", plain(&format!("{error:#}")));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// `text` as a terminal may show it: an error may quote what others wrote, and what a server says.
fn plain(text: &str) -> String {
    let of = |c: char| if c != '\n' && is_deceptive(c) { '\u{fffd}' } else { c };
    text.chars().map(of).collect()
}

/// A section as it is in force.
///
/// # Errors
/// As [`Settings::section`].
pub fn toml_of<T: Default + Serialize + DeserializeOwned>(
    settings: &Settings,
    name: &str,
) -> anyhow::Result<toml::Value> {
    Ok(toml::Value::try_from(settings.section::<T>(name)?)?)
}

/// Prints sections as the configuration file would hold them, without the password in a URL.
///
/// # Errors
/// When a value has no form in TOML.
#[allow(clippy::print_stdout)]
pub fn print_config(sections: &[(&str, toml::Value)]) -> anyhow::Result<()> {
    let table: toml::Table =
        sections.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    for line in toml::to_string(&table)?.lines() {
        println!("{}", without_password(line));
    }
    Ok(())
}

fn without_password(line: &str) -> String {
    let parts = line.split_once("://").and_then(|(scheme, rest)| {
        let (login, host) = rest.rsplit_once('@')?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{scheme}://{user}:***@{host}"))
    });
    parts.unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_printed_url_keeps_its_password_to_itself() {
        let shown = super::without_password(r#"url = "postgres://natter:s:e@cret@host/db""#);
        assert_eq!(shown, r#"url = "postgres://natter:***@host/db""#);
        assert_eq!(super::without_password(r#"url = "sqlite:data""#), r#"url = "sqlite:data""#);
    }
}

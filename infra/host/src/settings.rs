//! Configuration in layers: defaults, then a file, then the environment, then flags. A key that nobody knows is
//! refused.
//!
//! One file can configure every process of an installation: each part reads its own section.
//!
//! | layer | form |
//! |---|---|
//! | file | `natter.toml`, or `--config FILE`: `[edge]`, then `tcp = "127.0.0.1:7667"` |
//! | environment | `NATTER_EDGE__TCP=127.0.0.1:7667` |
//! | flag | `--set edge.tcp=127.0.0.1:7667` |

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The sections that a configuration may have, whichever process reads it.
const SECTIONS: &[&str] =
    &["bus", "telemetry", "database", "platform", "user", "friend", "group", "message", "admin", "edge"];
const DEFAULT_FILE: &str = "natter.toml";

/// The flags that every process understands.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Arguments {
    /// Read the configuration from this file [default: natter.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one key of the configuration, such as edge.tcp=127.0.0.1:7667; may be given many times
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print the configuration as it is in force, and stop
    #[arg(long)]
    pub print_config: bool,
}

/// The layers together. A part takes its own section with [`Settings::section`].
#[derive(Debug, Clone)]
pub struct Settings {
    layers: Figment,
}

impl Settings {
    /// Reads file, environment and flags.
    ///
    /// # Errors
    /// When the file that was named can't be read, or a key is in no section that exists.
    pub fn load(arguments: &Arguments) -> anyhow::Result<Self> {
        let mut layers = Figment::new();
        match &arguments.config {
            Some(file) if !file.is_file() => bail!("there is no configuration file {}", file.display()),
            Some(file) => layers = layers.merge(Toml::file_exact(file)),
            None if Path::new(DEFAULT_FILE).is_file() => {
                layers = layers.merge(Toml::file_exact(DEFAULT_FILE));
            }
            None => {}
        }
        // Only names with a section, so that NATTER_PASSWORD and the like of other tools stay theirs.
        let sectioned = Env::prefixed("NATTER_").filter(|key| key.as_str().contains("__")).split("__");
        layers = layers.merge(sectioned);
        for pair in &arguments.set {
            let (key, value) =
                pair.split_once('=').with_context(|| format!("--set {pair}: expected KEY=VALUE"))?;
            if !key.contains('.') {
                bail!("--set {pair}: expected SECTION.KEY=VALUE");
            }
            // A value reads like one in the environment: numbers, booleans, lists, otherwise text.
            let value: Value = value.parse().unwrap_or_else(|_| Value::from(value));
            layers = layers.merge((key, value));
        }
        let all: Dict = layers.extract().context("read the configuration")?;
        if let Some(unknown) = all.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
            bail!("unknown section [{unknown}] in the configuration; there are: {}", SECTIONS.join(", "));
        }
        Ok(Self { layers })
    }

    /// Gives `key` (`section.key`) another default, below what file, environment and flags say.
    #[must_use]
    pub fn with_default(self, key: &str, value: impl Serialize) -> Self {
        Self { layers: self.layers.join(Serialized::default(key, value)) }
    }

    /// Sets `key` (`section.key`), whatever the layers say.
    #[must_use]
    pub fn with(self, key: &str, value: impl Serialize) -> Self {
        Self { layers: self.layers.merge(Serialized::default(key, value)) }
    }

    /// The section called `name`, each key that isn't set at its default.
    ///
    /// # Errors
    /// Names the key that is unknown or has a value of the wrong type.
    pub fn section<T: Default + Serialize + DeserializeOwned>(&self, name: &str) -> anyhow::Result<T> {
        debug_assert!(SECTIONS.contains(&name), "section {name} is not in the list");
        let defaults = Figment::from(Serialized::default(name, T::default()));
        defaults
            .merge(self.layers.clone())
            .extract_inner(name)
            .with_context(|| format!("section [{name}] of the configuration"))
    }
}

/// Section `[bus]`: how to reach NATS.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusSettings {
    /// Where the servers are, separated by commas.
    pub url: String,
    /// Where the credentials are: `<holder>.nk` and `passport.pub`.
    pub directory: PathBuf,
    /// The certificate of the authority that every server must prove itself by, in a PEM file. Without it the bus is not
    /// encrypted.
    pub ca: Option<PathBuf>,
    /// Whether this process serves only the share of the calls that is sent to a canary.
    pub canary: bool,
}

impl Default for BusSettings {
    fn default() -> Self {
        Self { url: "nats://127.0.0.1:4222".into(), directory: "data/bus".into(), ca: None, canary: false }
    }
}

/// Section `[database]`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSettings {
    /// `sqlite:<directory>` or `postgres://user:password@host/database`. Of several hosts, `a:5432,b:5432`, the one is used
    /// that is the primary.
    pub url: String,
    /// The most connections of one module, for reading and (with PostgreSQL) writing.
    pub connections: u32,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self { url: "sqlite:data".into(), connections: 4 }
    }
}

impl std::fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL can hold a password.
        f.debug_struct("DatabaseSettings").field("connections", &self.connections).finish_non_exhaustive()
    }
}

/// Section `[telemetry]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// Where `/healthz`, `/readyz` and `/metrics` answer; nowhere when empty. They have no authentication: keep them on
    /// loopback or a private network.
    pub listen: String,
    /// How logs are written.
    pub log: LogFormat,
    /// What is logged, such as `info,async_nats=warn` (the default) or `debug`.
    pub filter: String,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { listen: String::new(), log: LogFormat::Text, filter: "info,async_nats=warn".into() }
    }
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(set: &[&str]) -> anyhow::Result<Settings> {
        Settings::load(&Arguments {
            set: set.iter().map(ToString::to_string).collect(),
            ..Arguments::default()
        })
    }

    #[test]
    fn a_flag_wins_over_a_default_and_a_default_over_the_types() {
        let settings =
            load(&["database.connections=9"]).unwrap().with_default("database.url", "sqlite:elsewhere");
        let database: DatabaseSettings = settings.section("database").unwrap();
        assert_eq!((database.connections, database.url.as_str()), (9, "sqlite:elsewhere"));
        let settings =
            load(&["database.url=sqlite:here"]).unwrap().with_default("database.url", "sqlite:elsewhere");
        assert_eq!(settings.section::<DatabaseSettings>("database").unwrap().url, "sqlite:here");
    }

    #[test]
    fn unknown_keys_and_sections_are_refused_by_name() {
        let error = load(&["databse.url=x"]).unwrap_err();
        assert!(format!("{error:#}").contains("unknown section [databse]"), "{error:#}");
        let error = load(&["database.ulr=x"]).unwrap().section::<DatabaseSettings>("database").unwrap_err();
        assert!(format!("{error:#}").contains("ulr"), "{error:#}");
        let error = load(&["database.connections=many"])
            .unwrap()
            .section::<DatabaseSettings>("database")
            .unwrap_err();
        assert!(format!("{error:#}").contains("connections"), "{error:#}");
    }

    #[test]
    fn a_file_that_was_named_must_exist() {
        let arguments = Arguments { config: Some("no/such/file.toml".into()), ..Arguments::default() };
        assert!(Settings::load(&arguments).is_err());
    }
}

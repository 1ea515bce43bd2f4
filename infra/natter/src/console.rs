//! `natter admin grant` at the console: with the credential of the bus's operator, without an edge and without signing in.
//! Whoever can read that file runs the platform already.

use std::time::Duration;

use anyhow::{Context, bail};
use broker_schemas::permission::Holder;
use broker_schemas::{Text, admin};
use natter_host::{Arguments, Bus, BusSettings, Scope, Settings};
use natter_terminal::ConsoleGrant;
use serde_json::json;

/// How long reaching the bus may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the platform may take to answer.
const ANSWER: Duration = Duration::from_secs(8);

pub(crate) async fn grant(grant: &ConsoleGrant) -> anyhow::Result<()> {
    let settings = bus_of(grant)?;
    let request = admin::Appoint {
        name: Text::new(grant.name.as_str()).map_err(anyhow::Error::msg).context("the name")?,
        role: grant.role,
        from: Text::new(origin()).map_err(anyhow::Error::msg).context("who does this")?,
    };
    let connecting = tokio::time::timeout(CONNECT, Bus::connect(&settings, Holder::Operator));
    let no_bus = || format!("no bus at {}: does the platform run?", settings.url);
    let bus = Box::pin(connecting).await.with_context(no_bus)?.with_context(no_bus)?;
    let done = bus.call(&Scope::background(ANSWER), &request).await;
    bus.close().await;
    done?;
    say(grant, &settings)
}

/// Says which door was used: it is not the one that others use.
#[allow(clippy::print_stdout)]
fn say(grant: &ConsoleGrant, settings: &BusSettings) -> anyhow::Result<()> {
    let (name, role) = (&grant.name, grant.role.name());
    if grant.json {
        let document = json!({"door": "console", "name": name, "role": role, "bus": settings.url});
        println!("{}", serde_json::to_string(&document)?);
    } else {
        println!(
            "at the console, with the operator's credential in {}: {name} is {role} from the next sign-in on",
            settings.directory.display()
        );
    }
    Ok(())
}

/// Where the bus is: what the flag says, or the configuration, or where `natter serve` started it last.
fn bus_of(grant: &ConsoleGrant) -> anyhow::Result<BusSettings> {
    let mut settings: BusSettings = Settings::load(&Arguments::default())?
        .with_default("bus.directory", grant.data.join("bus"))
        .with_default("bus.url", "")
        .section("bus")?;
    let credential = settings.directory.join(format!("{}.nk", Holder::Operator.name()));
    if !credential.is_file() {
        bail!(
            "nobody is named with --as, and there is no {}: give --data DIR on the machine that holds the credentials of the bus, \
             or sign in with --as NAME",
            credential.display()
        );
    }
    if let Some(url) = &grant.bus_url {
        settings.url.clone_from(url);
    }
    let file = settings.directory.join(format!("{}.json", Holder::Operator.name()));
    let context: serde_json::Value = match std::fs::read_to_string(&file) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) if !settings.url.is_empty() => serde_json::Value::Null,
        Err(_) => bail!("where is the bus? --bus-url URL says so, for there is no {}", file.display()),
    };
    if settings.url.is_empty() {
        settings.url = context["url"].as_str().unwrap_or_default().to_owned();
    }
    // A bus that is encrypted proves itself by the installation's own authority.
    let authority = context["ca"].as_str().filter(|authority| !authority.is_empty());
    settings.ca = settings.ca.or_else(|| authority.map(Into::into));
    Ok(settings)
}

/// Who does this, for the audit log: the account on this machine, and the machine.
fn origin() -> String {
    let account = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|variable| std::env::var(variable).ok());
    let user = rustix::process::getuid().as_raw();
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let account = account.as_deref().unwrap_or("somebody");
    let mut origin = format!("{account} (uid {user}) at {machine}");
    while origin.len() > 256 {
        origin.pop();
    }
    origin
}

#[cfg(test)]
mod tests {
    use broker_schemas::Role;

    use super::*;

    fn asked(data: &std::path::Path, bus_url: Option<&str>) -> ConsoleGrant {
        let (name, role) = ("alice".into(), Role::Operator);
        ConsoleGrant { name, role, data: data.to_owned(), bus_url: bus_url.map(str::to_owned), json: false }
    }

    #[test]
    fn the_bus_is_where_the_flag_says_or_where_it_was_started_last() {
        let data = tempfile::tempdir().unwrap();
        let error = bus_of(&asked(data.path(), None)).unwrap_err();
        assert!(error.to_string().contains("--data DIR"), "{error}");
        let options = natter_nats::Options::default();
        let bus = natter_nats::Bus::create_or_open(&data.path().join("bus"), &options).unwrap();
        let error = bus_of(&asked(data.path(), None)).unwrap_err();
        assert!(error.to_string().contains("--bus-url"), "{error}");
        bus.write_environments("nats://127.0.0.1:4999").unwrap();
        assert_eq!(bus_of(&asked(data.path(), None)).unwrap().url, "nats://127.0.0.1:4999");
        assert_eq!(bus_of(&asked(data.path(), Some("nats://h:1"))).unwrap().url, "nats://h:1");
        assert_eq!(bus_of(&asked(data.path(), None)).unwrap().ca, None);
        bus.write_environments("tls://127.0.0.1:4999").unwrap();
        assert_eq!(bus_of(&asked(data.path(), None)).unwrap().ca, Some(bus.authority_path()));
    }

    #[test]
    fn the_audit_log_learns_who_and_where() {
        let origin = origin();
        assert!(origin.contains("(uid ") && origin.contains(") at ") && origin.len() <= 256, "{origin}");
    }
}

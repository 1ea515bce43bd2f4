//! What a topology must not say.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};

use crate::{Database, Process, Topology};

/// More would not be a mistake of the format, but is one of whoever wrote it.
const COPIES_MAX: u16 = 100;
const NATS_SERVERS_MAX: u16 = 9;
/// The names of what `natter up` runs besides the processes of the topology.
pub(crate) const RESERVED: [&str; 2] = ["nats", "postgres"];

impl Topology {
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let servers = self.nats.servers;
        ensure!((1..=NATS_SERVERS_MAX).contains(&servers), "nats.servers: expected 1 to {NATS_SERVERS_MAX}");
        ensure!(
            servers == 1 || self.nats.tls,
            "nats.tls: a cluster needs it, or whoever reaches its port is one of its servers"
        );
        if let Database::Postgres { url, standby, synchronous } = &self.database {
            ensure!(
                !standby || url.is_none(),
                "database.standby: whoever looks after the server at database.url also has its standby"
            );
            ensure!(*standby || *synchronous, "database.synchronous: there is no standby");
        }
        ensure!(!self.processes.is_empty(), "expected a [[process]]");
        check_settings(&self.settings)?;
        let mut names = BTreeSet::new();
        for process in &self.processes {
            process.check().with_context(|| format!("process {:?}", process.name))?;
            ensure!(names.insert(&process.name), "two processes are called {}", process.name);
        }
        Ok(())
    }
}

impl Process {
    fn check(&self) -> anyhow::Result<()> {
        is_name(&self.name).context("name")?;
        ensure!(!RESERVED.contains(&self.name.as_str()), "the name {} is taken", self.name);
        ensure!((1..=COPIES_MAX).contains(&self.copies), "copies: expected 1 to {COPIES_MAX}");
        // A program is a file's name: it is looked for beside `natter`, or on PATH.
        is_name(&self.program).context("program")?;
        for part in &self.parts {
            is_name(part).context("parts")?;
        }
        for secret in &self.secrets {
            ensure!(
                !secret.contains('/') && !secret.starts_with('.'),
                "secrets: {secret:?} is no file of the bus"
            );
        }
        if let Some(most) = self.scale_to {
            ensure!((self.copies..=COPIES_MAX).contains(&most), "scale_to: expected {} or more", self.copies);
        }
        for key in &self.ports {
            let parts: Vec<_> = key.split('.').collect();
            ensure!(
                parts.len() == 2 && parts.iter().all(|part| !part.is_empty()),
                "ports: expected section.key, not {key:?}"
            );
        }
        check_settings(&self.settings)
    }
}

fn check_settings(settings: &toml::Table) -> anyhow::Result<()> {
    for (section, keys) in settings {
        ensure!(keys.is_table(), "settings.{section}: expected a section, such as [settings.edge]");
    }
    Ok(())
}

/// Names become file names, names of containers, and names on the network.
fn is_name(name: &str) -> anyhow::Result<()> {
    let is_good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        (1..=40).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.ends_with(|c: char| c != '-')
            && name.chars().all(is_good),
        "{name:?}: expected lower-case letters, digits and hyphens, 40 at most"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Database, SHIPPED, Topology};

    const HEAD: &str = "about = \"a test\"\n[database]\nkind = \"sqlite\"\n";

    fn error(text: &str) -> String {
        format!("{:#}", Topology::parse(&format!("{HEAD}{text}")).unwrap_err())
    }

    #[test]
    fn every_shipped_topology_is_in_order() {
        for (name, _) in SHIPPED {
            Topology::load(name).unwrap();
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (text, expected) in [
            ("", "process"),
            ("[[process]]\nname = \"a\"\ncopys = 2", "copys"),
            ("[[process]]\nname = \"a\"\ncopies = 0", "copies: expected 1"),
            ("[[process]]\nname = \"a\"\n[[process]]\nname = \"a\"", "two processes are called a"),
            ("[[process]]\nname = \"nats\"", "the name nats is taken"),
            ("[[process]]\nname = \"../a\"", "name"),
            ("[[process]]\nname = \"a\"\nprogram = \"/bin/sh\"", "program"),
            ("[[process]]\nname = \"a\"\nports = [\"tcp\"]", "ports: expected section.key"),
            ("[[process]]\nname = \"a\"\ncopies = 3\nscale_to = 2", "scale_to: expected 3"),
            ("[[process]]\nname = \"a\"\nsettings.edge = 7", "settings.edge"),
            ("[nats]\nservers = 3\n[[process]]\nname = \"a\"", "nats.tls"),
            ("[nats]\nservers = 0\n[[process]]\nname = \"a\"", "nats.servers"),
        ] {
            let error = error(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        for (database, expected) in
            [("url = \"postgres://a/b\"\nstandby = true", "standby"), ("synchronous = false", "no standby")]
        {
            let text = format!(
                "about = \"\"\n[database]\nkind = \"postgres\"\n{database}\n[[process]]\nname = \"a\""
            );
            let error = Topology::parse(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let unknown =
            Topology::parse("about = \"\"\n[database]\nkind = \"oracle\"\n[[process]]\nname = \"a\"");
        assert!(unknown.unwrap_err().to_string().contains("oracle"));
        assert!(
            Topology::load("nowhere").unwrap_err().to_string().contains("standalone, cluster, distributed")
        );
    }

    #[test]
    fn a_process_has_the_settings_of_all_and_its_own_over_them() {
        let text = "[settings.edge]\nmax_connections = 1\ncall_timeout_ms = 2\n[[process]]\nname = \"a\"\n\
                    [process.settings.edge]\nmax_connections = 3\n[process.settings.user]\nhash_queue = 4";
        let topology = Topology::parse(&format!("{HEAD}{text}")).unwrap();
        assert_eq!(topology.database, Database::Sqlite);
        let settings = topology.settings_of(&topology.processes[0]);
        let expected: toml::Table =
            toml::from_str("[edge]\nmax_connections = 3\ncall_timeout_ms = 2\n[user]\nhash_queue = 4")
                .unwrap();
        assert_eq!(settings, expected);
    }
}

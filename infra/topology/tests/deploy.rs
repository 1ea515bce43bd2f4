//! What `natter deploy` writes: right by the judgement of the tools that read it, where they are installed, and always in
//! what it must hold.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use natter_topology::deploy::{File, NatsServer, Surroundings, compose, kubernetes, systemd};
use natter_topology::{SHIPPED, Topology};
use serde_json::Value;
use tempfile::TempDir;

/// Parts of nobody: the format knows none.
const PARTS: &[&str] = &["one", "two"];

fn around(programs: &str) -> Surroundings<'_> {
    Surroundings { all_parts: PARTS, password: "the password", image: "natter:1", programs }
}

fn topologies() -> impl Iterator<Item = (&'static str, Topology)> {
    SHIPPED.iter().map(|(name, _)| (*name, Topology::load(name).unwrap()))
}

/// Writes files, and empty ones in the place of secrets that `natter deploy` makes.
fn written(files: &[File], servers: &[NatsServer]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for file in files {
        write(&file.path, &file.text);
    }
    let secrets = ["accounts.conf", "ca.crt", "passport.pub", "passport.key"].map(str::to_owned);
    let credentials =
        ["one", "two", "user", "friend", "group", "message", "admin", "announcement", "edge", "admin-edge"]
            .map(|holder| format!("{holder}.nk"));
    for secret in secrets.iter().chain(&credentials) {
        write(&format!("bus/{secret}"), "x");
    }
    for server in servers {
        for file in ["nats-server.conf", "server.crt", "server.key"] {
            write(&format!("bus/{}/{file}", server.name), "x");
        }
    }
    dir
}

/// What a tool wrote; none when it isn't installed.
fn tool(program: &str, arguments: &[&str], dir: &Path) -> Option<Result<String, String>> {
    let output = Command::new(program).args(arguments).current_dir(dir).output().ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout);
    Some(if output.status.success() { Ok(said) } else { Err(said + &text(&output.stderr)) })
}

fn find<'a>(files: &'a [File], path: &str) -> &'a File {
    files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}"))
}

#[test]
fn compose_takes_it() {
    for (name, topology) in topologies() {
        let (files, servers) = compose(&topology, &around("")).unwrap();
        let dir = written(&files, &servers);
        let parsed: Value = serde_norway::from_str(&find(&files, "compose.yaml").text).unwrap();
        let services = parsed["services"].as_object().unwrap();
        let copies: u16 = topology.processes.iter().map(|process| process.copies).sum();
        let count = |service: &Value| service["deploy"]["replicas"].as_u64().unwrap_or(1);
        let ours = services.values().filter(|service| service["image"] == "natter:1");
        assert_eq!(ours.map(count).sum::<u64>(), u64::from(copies), "{name}");
        let mut published = BTreeSet::new();
        for (service, text) in services {
            for volume in text["volumes"].as_array().into_iter().flatten() {
                let from = volume.as_str().unwrap().split(':').next().unwrap();
                assert!(!from.starts_with("./") || dir.path().join(from).exists(), "{service}: {volume}");
            }
            for port in text["ports"].as_array().into_iter().flatten() {
                let port = port.as_str().unwrap().rsplit_once(':').unwrap().0.to_owned();
                assert!(published.insert(port.clone()), "{name}: {port} twice");
            }
        }
        let plugin = tool("docker", &["compose", "version"], dir.path()).is_some_and(|there| there.is_ok());
        let judged = if plugin {
            tool("docker", &["compose", "-f", "compose.yaml", "config", "-q"], dir.path())
        } else {
            tool("docker-compose", &["-f", "compose.yaml", "config", "-q"], dir.path())
                .or_else(|| tool("compose-spec", &["compose.yaml"], dir.path()))
        };
        match judged {
            Some(judged) => assert_eq!(judged.map(|_| ()), Ok(()), "{name}"),
            None => eprintln!("skipped: neither docker compose nor compose-spec is installed"),
        }
    }
}

#[test]
fn systemd_takes_it() {
    let programs = tempfile::tempdir().unwrap();
    for program in [
        "natter",
        "natter-user",
        "natter-friend",
        "natter-group",
        "natter-message",
        "natter-admin",
        "natter-edge",
    ] {
        std::os::unix::fs::symlink("/bin/true", programs.path().join(program)).unwrap();
    }
    for (name, topology) in topologies() {
        let (files, servers) = systemd(&topology, &around(&programs.path().display().to_string())).unwrap();
        let dir = written(&files, &servers);
        let mut addresses = BTreeSet::new();
        for process in &topology.processes {
            for copy in process.copy_names() {
                let settings: toml::Table =
                    toml::from_str(&find(&files, &format!("{copy}.toml")).text).unwrap();
                let listens = settings["telemetry"]["listen"].as_str().unwrap().to_owned();
                assert!(addresses.insert(listens), "{name}: two copies listen on one port");
                for key in &process.ports {
                    let (section, key) = key.split_once('.').unwrap();
                    let address = settings[section][key].as_str().unwrap().to_owned();
                    assert!(addresses.insert(address), "{name}: two copies listen on one port");
                }
            }
        }
        let units: Vec<_> =
            files.iter().map(|file| file.path.as_str()).filter(|p| p.starts_with("units/")).collect();
        match tool("systemd-analyze", &[&["verify"], &units[..]].concat(), dir.path()) {
            Some(judged) => {
                let text = judged.unwrap_or_else(|text| panic!("{name}: {text}"));
                assert!(!text.contains("natter"), "{name}: {text}");
            }
            None => eprintln!("skipped: systemd-analyze is not installed"),
        }
    }
}

#[test]
fn kubernetes_takes_it() {
    for (name, topology) in topologies() {
        let (files, servers) = kubernetes(&topology, &around("")).unwrap();
        let dir = written(&files, &servers);
        let built = match tool("kubectl", &["kustomize", "."], dir.path()) {
            Some(built) => built.unwrap_or_else(|error| panic!("{name}: {error}")),
            None => {
                eprintln!("skipped: kubectl is not installed");
                continue;
            }
        };
        let objects: Vec<Value> = serde_norway::Deserializer::from_str(&built)
            .map(|document| serde::Deserialize::deserialize(document).unwrap())
            .collect();
        let secrets: BTreeMap<_, _> = objects
            .iter()
            .filter(|object| object["kind"] == "Secret")
            .map(|secret| (secret["metadata"]["name"].as_str().unwrap(), &secret["data"]))
            .collect();
        // Every secret that a pod mounts is there, with every key of it.
        for object in &objects {
            for volume in object["spec"]["template"]["spec"]["volumes"].as_array().into_iter().flatten() {
                let Some(secret) = volume["secret"]["secretName"].as_str() else { continue };
                for item in volume["secret"]["items"].as_array().into_iter().flatten() {
                    let key = item["key"].as_str().unwrap();
                    assert!(secrets[secret].get(key).is_some(), "{name}: {secret} has no {key}");
                }
            }
        }
        let kinds = |kind: &str| objects.iter().filter(|object| object["kind"] == kind).count();
        assert_eq!(kinds("Deployment"), topology.processes.len(), "{name}");
        let scaled = topology.processes.iter().filter(|process| process.scale_to.is_some()).count();
        assert_eq!(kinds("HorizontalPodAutoscaler"), scaled, "{name}");
        let manifests = dir.path().join("all.yaml");
        std::fs::write(&manifests, &built).unwrap();
        match tool("kubeconform", &["-strict", "all.yaml"], dir.path())
            .or_else(|| tool("kubernetes-validate", &["--strict", "all.yaml"], dir.path()))
        {
            Some(judged) => assert_eq!(judged.map(|_| ()), Ok(()), "{name}"),
            None => eprintln!("skipped: neither kubeconform nor kubernetes-validate is installed"),
        }
    }
}

/// A copy that is taken over must not be able to speak as another part.
#[test]
fn a_process_gets_the_credentials_of_its_own_parts_only() {
    let topology = Topology::load("distributed").unwrap();
    let (files, _) = kubernetes(&topology, &around("")).unwrap();
    let root: Value = serde_norway::from_str(&find(&files, "kustomization.yaml").text).unwrap();
    for secret in root["secretGenerator"].as_array().unwrap() {
        let name = secret["name"].as_str().unwrap();
        let has = |file: &str| {
            secret["files"]
                .as_array()
                .unwrap()
                .iter()
                .any(|f| f.as_str().unwrap().ends_with(&format!("/{file}")))
        };
        for part in ["user", "friend", "group", "message", "admin"] {
            assert_eq!(has(&format!("{part}.nk")), name == part, "{name}");
        }
        assert_eq!(has("edge.nk"), ["edge", "staff-edge"].contains(&name), "{name}");
        assert_eq!(has("admin-edge.nk"), name == "staff-edge", "{name}");
        assert_eq!(has("passport.key"), name == "user", "{name}");
        assert!(!has("ca.key"), "{name}");
    }
}

#[test]
fn a_password_is_only_in_secret_files() {
    for (name, topology) in topologies() {
        for files in [
            compose(&topology, &around("")).unwrap().0,
            systemd(&topology, &around("")).unwrap().0,
            kubernetes(&topology, &around("")).unwrap().0,
        ] {
            for file in files.iter().filter(|file| !file.secret) {
                assert!(!file.text.contains("the password"), "{name}: {}", file.path);
            }
        }
    }
}

/// Without a daemon nobody builds the image; what it must hold is known all the same.
#[test]
fn the_image_has_every_program_that_a_topology_runs() {
    let dockerfile = include_str!("../../natter/Dockerfile");
    let words: Vec<&str> = dockerfile.split_whitespace().collect();
    let programs: BTreeSet<String> =
        topologies().flat_map(|(_, topology)| topology.processes).map(|process| process.program).collect();
    assert!(programs.len() > 5, "{programs:?}");
    for program in programs {
        assert!(words.windows(2).any(|pair| pair == ["--package", &program]), "{program} is not built");
        let copied = format!("/natter/target/release/{program}");
        assert!(words.contains(&copied.as_str()), "{program} is not copied");
    }
}

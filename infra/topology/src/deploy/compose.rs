//! A compose file: the topology in containers on one machine.

use serde_json::{Map, Value, json};

use super::{
    File, HEADER, HEALTH, MONITORING, NATS_IMAGE, NatsServer, POSTGRES_IMAGE, Place, Surroundings, servers,
    short, yaml,
};
use crate::{Database, Process, Topology, set};

const SETTINGS: &str = "/etc/natter/natter.toml";
const BUS: &str = "/etc/natter/bus";
const DATA: &str = "/var/lib/natter";

/// The files for `docker compose`, and the NATS servers that they run.
///
/// # Errors
/// When something has no form in YAML or TOML.
pub fn compose(
    topology: &Topology,
    around: &Surroundings<'_>,
) -> anyhow::Result<(Vec<File>, Vec<NatsServer>)> {
    let nats = servers(topology, 1, "0.0.0.0", |name| vec![name.to_owned()]);
    let place = Place {
        bus_directory: BUS.to_owned(),
        bus_url: topology.bus_url(&nats),
        database_url: topology.database_url("postgres", around.password, DATA),
        telemetry: format!("0.0.0.0:{HEALTH}"),
    };
    let (mut services, mut volumes, mut files) = (Map::new(), Map::new(), Vec::new());
    for server in &nats {
        services.insert(server.name.clone(), nats_service(topology, server));
    }
    if topology.has_postgres() {
        services.insert("postgres".to_owned(), postgres_service());
        volumes.insert("postgres".to_owned(), json!({}));
        files.push(File::secret("postgres.password", around.password));
    }
    if topology.database == Database::Sqlite {
        volumes.insert("data".to_owned(), json!({}));
    }
    let mut published = topology.base_port;
    for process in &topology.processes {
        let mut settings = topology.settings_at(process, &place);
        for (key, port) in process.container_ports(topology) {
            set(&mut settings, &key, format!("0.0.0.0:{port}"));
        }
        let settings_file = format!("settings/{}.toml", process.name);
        files.push(File::secret(settings_file.clone(), toml::to_string(&settings)?));
        let service = service(topology, process, around, &nats, &settings_file);
        if process.ports.is_empty() {
            services
                .insert(process.name.clone(), with(service, "deploy", json!({ "replicas": process.copies })));
            continue;
        }
        // Copies on which clients connect are services of their own: each has ports on the machine.
        for number in 1..=process.copies {
            let ports: Vec<_> = process
                .container_ports(topology)
                .iter()
                .map(|(_, port)| {
                    published += 1;
                    format!("127.0.0.1:{}:{port}", published - 1)
                })
                .collect();
            services
                .insert(format!("{}-{number}", process.name), with(service.clone(), "ports", json!(ports)));
        }
    }
    let mut root = json!({ "services": services });
    if !volumes.is_empty() {
        root["volumes"] = volumes.into();
    }
    files.push(File::open("compose.yaml", format!("{HEADER}{}", yaml(&root)?)));
    Ok((files, nats))
}

fn nats_service(topology: &Topology, server: &NatsServer) -> Value {
    let name = &server.name;
    let mut volumes = vec![
        format!("./bus/{name}:/etc/nats/bus/{name}:ro"),
        "./bus/accounts.conf:/etc/nats/bus/accounts.conf:ro".to_owned(),
    ];
    if topology.nats.tls {
        volumes.push("./bus/ca.crt:/etc/nats/bus/ca.crt:ro".to_owned());
    }
    json!({
        "image": NATS_IMAGE,
        "command": ["-c", format!("/etc/nats/bus/{name}/nats-server.conf")],
        "volumes": volumes,
        "healthcheck": {
            "test": ["CMD", "wget", "-q", "-O", "/dev/null", format!("http://127.0.0.1:{MONITORING}/healthz")],
            "interval": "5s", "timeout": "2s", "retries": 6,
        },
        "restart": "unless-stopped",
    })
}

fn postgres_service() -> Value {
    json!({
        "image": POSTGRES_IMAGE,
        "environment": {
            "POSTGRES_USER": "natter",
            "POSTGRES_DB": "natter",
            "POSTGRES_PASSWORD_FILE": "/run/postgres.password",
        },
        "volumes": ["postgres:/var/lib/postgresql/data", "./postgres.password:/run/postgres.password:ro"],
        "healthcheck": {
            "test": ["CMD", "pg_isready", "-U", "natter", "-d", "natter"],
            "interval": "5s", "timeout": "2s", "retries": 12,
        },
        "restart": "unless-stopped",
    })
}

fn service(
    topology: &Topology,
    process: &Process,
    around: &Surroundings<'_>,
    nats: &[NatsServer],
    settings: &str,
) -> Value {
    let mut volumes = vec![format!("./{settings}:{SETTINGS}:ro")];
    let mount = |file: &String| format!("./bus/{file}:{BUS}/{file}:ro");
    volumes.extend(process.bus_files(topology, around).iter().map(mount));
    if topology.database == Database::Sqlite {
        volumes.push(format!("data:{DATA}"));
    }
    let healthy = json!({ "condition": "service_healthy" });
    let mut needs: Map<String, Value> =
        nats.iter().map(|server| (server.name.clone(), healthy.clone())).collect();
    if topology.has_postgres() {
        needs.insert("postgres".to_owned(), healthy);
    }
    json!({
        "image": around.image,
        "command": process.command_line(SETTINGS),
        "volumes": volumes,
        "depends_on": needs,
        "healthcheck": {
            "test": ["CMD", "natter", "ready", "--config", SETTINGS],
            "interval": "5s", "timeout": "2s", "retries": 6,
        },
        "labels": { "natter.ports": process.ports.iter().map(|key| short(key)).collect::<Vec<_>>().join(",") },
        "mem_limit": format!("{}m", process.memory_mib),
        // A part drains, and ends by itself.
        "stop_grace_period": "30s",
        "restart": "unless-stopped",
    })
}

fn with(mut service: Value, key: &str, value: Value) -> Value {
    service[key] = value;
    service
}

//! What the processes stand on: the NATS servers, and where tables are.

use serde_json::{Value, json};

use super::{disruptions, labels, metadata};
use crate::Topology;
use crate::deploy::{CLIENTS, MONITORING, NATS_IMAGE, NatsServer, POSTGRES_IMAGE, ROUTES};

const NATS: &str = "nats";
const POSTGRES: &str = "postgres";

/// The secret with the servers' configurations: kustomize makes it of the files beside.
pub(super) fn nats_secret(topology: &Topology, servers: &[NatsServer]) -> Value {
    let mut files = vec!["accounts.conf=bus/accounts.conf".to_owned()];
    if topology.nats.tls {
        files.push("ca.crt=bus/ca.crt".to_owned());
    }
    for server in servers {
        for file in server_files(topology) {
            files.push(format!("{0}.{file}=bus/{0}/{file}", server.name));
        }
    }
    json!({ "name": NATS, "files": files })
}

fn server_files(topology: &Topology) -> &'static [&'static str] {
    if topology.nats.tls { &["nats-server.conf", "server.crt", "server.key"] } else { &["nats-server.conf"] }
}

pub(super) fn nats(topology: &Topology) -> Vec<Value> {
    let mut items = vec![json!({ "key": "accounts.conf", "path": "accounts.conf" })];
    if topology.nats.tls {
        items.push(json!({ "key": "ca.crt", "path": "ca.crt" }));
    }
    for number in 0..topology.nats.servers {
        for file in server_files(topology) {
            items.push(
                json!({ "key": format!("nats-{number}.{file}"), "path": format!("nats-{number}/{file}") }),
            );
        }
    }
    let healthy = format!("http://127.0.0.1:{MONITORING}/healthz");
    let probe = json!({
        // Its monitoring pages ask nobody who they are: only the pod itself sees them.
        "exec": { "command": ["wget", "-q", "-O", "/dev/null", healthy] }, "periodSeconds": 5,
    });
    let container = json!({
        "name": NATS,
        "image": NATS_IMAGE,
        "args": ["-c", "/etc/nats/bus/$(POD)/nats-server.conf"],
        "env": [{ "name": "POD", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }],
        "ports": [
            { "name": "clients", "containerPort": CLIENTS },
            { "name": "routes", "containerPort": ROUTES },
        ],
        "volumeMounts": [{ "name": "bus", "mountPath": "/etc/nats/bus", "readOnly": true }],
        "readinessProbe": probe,
        "livenessProbe": probe,
        "resources": { "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "memory": "512Mi" } },
    });
    vec![
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(NATS),
            // Without a name before it is ready, no server would find the others.
            "spec": {
                "clusterIP": "None", "publishNotReadyAddresses": true, "selector": labels(NATS),
                "ports": [
                    { "name": "clients", "port": CLIENTS },
                    { "name": "routes", "port": ROUTES },
                ],
            },
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata(NATS),
            "spec": {
                "serviceName": NATS,
                "replicas": topology.nats.servers,
                "podManagementPolicy": "Parallel",
                "selector": { "matchLabels": labels(NATS) },
                "template": {
                    "metadata": { "labels": labels(NATS) },
                    "spec": {
                        "automountServiceAccountToken": false,
                        "containers": [container],
                        "volumes": [{ "name": "bus", "secret": { "secretName": NATS, "items": items } }],
                    },
                },
            },
        }),
        disruptions(NATS),
    ]
}

/// One server, as a start. An operator's own chart or a managed server replaces it: `database.url` in the topology.
pub(super) fn postgres() -> Vec<Value> {
    let container = json!({
        "name": POSTGRES,
        "image": POSTGRES_IMAGE,
        "env": [
            { "name": "POSTGRES_USER", "value": "natter" },
            { "name": "POSTGRES_DB", "value": "natter" },
            { "name": "POSTGRES_PASSWORD_FILE", "value": "/etc/postgres/password" },
            { "name": "PGDATA", "value": "/var/lib/postgresql/data/natter" },
        ],
        "ports": [{ "name": POSTGRES, "containerPort": 5432 }],
        "volumeMounts": [
            { "name": "data", "mountPath": "/var/lib/postgresql/data" },
            { "name": "password", "mountPath": "/etc/postgres", "readOnly": true },
        ],
        "readinessProbe": {
            "exec": { "command": ["pg_isready", "-U", "natter", "-d", "natter"] }, "periodSeconds": 5,
        },
        "resources": { "requests": { "cpu": "250m", "memory": "512Mi" }, "limits": { "memory": "1Gi" } },
    });
    vec![
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(POSTGRES),
            "spec": { "selector": labels(POSTGRES), "ports": [{ "name": POSTGRES, "port": 5432 }] },
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata(POSTGRES),
            "spec": {
                "serviceName": POSTGRES,
                "replicas": 1,
                "selector": { "matchLabels": labels(POSTGRES) },
                "template": {
                    "metadata": { "labels": labels(POSTGRES) },
                    "spec": {
                        "automountServiceAccountToken": false,
                        "containers": [container],
                        "volumes": [{ "name": "password", "secret": { "secretName": POSTGRES } }],
                    },
                },
                "volumeClaimTemplates": [{ "metadata": { "name": "data" }, "spec": claim("10Gi") }],
            },
        }),
    ]
}

/// The volume of SQLite's files.
pub(super) fn data() -> Value {
    json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata("data"), "spec": claim("10Gi") })
}

fn claim(size: &str) -> Value {
    json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": size } } })
}

//! Kubernetes manifests, put together by kustomize: `kubectl apply -k DIR`.

mod stores;

use serde_json::{Map, Value, json};

use super::{File, HEADER, HEALTH, NatsServer, Place, Surroundings, servers, short, yaml};
use crate::{Database, Process, Topology, set};

const NAMESPACE: &str = "natter";
const SETTINGS: &str = "/etc/natter/natter.toml";
const BUS: &str = "/etc/natter/bus";
const DATA: &str = "/var/lib/natter";

/// The files for `kubectl apply -k`, and the NATS servers that they run.
///
/// # Errors
/// When something has no form in YAML or TOML.
pub fn kubernetes(
    topology: &Topology,
    around: &Surroundings<'_>,
) -> anyhow::Result<(Vec<File>, Vec<NatsServer>)> {
    // A pod of a StatefulSet is reached by its name at the headless service.
    let nats = servers(topology, 0, "0.0.0.0", |name| vec![format!("{name}.nats"), name.to_owned()]);
    let place = Place {
        bus_directory: BUS.to_owned(),
        bus_url: topology.bus_url(&nats),
        database_url: topology.database_url("postgres", around.password, DATA),
        telemetry: format!("0.0.0.0:{HEALTH}"),
    };
    let mut objects = vec![(
        "namespace".to_owned(),
        vec![json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } })],
    )];
    objects.push(("nats".to_owned(), stores::nats(topology)));
    let mut secrets = vec![stores::nats_secret(topology, &nats)];
    let mut files = Vec::new();
    if topology.has_postgres() {
        objects.push(("postgres".to_owned(), stores::postgres()));
        secrets.push(json!({ "name": "postgres", "files": ["password=postgres.password"] }));
        files.push(File::secret("postgres.password", around.password));
    }
    if topology.database == Database::Sqlite {
        objects.push(("data".to_owned(), vec![stores::data()]));
    }
    for process in &topology.processes {
        let mut settings = topology.settings_at(process, &place);
        for (key, port) in process.container_ports(topology) {
            set(&mut settings, &key, format!("0.0.0.0:{port}"));
        }
        let settings_file = format!("settings/{}.toml", process.name);
        files.push(File::secret(settings_file.clone(), toml::to_string(&settings)?));
        let mut sources = vec![format!("natter.toml={settings_file}")];
        sources.extend(process.bus_files(topology, around).iter().map(|file| format!("{file}=bus/{file}")));
        secrets.push(json!({ "name": process.name, "files": sources }));
        objects.push((process.name.clone(), manifests(topology, process, around)));
    }
    let mut resources = Vec::new();
    for (name, objects) in &objects {
        let documents = objects.iter().map(yaml).collect::<anyhow::Result<Vec<_>>>()?;
        files.push(File::open(format!("{name}.yaml"), format!("{HEADER}{}", documents.join("---\n"))));
        resources.push(format!("{name}.yaml"));
    }
    let root = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "resources": resources,
        "secretGenerator": secrets,
    });
    files.push(File::open("kustomization.yaml", format!("{HEADER}{}", yaml(&root)?)));
    Ok((files, nats))
}

fn labels(name: &str) -> Value {
    json!({ "app.kubernetes.io/part-of": "natter", "app.kubernetes.io/name": name })
}

fn metadata(name: &str) -> Value {
    json!({ "name": name, "labels": labels(name) })
}

/// What runs a process: how many, where clients reach them, how many more when they are busy, how few while nodes are
/// emptied.
fn manifests(topology: &Topology, process: &Process, around: &Surroundings<'_>) -> Vec<Value> {
    let name = process.name.as_str();
    let mut objects = vec![deployment(topology, process, around)];
    if !process.ports.is_empty() {
        let ports: Vec<_> = process
            .container_ports(topology)
            .iter()
            .map(|(key, port)| json!({ "name": short(key), "port": port, "targetPort": short(key) }))
            .collect();
        objects.push(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(name),
            "spec": { "selector": labels(name), "ports": ports },
        }));
    }
    if process.copies > 1 {
        objects.push(disruptions(name));
    }
    if let Some(most) = process.scale_to {
        objects.push(json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata(name),
            "spec": {
                "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": name },
                "minReplicas": process.copies, "maxReplicas": most,
                // Of a core, and not of what is requested: a part does its work in one, mostly.
                "metrics": [{
                    "type": "Resource",
                    "resource": { "name": "cpu", "target": { "type": "AverageValue", "averageValue": "700m" } },
                }],
            },
        }));
    }
    objects
}

/// One at a time may be taken away.
fn disruptions(name: &str) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata(name),
        "spec": { "maxUnavailable": 1, "selector": { "matchLabels": labels(name) } },
    })
}

fn deployment(topology: &Topology, process: &Process, around: &Surroundings<'_>) -> Value {
    let name = process.name.as_str();
    let on_files = topology.database == Database::Sqlite;
    let mut mounts = vec![json!({ "name": "secrets", "mountPath": "/etc/natter", "readOnly": true })];
    let mut items = vec![json!({ "key": "natter.toml", "path": "natter.toml" })];
    items.extend(
        process
            .bus_files(topology, around)
            .iter()
            .map(|file| json!({ "key": file, "path": format!("bus/{file}") })),
    );
    let mut volumes = vec![
        json!({ "name": "secrets", "secret": { "secretName": name, "items": items, "defaultMode": 0o440 } }),
    ];
    if on_files {
        mounts.push(json!({ "name": "data", "mountPath": DATA }));
        volumes.push(json!({ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }));
    }
    let mut ports = vec![json!({ "name": "health", "containerPort": HEALTH })];
    ports.extend(
        process
            .container_ports(topology)
            .iter()
            .map(|(key, port)| json!({ "name": short(key), "containerPort": port })),
    );
    let probe = |path: &str, period: u32, failures: u32| json!({ "httpGet": { "path": path, "port": "health" }, "periodSeconds": period, "failureThreshold": failures });
    let memory = format!("{}Mi", process.memory_mib);
    let container = json!({
        "name": name,
        "image": around.image,
        "command": process.command_line(SETTINGS),
        "ports": ports,
        "volumeMounts": mounts,
        "startupProbe": probe("/readyz", 1, 60),
        "readinessProbe": probe("/readyz", 2, 2),
        "livenessProbe": probe("/healthz", 10, 3),
        // No limit on CPU: a part that is throttled answers late, one that isn't takes what nobody else wants.
        "resources": { "requests": { "cpu": "100m", "memory": memory }, "limits": { "memory": memory } },
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
    });
    let mut pod = Map::new();
    pod.insert("automountServiceAccountToken".to_owned(), json!(false));
    pod.insert(
        "securityContext".to_owned(),
        json!({ "runAsNonRoot": true, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001 }),
    );
    // A part drains, and ends by itself.
    pod.insert("terminationGracePeriodSeconds".to_owned(), json!(30));
    pod.insert("containers".to_owned(), json!([container]));
    pod.insert("volumes".to_owned(), json!(volumes));
    if process.copies > 1 {
        pod.insert(
            "topologySpreadConstraints".to_owned(),
            json!([{
                "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": { "matchLabels": labels(name) },
            }]),
        );
    }
    let strategy = if on_files {
        // The volume is one pod's at a time.
        json!({ "type": "Recreate" })
    } else {
        // The new one serves before the old one drains.
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 0, "maxSurge": 1 } })
    };
    let mut deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(name),
        "spec": {
            "strategy": strategy,
            "selector": { "matchLabels": labels(name) },
            "template": { "metadata": { "labels": labels(name) }, "spec": pod },
        },
    });
    // Where it scales by itself, applying the file again must not undo that.
    if process.scale_to.is_none() {
        deployment["spec"]["replicas"] = json!(process.copies);
    }
    deployment
}

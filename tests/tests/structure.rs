//! What the code must not know, checked against the code.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn dependencies(manifest: &str) -> String {
    let text = std::fs::read_to_string(root().join(manifest)).unwrap();
    text.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap().to_owned()
}

fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut rooms = vec![root().join(directory)];
    while let Some(room) = rooms.pop() {
        for entry in std::fs::read_dir(room).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                rooms.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn modules_do_not_know_each_other() {
    let modules = ["user", "friend", "group", "message", "admin"];
    for module in modules {
        let known = dependencies(&format!("modules/{module}/Cargo.toml"));
        for other in modules {
            assert!(!known.contains(&format!("natter-{other}")), "{module} depends on {other}");
        }
    }
}

#[test]
fn only_the_host_names_the_nats_client() {
    let manifests = [
        "broker-schemas",
        "edge/protocol",
        "edge/server",
        "edge/client",
        "edge/terminal",
        "infra/natter",
        "infra/nats",
        "infra/topology",
        "modules/user",
        "modules/friend",
        "modules/group",
        "modules/message",
        "modules/admin",
    ];
    for manifest in manifests {
        let known = dependencies(&format!("{manifest}/Cargo.toml"));
        assert!(!known.contains("async-nats"), "{manifest} names async-nats");
    }
    assert!(dependencies("infra/host/Cargo.toml").contains("async-nats"), "and this test can tell");
}

#[test]
fn the_contract_knows_no_socket_no_sql_and_no_client() {
    let known = dependencies("broker-schemas/Cargo.toml");
    for absent in ["tokio", "sqlx", "async-nats", "natter"] {
        assert!(!known.contains(absent), "the contract depends on {absent}");
    }
}

/// The edge may name the calls that it makes on its own account, and no other type of a service.
#[test]
fn the_edge_knows_no_request_or_reply_of_a_client() {
    let own = [
        ("user", &["Renew", "ReportSessions", "Reported", "REPORT_MAX"][..]),
        ("friend", &[]),
        ("group", &["MEMBERS_MAX"]),
        ("message", &["GetGroupsOf", "GroupsOf", "Membership", "GetPresent", "Present"]),
        ("admin", &[]),
        ("announcement", &[]),
    ];
    let mut found = 0;
    for (path, text) in sources("edge/server/src") {
        if path.ends_with("tests.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (service, own) in own {
                for name in names_of(service, line) {
                    assert!(own.contains(&name), "{} names {service}::{name}: {line}", path.display());
                    found += 1;
                }
            }
        }
    }
    assert!(found > 0, "and this test can tell");
}

/// What `line` names as `module::Name` or `module::{Name, Name}`.
fn names_of<'a>(module: &str, line: &'a str) -> Vec<&'a str> {
    let is_part_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    let prefix = format!("{module}::");
    let mut names = Vec::new();
    for (at, _) in line.match_indices(&prefix) {
        if line[..at].ends_with(is_part_of_a_name) {
            continue;
        }
        let rest = &line[at + prefix.len()..];
        let list = rest.strip_prefix('{').map_or_else(
            || rest.split(|c| !is_part_of_a_name(c)).next().unwrap_or_default(),
            |rest| rest.split('}').next().unwrap_or_default(),
        );
        names.extend(list.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "self"));
    }
    names
}

#[test]
fn no_subject_is_built_outside_its_file() {
    let rooms = [
        "broker-schemas/src",
        "infra/host/src",
        "infra/natter/src",
        "edge/server/src",
        "modules/user/src",
        "modules/friend/src",
        "modules/group/src",
        "modules/message/src",
        "modules/admin/src",
    ];
    for (path, text) in rooms.iter().flat_map(|room| sources(room)) {
        let home =
            path.ends_with("subject.rs") || path.ends_with("permission.rs") || path.ends_with("tests.rs");
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let builds = ["client", "admin", "internal", "deliver", "event"]
                .iter()
                .any(|first| line.contains(&format!("\"natter.{first}")))
                || line.contains("\"$SRV");
            assert!(home || !builds, "{}: {line}", path.display());
        }
    }
}

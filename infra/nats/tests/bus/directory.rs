use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use broker_schemas::permission::Holder;
use natter_nats::{Bus, Options, PassportKey, load_public_keys};

use crate::fixture::{any_port, bus, program};

fn files(dir: &Path) -> BTreeMap<String, String> {
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
    };
    fs::read_dir(dir).unwrap().map(|entry| read(entry.unwrap())).collect()
}

#[test]
fn only_the_owner_reads_it() {
    let (_dir, bus) = bus(&any_port());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(bus.dir()), 0o700);
    for name in files(bus.dir()).keys() {
        assert_eq!(mode(&bus.dir().join(name)), 0o600, "{name}");
    }

    fs::set_permissions(bus.dir(), fs::Permissions::from_mode(0o755)).unwrap();
    Bus::create_or_open(bus.dir(), &any_port()).unwrap();
    assert_eq!(mode(bus.dir()), 0o700);
}

#[test]
fn opening_again_changes_nothing() {
    let (_dir, bus) = bus(&any_port());
    let before = files(bus.dir());
    Bus::create_or_open(bus.dir(), &any_port()).unwrap();
    assert_eq!(files(bus.dir()), before);
}

#[test]
fn whatever_is_missing_is_made_and_the_rest_is_kept() {
    let (_dir, bus) = bus(&any_port());
    let mut before = files(bus.dir());
    for missing in before.clone().keys() {
        fs::remove_file(bus.dir().join(missing)).unwrap();
        Bus::create_or_open(bus.dir(), &any_port()).unwrap();
        let after = files(bus.dir());
        assert!(after.keys().eq(before.keys()), "without {missing}");
        for (name, text) in after.iter().filter(|(name, _)| name.ends_with(".nk")) {
            assert_eq!(name != missing, *text == before[name], "{name} without {missing}");
        }
        before = after;
    }
}

#[test]
fn a_damaged_secret_is_refused_by_name() {
    let (_dir, bus) = bus(&any_port());
    for path in [bus.seed_path(Holder::Edge), bus.passport_key_path(), bus.passport_public_path()] {
        let good = fs::read_to_string(&path).unwrap();
        fs::write(&path, &good[..20]).unwrap();
        let error = format!("{:#}", Bus::create_or_open(bus.dir(), &any_port()).unwrap_err());
        assert!(error.contains(path.to_str().unwrap()) && error.contains("damaged"), "{error}");
        assert!(!error.contains(&good[2..18]), "a secret is printed: {error}");
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn processes_that_start_together_agree() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("bus");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| Bus::create_or_open(&dir, &any_port()).unwrap());
        }
    });
    let before = files(&dir);
    let bus = Bus::create_or_open(&dir, &any_port()).unwrap();
    assert_eq!(files(&dir), before);
    let key = PassportKey::load(&bus.passport_key_path()).unwrap();
    let public = load_public_keys(&bus.passport_public_path()).unwrap();
    assert_eq!(public, [(key.id, key.public().unwrap())]);
}

#[test]
fn the_configuration_holds_public_keys_only() {
    let (_dir, bus) = bus(&any_port());
    let files = files(bus.dir());
    let conf = files["nats-server.conf"].clone() + &files["accounts.conf"];
    for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".nk")) {
        assert!(!conf.contains(text.trim()), "{name}");
    }
    assert!(!conf.contains("http"), "monitoring is off unless asked for");
}

#[tokio::test]
async fn the_server_accepts_the_configuration() {
    for options in [Options::default(), any_port(), Options { monitoring_port: Some(8222), ..any_port() }] {
        let (_dir, bus) = bus(&options);
        let checked = Command::new(program().await).args(["-t", "-c"]).arg(bus.conf_path()).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
}

#[test]
fn sourcing_an_environment_points_the_cli_at_the_bus() {
    let (_dir, bus) = bus(&any_port());
    bus.write_environments("nats://127.0.0.1:4333").unwrap();
    for (name, seed, inbox) in [
        ("operator", bus.seed_path(Holder::Operator), "_INBOX.operator"),
        ("system", bus.system_seed_path(), ""),
    ] {
        let script = r#". "$1" && cat "$NATS_CONTEXT" && test "$NATS_URL" = nats://127.0.0.1:4333 && cat "$NATS_NKEY""#;
        let environment = bus.dir().join(format!("{name}.env"));
        let sourced = Command::new("sh").args(["-c", script, "sh"]).arg(environment).output().unwrap();
        assert!(sourced.status.success(), "{sourced:?}");

        let output = String::from_utf8(sourced.stdout).unwrap();
        let (context, printed_seed) = output.split_at(output.find('}').unwrap() + 1);
        let context: serde_json::Value = serde_json::from_str(context).unwrap();
        assert_eq!(context["inbox_prefix"], inbox);
        assert_eq!(context["nkey"], seed.to_str().unwrap());
        assert_eq!(printed_seed.trim(), fs::read_to_string(seed).unwrap().trim());
    }
}

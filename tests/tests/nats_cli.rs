//! What an operator sees and may do with the NATS CLI, and what everybody else's credentials allow there.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use natter_tests::{Backend, Person, Platform};
use tokio::process::Command;
use tokio::time::timeout;

/// The CLI, from PATH or from where `make test` put it.
fn cli() -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/nats");
    let on_path = std::env::var_os("PATH").into_iter().flat_map(|path| {
        std::env::split_paths(&path).map(|directory| directory.join("nats")).collect::<Vec<_>>()
    });
    [fetched].into_iter().chain(on_path).find(|candidate| candidate.is_file())
}

struct Cli {
    program: PathBuf,
    platform: Platform,
}

impl Cli {
    /// `None`, with a word about it, where there is no CLI.
    async fn start() -> Option<Self> {
        let Some(program) = cli() else {
            eprintln!("skipped: the NATS CLI is not installed, nor is Go, which builds it");
            return None;
        };
        Some(Self { program, platform: Platform::distributed(Backend::Sqlite).await })
    }

    /// Runs the CLI with the credential of `holder`, or with none.
    async fn run(&self, holder: Option<&str>, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.arg("--server").arg(self.platform.bus_url()).arg("--timeout=3s");
        if let Some(holder) = holder {
            let seed = self.platform.bus_directory().join(format!("{holder}.nk"));
            command.arg("--nkey").arg(seed).arg(format!("--inbox-prefix=_INBOX.{holder}"));
        }
        // Contexts of whoever runs the tests stay out of it.
        command.env("XDG_CONFIG_HOME", self.platform.bus_directory()).env_remove("NATS_CONTEXT");
        let run = command.args(arguments).kill_on_drop(true).output();
        timeout(Duration::from_secs(20), run).await.expect("the CLI to end").unwrap()
    }

    async fn operator(&self, arguments: &[&str]) -> String {
        let output = self.run(Some("operator"), arguments).await;
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "nats {arguments:?}: {said}");
        said
    }

    async fn register(&self, holder: Option<&str>, name: &str) -> String {
        let body = format!(r#"{{"name":"{name}","password":"a long enough one"}}"#);
        let request = ["req", "natter.client.user.v1.register", &body, "-H", "Content-Type:application/json"];
        let output = self.run(holder, &request).await;
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_sees_every_service_with_every_endpoint() {
    let Some(cli) = Cli::start().await else { return };
    cli.platform.tcp().await;
    // The CLI waits for 300 ms after the last answer, no matter who is still to answer.
    let mut list = String::new();
    for _ in 0..20 {
        list = cli.operator(&["micro", "ls"]).await;
        if broker_schemas::SERVICES.iter().all(|service| list.contains(service.name)) {
            break;
        }
    }
    for service in broker_schemas::SERVICES {
        assert!(list.contains(service.name), "micro ls lacks {}:\n{list}", service.name);
        // The CLI drops an answer that its schemas don't accept, so what it shows was valid.
        let info = cli.operator(&["micro", "info", service.name]).await;
        let stats = cli.operator(&["micro", "stats", service.name, "--json"]).await;
        for method in service.methods {
            for exposure in method.exposures {
                let subject = broker_schemas::subject::method(*exposure, method);
                assert!(info.contains(subject.as_str()), "micro info lacks {subject}:\n{info}");
                assert!(stats.contains(subject.as_str()), "micro stats lacks {subject}:\n{stats}");
            }
        }
    }
    let pings = cli.operator(&["micro", "ping"]).await;
    assert!(pings.contains("friend"), "{pings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_json_registers_a_user_for_whoever_may_make_it() {
    let Some(cli) = Cli::start().await else { return };
    let address = cli.platform.tcp().await;
    let said = cli.register(Some("operator"), "carol").await;
    assert!(said.contains(r#"{"user":1}"#), "{said}");
    let said = cli.register(Some("edge"), "dave").await;
    assert!(said.contains(r#"{"user":2}"#), "{said}");
    let said = cli.register(Some("operator"), "CAROL").await;
    assert!(said.contains("409"), "{said}");

    for (holder, name) in [(Some("friend"), "eve1"), (Some("message"), "eve2"), (None, "eve3")] {
        let said = cli.register(holder, name).await;
        assert!(!said.contains(r#""user""#), "{holder:?} registered {name}: {said}");
    }
    // None of them was made: a name is free until it is registered, and the next id is the next one.
    let person = Person::register(&address, "eve1").await;
    assert_eq!(person.user.get(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn internal_methods_and_deliveries_are_closed_to_operators_and_edges() {
    let Some(cli) = Cli::start().await else { return };
    cli.platform.tcp().await;
    let forget = [
        "req",
        "natter.internal.friend.v1.forget_user",
        r#"{"user":1}"#,
        "-H",
        "Content-Type:application/json",
    ];
    for holder in ["operator", "edge", "message"] {
        let output = cli.run(Some(holder), &forget).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(!said.contains("{}"), "{holder}: {said}");
    }
    let output = cli.run(Some("user"), &forget).await;
    assert!(String::from_utf8_lossy(&output.stdout).contains("{}"), "{output:?}");
}

//! Clients in other languages, written from docs/PROTOCOL.md alone, hold a whole conversation.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use natter_tests::{Platform, on_both_databases};
use tokio::process::Command;
use tokio::time::timeout;

/// Runs a client against a platform; skipped, in words, where its language is not installed.
async fn talk(language: &str, script: &str, address: &str) {
    let Ok(version) = Command::new(language).arg("--version").stdout(Stdio::null()).status().await else {
        eprintln!("skipped: {language} is not installed");
        return;
    };
    assert!(version.success());
    let (host, port) = address.rsplit_once(':').unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script);
    let talk = Command::new(language).arg(script).args([host, port]).kill_on_drop(true).output();
    let output = timeout(Duration::from_secs(100), talk).await.expect("an end").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.trim_end().ends_with("ok"), "{said}");
}

on_both_databases! {
    async fn python_over_tcp(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        talk("python3", "talk.py", &platform.address("tcp").await).await;
    }
}

on_both_databases! {
    async fn node_over_websocket(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        talk("node", "talk.mjs", &platform.address("http").await).await;
    }
}

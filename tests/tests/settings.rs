//! A process takes its configuration from a file, from the environment and from flags, in this order.

use std::process::Output;

use broker_schemas::group::Admission;
use broker_schemas::message::{Changed, Edit, Recipient};
use broker_schemas::{Code, Conversation, GroupId};
use natter_tests::device::Refusal;
use natter_tests::{Backend, Device, Platform, program};
use tokio::process::Command;

/// Sends a message to a group and edits it.
async fn edit(device: &Device, group: GroupId) -> Result<Changed, Refusal> {
    let seq = device.send(Recipient::Group(group), "teh text").await.unwrap().seq;
    let text = "the text".try_into().unwrap();
    device.call(&Edit { conversation: Conversation::group(group), seq, text }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_counts_and_the_environment_counts_more() {
    let mut platform = Platform::prepare_distributed(Backend::Sqlite, &[]).await;
    let file = platform.directory().join("natter.toml");
    std::fs::write(&file, "[message]\nedit_within_s = 0\n[group]\nmax_members = 2\n").unwrap();
    platform.start_distributed().await;
    let place = platform.address("tcp").await;
    let alice = Device::register(&place, "alice").await;
    let group = alice.create("the group", &[], Admission::Open).await;
    assert_eq!(edit(&alice, group).await.unwrap_err().code, Code::Forbidden, "the file says: not at all");

    platform.stop("message").await;
    platform.wrap("message", &["env", "NATTER_MESSAGE__EDIT_WITHIN_S=900"]);
    platform.start("message").await;
    edit(&alice, group).await.expect("the environment says: for 15 minutes");
    for (name, fits) in [("bob", true), ("carol", false)] {
        let joins = Device::register(&place, name).await;
        let joined = joins.call(&broker_schemas::group::Join { group }).await;
        assert_eq!(joined.is_ok(), fits, "{name}: {joined:?}");
    }
}

/// Runs a part that prints its configuration, or says why it can't.
async fn configuration(toml: &str, environment: &[(&str, &str)], flags: &[&str]) -> (bool, String, String) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("natter.toml"), toml).unwrap();
    let mut command = Command::new(program("natter-message"));
    command.current_dir(directory.path()).arg("--print-config").args(flags).kill_on_drop(true);
    let Output { status, stdout, stderr } = command.envs(environment.iter().copied()).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.success(), text(stdout), text(stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_count_most_and_what_is_in_force_is_printed() {
    let toml = "[message]\nbatch = 1\nsend_burst = 2\nreceipts_up_to = 3\n";
    let environment = [("NATTER_MESSAGE__SEND_BURST", "20"), ("NATTER_MESSAGE__RECEIPTS_UP_TO", "30")];
    let (runs, shown, error) =
        configuration(toml, &environment, &["--set", "message.receipts_up_to=300"]).await;
    assert!(runs, "{error}");
    for line in ["batch = 1", "send_burst = 20", "receipts_up_to = 300", "edit_within_s = 900"] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in force:\n{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_key_is_named_wherever_it_stands() {
    for (toml, environment, flags, word) in [
        ("[message]\nbach = 1\n", vec![], vec![], "bach"),
        ("[mesage]\nbatch = 1\n", vec![], vec![], "mesage"),
        ("", vec![("NATTER_MESSAGE__BACH", "1")], vec![], "bach"),
        ("", vec![], vec!["--set", "message.bach=1"], "bach"),
        ("", vec![], vec!["--set", "message.batch=many"], "batch"),
        ("[message\n", vec![], vec![], "natter.toml"),
    ] {
        let (runs, shown, error) = configuration(toml, &environment, &flags).await;
        assert!(!runs && shown.is_empty(), "{toml:?} {environment:?} {flags:?}: {shown}");
        assert!(error.contains(word), "{toml:?} {environment:?} {flags:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_key_of_one_part_is_refused_before_any_part_has_started() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(program("natter"));
    command.current_dir(directory.path()).args(["serve", "--bus-port", "0", "--set", "edge.tpc=1"]);
    let output = command.kill_on_drop(true).output().await.unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("tpc"), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing has happened");
}

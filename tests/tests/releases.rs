//! The releases that `make releases` deploys fit these sources.

use natter_tests::releases::{apply, patch, root};

/// A patch that the sources have run away from would be noticed by nobody until somebody measures again.
#[test]
fn the_releases_that_are_rehearsed_apply_one_after_the_other_to_these_sources() {
    let copy = tempfile::tempdir().unwrap();
    for name in ["one-line.patch", "message-v2.patch"] {
        let patch = patch(name);
        let text = std::fs::read_to_string(&patch).unwrap();
        for file in text.lines().filter_map(|line| line.strip_prefix("+++ b/")) {
            let to = copy.path().join(file);
            if !to.exists() {
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::copy(root().join(file), to).unwrap();
            }
        }
        apply(&patch, copy.path());
    }
    let built = std::fs::read_to_string(copy.path().join("modules/message/Cargo.toml")).unwrap();
    assert!(built.contains("version = \"0.2.0\""), "the release has a version of its own");
    let fixed = std::fs::read_to_string(copy.path().join("modules/message/src/edit.rs")).unwrap();
    assert!(fixed.contains("only your own messages"));
}

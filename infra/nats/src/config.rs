//! What `nats-server` and the NATS CLI read, as text.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use broker_schemas::permission::Holder;

use crate::bus::Options;

const HEADER: &str = "# Written by natter at every start, from the contract: edits are lost.\n";

/// Where a server that the `Bus` configures writes.
pub(crate) struct Outputs<'a> {
    pub(crate) pid: &'a Path,
    pub(crate) log: &'a Path,
    /// The directory for the file that tells which ports were bound.
    pub(crate) ports: &'a Path,
}

/// `nats-server.conf`. Whoever may do what is in `accounts.conf`, which it includes.
pub(crate) fn server(options: &Options, outputs: &Outputs<'_>) -> String {
    let mut text = HEADER.to_owned();
    let mut set = |name: &str, value: String| text.push_str(&format!("{name}: {value}\n"));
    set("listen", listen(options.port));
    if let Some(port) = options.monitoring_port {
        // It asks nobody who they are.
        set("http", listen(port));
    }
    set("max_payload", options.max_payload.to_string());
    // A client that reads nothing for this long is cut off, so that its queue ends.
    set("write_deadline", quoted("10s"));
    set("pid_file", quoted_path(outputs.pid));
    set("ports_file_dir", quoted_path(outputs.ports));
    set("log_file", quoted_path(outputs.log));
    set("logfile_size_limit", (16 << 20).to_string());
    set("logfile_max_num", 4.to_string());
    text.push_str("include \"accounts.conf\"\n");
    text
}

/// `accounts.conf`: public keys, and what each may do.
pub(crate) fn accounts(holders: &[(Holder, String)], system: &str) -> String {
    let mut users = String::new();
    for (holder, key) in holders {
        let may = holder.permissions();
        let (publish, subscribe) = (allow(&may.publish), allow(&may.subscribe));
        // Writing to a string can't fail.
        let _ = write!(
            users,
            "      # {}\n      {{ nkey: {key}, permissions: {{\n        publish: {publish}\n        subscribe: \
             {subscribe}\n      }} }}\n",
            holder.name()
        );
    }
    format!(
        "{HEADER}accounts: {{\n  NATTER: {{\n    users: [\n{users}    ]\n  }}\n  SYS: {{ users: [ {{ nkey: {system} \
         }} ] }}\n}}\nsystem_account: SYS\n"
    )
}

/// To the server, an empty list allows everything.
fn allow(subjects: &BTreeSet<String>) -> String {
    if subjects.is_empty() {
        return "{ deny: \">\" }".to_owned();
    }
    let lines: String = subjects.iter().map(|subject| format!("          {}\n", quoted(subject))).collect();
    format!("{{ allow: [\n{lines}        ] }}")
}

fn listen(port: u16) -> String {
    // To the server, 0 is 4222 and -1 any free port.
    let port = if port == 0 { -1 } else { i32::from(port) };
    quoted(&format!("127.0.0.1:{port}"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#))
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A context of the NATS CLI. It alone carries an inbox prefix: no variable of the CLI does.
pub(crate) fn context(url: &str, seed: &Path, inbox_prefix: Option<&str>) -> String {
    let context = serde_json::json!({
        "url": url,
        "nkey": seed,
        "inbox_prefix": inbox_prefix.unwrap_or_default(),
    });
    format!("{context:#}\n")
}

/// What a person sources to use that context.
pub(crate) fn environment(url: &str, seed: &Path, context: &Path) -> String {
    let mut text =
        "# Source this, and the NATS CLI just works. Written by natter: edits are lost.\n".to_owned();
    let (seed, context) = (seed.to_string_lossy(), context.to_string_lossy());
    for (name, value) in [("NATS_URL", url), ("NATS_NKEY", &seed), ("NATS_CONTEXT", &context)] {
        text.push_str(&format!("export {name}='{}'\n", value.replace('\'', r"'\''")));
    }
    text
}

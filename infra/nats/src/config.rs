//! What `nats-server` and the NATS CLI read, as text.

use std::collections::BTreeSet;
use std::path::Path;

use broker_schemas::permission::Holder;

use crate::Member;
use crate::bus::Options;
use crate::canary::Canary;

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
    let listens = listen(options.port);
    let monitoring = match options.monitoring_port {
        Some(port) => format!("http: {}\n", listen(port)),
        None => String::new(),
    };
    let max_payload = options.max_payload;
    let [pid, ports, log] =
        [outputs.pid, outputs.ports, outputs.log].map(|path| quoted(&path.to_string_lossy()));
    format!(
        r#"{HEADER}listen: {listens}
{monitoring}max_payload: {max_payload}
# A client that reads nothing for this long is cut off, so that its queue ends.
write_deadline: "10s"
# One that hangs, or whose host is cut off, is missed after 10 to 15 s: then the other copies get its calls.
ping_interval: "5s"
ping_max: 2
pid_file: {pid}
ports_file_dir: {ports}
log_file: {log}
logfile_size_limit: 16MB
logfile_max_num: 4
include "accounts.conf"
"#
    )
}

/// The configuration of one of several servers, in a directory of its own below that of the bus, which it sees at `bus`.
pub(crate) fn member(member: &Member, bus: &Path) -> String {
    let (dir, authority) = (&bus.join(&member.name), &crate::certificate::certificate_path(bus));
    let Member { name, address, port, monitoring_port, .. } = member;
    let listens = quoted(&format!("{address}:{port}"));
    let name = quoted(name);
    let outputs = if member.seen_at.is_none() {
        let [pid, log] =
            [file_in(dir, "nats-server.pid"), file_in(dir, "nats-server.log")].map(|text| quoted(&text));
        format!("pid_file: {pid}\nlog_file: {log}\nlogfile_size_limit: 16MB\nlogfile_max_num: 4\n")
    } else {
        String::new()
    };
    let tls = |verify: &str| match &member.encrypted_as {
        Some(_) => {
            let [certificate, key, authority] =
                [file_in(dir, "server.crt"), file_in(dir, "server.key"), authority.to_string_lossy().into()]
                    .map(|text| quoted(&text));
            format!("tls: {{ cert_file: {certificate}, key_file: {key}, ca_file: {authority}{verify} }}\n")
        }
        None => String::new(),
    };
    let cluster = cluster(member, &tls(", verify: true"));
    let tls = tls("");
    format!(
        r#"{HEADER}server_name: {name}
listen: {listens}
http: "127.0.0.1:{monitoring_port}"
{tls}{cluster}max_payload: 1048576
# A client that reads nothing for this long is cut off, so that its queue ends.
write_deadline: "10s"
# One that hangs, or whose host is cut off, is missed after 10 to 15 s: then the other copies get its calls.
ping_interval: "5s"
ping_max: 2
{outputs}include "../accounts.conf"
"#
    )
}

/// The part about the other servers. Clients know them all from their own settings.
fn cluster(member: &Member, tls: &str) -> String {
    if member.routes.is_empty() {
        return String::new();
    }
    let Member { address, route_port, .. } = member;
    let listens = quoted(&format!("{address}:{route_port}"));
    let routes: String = member
        .routes
        .iter()
        .map(|route| format!("    {}\n", quoted(&format!("nats-route://{route}"))))
        .collect();
    format!(
        "cluster: {{\n  name: natter\n  listen: {listens}\n  no_advertise: true\n  {tls}  routes: [\n{routes}  ]\n}}\n"
    )
}

fn file_in(dir: &Path, name: &str) -> String {
    dir.join(name).to_string_lossy().into_owned()
}

/// `accounts.conf`: public keys, and what each may do.
pub(crate) fn accounts(holders: &[(Holder, String)], system: &str, canaries: &[Canary]) -> String {
    let mappings: String = canaries.iter().flat_map(Canary::mappings).collect();
    let user = |(holder, key): &(Holder, String)| {
        let may = holder.permissions();
        let (name, publish, subscribe) = (holder.name(), allow(&may.publish), allow(&may.subscribe));
        format!(
            r"    # {name}
    {{ nkey: {key}, permissions: {{
      publish: {publish}
      subscribe: {subscribe}
    }} }}
"
        )
    };
    let users: String = holders.iter().map(user).collect();
    format!(
        r"{HEADER}system_account: SYS
accounts: {{
  SYS: {{ users: [ {{ nkey: {system} }} ] }}
  NATTER: {{
  mappings: {{
{mappings}  }}
  users: [
{users}  ] }}
}}
"
    )
}

/// To the server, an empty list allows everything.
fn allow(subjects: &BTreeSet<String>) -> String {
    if subjects.is_empty() {
        return "{ deny: \">\" }".to_owned();
    }
    let lines: String = subjects.iter().map(|subject| format!("        {}\n", quoted(subject))).collect();
    format!("{{ allow: [\n{lines}      ] }}")
}

fn listen(port: u16) -> String {
    // To the server, 0 is 4222 and -1 any free port.
    let port = if port == 0 { -1 } else { i32::from(port) };
    quoted(&format!("127.0.0.1:{port}"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#))
}

/// A context of the NATS CLI. It alone carries an inbox prefix: no variable of the CLI does.
pub(crate) fn context(
    url: &str,
    seed: &Path,
    inbox_prefix: Option<&str>,
    authority: Option<&Path>,
) -> String {
    let context = serde_json::json!({
        "url": url,
        "nkey": seed,
        "ca": authority.unwrap_or(Path::new("")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_without_permissions_may_do_nothing() {
        assert_eq!(allow(&BTreeSet::new()), "{ deny: \">\" }");
    }
}

//! Unit files: the topology on one machine, under systemd.

use super::{File, HEADER, NatsServer, Place, Surroundings, servers};
use crate::{Database, Process, Topology, set};

const ETC: &str = "/etc/natter";
const DATA: &str = "/var/lib/natter";

/// The files for systemd, and the NATS servers that they run. The units go to `/etc/systemd/system`, the rest to
/// `/etc/natter`.
///
/// # Errors
/// When something has no form in TOML.
pub fn systemd(
    topology: &Topology,
    around: &Surroundings<'_>,
) -> anyhow::Result<(Vec<File>, Vec<NatsServer>)> {
    let mut nats =
        servers(topology, 1, "127.0.0.1", |_| vec!["127.0.0.1".to_owned(), "localhost".to_owned()]);
    for (number, server) in (0..).zip(&mut nats) {
        server.port += number;
        server.route_port += number;
        server.monitoring_port += number;
    }
    // PostgreSQL is the distribution's own package; its database and user are made by hand.
    let place = Place {
        bus_directory: format!("{ETC}/bus"),
        bus_url: topology.bus_url(&nats),
        database_url: topology.database_url("127.0.0.1", around.password, DATA),
        telemetry: String::new(),
    };
    let mut files = vec![
        File::open("sysusers.d/natter.conf", "u natter - \"Natter\" /var/lib/natter\n"),
        File::open(
            "tmpfiles.d/natter.conf",
            format!("d {DATA} 0700 natter natter\nZ {ETC} - natter natter\n"),
        ),
    ];
    let mut wants = Vec::new();
    for server in &nats {
        let name = format!("natter-{}.service", server.name);
        files.push(File::open(format!("units/{name}"), nats_unit(server)));
        wants.push(name);
    }
    let (mut port, mut health) = (topology.base_port, topology.base_port + 100);
    for process in &topology.processes {
        let template = format!("natter-{}@.service", process.name);
        files.push(File::open(format!("units/{template}"), unit(topology, process, around, &nats)));
        for number in 1..=process.copies {
            let mut settings = topology.settings_at(process, &place);
            for key in &process.ports {
                set(&mut settings, key, format!("127.0.0.1:{port}"));
                port += 1;
            }
            set(&mut settings, "telemetry.listen", format!("127.0.0.1:{health}"));
            health += 1;
            files.push(File::secret(format!("{}.{number}.toml", process.name), toml::to_string(&settings)?));
            wants.push(format!("natter-{}@{number}.service", process.name));
        }
    }
    let wants = wants.join(" ");
    let target = format!(
        "{HEADER}[Unit]\nDescription=Natter: {}\nWants={wants}\n\n[Install]\nWantedBy=multi-user.target\n",
        topology.about
    );
    files.push(File::open("units/natter.target", target));
    Ok((files, nats))
}

fn nats_unit(server: &NatsServer) -> String {
    let name = &server.name;
    format!(
        "{HEADER}[Unit]
Description=Natter's bus, {name}
After=network.target
PartOf=natter.target

[Service]
ExecStart=/usr/bin/env nats-server -c {ETC}/bus/{name}/nats-server.conf
ExecReload=/bin/kill -HUP $MAINPID
User=natter
Restart=always
RestartSec=200ms
LimitNOFILE=65536
{HARDENED}"
    )
}

fn unit(topology: &Topology, process: &Process, around: &Surroundings<'_>, nats: &[NatsServer]) -> String {
    let servers: Vec<_> = nats.iter().map(|server| format!("natter-{}.service", server.name)).collect();
    let mut after = servers.join(" ");
    if topology.has_postgres() {
        after += " postgresql.service";
    }
    let writes = if topology.database == Database::Sqlite {
        format!("ReadWritePaths={DATA}\n")
    } else {
        String::new()
    };
    let settings = format!("{ETC}/{}.%i.toml", process.name);
    let [program, arguments @ ..] = &process.command_line(&settings)[..] else { return String::new() };
    let (name, programs, memory) = (&process.name, around.programs, process.memory_mib);
    let arguments = arguments.join(" ");
    format!(
        "{HEADER}[Unit]
Description=Natter, {name}, copy %i
After={after}
Wants={after}
PartOf=natter.target

[Service]
ExecStart={programs}/{program} {arguments}
# It has started once it says that it is ready; units after it wait for that.
ExecStartPost={programs}/natter ready --wait 60 --config {settings}
User=natter
Restart=always
RestartSec=200ms
# A part drains, and ends by itself.
TimeoutStopSec=30
TimeoutStartSec=90
MemoryMax={memory}M
LimitNOFILE=65536
{writes}{HARDENED}"
    )
}

/// What none of them needs.
const HARDENED: &str = "NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
";

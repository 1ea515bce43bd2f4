//! The edge: bridges client sockets to the bus. It knows no method and reads no request or reply body; what it decodes
//! are frames, whose bodies it forwards as bytes.
//!
//! The way of a frame: `listen` accepts a connection, `tcp` (with `framing`) or `http` and `websocket` turn its
//! bytes into frames, `drive` serves it, `call` forwards a call, `attach` signs the connection in when the reply
//! says so, and the `outbox` holds what the client has yet to read.
//!
//! The way of a delivery: while a user has `sessions` here, `deliver` hands to each of them what the bus has for the
//! user, and `groups` what it has for the groups that the user is in. `renew`, `report` and `resync`, which hears
//! `beats`, keep the sessions good.

mod attach;
mod beats;
mod call;
mod closing;
mod connection;
mod deliver;
mod drive;
mod framing;
mod gateway;
mod groups;
mod http;
mod jitter;
mod limits;
mod listen;
mod meters;
mod outbox;
mod renew;
mod report;
mod resync;
mod sessions;
mod settings;
mod stop;
mod tcp;
mod transport;
mod websocket;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use broker_schemas::permission::Holder;
use broker_schemas::subject::{self, Audience};
use natter_host::{Part, Process, Running};
use natter_protocol::Encoding;

use beats::Beats;
use closing::Closing;
use gateway::Gateway;
use limits::Limits;
use listen::Port;

pub use settings::Settings;

/// The part that a process runs.
#[derive(Debug)]
pub struct Edge;

impl Part for Edge {
    const NAME: &'static str = "edge";
    type Settings = Settings;

    async fn start(process: &Process, settings: Settings) -> anyhow::Result<Running> {
        settings.check()?;
        let holder = if settings.admin { Holder::AdminEdge } else { Holder::Edge };
        let bus = process.bus(holder).await?;
        let gateway = Gateway::new(settings, bus, process.verifier()?)?;

        let everyone = gateway.bus.subscribe(&subject::deliver(Audience::Everyone)).await?;
        gateway.work.spawn(deliver::to_everyone(everyone, gateway.clone()));
        let beats = Beats::subscribe(&gateway.bus).await?;
        gateway.bus.fence().await?;
        gateway.work.spawn(renew::run(gateway.clone()));
        gateway.work.spawn(resync::run(gateway.clone(), beats));
        gateway.work.spawn(report::run(gateway.clone()));

        let settings = &gateway.settings;
        let most = limits::within_open_files(settings.max_connections);
        let limits = Limits::new(most, settings.max_connections_per_address);
        let refusal = Closing::TOO_MANY_CONNECTIONS.frame().encode(Encoding::Json, true);
        let shared = settings.share_ports;
        let tcp = Port::bind(&settings.tcp, shared, &limits, refusal).await.context("edge.tcp")?;
        let http = Port::bind(&settings.http, shared, &limits, http::REFUSAL).await.context("edge.http")?;
        let (tcp_address, http_address) = (tcp.address()?, http.address()?);
        gateway.work.spawn(listen::serve_tcp(gateway.clone(), tcp));
        gateway.work.spawn(http::serve(gateway.clone(), http));

        tracing::info!(edge = %gateway.id, tcp = %tcp_address, http = %http_address, "listening");
        if let Some(file) = &settings.address_file {
            write_addresses(file, tcp_address, http_address)?;
        }
        Ok(Running::new(Self::NAME, stop::stop(gateway)))
    }
}

/// Whoever waits for the file finds all of it or nothing.
fn write_addresses(file: &Path, tcp: SocketAddr, http: SocketAddr) -> anyhow::Result<()> {
    let text = serde_json::json!({ "tcp": tcp.to_string(), "http": http.to_string() }).to_string();
    let unfinished = file.with_added_extension("new");
    std::fs::write(&unfinished, text)
        .and_then(|()| std::fs::rename(&unfinished, file))
        .with_context(|| format!("write edge.address_file {}", file.display()))
}

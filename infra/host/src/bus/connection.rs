//! One connection to NATS, with the facts about the client that cost others time built around.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use async_nats::{Auth, AuthError, Client, ConnectOptions, HeaderMap, connection::State};
use broker_schemas::permission::Holder;
use broker_schemas::subject::{self, Subject};
use broker_schemas::{Code, Error};
use bytes::Bytes;
use nkeys::KeyPair;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::BusSettings;

const FIRST_CONNECT: Duration = Duration::from_secs(30);
/// While disconnected with a full command channel, the client's own calls would wait until it reconnects.
const HAND_OVER: Duration = Duration::from_secs(1);
const ROUND_TRIP: Duration = Duration::from_secs(2);
/// When the third is due and the two before were not answered, the client looks for another server: one whose host is cut off
/// answers nothing, and nobody says so.
const PING_EVERY: Duration = Duration::from_secs(2);
/// Messages that wait in one subscription; past it the client drops the newest and says so in an event.
const SUBSCRIPTION_CAPACITY: usize = 8_192;
const COMMAND_CAPACITY: usize = 4_096;

#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    closed: Arc<AtomicBool>,
    disruptions: watch::Receiver<u64>,
    /// Grows with each disconnect, so that whoever waits for a reply can stop waiting.
    lost: watch::Receiver<u64>,
}

impl Connection {
    pub(super) async fn open(
        settings: &BusSettings,
        holder: Holder,
        purpose: &'static str,
    ) -> anyhow::Result<Self> {
        let file = settings.directory.join(format!("{}.nk", holder.name()));
        credential(&file)?;
        let (disrupt, disruptions) = watch::channel(0);
        let (lose, lost) = watch::channel(0);
        let closed = Arc::new(AtomicBool::new(false));
        let events = Events { holder: holder.name(), purpose, disrupt, lose, closed: closed.clone() };
        let events = Arc::new(events);
        // Read at every connect: a credential that was replaced counts from the next one on.
        let prove = move |nonce: Vec<u8>| {
            let proof = prove(&file, &nonce).map_err(|error| AuthError::new(format!("{error:#}")));
            async move { proof }
        };
        let options = ConnectOptions::with_auth_callback(prove)
            .name(format!("natter {} {purpose}", holder.name()))
            .custom_inbox_prefix(subject::inbox_prefix(holder.name()))
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .client_capacity(COMMAND_CAPACITY)
            .request_timeout(None)
            .ping_interval(PING_EVERY)
            .connection_timeout(Duration::from_secs(3))
            .reconnect_delay_callback(reconnect_delay)
            .event_callback(move |event| {
                let events = events.clone();
                async move { events.on(&event) }
            });
        let options = match &settings.ca {
            // No other authority is trusted then, and no server that doesn't encrypt.
            Some(authority) => options.add_root_certificates(authority.clone()).require_tls(true),
            None => options,
        };
        let servers: Vec<String> = settings.url.split(',').map(|server| server.trim().to_owned()).collect();
        let started = tokio::time::Instant::now();
        loop {
            match options.clone().connect(&servers[..]).await {
                Ok(client) => return Ok(Self { client, closed, disruptions, lost }),
                Err(error) if started.elapsed() < FIRST_CONNECT && is_worth_retrying(&error) => {
                    tracing::debug!(%error, holder = holder.name(), "bus not reachable yet");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => {
                    let url = &settings.url;
                    return Err(error)
                        .with_context(|| format!("connect to the bus at {url} as {}", holder.name()));
                }
            }
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Whether this part closed it.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn disruptions(&self) -> watch::Receiver<u64> {
        self.disruptions.clone()
    }

    pub(super) fn lost(&self) -> watch::Receiver<u64> {
        self.lost.clone()
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn publish(
        &self,
        subject: &str,
        reply: Option<String>,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(), Error> {
        if body.len() > self.client.max_payload() {
            return Err(Error::new(
                Code::TooLarge,
                format!("{} bytes are more than the bus carries", body.len()),
            ));
        }
        let subject = subject.to_owned();
        let sent = async {
            match (reply, headers.is_empty()) {
                (Some(reply), _) => {
                    self.client.publish_with_reply_and_headers(subject, reply, headers, body).await
                }
                (None, true) => self.client.publish(subject, body).await,
                (None, false) => self.client.publish_with_headers(subject, headers, body).await,
            }
        };
        match timeout(HAND_OVER, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "publish failed");
                Err(Error::unavailable("the bus did not take the message"))
            }
            Err(_) => Err(Error::unavailable("the connection to the bus is down or full")),
        }
    }

    /// Asks a subject that nobody serves: the server's "no responders" comes after everything sent before.
    pub(super) async fn round_trip(&self, nobody: &Subject) -> Result<(), Error> {
        match timeout(ROUND_TRIP, self.client.request(nobody.as_str().to_owned(), Bytes::new())).await {
            Ok(Err(error)) if error.kind() == async_nats::RequestErrorKind::NoResponders => Ok(()),
            other => {
                tracing::debug!(?other, "no round trip");
                Err(Error::unavailable("the bus does not answer"))
            }
        }
    }

    pub(super) async fn flush(&self, patience: Duration) {
        if !matches!(timeout(patience, self.client.flush()).await, Ok(Ok(()))) {
            tracing::debug!("the bus was gone before everything was flushed");
        }
    }

    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        // Every subscription is gone by now; this only ends the client's task.
        let _ = timeout(HAND_OVER, self.client.drain()).await;
    }
}

/// Turns what the client only tells as events into state, counts and logs.
struct Events {
    holder: &'static str,
    purpose: &'static str,
    disrupt: watch::Sender<u64>,
    lose: watch::Sender<u64>,
    closed: Arc<AtomicBool>,
}

impl Events {
    fn on(&self, event: &async_nats::Event) {
        use async_nats::Event;
        let (holder, purpose) = (self.holder, self.purpose);
        match event {
            Event::Connected => {
                metrics::gauge!("natter_bus_connected", "holder" => holder, "connection" => purpose).set(1.0);
                tracing::info!(holder, purpose, "connected to the bus");
                // The first time nothing was missed.
                if *self.lose.borrow() > 0 {
                    self.disrupt.send_modify(|count| *count += 1);
                }
            }
            Event::Disconnected => {
                metrics::gauge!("natter_bus_connected", "holder" => holder, "connection" => purpose).set(0.0);
                if !self.closed.load(Ordering::Relaxed) {
                    tracing::warn!(holder, purpose, "disconnected from the bus");
                }
                self.lose.send_modify(|count| *count += 1);
            }
            Event::SlowConsumer(subscription) => {
                metrics::counter!("natter_bus_slow_consumers_total", "holder" => holder).increment(1);
                tracing::warn!(
                    holder,
                    purpose,
                    subscription,
                    "slow consumer: the bus client dropped a message"
                );
                self.disrupt.send_modify(|count| *count += 1);
            }
            // A denied publish or subscribe is only told here.
            Event::ServerError(error) => {
                metrics::counter!("natter_bus_errors_total", "holder" => holder).increment(1);
                tracing::error!(holder, purpose, %error, "the bus refused something");
            }
            Event::ClientError(error) => tracing::debug!(holder, purpose, %error, "bus client"),
            Event::LameDuckMode => tracing::info!(holder, purpose, "this server of the bus is about to stop"),
            Event::Draining | Event::Closed => {}
        }
    }
}

fn credential(file: &Path) -> anyhow::Result<KeyPair> {
    let seed =
        std::fs::read_to_string(file).with_context(|| format!("read the credential {}", file.display()))?;
    KeyPair::from_seed(seed.trim()).with_context(|| format!("{} is damaged", file.display()))
}

/// Signs what the server asks to be signed.
fn prove(file: &Path, nonce: &[u8]) -> anyhow::Result<Auth> {
    let key = credential(file)?;
    let mut auth = Auth::new();
    auth.signature = Some(key.sign(nonce).context("sign")?);
    auth.nkey = Some(key.public_key());
    Ok(auth)
}

fn reconnect_delay(attempt: usize) -> Duration {
    let step = u32::try_from(attempt.min(6)).unwrap_or(6);
    Duration::from_millis(25) * 2_u32.pow(step)
}

fn is_worth_retrying(error: &async_nats::ConnectError) -> bool {
    use async_nats::ConnectErrorKind::{AuthorizationViolation, ServerParse, Tls};
    !matches!(error.kind(), AuthorizationViolation | ServerParse | Tls)
}

//! Hands what the bus delivers to the sessions here. A frame is encoded once for all sessions that read it alike.

use std::sync::Arc;

use broker_schemas::delivery::Push;
use broker_schemas::{ContentType, Delivery, UserId};
use bytes::Bytes;
use natter_host::bus::Subscription;
use natter_protocol::{Encoding, ServerFrame};

use crate::closing::Closing;
use crate::connection::{Connection, Wire};
use crate::gateway::Gateway;
use crate::meters::METERS;
use crate::sessions::{OpenSession, OpenSessions};

/// Sends before other tasks have their turn.
const BURST: usize = 256;

/// Hands on what is delivered to one user, until the subscription ends.
pub(crate) async fn to_user(
    gateway: Arc<Gateway>,
    user: UserId,
    sessions: Arc<OpenSessions>,
    mut deliveries: Subscription,
) {
    while let Some(body) = deliveries.next().await {
        match read(&body) {
            Some(Delivery::Event(push)) => Event::of(&push).send_to_all(&sessions.all()),
            Some(Delivery::Join { group, push }) => {
                // The event makes clients ask for what they missed until now: so not before nothing is missed any more.
                gateway.join_group(user, group).await;
                Event::of(&push).send_to_all(&sessions.all());
            }
            Some(Delivery::Close { only, except, code, message }) => {
                for open in &*sessions.all() {
                    let is_meant = only.is_none_or(|only| only == open.session);
                    if is_meant && except != Some(open.session) {
                        open.connection.end_session(&code, &message, Closing::SESSION_ENDED);
                    }
                }
            }
            Some(Delivery::ToMembers { .. }) => tracing::warn!(%user, "a delivery to members, to a user"),
            None => {}
        }
    }
}

/// Hands on what is delivered to everyone, until the subscription ends.
pub(crate) async fn to_everyone(mut deliveries: Subscription, gateway: Arc<Gateway>) {
    while let Some(body) = deliveries.next().await {
        let push = match read(&body) {
            Some(Delivery::Event(push)) => push,
            // What is for one user or one group addresses nobody here.
            Some(_) => {
                tracing::warn!("a delivery to everyone that is no event");
                continue;
            }
            None => continue,
        };
        let mut event = Event::of(&push);
        for (told, open) in gateway.sessions.all().iter().enumerate() {
            event.send_to(&open.connection);
            let_others(told).await;
        }
    }
}

/// Called after each of many sends in a row, which are counted from 0: now and then, other tasks have their turn.
pub(crate) async fn let_others(sent: usize) {
    if sent % BURST == BURST - 1 {
        tokio::task::yield_now().await;
    }
}

/// Reads a delivery. What can't be read is logged.
pub(crate) fn read(body: &[u8]) -> Option<Delivery> {
    METERS.deliveries.increment(1);
    let delivery = ContentType::Postcard.decode(body);
    let delivery =
        delivery.inspect_err(|error| tracing::warn!(%error, "delivery of an unknown shape")).ok()?;
    match &delivery {
        Delivery::Event(push) | Delivery::ToMembers { push, .. } | Delivery::Join { push, .. }
            if std::str::from_utf8(&push.json).is_err() =>
        {
            tracing::warn!(event = push.name, "delivery with json that is not utf-8");
            None
        }
        _ => Some(delivery),
    }
}

/// An event, and its frames as far as somebody needed them.
pub(crate) struct Event<'a> {
    name: &'a str,
    json: &'a [u8],
    postcard: &'a [u8],
    frames: Vec<(Wire, Bytes)>,
}

impl<'a> Event<'a> {
    pub(crate) fn of(push: &'a Push) -> Self {
        Self::new(&push.name, &push.json, &push.postcard)
    }

    /// Tells a client that it may have missed something.
    pub(crate) const fn resync() -> Self {
        Self::new("session.resync", b"{}", &[])
    }

    const fn new(name: &'a str, json: &'a [u8], postcard: &'a [u8]) -> Self {
        Self { name, json, postcard, frames: Vec::new() }
    }

    pub(crate) fn send_to_all(&mut self, sessions: &[OpenSession]) {
        for open in sessions {
            self.send_to(&open.connection);
        }
    }

    pub(crate) fn send_to(&mut self, connection: &Connection) {
        let wire = connection.wire();
        connection.send_encoded(wire.encoding, self.frame(wire));
    }

    fn frame(&mut self, wire: Wire) -> Bytes {
        if let Some((_, frame)) = self.frames.iter().find(|(other, _)| *other == wire) {
            return frame.clone();
        }
        let body = match wire.encoding {
            Encoding::Json => self.json,
            Encoding::Binary => self.postcard,
        };
        let frame =
            ServerFrame::Event { event: self.name.into(), body }.encode(wire.encoding, wire.is_stream);
        self.frames.push((wire, frame.clone()));
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_encoded_once_for_each_way_to_read_it() {
        let mut event = Event::new("message.new", b"{}", &[]);
        let wires = [(Encoding::Json, true), (Encoding::Json, false), (Encoding::Binary, true)];
        for (encoding, is_stream) in wires {
            let wire = Wire { encoding, is_stream };
            let (first, second) = (event.frame(wire), event.frame(wire));
            assert_eq!(first.as_ptr(), second.as_ptr());
        }
        assert_eq!(event.frames.len(), wires.len());
    }
}

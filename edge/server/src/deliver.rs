//! Hands what the bus delivers to the sessions here. A frame is encoded once for all sessions that read it alike.

use std::sync::Arc;

use broker_schemas::{ContentType, Delivery};
use bytes::Bytes;
use natter_host::bus::Subscription;
use natter_protocol::{Encoding, ServerFrame};

use crate::closing::Closing;
use crate::connection::{Connection, Wire};
use crate::gateway::Gateway;
use crate::meters::METERS;
use crate::sessions::Members;

/// Sessions that are told before other tasks have their turn.
const BURST: usize = 256;

/// Hands on what is delivered to one user, until the subscription ends.
pub(crate) async fn to_user(mut deliveries: Subscription, members: Arc<Members>) {
    while let Some(body) = deliveries.next().await {
        match read(&body) {
            Some(Delivery::Event { name, json, postcard }) => {
                let mut event = Event::new(&name, &json, &postcard);
                for member in members.all() {
                    event.send_to(&member.connection);
                }
            }
            Some(Delivery::Close { only, except, code, message }) => {
                for member in members.all() {
                    let is_meant = only.is_none_or(|only| only == member.session);
                    if is_meant && except != Some(member.session) {
                        member.connection.end_session(&code, &message, Closing::SESSION_ENDED);
                    }
                }
            }
            None => {}
        }
    }
}

/// Hands on what is delivered to everyone, until the subscription ends.
pub(crate) async fn to_everyone(mut deliveries: Subscription, gateway: Arc<Gateway>) {
    while let Some(body) = deliveries.next().await {
        let Some(Delivery::Event { name, json, postcard }) = read(&body) else { continue };
        let mut event = Event::new(&name, &json, &postcard);
        for (told, member) in gateway.sessions.all().into_iter().enumerate() {
            event.send_to(&member.connection);
            if told % BURST == BURST - 1 {
                tokio::task::yield_now().await;
            }
        }
    }
}

fn read(body: &[u8]) -> Option<Delivery> {
    METERS.deliveries.increment(1);
    let delivery = ContentType::Postcard.decode(body);
    match delivery {
        Ok(Delivery::Event { json, .. }) if std::str::from_utf8(&json).is_err() => {
            tracing::warn!("delivery with json that is not utf-8");
            None
        }
        Ok(delivery) => Some(delivery),
        Err(error) => {
            tracing::warn!(%error, "delivery of an unknown shape");
            None
        }
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
    pub(crate) const fn new(name: &'a str, json: &'a [u8], postcard: &'a [u8]) -> Self {
        Self { name, json, postcard, frames: Vec::new() }
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

//! The bus as a part sees it: call a service and learn what the network did, tell users and other parts something, hear
//! what they tell.
//!
//! A part has two connections. What it *says* (requests, replies, deliveries) goes out on one; what it *serves and
//! hears* comes in on the other. So a burst of deliveries doesn't delay an answer, and leaving a queue group is not
//! raced by the part's own traffic.

mod beat;
mod call;
mod connection;
mod hear;
mod replies;
mod survey;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_nats::HeaderMap;
use broker_schemas::delivery::Push;
use broker_schemas::permission::{Holder, Permissions};
use broker_schemas::subject::{self, Audience, Subject};
use broker_schemas::{ContentType, Delivery, Error, Event, Fact, GroupId};
use bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;

pub use call::{Forward, Reply};
pub use hear::Subscription;

use crate::BusSettings;
use replies::Replies;

/// A part's connections to the bus. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bus {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    holder: Holder,
    may: Permissions,
    canary: bool,
    outgoing: connection::Connection,
    incoming: connection::Connection,
    replies: Replies,
    tally: beat::Tally,
    beating: OnceLock<AbortOnDropHandle<()>>,
}

impl Bus {
    /// Connects as `holder`, with the credential that the settings' directory has for it. Keeps trying until a server
    /// answers, and reconnects for as long as it lives.
    ///
    /// # Errors
    /// When the credential can't be read, is refused, or the server is not reached within 30 s.
    pub async fn connect(settings: &BusSettings, holder: Holder) -> anyhow::Result<Self> {
        let (outgoing, incoming) = tokio::try_join!(
            connection::Connection::open(settings, holder, "outgoing"),
            connection::Connection::open(settings, holder, "incoming"),
        )?;
        let replies = Replies::subscribe(&outgoing, holder).await?;
        let bus = Self {
            shared: Arc::new(Shared {
                holder,
                may: holder.permissions(),
                canary: settings.canary,
                outgoing,
                incoming,
                replies,
                tally: beat::Tally::default(),
                beating: OnceLock::new(),
            }),
        };
        bus.fence().await?;
        if let Some(beating) = beat::begin(&bus.shared)? {
            // Nobody else has set it.
            let _ = bus.shared.beating.set(beating);
        }
        Ok(bus)
    }

    /// Whether both connections are up at the moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.outgoing.is_up() && self.shared.incoming.is_up()
    }

    /// Counts the times when something told to this part may have been lost: a reconnect, or a subscription that
    /// overflowed. Whoever relays what is told watches it and asks for what is missing.
    #[must_use]
    pub fn disruptions(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.incoming.disruptions()
    }

    /// Pushes `event` to whoever the audience is; best effort, for the record is in SQL.
    ///
    /// # Errors
    /// When the event can't be encoded or handed to the connection within a second.
    pub async fn push<E: Event>(&self, audience: Audience, event: &E) -> Result<(), Error> {
        self.deliver(audience, &Delivery::Event(Push::of(event)?)).await
    }

    /// Pushes one event to several audiences, encoded once.
    ///
    /// # Errors
    /// As [`Bus::push`].
    pub async fn push_each<E: Event>(
        &self,
        audiences: impl IntoIterator<Item = Audience>,
        event: &E,
    ) -> Result<(), Error> {
        let body = Bytes::from(ContentType::Postcard.encode(&Delivery::Event(Push::of(event)?))?);
        for audience in audiences {
            self.deliver_encoded(audience, body.clone()).await?;
        }
        Ok(())
    }

    /// Pushes `event` to those who are members of `group` as of `version`, by which nobody joined or left, and who became
    /// members by the version `joined_by` at the latest.
    ///
    /// # Errors
    /// As [`Bus::push`].
    pub async fn push_to_members<E: Event>(
        &self,
        group: GroupId,
        version: u64,
        joined_by: u64,
        event: &E,
    ) -> Result<(), Error> {
        let (joined, left) = (Vec::new(), Vec::new());
        let delivery = Delivery::ToMembers { version, joined_by, joined, left, push: Push::of(event)? };
        self.deliver(Audience::Group(group), &delivery).await
    }

    /// Sends `delivery` to the edges that have an interest in the audience.
    ///
    /// # Errors
    /// As [`Bus::push`].
    pub async fn deliver(&self, audience: Audience, delivery: &Delivery) -> Result<(), Error> {
        let body = ContentType::Postcard.encode(delivery)?;
        self.deliver_encoded(audience, body.into()).await
    }

    async fn deliver_encoded(&self, audience: Audience, body: Bytes) -> Result<(), Error> {
        let attempt = self.shared.tally.attempt();
        self.publish(&subject::deliver(audience), body).await?;
        attempt.done();
        Ok(())
    }

    /// Tells other parts that something happened; best effort.
    ///
    /// # Errors
    /// As [`Bus::push`].
    pub async fn tell<F: Fact>(&self, fact: &F) -> Result<(), Error> {
        let body = ContentType::Postcard.encode(fact)?;
        self.publish(&subject::fact(F::SERVICE, F::NAME, fact.about()), body.into()).await
    }

    /// Whose connections they are.
    pub(crate) fn holder(&self) -> Holder {
        self.shared.holder
    }

    pub(crate) async fn publish(&self, subject: &Subject, body: Bytes) -> Result<(), Error> {
        self.shared.publish(subject, body).await
    }

    /// Grows when the incoming connection breaks.
    pub(crate) fn incoming_lost(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.incoming.lost()
    }

    /// Where this part serves what others call on `subject`.
    pub(crate) fn served_at(&self, subject: Subject) -> Subject {
        if self.shared.canary { subject::canary(&subject) } else { subject }
    }

    /// Sends an empty message, to which nobody replies, to whoever serves `subject`.
    pub(crate) async fn nudge(&self, subject: &Subject) -> Result<(), Error> {
        self.publish(subject, Bytes::new()).await
    }

    /// Sends the reply to a request that came in.
    pub(crate) async fn reply(&self, to: &str, headers: HeaderMap, body: Bytes) -> Result<(), Error> {
        self.shared.outgoing.publish(to, None, headers, body).await
    }

    /// Returns once the server has seen everything that this part sent before on its incoming connection, such as a
    /// subscription. A flush would not tell: it only empties the socket's buffer.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Unavailable`] when the server doesn't answer within 2 s.
    pub async fn fence(&self) -> Result<(), Error> {
        self.shared.incoming.round_trip(&subject::fence(self.shared.holder.name())).await
    }

    /// Leaves the bus for good, after what was said so far is out.
    pub async fn close(&self) {
        for connection in [&self.shared.incoming, &self.shared.outgoing] {
            connection.flush(Duration::from_secs(1)).await;
            connection.close().await;
        }
    }

    /// How many calls wait for a reply.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.shared.replies.waiting()
    }
}

impl Shared {
    async fn publish(&self, subject: &Subject, body: Bytes) -> Result<(), Error> {
        self.check_permission(subject)?;
        if !self.outgoing.is_up() {
            return Err(Error::unavailable("not connected to the bus"));
        }
        self.outgoing.publish(subject.as_str(), None, HeaderMap::new(), body).await
    }

    /// A publish that the server would refuse is not reported to the caller, so it is refused here, with words.
    fn check_permission(&self, subject: &Subject) -> Result<(), Error> {
        if self.may.may_publish(subject) {
            return Ok(());
        }
        let holder = self.holder.name();
        tracing::error!(holder, %subject, "not permitted on the bus; is the method in the service's `calls`?");
        Err(Error::internal())
    }
}

/// Headers as pairs, for whoever forwards a reply without knowing what it means.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(async_nats::HeaderValue::as_str)
}

/// The reply subjects that wait, by number.
type Waiting = HashMap<u64, tokio::sync::oneshot::Sender<replies::Answer>>;

//! Hearing what is told on a subject.

use async_nats::Subscriber;
use broker_schemas::Error;
use broker_schemas::subject::Subject;
use bytes::Bytes;
use futures_util::StreamExt;

use super::Bus;

/// What is told on one subject, in order. What doesn't fit into the queue is lost and counted, see
/// [`Bus::disruptions`].
#[derive(Debug)]
pub struct Subscription {
    subscriber: Subscriber,
    received: u64,
}

impl Subscription {
    /// The next body; `None` once the subscription or the connection has ended.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.next_message().await.map(|message| message.payload)
    }

    pub(crate) async fn next_message(&mut self) -> Option<async_nats::Message> {
        let message = self.subscriber.next().await;
        self.received += u64::from(message.is_some());
        message
    }

    /// Asks for exactly `more` further messages, after which client and server end the subscription at the same one, and
    /// [`Subscription::next`] ends.
    ///
    /// This is the only way to end a subscription without losing what is under way: the client's drain forgets the
    /// subscription before the server has heard of it. It holds as long as fewer than `more` messages are under way
    /// right now, and as long as both count from the same message: not after a reconnect.
    pub(crate) async fn count_down(&mut self, more: u64) {
        if let Err(error) = self.subscriber.unsubscribe_after(self.received + more).await {
            tracing::debug!(%error, "the bus was gone before the subscription could be ended");
        }
    }

    /// Ends the subscription now. [`Subscription::next`] still returns what had come, then ends.
    pub(crate) async fn end(&mut self) {
        if let Err(error) = self.subscriber.unsubscribe().await {
            tracing::debug!(%error, "the bus was gone before the subscription could be closed");
        }
    }

    /// Ends the subscription now, and drops what had come.
    pub async fn close(mut self) {
        self.end().await;
    }
}

impl Bus {
    /// Subscribes. The server may not know of it yet when this returns: see [`Bus::fence`].
    ///
    /// # Errors
    /// [`broker_schemas::Code::Unavailable`] when the connection is closed.
    pub async fn subscribe(&self, subject: &Subject) -> Result<Subscription, Error> {
        let subscribed = self.shared.incoming.client().subscribe(subject.as_str().to_owned()).await;
        self.subscription(subscribed)
    }

    /// Subscribes as one of a group, of which one gets each message.
    pub(crate) async fn subscribe_as(&self, subject: &Subject, group: &str) -> Result<Subscription, Error> {
        let client = self.shared.incoming.client();
        let subscribed = client.queue_subscribe(subject.as_str().to_owned(), group.to_owned()).await;
        self.subscription(subscribed)
    }

    fn subscription(
        &self,
        subscribed: Result<Subscriber, async_nats::SubscribeError>,
    ) -> Result<Subscription, Error> {
        subscribed.map(|subscriber| Subscription { subscriber, received: 0 }).map_err(|error| {
            tracing::warn!(%error, holder = self.shared.holder.name(), "subscribe failed");
            Error::unavailable("the bus did not take the subscription")
        })
    }
}

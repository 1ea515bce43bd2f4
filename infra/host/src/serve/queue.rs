//! One endpoint's place in its queue group: taking it, keeping it when the connection breaks, and leaving it without
//! losing a call.

use std::sync::Arc;
use std::time::Duration;

use broker_schemas::subject::{self, Subject};
use tokio::time::{Instant, MissedTickBehavior};

use super::{Endpoint, Server};
use crate::bus::Subscription;

/// More requests than can be under way from the server to one endpoint at a moment.
const UNDER_WAY: u64 = 512;
/// How often a stopping copy sends itself what ends its subscriptions; more copies need it more often.
const NUDGE_EVERY: Duration = Duration::from_millis(50);
/// How long after the last message a stopping copy still tries to end its subscriptions without losing a call: a busy machine
/// takes seconds for those of a whole module, and a bus that hangs must not hold the stop up.
pub(super) const LEAVE_GRACE: Duration = Duration::from_secs(5);

impl Server {
    /// Takes what arrives on one endpoint's subject, until the copy leaves.
    pub(super) async fn listen(self: Arc<Self>, index: usize, endpoint: Endpoint) -> anyhow::Result<()> {
        let subject = self.bus.served_at(subject::method(endpoint.exposure, &endpoint.spec));
        let mut lost = self.bus.incoming_lost();
        lost.mark_unchanged();
        let mut requests = self.bus.subscribe_as(&subject, self.service.name).await?;
        let server = self.clone();
        let listen = async move {
            loop {
                tokio::select! {
                    () = server.leave.cancelled() => break,
                    message = requests.next_message() => match message {
                        Some(message) => server.take(index, &endpoint, message),
                        None => return,
                    },
                    Ok(()) = lost.changed() => match server.subscribe_anew(index, &endpoint, &subject, requests).await {
                        Some(renewed) => requests = renewed,
                        None => return,
                    },
                }
            }
            server.leave_queue_group(index, &endpoint, &subject, requests).await;
        };
        self.tasks.spawn(listen);
        Ok(())
    }

    /// Replaces a subscription when its connection broke: the server would count anew from the reconnect, the client
    /// library goes on from the beginning, and a subscription that is to end without loss needs both to count from the same
    /// message.
    ///
    /// The old one is closed before the library takes it up again, which it first tries after 50 ms. So nothing is routed to
    /// it any more; what had come before is taken.
    async fn subscribe_anew(
        self: &Arc<Self>,
        index: usize,
        endpoint: &Endpoint,
        subject: &Subject,
        mut broken: Subscription,
    ) -> Option<Subscription> {
        broken.end().await;
        while let Some(message) = broken.next_message().await {
            self.take(index, endpoint, message);
        }
        let renewed = self.bus.subscribe_as(subject, self.service.name).await;
        renewed.inspect_err(|error| tracing::error!(%error, %subject, "not served any more")).ok()
    }

    /// Takes what the bus had routed here already, while telling it to route nothing more.
    ///
    /// Nobody may call at the moment, so the copy sends itself the messages that end its subscription; other copies,
    /// which get some of them, pass over a message to which nobody awaits a reply.
    async fn leave_queue_group(
        self: &Arc<Self>,
        index: usize,
        endpoint: &Endpoint,
        subject: &Subject,
        mut requests: Subscription,
    ) {
        requests.count_down(UNDER_WAY).await;
        let grace = tokio::time::sleep(LEAVE_GRACE);
        tokio::pin!(grace);
        let mut again = tokio::time::interval(NUDGE_EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // What has come goes first: sending more while it waits would only delay the end.
                biased;
                message = requests.next_message() => match message {
                    Some(message) => {
                        self.take(index, endpoint, message);
                        grace.as_mut().reset(Instant::now() + LEAVE_GRACE);
                    }
                    None => return,
                },
                _ = again.tick() => for _ in 0..UNDER_WAY {
                    if self.bus.nudge(subject).await.is_err() {
                        break;
                    }
                },
                () = &mut grace => break,
            }
        }
        tracing::warn!(%subject, "left without the bus's word; calls under way may be lost");
        requests.close().await;
    }
}

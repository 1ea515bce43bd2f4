//! Hands what is delivered to one group to its members here: one task for each group, one delivery after the other.

use std::sync::Arc;
use std::time::Duration;

use broker_schemas::delivery::Push;
use broker_schemas::group::MEMBERS_MAX;
use broker_schemas::message::GetPresent;
use broker_schemas::{Delivery, Error, GroupId, List};
use natter_host::Scope;
use natter_host::bus::Subscription;
use tokio::time::{Instant, sleep_until, timeout};

use super::roster::{Recipient, Roster};
use crate::deliver::{self, Event};
use crate::gateway::Gateway;
use crate::jitter::within;
use crate::meters::METERS;

/// How long a delivery waits until it is known who is a member. What comes meanwhile waits in the subscription.
const ASK: Duration = Duration::from_secs(2);
/// Somebody may enter with older news between an answer and its use; then it is asked again.
const QUESTIONS: usize = 3;
/// After a question that was not answered; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Hands out until the subscription ends.
pub(super) async fn run(
    gateway: Arc<Gateway>,
    group: GroupId,
    roster: Arc<Roster>,
    mut deliveries: Subscription,
) {
    let mut relay = Relay { gateway, group, roster, debt: None };
    loop {
        let body = tokio::select! {
            body = deliveries.next() => body,
            () = relay.debt_is_due() => {
                relay.ask().await;
                continue;
            }
        };
        let Some(body) = body else { return };
        match deliver::read(&body) {
            Some(Delivery::ToMembers { version, joined_by, joined, left, push }) => {
                let groups = &relay.gateway.sessions.groups;
                groups.advance(group, &relay.roster, version, &joined, &left);
                relay.hand_on(version, joined_by, &push).await;
            }
            Some(_) => tracing::warn!(%group, "a delivery to a group that says no version of it"),
            None => {}
        }
    }
}

struct Relay {
    gateway: Arc<Gateway>,
    group: GroupId,
    roster: Arc<Roster>,
    debt: Option<Debt>,
}

/// Something was withheld. Once it is known again who is a member, the members are told to catch up.
struct Debt {
    ask_at: Instant,
    pause: Duration,
}

impl Relay {
    async fn hand_on(&mut self, version: u64, joined_by: u64, push: &Push) {
        let mut questions = 0;
        loop {
            if let Some(recipients) = self.roster.as_of(version) {
                hand_out(&recipients, joined_by, Event::of(push)).await;
                return;
            }
            let may_ask = self.debt.as_ref().is_none_or(|debt| debt.ask_at <= Instant::now());
            if questions == QUESTIONS || !may_ask || !self.ask().await {
                break;
            }
            questions += 1;
        }
        METERS.withheld.increment(1);
        self.debt.get_or_insert_with(|| Debt::after(FIRST_PAUSE));
    }

    /// Asks who is a member, and pays the debt if there is one. Says whether that was answered.
    async fn ask(&mut self) -> bool {
        METERS.questions.increment(1);
        let asked = timeout(ASK, self.try_to_ask()).await;
        match asked.unwrap_or_else(|_| Err(Error::timeout("no answer in time"))) {
            Ok(()) => {
                if self.debt.take().is_some() {
                    let recipients = self.roster.recipients();
                    hand_out(&recipients, u64::MAX, Event::resync()).await;
                }
                true
            }
            Err(error) => {
                tracing::debug!(%error, group = %self.group, "members not known; what is for them is withheld");
                let pause = self.debt.as_ref().map_or(FIRST_PAUSE, |debt| debt.pause * 2);
                self.debt = Some(Debt::after(pause.min(LONGEST_PAUSE)));
                false
            }
        }
    }

    async fn try_to_ask(&self) -> Result<(), Error> {
        let groups = &self.gateway.sessions.groups;
        let _room = groups.questions.acquire().await;
        for asked in self.roster.users().chunks(MEMBERS_MAX) {
            let users = List::new(asked.to_vec()).map_err(Error::invalid)?;
            let request = GetPresent { group: self.group, users };
            let present = self.gateway.bus.call(&Scope::background(ASK), &request).await?;
            groups.learn(self.group, &self.roster, asked, &present);
        }
        Ok(())
    }

    /// Returns when there is a debt and it is time to ask again.
    async fn debt_is_due(&self) {
        match &self.debt {
            Some(debt) => sleep_until(debt.ask_at).await,
            None => std::future::pending().await,
        }
    }
}

impl Debt {
    fn after(pause: Duration) -> Self {
        Self { ask_at: within(pause / 2) + pause / 2, pause }
    }
}

async fn hand_out(recipients: &[Recipient], version: u64, mut event: Event<'_>) {
    let mut sent = 0;
    for sessions in recipients.iter().filter_map(|recipient| recipient.at(version)) {
        for open in &*sessions.all() {
            event.send_to(&open.connection);
            deliver::let_others(sent).await;
            sent += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use broker_schemas::{SessionId, UserId};
    use natter_protocol::Encoding;

    use super::*;
    use crate::connection::{Connection, for_test};
    use crate::sessions::{OpenSession, Sessions};

    const MEMBERS: u64 = 1_000;

    struct Large {
        roster: Roster,
        /// Since when, and where.
        members: Vec<(u64, Arc<Connection>)>,
    }

    /// A group with 1,000 members here, who joined by version 1 or 2, and speak JSON or binary.
    fn large_group() -> Large {
        let (sessions, roster) = (Sessions::new(1), Roster::default());
        let member = |number: u64| {
            let (user, since, connection) = (UserId::new(number).unwrap(), 1 + number % 2, for_test());
            connection.speak(if number.is_multiple_of(3) { Encoding::Binary } else { Encoding::Json });
            let session = SessionId::new(number).unwrap();
            let open = OpenSession { session, connection: connection.clone() };
            roster.enter(user, &sessions.join(user, open).0.sessions, 2, since);
            (since, connection)
        };
        let members = (1..=MEMBERS).map(member).collect();
        Large { roster, members }
    }

    fn push() -> Push {
        Push { name: "message.new".into(), json: b"{}".to_vec(), postcard: vec![7] }
    }

    #[tokio::test]
    async fn a_thousand_members_get_an_event_that_is_encoded_once_for_each_way_to_read_it() {
        let Large { roster, members } = large_group();
        for version in [1, 2] {
            let recipients = roster.as_of(version).unwrap();
            hand_out(&recipients, version, Event::of(&push())).await;
            let mut encoded = std::collections::BTreeSet::new();
            for (since, connection) in &members {
                let mut frames = VecDeque::new();
                connection.outbox.take(&mut frames, 0).unwrap();
                assert_eq!(frames.len(), usize::from(*since <= version));
                for frame in frames {
                    assert_eq!(frame.encoding, connection.wire().encoding);
                    encoded.insert(frame.bytes.as_ptr());
                }
            }
            assert_eq!(encoded.len(), 2);
        }
        assert!(roster.as_of(3).is_none());
    }

    #[tokio::test]
    async fn between_changes_the_list_of_members_is_not_copied() {
        let Large { roster, .. } = large_group();
        assert!(Arc::ptr_eq(&roster.as_of(1).unwrap(), &roster.as_of(2).unwrap()));
    }

    #[tokio::test]
    async fn handing_out_to_a_thousand_members_lets_others_have_their_turn() {
        let Large { roster, .. } = large_group();
        let recipients = roster.recipients();
        tokio::select! {
            biased;
            () = hand_out(&recipients, 2, Event::resync()) => panic!("nobody else had a turn"),
            () = std::future::ready(()) => {}
        }
    }
}

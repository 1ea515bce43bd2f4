//! What somebody says, and what becomes of it afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use broker_schemas::message::{self, Recipient, Sent};
use broker_schemas::{Conversation, Outcome, Text};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use super::{Client, Load, Settled, settle};
use crate::Random;
use crate::history::{Event, Operation, Recorder, Step, hash};

/// How long a send goes on trying.
const SEND_LIMIT: Duration = Duration::from_secs(8);
/// How many sends of one client may be under way; past it, it waits.
const IN_FLIGHT: usize = 64;

/// What is done to a message afterwards.
enum Fate {
    Stays,
    Edited(String),
    Recalled,
    Liked,
    /// Liked, and not any more.
    LikedOnce,
}

impl Fate {
    fn of(load: &Load, random: &mut Random) -> Self {
        if !random.chance(load.edited) {
            return Self::Stays;
        }
        match random.below(5) {
            0 | 1 => Self::Edited(format!("edited {}", random.next())),
            2 => Self::Recalled,
            3 => Self::Liked,
            _ => Self::LikedOnce,
        }
    }
}

/// Sends at a steady rate, whatever becomes of the sends.
pub(super) async fn talk(client: Client, load: Load, recorder: Recorder, stop: Arc<AtomicBool>) {
    let mut random = Random::new(load.seed ^ u64::from(client.device) << 32);
    #[allow(clippy::cast_precision_loss, reason = "a few thousand clients at most")]
    let period = Duration::from_secs_f64(load.clients as f64 / load.per_second);
    sleep(period.mul_f64(f64::from(u32::try_from(random.below(1_000)).unwrap()) / 1_000.0)).await;
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut sends, room) = (JoinSet::new(), Arc::new(Semaphore::new(IN_FLIGHT)));
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        while sends.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        number += 1;
        let client_id = random.uuid();
        let padding = ".".repeat(usize::try_from(random.below(200)).unwrap());
        let text = format!("{} {number} {padding}", client.user);
        let fate = Fate::of(&load, &mut random);
        let Some((to, conversation)) = client.target(&mut random) else { continue };
        let (client, recorder, once) = (client.clone(), recorder.clone(), load.once);
        sends.spawn(async move {
            if let Some(sent) = send(&client, (to, conversation), client_id, &text, once, &recorder).await {
                change(&client, sent, fate, once, &recorder).await;
            }
            drop(place);
        });
    }
    while sends.join_next().await.is_some() {}
}

impl Client {
    /// Where to say the next thing. Somebody who is out of a group still tries now and then, and must be refused.
    fn target(&self, random: &mut Random) -> Option<(Recipient, Conversation)> {
        let mut targets: Vec<(Recipient, Conversation)> =
            self.peer.iter().map(|(peer, conversation)| (Recipient::User(*peer), *conversation)).collect();
        for (group, place) in &self.groups {
            if group.members[*place].is_inside() || random.once_in(4) {
                targets.push((Recipient::Group(group.id), group.conversation));
            }
        }
        (!targets.is_empty()).then(|| *random.pick(&targets))
    }
}

async fn send(
    client: &Client,
    (to, conversation): (Recipient, Conversation),
    client_id: Uuid,
    text: &str,
    once: bool,
    recorder: &Recorder,
) -> Option<Sent> {
    let event = client.event(Operation::Send, Step::Invoke).within(conversation);
    let event = Event { client_id: Some(client_id), ..event };
    recorder.event(Event { body: Some(hash(text)), ..event.clone() });
    let sent = if once {
        let request = message::Send {
            to,
            client_id,
            text: text.try_into().unwrap(),
            quote: None,
            mentions: None,
            payload: None,
        };
        client.chat.call(&request).await
    } else {
        client.chat.send(to, client_id, text, SEND_LIMIT).await
    };
    let settled = match sent {
        Ok(sent) => Settled::Done(sent),
        Err(error) => match error.outcome() {
            Outcome::Rejected => Settled::Refused(error),
            Outcome::NotExecuted => Settled::NotDone(error),
            Outcome::Unknown => Settled::Unknown(error),
        },
    };
    let event = settled.log(event);
    match settled {
        Settled::Done(sent) => {
            recorder.event(Event { seq: Some(sent.seq.get()), ..event });
            Some(sent)
        }
        _ => {
            recorder.event(event);
            None
        }
    }
}

/// Does to a message what is to be done to it, one after the other.
async fn change(client: &Client, sent: Sent, fate: Fate, once: bool, recorder: &Recorder) {
    let Sent { conversation, seq, .. } = sent;
    let event = client.event(Operation::Edit, Step::Invoke).within(conversation);
    let event = Event { seq: Some(seq.get()), ..event };
    let react = |remove| message::React {
        conversation,
        seq,
        reaction: "👍".try_into().unwrap(),
        remove: Some(remove),
    };
    let log = |event: Event, settled: Settled<message::Changed>| {
        let revision = if let Settled::Done(changed) = &settled { Some(changed.revision) } else { None };
        recorder.event(Event { revision, ..settled.log(event) });
    };
    match fate {
        Fate::Stays => {}
        Fate::Edited(text) => {
            let event = Event { body: Some(hash(&text)), ..event };
            recorder.event(event.clone());
            let request = message::Edit { conversation, seq, text: Text::new(text).unwrap() };
            log(event, settle(&client.chat, &request, SEND_LIMIT, once).await);
        }
        Fate::Recalled => {
            let event = Event { body: Some(hash("")), ..event };
            recorder.event(event.clone());
            let request = message::Recall { conversation, seq };
            log(event, settle(&client.chat, &request, SEND_LIMIT, once).await);
        }
        Fate::Liked | Fate::LikedOnce => {
            recorder.event(event.clone());
            log(event.clone(), settle(&client.chat, &react(false), SEND_LIMIT, once).await);
            if matches!(fate, Fate::LikedOnce) {
                recorder.event(event.clone());
                log(event, settle(&client.chat, &react(true), SEND_LIMIT, once).await);
            }
        }
    }
}

//! Who comes and goes: in each group one after the other, so that it is known who is in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use broker_schemas::group::{Invite, Join, Kick, Leave};
use tokio::time::{Instant, sleep};

use super::people::{Group, Member};
use super::{Client, Load, Settled, read, settle};
use crate::Random;
use crate::history::{Event, Operation, Recorder, Step};

/// How long a move goes on trying: until what is broken is whole again. Whoever is in between could not be moved any more.
const MOVE_LIMIT: Duration = Duration::from_secs(60);

/// Lets people leave and join until it is to stop.
pub(super) async fn churn(group: Arc<Group>, load: Load, recorder: Recorder, stop: Arc<AtomicBool>) {
    if load.moves_per_second <= 0.0 {
        return;
    }
    let mut random = Random::new(load.seed.rotate_left(17) ^ group.number as u64);
    #[allow(clippy::cast_precision_loss, reason = "a few groups")]
    let mean = Duration::from_secs_f64((load.clients / 4) as f64 / load.moves_per_second);
    // Nobody knows where these are.
    let mut lost = vec![false; group.members.len()];
    loop {
        let wait = mean.mul_f64(f64::from(u32::try_from(random.below(2_000)).unwrap()) / 1_000.0);
        let due = Instant::now() + wait;
        while Instant::now() < due {
            sleep(Duration::from_millis(20)).await;
            if stop.load(Ordering::Relaxed) {
                return;
            }
        }
        let place = group.pick(&mut random);
        let by_owner = random.once_in(2);
        if !lost[place] {
            lost[place] = !shift(&group, place, by_owner, load.once, &recorder).await;
        }
    }
}

impl Group {
    /// Whom to move: often somebody who is out, so that the group stays nearly whole; never the owner.
    fn pick(&self, random: &mut Random) -> usize {
        let outside: Vec<usize> =
            (1..self.members.len()).filter(|place| !self.members[*place].is_inside()).collect();
        if !outside.is_empty() && !random.once_in(3) {
            return *random.pick(&outside);
        }
        1 + usize::try_from(random.below(self.members.len() as u64 - 1)).unwrap()
    }
}

/// Lets a member leave or join, by itself or by the owner. Whether it is known what came of it.
async fn shift(group: &Group, place: usize, by_owner: bool, once: bool, recorder: &Recorder) -> bool {
    let (owner, member) = (&group.members[0], &group.members[place]);
    let Member { user, device, .. } = *member;
    let was_inside = member.is_inside();
    let (operation, word) = match (was_inside, by_owner) {
        (true, true) => (Operation::Leave, "kicked"),
        (true, false) => (Operation::Leave, "left"),
        (false, _) => (Operation::Join, "joined"),
    };
    let event = Event::new(operation, Step::Invoke, user.get(), device).within(group.conversation);
    let event = Event {
        from: by_owner.then_some(owner.user.get()),
        notice: Some(format!("{word} {user}")),
        seq: (operation == Operation::Join && group.is_whole).then_some(1),
        ..event
    };
    recorder.event(event.clone());
    let chat = if by_owner { &owner.chat } else { &member.chat };
    let settled = match (was_inside, by_owner) {
        (true, true) => {
            settle(chat, &Kick { group: group.id, user, block: None }, MOVE_LIMIT, once).await.map(drop)
        }
        (true, false) => settle(chat, &Leave { group: group.id }, MOVE_LIMIT, once).await.map(drop),
        (false, true) => settle(chat, &Invite { group: group.id, user }, MOVE_LIMIT, once).await.map(drop),
        (false, false) => settle(chat, &Join { group: group.id }, MOVE_LIMIT, once).await.map(drop),
    };
    recorder.event(settled.log(event));
    match settled {
        Settled::Done(()) => {
            member.set_inside(!was_inside);
            if was_inside {
                // Who is out can read nothing any more.
                let client = Client {
                    chat: member.chat.clone(),
                    user,
                    device,
                    peer: None,
                    groups: Vec::new(),
                    shown: Arc::default(),
                };
                read::read_all(&client, group.conversation, recorder).await;
            }
            true
        }
        Settled::Refused(_) | Settled::NotDone(_) => true,
        Settled::Unknown(_) => {
            // Nobody waits for it to see anything.
            member.set_inside(false);
            false
        }
    }
}

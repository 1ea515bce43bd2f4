//! Clients that call one method in two versions all the time, whatever happens to the copies that answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use broker_schemas::message::{Edit, Recipient};
use broker_schemas::{Conversation, Seq};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::Device;

/// How many call at once, each version.
const CALLERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);

/// What a version of the method is called, and what it must say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    /// What clients call it.
    pub(super) call: &'static str,
    /// What is wrong with an answer.
    wrong: fn(&Value) -> bool,
}

/// What both releases have: the list has the one conversation, with its one message.
pub(super) const V1: Version = Version {
    call: "message.unread",
    wrong: |answer| answer["conversations"][0]["last_seq"] != 1 || !answer["total"].is_null(),
};
/// What only the new release has: the sum as well.
pub(super) const V2: Version = Version {
    call: "message.v2.unread",
    wrong: |answer| answer["conversations"][0]["last_seq"] != 1 || answer["total"] != 1,
};

/// What became of the calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// How long each took that was answered.
    pub(super) made: Vec<Duration>,
    /// Those that were not, or wrongly.
    pub(super) failed: Vec<String>,
}

/// Somebody who has one message to read, which a friend sent.
#[derive(Debug)]
pub(super) struct Reader {
    device: Arc<Device>,
    friend: Device,
}

impl Reader {
    /// Makes both, and the message.
    pub(super) async fn prepare(place: &str) -> Self {
        let device = Device::register(place, "reader").await;
        let friend = Device::register(place, "writer").await;
        friend.befriend(&device).await;
        friend.send(Recipient::User(device.user), "one message").await.unwrap();
        Self { device: Arc::new(device), friend }
    }

    /// What the module says when the reader edits what the friend said.
    pub(super) async fn edit_of_anothers(&self) -> String {
        let conversation = Conversation::direct(self.device.user, self.friend.user).unwrap();
        let text = "not mine".try_into().unwrap();
        let edit = Edit { conversation, seq: Seq::new(1).unwrap(), text };
        self.device.call(&edit).await.map_or_else(|refusal| refusal.message, |_| "edited".into())
    }

    /// Calls once.
    ///
    /// # Errors
    /// What the edge answered, or what is wrong with it.
    pub(super) async fn call(&self, version: Version) -> Result<(), String> {
        call(&self.device, version).await
    }

    /// Calls without a pause, until it is stopped.
    pub(super) fn start(&self, version: Version) -> Callers {
        let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Calls::default())));
        let mut tasks = JoinSet::new();
        for _ in 0..CALLERS {
            let (device, stop, calls) = (self.device.clone(), stop.clone(), calls.clone());
            tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let at = Instant::now();
                    let answer = call(&device, version).await;
                    let took = at.elapsed();
                    {
                        let mut calls = calls.lock().unwrap();
                        match answer {
                            Ok(()) => calls.made.push(took),
                            Err(why) => calls.failed.push(why),
                        }
                    }
                    sleep(PAUSE).await;
                }
            });
        }
        Callers { stop, calls, tasks }
    }
}

async fn call(device: &Device, version: Version) -> Result<(), String> {
    match device.call_json(version.call, json!({})).await {
        Ok(answer) if (version.wrong)(&answer) => Err(format!("{} answered {answer}", version.call)),
        Ok(_) => Ok(()),
        Err(refusal) => Err(format!("{}: {refusal:?}", version.call)),
    }
}

/// Calls that go on.
#[derive(Debug)]
pub(super) struct Callers {
    stop: Arc<AtomicBool>,
    calls: Arc<Mutex<Calls>>,
    tasks: JoinSet<()>,
}

impl Callers {
    /// Ends them: what became of all.
    ///
    /// # Panics
    /// When a caller did.
    pub(super) async fn finish(self) -> Calls {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        Arc::into_inner(self.calls).expect("every caller has ended").into_inner().unwrap()
    }
}

//! Writes down what nobody waits for: requests that were refused before their handler saw them, and acts whose handler was
//! dropped at its deadline.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use broker_schemas::Error;
use broker_schemas::admin::AuditOutcome;
use natter_host::{Observer, Refused, Result};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::flood::{Entry, Flood, entry};
use super::{is_logged, refused};
use crate::store::Store;

/// Outcomes that may wait.
const OUTCOMES: usize = 1_024;
const MINUTE: Duration = Duration::from_secs(60);
/// How long it waits while the database can't be reached.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of an act.
pub(crate) struct Ended {
    entry: u64,
    outcome: AuditOutcome,
}

/// Requests that were refused before their handler saw them. None is lost while this process runs, however many there are:
/// what there is no room for is counted.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    flood: Mutex<Flood>,
    came: Notify,
}

impl Observer for Refusals {
    fn refused(&self, refused: Refused) {
        if is_logged(refused.method.name) {
            let entry = entry(&refused);
            self.flood().take(entry);
            self.came.notify_one();
        }
    }
}

impl Refusals {
    /// Consistent between any two statements, so a panic elsewhere doesn't spoil it.
    fn flood(&self) -> MutexGuard<'_, Flood> {
        self.flood.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where acts that ended without being written down are told.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    ended: mpsc::Sender<Ended>,
}

/// An act that has begun. Dropped before its end is written, it has the recorder write that.
pub(crate) struct Open {
    entry: u64,
    outcome: Option<AuditOutcome>,
    recorder: Recorder,
}

impl Recorder {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Ended>) {
        let (ended, receiver) = mpsc::channel(OUTCOMES);
        (Self { ended }, receiver)
    }

    pub(crate) fn open(&self, entry: u64) -> Open {
        let late = Error::timeout("not finished in time; it may or may not have been done");
        Open { entry, outcome: Some(refused(&late)), recorder: self.clone() }
    }
}

impl Open {
    /// The end is in the log.
    pub(crate) fn written(&mut self) {
        self.outcome = None;
    }

    /// The end is known.
    pub(crate) fn became(&mut self, outcome: AuditOutcome) {
        self.outcome = Some(outcome);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            let entry = self.entry;
            if self.recorder.ended.try_send(Ended { entry, outcome }).is_err() {
                tracing::error!(entry, "what became of an act is not in the audit log");
            }
        }
    }
}

/// Writes until it is stopped, then what is still there.
pub(crate) async fn run(
    store: Store,
    refusals: Arc<Refusals>,
    mut ended: mpsc::Receiver<Ended>,
    stop: CancellationToken,
) {
    let mut minutes = tokio::time::interval_at(Instant::now() + MINUTE, MINUTE);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let record = async |entry: Entry| {
        write("refusal", &stop, || store.record_act(&entry.0, &entry.1)).await;
    };
    let mut sums = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = refusals.came.notified() => {
                let next = refusals.flood().next();
                if let Some(entry) = next {
                    record(entry).await;
                    refusals.came.notify_one();
                }
            },
            Some(Ended { entry, outcome }) = ended.recv() => {
                write("outcome", &stop, || store.end_act(entry, &outcome)).await;
            }
            _ = minutes.tick() => {
                sums = refusals.flood().sum_up();
                while !stop.is_cancelled() && let Some(entry) = sums.pop() {
                    record(entry).await;
                }
            },
        }
    }
    while let Ok(Ended { entry, outcome }) = ended.try_recv() {
        write_once("outcome", store.end_act(entry, &outcome).await);
    }
    let mut left: VecDeque<_> = std::iter::from_fn(|| refusals.flood().next()).collect();
    left.extend(sums);
    left.extend(refusals.flood().sum_up());
    while let Some((act, outcome)) = left.pop_front() {
        if let Err(failure) = store.record_act(&act, &outcome).await {
            // Each would wait for the database in vain, and whoever stops this waits for them all.
            return tracing::error!(entries = left.len() + 1, ?failure, "refusals are not in the audit log");
        }
    }
}

/// Tries for as long as it takes. Once it is to stop, a last time.
async fn write<F: Future<Output = Result<()>>>(
    what: &str,
    stop: &CancellationToken,
    attempt: impl Fn() -> F,
) {
    while let Err(failure) = attempt().await {
        tracing::warn!(what, ?failure, "not in the audit log yet");
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return write_once(what, attempt().await);
        }
    }
}

fn write_once(what: &str, written: Result<()>) {
    if let Err(failure) = written {
        tracing::error!(what, ?failure, "not in the audit log");
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::{Code, Method, admin};
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::audit::flood::tests::refusal;
    use crate::store::Filter;
    use crate::store::tests::each_database;

    /// Has a recorder write until it is stopped.
    async fn recorded(store: &Store, work: impl AsyncFnOnce(Recorder, &Refusals)) {
        let refusals = Arc::<Refusals>::default();
        let (recorder, ended) = Recorder::new();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(run(store.clone(), refusals.clone(), ended, stop.clone()));
        tasks.close();
        work(recorder, &refusals).await;
        stop.cancel();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn refusals_are_in_the_log_the_flood_as_its_number_and_reports_of_users_not_at_all() {
        each_database(async |store| {
            recorded(&store, async |_, refusals| {
                // All at once: nobody who writes them down has a turn meanwhile.
                for _ in 0..2_000 {
                    refusals.refused(refusal(Some(7), "192.0.2.1"));
                }
                let report = Refused { method: admin::TakeReport::SPEC, ..refusal(None, "192.0.2.1") };
                refusals.refused(report);
            })
            .await;
            let entries = store.acts(&Filter::default(), 100).await.unwrap();
            assert_eq!(entries.len(), 21);
            let AuditOutcome::Refused { code, message } = entries[0].outcome.clone().unwrap() else {
                panic!("not refused")
            };
            assert_eq!((code, entries[0].request.as_str()), (Code::Forbidden, r#"{"refused":1980}"#));
            assert!(message.contains("1980 more in this minute"), "{message}");
            assert!(entries.iter().all(|entry| entry.by.unwrap().get() == 7 && entry.method == "ban"));
        })
        .await;
    }

    #[tokio::test]
    async fn an_act_whose_handler_was_dropped_says_that_nobody_knows() {
        each_database(async |store| {
            let begin = async || {
                let (act, _) = entry(&refusal(Some(7), "192.0.2.1"));
                store.begin_act(&act).await.unwrap()
            };
            let (dropped, known, written) = (begin().await, begin().await, begin().await);
            recorded(&store, async |recorder, _| {
                drop(recorder.open(dropped));
                recorder.open(known).became(AuditOutcome::Done);
                recorder.open(written).written();
            })
            .await;
            let outcomes: Vec<_> = store.acts(&Filter::default(), 10).await.unwrap();
            let outcomes: Vec<_> = outcomes.into_iter().rev().map(|entry| entry.outcome).collect();
            assert!(matches!(&outcomes[0], Some(AuditOutcome::Refused { code: Code::Timeout, .. })));
            assert_eq!(outcomes[1..], [Some(AuditOutcome::Done), None]);
        })
        .await;
    }
}

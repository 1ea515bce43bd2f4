//! Where clients log.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::{Event, Line, Mark, Micros, Operation, Step};

/// Takes the lines of many clients, in the order of their times.
#[derive(Debug, Clone)]
pub struct Recorder {
    start: Instant,
    lines: Arc<Mutex<Vec<Line>>>,
    /// Counted beside, because it is asked for while lines come.
    acked: Arc<AtomicUsize>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { start: Instant::now(), lines: Arc::default(), acked: Arc::default() }
    }
}

impl Recorder {
    /// A step of an operation, now.
    pub fn event(&self, event: Event) {
        if event.operation == Operation::Send && event.step == Step::Ok {
            self.acked.fetch_add(1, Ordering::Relaxed);
        }
        self.add(|at| Line::Event(Event { at, ..event }));
    }

    /// A step of an operation, at its own time.
    pub fn event_at(&self, event: Event) {
        self.add(|_| Line::Event(event));
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Micros {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A moment, now.
    pub fn mark(&self, mark: Mark, what: impl Into<String>) {
        let what = what.into();
        self.add(|at| Line::Mark { at, mark, what });
    }

    /// What a process uses now.
    pub fn sample(&self, process: &str, pid: u32, resident: u64, descriptors: u64) {
        self.add(|at| Line::Sample { at, process: process.to_owned(), pid, resident, descriptors });
    }

    /// The time is taken with the lock held, so that times never go back.
    fn add(&self, line: impl FnOnce(Micros) -> Line) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.now();
        lines.push(line(at));
    }

    /// What there is so far.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many sends were acked so far.
    #[must_use]
    pub fn acked(&self) -> usize {
        self.acked.load(Ordering::Relaxed)
    }

    /// How many sends ended so far without anybody knowing what became of them.
    #[must_use]
    pub fn unanswered(&self) -> usize {
        let is_unanswered = |line: &&Line| matches!(line, Line::Event(event) if event.operation == Operation::Send && event.step == Step::Info);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(is_unanswered).count()
    }

    /// The place of the last message that anybody saw or sent, by conversation.
    #[must_use]
    pub fn last_places(&self) -> BTreeMap<String, u64> {
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        for line in self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let Line::Event(Event { conversation, seq: Some(seq), .. }) = line else { continue };
            match last.get_mut(conversation) {
                Some(known) => *known = (*seq).max(*known),
                None => drop(last.insert(conversation.clone(), *seq)),
            }
        }
        last
    }

    /// The last revision that anybody saw or made of each message that was changed, by conversation and place.
    #[must_use]
    pub fn last_revisions(&self) -> BTreeMap<String, BTreeMap<u64, u64>> {
        let mut last: BTreeMap<String, BTreeMap<u64, u64>> = BTreeMap::new();
        for line in self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let Line::Event(Event { conversation, seq: Some(seq), revision: Some(revision @ 1..), .. }) =
                line
            else {
                continue;
            };
            let known = last.entry(conversation.clone()).or_default().entry(*seq).or_default();
            *known = (*revision).max(*known);
        }
        last
    }
}

//! What waits to be written to one client: bounded in bytes, and without memory of its own while nothing waits.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use natter_protocol::Encoding;

use crate::closing::Closing;
use crate::meters::METERS;

/// One frame, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Bytes,
}

impl Frame {
    /// What it counts against the bound: many tiny frames cost memory, too.
    pub(crate) fn cost(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }
}

/// A queue of frames from whoever has something to say to the one task that writes to the socket.
///
/// Pushing never waits. What is more than the bound ends the connection: a client that doesn't read must not hold up
/// others, nor their memory.
#[derive(Debug)]
pub(crate) struct Outbox {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Frame>,
    /// The cost of `frames`, and of what the writer took and has not written yet.
    cost: usize,
    end: Option<End>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    /// Somebody wants the connection closed.
    Wanted(Closing),
    /// The writer takes no more.
    Shut,
}

impl Outbox {
    /// An outbox that holds `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Adds a frame, unless the connection is to be closed. When there is no room, it is to be closed from now on.
    pub(crate) fn push(&self, frame: Frame) {
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        let cost = frame.cost();
        // A single frame that is larger than the bound still fits, alone.
        if state.cost > 0 && state.cost + cost > self.limit {
            state.end = Some(End::Wanted(Closing::SLOW_CONSUMER));
            for dropped in std::mem::take(&mut state.frames) {
                state.subtract(dropped.cost());
            }
        } else {
            state.add(cost);
            state.frames.push_back(frame);
        }
        state.wake();
    }

    /// Has the connection closed, after what was pushed before is written. The first one to say why is heard.
    pub(crate) fn close(&self, closing: Closing) {
        let mut state = self.lock();
        if state.end.is_none() {
            state.end = Some(End::Wanted(closing));
            state.wake();
        }
    }

    /// Has the writer look at the connection again.
    pub(crate) fn wake(&self) {
        self.lock().wake();
    }

    /// Wakes `writer` whenever something changes, until the next one.
    pub(crate) fn watch(&self, writer: &Waker) {
        let mut state = self.lock();
        if !state.writer.as_ref().is_some_and(|current| current.will_wake(writer)) {
            state.writer = Some(writer.clone());
        }
    }

    /// Moves everything that waits to the end of `writing`, after `written` was written of it.
    ///
    /// # Errors
    /// When the connection is to be closed, and why.
    pub(crate) fn take(&self, writing: &mut VecDeque<Frame>, written: usize) -> Result<(), Closing> {
        let mut state = self.lock();
        state.subtract(written);
        if let Some(End::Wanted(closing)) = state.end {
            return Err(closing);
        }
        if writing.is_empty() {
            *writing = std::mem::take(&mut state.frames);
        } else {
            writing.append(&mut state.frames);
        }
        Ok(())
    }

    /// Takes no more frames, and returns those that wait.
    pub(crate) fn shut(&self) -> VecDeque<Frame> {
        let mut state = self.lock();
        state.end = Some(End::Shut);
        state.writer = None;
        let cost = state.cost;
        state.subtract(cost);
        std::mem::take(&mut state.frames)
    }

    /// The state is consistent between any two statements, so a panic elsewhere doesn't spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake(&self) {
        if let Some(writer) = &self.writer {
            writer.wake_by_ref();
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn add(&mut self, cost: usize) {
        self.cost += cost;
        METERS.out_queue_bytes.increment(cost as f64);
    }

    #[allow(clippy::cast_precision_loss)]
    fn subtract(&mut self, cost: usize) {
        if cost > 0 {
            self.cost -= cost;
            METERS.out_queue_bytes.decrement(cost as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn frame(size: usize) -> Frame {
        Frame { encoding: Encoding::Json, bytes: vec![b'x'; size].into() }
    }

    fn numbered(number: u8) -> Frame {
        Frame { encoding: Encoding::Json, bytes: vec![number].into() }
    }

    #[test]
    fn frames_come_out_in_order_and_none_is_lost() {
        let outbox = Outbox::new(10_000);
        let mut writing = VecDeque::new();
        for number in 0..100 {
            outbox.push(numbered(number));
            if number % 7 == 0 {
                outbox.take(&mut writing, 0).unwrap();
            }
        }
        outbox.take(&mut writing, 0).unwrap();
        let numbers: Vec<u8> = writing.iter().map(|frame| frame.bytes[0]).collect();
        assert_eq!(numbers, (0..100).collect::<Vec<u8>>());
    }

    #[test]
    fn what_the_writer_holds_counts_against_the_bound_until_it_is_written() {
        let cost = frame(100).cost();
        let outbox = Outbox::new(3 * cost);
        let mut writing = VecDeque::new();
        for _ in 0..3 {
            outbox.push(frame(100));
        }
        outbox.take(&mut writing, 0).unwrap();
        outbox.take(&mut writing, cost).unwrap();
        outbox.push(frame(100));
        outbox.take(&mut writing, 0).unwrap();
        outbox.push(frame(100));
        assert_eq!(outbox.take(&mut writing, 0), Err(Closing::SLOW_CONSUMER));
        outbox.push(frame(1));
        assert!(outbox.shut().is_empty());
    }

    #[test]
    fn a_frame_larger_than_the_bound_fits_alone() {
        let outbox = Outbox::new(100);
        let mut writing = VecDeque::new();
        outbox.push(frame(1_000));
        outbox.take(&mut writing, 0).unwrap();
        assert_eq!(writing.len(), 1);
    }

    #[test]
    fn the_first_reason_to_close_is_heard_and_what_came_before_it_is_kept() {
        let outbox = Outbox::new(10_000);
        outbox.push(numbered(1));
        outbox.close(Closing::SESSION_ENDED);
        outbox.close(Closing::SERVER_STOPPING);
        outbox.push(numbered(2));
        assert_eq!(outbox.take(&mut VecDeque::new(), 0), Err(Closing::SESSION_ENDED));
        assert_eq!(outbox.shut(), [numbered(1)]);
    }

    #[test]
    fn every_push_and_close_wakes_the_writer() {
        let woken = Arc::new(Woken::default());
        let outbox = Outbox::new(10_000);
        outbox.push(numbered(0));
        outbox.watch(&woken.clone().into());
        outbox.push(numbered(1));
        outbox.wake();
        outbox.close(Closing::SESSION_ENDED);
        assert_eq!(woken.0.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn an_empty_outbox_holds_no_buffer() {
        let outbox = Outbox::new(10_000);
        outbox.push(numbered(1));
        outbox.take(&mut VecDeque::new(), 0).unwrap();
        assert_eq!(outbox.lock().frames.capacity(), 0);
    }
}

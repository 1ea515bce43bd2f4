//! Gathers what arrives while a commit is in flight, and commits it together.
//!
//! With one writer there is no wait for a batch to fill: alone, an item goes at once; under load, a batch is whatever
//! came during the last commit. So the cost of a durable commit is shared by as many as there are.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use broker_schemas::Error;
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

/// Items that may wait for the commit after the next; past it they are refused at once.
const QUEUE: usize = 2_048;

/// Does a batch of items.
pub trait Work<In, Out>: Send + 'static {
    /// Answers every item, in order.
    fn work(&mut self, items: Vec<In>) -> impl Future<Output = Vec<Out>> + Send;
}

/// Hands items to a [`Work`] in batches.
#[derive(Debug)]
pub struct Batcher<In, Out> {
    /// What the items are, in the plural.
    items: &'static str,
    queue: mpsc::Sender<(In, oneshot::Sender<Out>)>,
    /// Whether a batch is being done, or one waits.
    busy: watch::Receiver<bool>,
    _tasks: TaskTracker,
}

impl<In: Send + 'static, Out: Send + 'static> Batcher<In, Out> {
    /// Starts the worker, which does at most so many of `items` at once. It ends when the batcher is dropped and its queue
    /// is done.
    pub fn start(items: &'static str, most: usize, mut work: impl Work<In, Out>) -> Self {
        let (queue, mut waiting) = mpsc::channel::<(In, oneshot::Sender<Out>)>(QUEUE);
        let (is_busy, busy) = watch::channel(false);
        let most = most.clamp(1, 1_024);
        let tasks = TaskTracker::new();
        tasks.spawn(async move {
            let mut taken = Vec::with_capacity(most);
            while waiting.recv_many(&mut taken, most).await > 0 {
                // Whoever gave up asks again, perhaps another copy: what is done late for nobody could undo that.
                taken.retain(|(_, asker)| !asker.is_closed());
                if taken.is_empty() {
                    is_busy.send_replace(!waiting.is_empty());
                    continue;
                }
                is_busy.send_replace(true);
                metrics::histogram!("natter_batch_size", "items" => items)
                    .record(f64::from(u32::try_from(taken.len()).unwrap_or(0)));
                let (batch, askers): (Vec<_>, Vec<_>) = taken.drain(..).unzip();
                // Who asked learns of a panic by the end of the channel. Without the worker, this copy would go on to
                // take its share of the sends, and refuse them all.
                let answers = AssertUnwindSafe(work.work(batch)).catch_unwind().await;
                is_busy.send_replace(!waiting.is_empty());
                let Ok(answers) = answers else {
                    tracing::error!("a batch panicked");
                    continue;
                };
                for (answer, asker) in answers.into_iter().zip(askers) {
                    // Whoever's deadline passed meanwhile doesn't wait any more.
                    let _ = asker.send(answer);
                }
            }
        });
        Self { items, queue, busy, _tasks: tasks }
    }

    /// Puts `item` into the next batch and returns its answer. Dropping this takes the item back only as long as its batch
    /// has not begun.
    ///
    /// # Errors
    /// [`Unavailable`](broker_schemas::Code::Unavailable) when too many wait; [`Internal`](broker_schemas::Code::Internal) when
    /// the batch panicked.
    pub async fn submit(&self, item: In) -> Result<Out, Error> {
        let (asker, answer) = oneshot::channel();
        self.queue
            .try_send((item, asker))
            .map_err(|_| Error::unavailable(format!("more {} wait than fit; try again", self.items)))?;
        answer.await.map_err(|_| Error::internal())
    }

    /// Waits until no batch is being done, and none waits.
    pub async fn idle(&self) {
        // An error says that the worker has ended: nothing waits.
        let _ = self.busy.clone().wait_for(|busy| !busy).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Doubling(mpsc::Sender<usize>);

    impl Work<u32, u32> for Doubling {
        async fn work(&mut self, items: Vec<u32>) -> Vec<u32> {
            self.0.send(items.len()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            items.into_iter().map(|item| item * 2).collect()
        }
    }

    #[tokio::test]
    async fn what_arrives_during_a_commit_shares_the_next_and_gets_its_own_answer() {
        let (sizes, mut seen) = mpsc::channel(64);
        let batcher = Batcher::start("numbers", 256, Doubling(sizes));
        let first = batcher.submit(1);
        let rest = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let answers = (2..50).map(|item| batcher.submit(item));
            futures_util::future::join_all(answers).await
        };
        let (first, rest) = tokio::join!(first, rest);
        assert_eq!(first.unwrap(), 2);
        for (item, answer) in (2..50).zip(rest) {
            assert_eq!(answer.unwrap(), item * 2);
        }
        assert_eq!((seen.recv().await, seen.recv().await), (Some(1), Some(48)));
    }

    #[tokio::test]
    async fn it_is_idle_only_when_nothing_is_done_and_nothing_waits() {
        let (sizes, mut seen) = mpsc::channel(64);
        let batcher = Batcher::start("numbers", 2, Doubling(sizes));
        batcher.idle().await;
        let answers = futures_util::future::join_all((0..8).map(|item| batcher.submit(item)));
        let idle = async {
            assert_eq!(seen.recv().await, Some(2));
            batcher.idle().await;
            std::iter::from_fn(|| seen.try_recv().ok()).sum::<usize>()
        };
        // All of it was done first, in batches of two.
        assert_eq!(tokio::join!(answers, idle).1, 6);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_done_and_keeps_nobody_waiting() {
        let (sizes, mut seen) = mpsc::channel(64);
        let batcher = Batcher::start("numbers", 1, Doubling(sizes));
        let given_up = async {
            // Both are in the queue behind the first one when they are dropped.
            tokio::time::sleep(Duration::from_millis(5)).await;
            for item in [2, 3] {
                let submitted = Box::pin(batcher.submit(item));
                assert!(futures_util::poll!(submitted).is_pending());
            }
        };
        let (first, ()) = tokio::join!(batcher.submit(1), given_up);
        assert_eq!(first.unwrap(), 2);
        batcher.idle().await;
        assert_eq!((seen.recv().await, seen.try_recv().ok()), (Some(1), None));
    }

    struct Panicking;

    impl Work<u32, u32> for Panicking {
        async fn work(&mut self, items: Vec<u32>) -> Vec<u32> {
            assert_ne!(items, [13]);
            items
        }
    }

    #[tokio::test]
    async fn a_batch_that_panics_is_unknown_and_the_next_one_is_done() {
        let batcher = Batcher::start("numbers", 1, Panicking);
        assert_eq!(batcher.submit(13).await.unwrap_err().code, broker_schemas::Code::Internal);
        batcher.idle().await;
        assert_eq!(batcher.submit(14).await.unwrap(), 14);
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let (sizes, _seen) = mpsc::channel(4_096);
        let batcher = Batcher::start("numbers", 1, Doubling(sizes));
        let mut refused = 0;
        let mut waiting = Vec::new();
        for item in 0..u32::try_from(QUEUE).unwrap() + 100 {
            let mut submitted = Box::pin(batcher.submit(item));
            match futures_util::poll!(&mut submitted) {
                std::task::Poll::Ready(Err(error)) => {
                    assert_eq!(error.code, broker_schemas::Code::Unavailable);
                    refused += 1;
                }
                _ => waiting.push(submitted),
            }
        }
        assert!(refused >= 98, "{refused}");
    }
}

//! How fast one user may do what costs others something.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use broker_schemas::{Conversation, Error, UserId};
use moka::sync::Cache;
use natter_host::{Bus, Limiter};
use uuid::Uuid;

use crate::Settings;

/// How many sends that were counted are remembered, and for how long.
const COUNTED_KEPT: u64 = 50_000;
const COUNTED_FOR: Duration = Duration::from_secs(60);
/// How often a send that was counted may be repeated without being counted again. Without an end to it, one `client_id` would
/// be a way around the limit.
const FREE_REPEATS: u32 = 4;

pub(crate) struct Limits {
    sends: Limiter<UserId>,
    changes: Limiter<UserId>,
    typing: Limiter<(UserId, Conversation)>,
    /// How many free repeats are left of each send.
    counted: Cache<(UserId, Uuid), Arc<AtomicU32>>,
}

impl Limits {
    pub(crate) fn new(settings: &Settings) -> Self {
        let second = Duration::from_secs(1);
        let interval = second.checked_div(settings.send_per_second).unwrap_or_default();
        Self {
            sends: Limiter::new(settings.send_burst, interval),
            changes: Limiter::new(settings.send_burst, interval),
            typing: Limiter::new(1, second),
            counted: Cache::builder().max_capacity(COUNTED_KEPT).time_to_live(COUNTED_FOR).build(),
        }
    }

    /// The same limits in every copy of the module; see [`Limiter::shared`].
    pub(crate) async fn shared(
        self,
        bus: &Bus,
    ) -> anyhow::Result<(Self, impl Future<Output = ()> + Send + 'static)> {
        let (sends, sharing_sends) = self.sends.shared(bus, "sends").await?;
        let (changes, sharing_changes) = self.changes.shared(bus, "changes").await?;
        let (typing, sharing_typing) = self.typing.shared(bus, "typing").await?;
        let sharing = async move {
            tokio::join!(sharing_sends, sharing_changes, sharing_typing);
        };
        Ok((Self { sends, changes, typing, ..self }, sharing))
    }

    /// Counts a send. Who repeats one because its answer got lost isn't slowed down for it.
    pub(crate) fn check_send(&self, user: UserId, client_id: Uuid) -> Result<(), Error> {
        let key = (user, client_id);
        if let Some(left) = self.counted.get(&key)
            && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        {
            return Ok(());
        }
        self.sends.check(&user, "you send faster than allowed")?;
        self.counted.insert(key, Arc::new(AtomicU32::new(FREE_REPEATS)));
        Ok(())
    }

    /// Counts an edit, a recall or a reaction.
    pub(crate) fn check_change(&self, user: UserId) -> Result<(), Error> {
        self.changes.check(&user, "you change messages faster than allowed")
    }

    /// Whether to tell others that `user` is writing: at most once a second.
    pub(crate) fn passes_typing(&self, user: UserId, conversation: Conversation) -> bool {
        self.typing.check(&(user, conversation), "").is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_schemas::Code;

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn limits(send_burst: u32, send_per_second: u32) -> Limits {
        Limits::new(&Settings { send_burst, send_per_second, ..Settings::default() })
    }

    #[test]
    fn a_burst_passes_and_what_follows_is_told_how_long_to_wait() {
        let limits = limits(3, 5);
        for _ in 0..3 {
            limits.check_send(user(1), Uuid::now_v7()).unwrap();
        }
        let error = limits.check_send(user(1), Uuid::now_v7()).unwrap_err();
        assert_eq!(error.code, Code::RateLimited);
        assert!(error.retry_after_ms.is_some_and(|wait| wait <= 200));
        limits.check_send(user(2), Uuid::now_v7()).unwrap();
        limits.check_change(user(1)).unwrap();
    }

    #[test]
    fn zero_means_no_limit() {
        let limits = limits(1, 0);
        assert!((0..1_000).all(|_| limits.check_send(user(1), Uuid::now_v7()).is_ok()));
        assert!((0..1_000).all(|_| limits.check_change(user(1)).is_ok()));
    }

    #[test]
    fn a_repeated_send_is_counted_once_but_not_forever_free() {
        let limits = limits(2, 1);
        let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
        for _ in 0..=FREE_REPEATS {
            limits.check_send(user(1), first).unwrap();
        }
        // Its free repeats are used up: from here on it counts like any other.
        limits.check_send(user(1), first).unwrap();
        assert_eq!(limits.check_send(user(1), second).unwrap_err().code, Code::RateLimited);
        // What was refused was not counted, so it has no free repeats; and nobody has those of others.
        assert_eq!(limits.check_send(user(1), second).unwrap_err().code, Code::RateLimited);
        for _ in 0..2 {
            limits.check_send(user(2), Uuid::now_v7()).unwrap();
        }
        assert_eq!(limits.check_send(user(2), first).unwrap_err().code, Code::RateLimited);
    }

    #[test]
    fn typing_passes_once_a_second_in_each_conversation() {
        let limits = limits(1, 0);
        let [here, there] = [2, 3].map(|peer| Conversation::direct(user(1), user(peer)).unwrap());
        assert!(limits.passes_typing(user(1), here));
        assert!(!limits.passes_typing(user(1), here));
        assert!(limits.passes_typing(user(1), there));
        assert!(limits.passes_typing(user(2), here));
    }
}

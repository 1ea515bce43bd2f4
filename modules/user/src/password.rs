//! Passwords: which are accepted, and how they are hashed without slowing anything else down.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use anyhow::{Context, anyhow};
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, RECOMMENDED_SALT_LEN, Version};
use broker_schemas::Error;
use natter_host::Result;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Settings;

/// The 1,000 most common passwords of at least 8 characters, in lower case, from the list that Django ships
/// (collected by Royce Williams from leaks).
static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("../common_passwords.txt").lines().collect());

/// Whether the account called `name` may have `password`, which came in the request's `field`.
pub(crate) fn check(field: &str, password: &str, name: &str) -> std::result::Result<(), Error> {
    let length = password.chars().count();
    if !(8..=128).contains(&length) {
        return Err(Error::invalid(format!("{field}: expected 8 to 128 characters, got {length}")));
    }
    if password.eq_ignore_ascii_case(name) {
        return Err(Error::invalid(format!("{field}: expected something else than the name")));
    }
    if COMMON.contains(password.to_lowercase().as_str()) {
        return Err(Error::invalid(format!("{field}: expected a less common one; this is tried first")));
    }
    Ok(())
}

/// Hashes and verifies passwords on few threads with a short queue, so that a flood of sign-ins can't slow messages.
#[derive(Debug)]
pub(crate) struct Passwords {
    hasher: Arc<Hasher>,
    threads: Arc<Semaphore>,
    room: Arc<Semaphore>,
    /// The hash of no account's password.
    dummy: String,
}

/// A place in the queue, until the work is done.
struct Queued {
    _room: OwnedSemaphorePermit,
}

impl Queued {
    fn new(room: OwnedSemaphorePermit) -> Self {
        metrics::gauge!("natter_user_password_hashes").increment(1);
        Self { _room: room }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        metrics::gauge!("natter_user_password_hashes").decrement(1);
    }
}

impl Passwords {
    pub(crate) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let params = if settings.insecure_fast_hashing {
            tracing::warn!("passwords are hashed fast, which is good for tests only");
            Params::new(Params::MIN_M_COST, 1, 1, None)
        } else {
            // What OWASP asks at least: 19 MiB, two passes, one lane.
            Params::new(19 * 1024, 2, 1, None)
        };
        let params = params.map_err(|error| anyhow!("argon2 parameters: {error}"))?;
        let hasher = Arc::new(Hasher { params, idle: Mutex::default() });
        let dummy = hasher.hash("")?;
        let (threads, waiting) = (settings.hash_threads, settings.hash_queue);
        Ok(Self {
            hasher,
            threads: Arc::new(Semaphore::new(threads)),
            room: Arc::new(Semaphore::new(threads + waiting)),
            dummy,
        })
    }

    /// The PHC string of `password`.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Unavailable`] when too many are waiting.
    pub(crate) async fn hash(&self, password: String) -> Result<String> {
        let hasher = self.hasher.clone();
        self.run(move || hasher.hash(&password)).await
    }

    /// Whether `password` is the one in `stored`. Where there is none it takes the same time to say no.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Unavailable`] when too many are waiting.
    pub(crate) async fn verify(&self, password: String, stored: Option<String>) -> Result<bool> {
        let hasher = self.hasher.clone();
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.clone());
        let good = self.run(move || hasher.verify(&password, &stored).context("verify a password"));
        Ok(good.await? && exists)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T> {
        let room = self.room.clone().try_acquire_owned().map_err(|_| {
            Error::unavailable("too many are signing in at this moment; try again in a few seconds")
        })?;
        let queued = Queued::new(room);
        let thread = self.threads.clone().acquire_owned().await.context("wait for a thread")?;
        let work = tokio::task::spawn_blocking(move || {
            // Held here, because the work goes on when its caller has stopped waiting.
            let _held = (queued, thread);
            work()
        });
        Ok(work.await.context("work on a password")??)
    }
}

/// Hashes in memory that is used again. The allocator would keep that of every thread that ever hashed, and a process has
/// many such threads, of which few hash at once.
#[derive(Debug)]
struct Hasher {
    params: Params,
    /// No more than ever were in use at once.
    idle: Mutex<Vec<Vec<Block>>>,
}

impl Hasher {
    fn hash(&self, password: &str) -> anyhow::Result<String> {
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        let mut salt = [0; RECOMMENDED_SALT_LEN];
        getrandom::fill(&mut salt).context("random bytes for a salt")?;
        let argon = Argon2::new(algorithm, version, self.params.clone());
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&self.params)?,
            salt: Some(Salt::new(&salt)?),
            hash: Some(self.output(&argon, password, &salt)?),
        };
        Ok(hash.to_string())
    }

    fn verify(&self, password: &str, stored: &str) -> anyhow::Result<bool> {
        let stored = PasswordHash::new(stored)?;
        let algorithm = Algorithm::try_from(stored.algorithm.as_str())?;
        let version = stored.version.context("no version")?;
        let argon = Argon2::new(algorithm, Version::try_from(version)?, Params::try_from(&stored)?);
        let salt = stored.salt.context("no salt")?;
        // Compares in constant time.
        Ok(Some(self.output(&argon, password, &salt)?) == stored.hash)
    }

    fn output(&self, argon: &Argon2<'_>, password: &str, salt: &[u8]) -> anyhow::Result<Output> {
        let mut memory = self.idle().pop().unwrap_or_default();
        if memory.len() < argon.params().block_count() {
            memory.resize(argon.params().block_count(), Block::new());
        }
        let mut bytes = [0; Output::MAX_LENGTH];
        let length = argon.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let bytes = bytes.get_mut(..length).context("a hash that is too long")?;
        let done = argon.hash_password_into_with_memory(password.as_bytes(), salt, bytes, &mut memory);
        self.idle().push(memory);
        done?;
        Ok(Output::new(bytes)?)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{PasswordHasher, PasswordVerifier};
    use broker_schemas::Code;
    use natter_host::Failure;

    fn fast() -> Settings {
        Settings { insecure_fast_hashing: true, ..Settings::default() }
    }

    #[test]
    fn passwords_are_counted_in_characters() {
        assert!(check("password", &"ä".repeat(128), "alice").is_ok());
        assert!(check("password", "ääääääää", "alice").is_ok());
        for bad in ["", "äääääää", &"a".repeat(129)] {
            let error = check("new", bad, "alice").unwrap_err();
            assert!(error.message.starts_with("new: expected 8 to 128 characters, got "), "{error}");
        }
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for bad in ["password", "Password1", "123456789", "aliceliddell", "AliceLiddell"] {
            assert!(check("password", bad, "aliceliddell").is_err(), "{bad}");
        }
        assert!(check("password", "correct horse", "aliceliddell").is_ok());
    }

    #[test]
    fn every_common_password_could_be_chosen_otherwise() {
        assert_eq!(COMMON.len(), 1_000);
        for common in COMMON.iter() {
            assert!(common.len() >= 8 && common.to_lowercase() == **common, "{common}");
        }
    }

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        let passwords = Passwords::new(&fast()).unwrap();
        let stored = passwords.hash("correct horse".into()).await.unwrap();
        assert_ne!(stored, passwords.hash("correct horse".into()).await.unwrap(), "salted");
        assert!(passwords.verify("correct horse".into(), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify("battery staple".into(), Some(stored)).await.unwrap());
        assert!(!passwords.verify(String::new(), None).await.unwrap(), "the dummy's password opens nothing");
    }

    #[tokio::test]
    async fn a_hash_is_what_argon2_itself_makes_of_it() {
        let passwords = Passwords::new(&fast()).unwrap();
        let others = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 3, 2, None).unwrap());
        let stored = others.hash_password(b"correct horse").unwrap().to_string();
        assert!(passwords.verify("correct horse".into(), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify("battery staple".into(), Some(stored)).await.unwrap());
        let stored = passwords.hash("correct horse".into()).await.unwrap();
        assert_eq!(others.verify_password(b"correct horse", stored.as_str()), Ok(()));
        assert!(passwords.verify("correct horse".into(), Some("$argon2id$v=19$m=".into())).await.is_err());
    }

    /// How much memory this process has in use, in kB.
    fn resident() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn threads_that_hashed_keep_no_memory_for_it() {
        let params = Params::new(19 * 1024, 1, 1, None).unwrap();
        let hasher = Hasher { params, idle: Mutex::default() };
        hasher.hash("correct horse").unwrap();
        let before = resident();
        // Threads that stay, as those of the runtime's pool do, and hash one after the other.
        let (stay, turn) = (std::sync::Barrier::new(17), Mutex::new(()));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..3 {
                        let _turn = turn.lock().unwrap();
                        hasher.hash("correct horse").unwrap();
                    }
                    stay.wait();
                    stay.wait();
                });
            }
            stay.wait();
            let grown = resident().saturating_sub(before) / 1024;
            stay.wait();
            assert!(grown < 40, "{grown} MiB more after 48 hashes on 16 threads");
        });
        assert_eq!(hasher.idle.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn the_default_is_what_owasp_asks() {
        let passwords = Passwords::new(&Settings::default()).unwrap();
        assert!(passwords.dummy.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", passwords.dummy);
    }

    #[tokio::test]
    async fn a_flood_is_refused_at_once_and_the_queue_recovers() {
        let settings = Settings { hash_threads: 1, hash_queue: 1, ..fast() };
        let passwords = Passwords::new(&settings).unwrap();
        let busy = passwords.threads.clone().acquire_owned().await.unwrap();
        let both = (passwords.room.clone().try_acquire_owned(), passwords.room.clone().try_acquire_owned());
        match passwords.hash("correct horse".into()).await {
            Err(Failure::Refused(error)) => assert_eq!(error.code, Code::Unavailable),
            other => panic!("{other:?}"),
        }
        drop((busy, both));
        assert!(passwords.hash("correct horse".into()).await.is_ok());
    }
}

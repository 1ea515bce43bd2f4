//! Verifies passports: who calls is proved by a signature of the user module, not by a peer's word.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use broker_schemas::caller::Passport;
use broker_schemas::{Error, Identity, Timestamp};
use ring::signature::{ED25519, UnparsedPublicKey};

/// How many verified passports are remembered, so that the signature is checked once per passport and not per call.
const REMEMBERED: u64 = 65_536;
const SIGNATURE_LEN: usize = 64;
/// How often the file of the keys is read again, at most: whoever likes can show a passport of a key that is nowhere.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longer than any passport; bounds what is decoded and remembered.
const MAX_HEADER: usize = 1_024;

/// Verifies passports with the public keys of the user module.
#[derive(Debug)]
pub struct Verifier {
    keys: RwLock<HashMap<u32, [u8; 32]>>,
    /// Where a key may have come to since, and when that was last looked at.
    file: Option<(PathBuf, Mutex<Option<Instant>>)>,
    seen: moka::sync::Cache<Arc<str>, (Identity, Timestamp)>,
}

impl Verifier {
    /// A verifier that trusts `keys`, by their numbers.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (u32, [u8; 32])>) -> Self {
        let keys = RwLock::new(keys.into_iter().collect());
        Self { keys, file: None, seen: moka::sync::Cache::new(REMEMBERED) }
    }

    /// A verifier that trusts the keys in a file, also those that come to it later.
    ///
    /// # Errors
    /// As [`passport_keys`].
    pub fn from_file(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { file: Some((path.to_owned(), Mutex::default())), ..Self::new(passport_keys(path)?) })
    }

    fn key(&self, number: u32) -> Option<[u8; 32]> {
        let known = || self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&number).copied();
        known().or_else(|| {
            self.look_again();
            known()
        })
    }

    /// The user module may have begun to sign with another key.
    fn look_again(&self) {
        let Some((path, looked)) = &self.file else { return };
        let mut looked = looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        *looked = Some(Instant::now());
        match passport_keys(path) {
            Ok(keys) => {
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.into_iter().collect();
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the keys of passports stay as they were")
            }
        }
    }

    /// Who `header` proves is calling.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Unauthenticated`], saying what is wrong with it.
    pub fn verify(&self, header: &str) -> Result<Identity, Error> {
        if let Some((identity, expires_at)) = self.seen.get(header) {
            return check_expiry(identity, expires_at);
        }
        let bad = || Error::unauthenticated("the passport is not valid");
        if header.len() > MAX_HEADER {
            return Err(bad());
        }
        let bytes = URL_SAFE_NO_PAD.decode(header).map_err(|_| bad())?;
        let passport = self.open(&bytes).ok_or_else(bad)?;
        let identity = check_expiry(passport.identity, passport.expires_at)?;
        self.seen.insert(header.into(), (identity.clone(), passport.expires_at));
        Ok(identity)
    }

    /// The passport in `bytes` if its signature is good, expired or not.
    #[must_use]
    pub fn open(&self, bytes: &[u8]) -> Option<Passport> {
        let (claims, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE_LEN)?)?;
        let (passport, rest) = postcard::take_from_bytes::<Passport>(claims).ok()?;
        let key = self.key(passport.key)?;
        UnparsedPublicKey::new(&ED25519, key).verify(claims, signature).ok()?;
        rest.is_empty().then_some(passport)
    }

    /// The header that carries the bytes of a passport.
    #[must_use]
    pub fn header(passport: &[u8]) -> Arc<str> {
        URL_SAFE_NO_PAD.encode(passport).into()
    }
}

/// Reads keys from a file, public ones or the seeds of private ones: a line each, a number and 32 bytes in base64.
///
/// # Errors
/// When the file can't be read or a line is of another form.
pub fn passport_keys(path: &Path) -> anyhow::Result<Vec<(u32, [u8; 32])>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("read the keys of passports from {}", path.display()))?;
    let key = |line: &str| {
        let (number, key) = line.split_once(' ')?;
        Some((number.parse().ok()?, STANDARD.decode(key).ok()?.try_into().ok()?))
    };
    let keys: Option<_> = text.lines().map(|line| key(line.trim())).collect();
    keys.with_context(|| {
        format!("{}: expected \"<number> <32 bytes in base64>\" on each line", path.display())
    })
}

fn check_expiry(identity: Identity, expires_at: Timestamp) -> Result<Identity, Error> {
    if Timestamp::now() < expires_at {
        Ok(identity)
    } else {
        Err(Error::unauthenticated("the passport has expired"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_schemas::{List, SessionId, UserId};
    use ring::signature::{Ed25519KeyPair, KeyPair};

    fn key(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn passport(signer: &Ed25519KeyPair, key: u32, expires_at: Timestamp) -> Vec<u8> {
        let identity = Identity {
            user: UserId::new(7).unwrap(),
            session: SessionId::new(9).unwrap(),
            roles: List::new(vec![]).unwrap(),
        };
        let mut bytes = postcard::to_stdvec(&Passport { key, identity, expires_at }).unwrap();
        let signature = signer.sign(&bytes);
        bytes.extend_from_slice(signature.as_ref());
        bytes
    }

    fn verifier() -> Verifier {
        Verifier::new([(1, key(1).public_key().as_ref().try_into().unwrap())])
    }

    fn soon() -> Timestamp {
        Timestamp::now().after(Duration::from_secs(60))
    }

    #[test]
    fn a_good_passport_proves_its_user_every_time() {
        let verifier = verifier();
        let header = Verifier::header(&passport(&key(1), 1, soon()));
        for _ in 0..2 {
            assert_eq!(verifier.verify(&header).unwrap().user.get(), 7);
        }
    }

    #[test]
    fn forged_foreign_expired_and_mangled_passports_are_refused() {
        let verifier = verifier();
        let expired = Timestamp(Timestamp::now().0 - 1);
        let good = passport(&key(1), 1, soon());
        let mut altered = good.clone();
        altered[1] ^= 1;
        for bad in [
            passport(&key(2), 1, soon()),
            passport(&key(1), 2, soon()),
            passport(&key(1), 1, expired),
            altered,
            good[..good.len() - 1].to_vec(),
            Vec::new(),
            vec![0; 64],
        ] {
            assert!(verifier.verify(&Verifier::header(&bad)).is_err());
        }
        assert!(verifier.verify("not base64!").is_err());
        assert!(verifier.verify(&"A".repeat(1 << 20)).is_err());
    }

    #[test]
    fn a_key_that_came_to_the_file_since_is_trusted_too() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line =
            |number: u32, seed| format!("{number} {}\n", STANDARD.encode(key(seed).public_key().as_ref()));
        std::fs::write(&file, line(1, 1)).unwrap();
        let verifier = Verifier::from_file(file.path()).unwrap();
        let of = |number, seed| Verifier::header(&passport(&key(seed), number, soon()));
        assert!(verifier.verify(&of(1, 1)).is_ok());
        assert!(verifier.verify(&of(2, 2)).is_err());
        std::fs::write(&file, line(1, 1) + &line(2, 2)).unwrap();
        std::thread::sleep(LOOK_EVERY);
        assert!(verifier.verify(&of(2, 2)).is_ok());
        assert!(verifier.verify(&of(2, 1)).is_err(), "signed by another than it says");
        // Damaged, it changes nothing.
        std::fs::write(&file, "nonsense").unwrap();
        std::thread::sleep(LOOK_EVERY);
        assert!(verifier.verify(&of(3, 3)).is_err());
        assert!(verifier.verify(&of(1, 1)).is_ok());
    }

    #[test]
    fn a_remembered_passport_still_expires() {
        let verifier = verifier();
        let header = Verifier::header(&passport(&key(1), 1, Timestamp::now().after(Duration::from_secs(2))));
        assert!(verifier.verify(&header).is_ok());
        std::thread::sleep(Duration::from_millis(2_010));
        assert!(verifier.verify(&header).is_err());
    }
}

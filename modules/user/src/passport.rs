//! Signs passports: the short-lived proof of who somebody is, which every module checks by itself.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use broker_schemas::caller::{Passport, Role};
use broker_schemas::delivery::Attachment;
use broker_schemas::{Identity, List, SessionId, Timestamp, UserId};
use natter_host::{Verifier, passport_keys};
use ring::signature::Ed25519KeyPair;

/// Holds the one private key of the installation.
pub(crate) struct Signer {
    key: u32,
    pair: Ed25519KeyPair,
    lifetime: Duration,
}

impl Signer {
    /// Reads the key from its file, which has one: the seed of an Ed25519 key.
    ///
    /// # Errors
    /// When the file can't be read or is of another form, or `verifier` doesn't trust the key: then no module would.
    pub(crate) fn load(path: &Path, lifetime: Duration, verifier: &Verifier) -> anyhow::Result<Self> {
        let [(key, seed)] = passport_keys(path)?[..] else {
            bail!("{}: expected one key", path.display());
        };
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok().context("the seed of a key")?;
        let signer = Self { key, pair, lifetime };
        let nobody = signer.sign(UserId::new(1)?, SessionId::new(1)?, Vec::new())?;
        ensure!(
            verifier.open(&nobody.passport).is_some(),
            "{}: passport.pub beside it doesn't list its public key",
            path.display()
        );
        Ok(signer)
    }

    /// A passport for a session of a user with these roles, as the edge gets it.
    pub(crate) fn sign(
        &self,
        user: UserId,
        session: SessionId,
        roles: Vec<Role>,
    ) -> anyhow::Result<Attachment> {
        let roles = List::new(roles).map_err(anyhow::Error::msg)?;
        let identity = Identity { user, session, roles };
        let expires_at = Timestamp::now().after(self.lifetime);
        let passport = Passport { key: self.key, identity: identity.clone(), expires_at };
        let mut bytes = postcard::to_stdvec(&passport).context("encode a passport")?;
        let signature = self.pair.sign(&bytes);
        bytes.extend_from_slice(signature.as_ref());
        let valid_for_ms = u32::try_from(self.lifetime.as_millis()).context("the passport's lifetime")?;
        Ok(Attachment { identity, passport: bytes, valid_for_ms })
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use ring::signature::KeyPair;

    const LIFETIME: Duration = Duration::from_secs(300);

    fn line(seed: u8) -> String {
        format!("3 {}\n", STANDARD.encode([seed; 32]))
    }

    fn verifier(seed: u8) -> Verifier {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        Verifier::new([(3, pair.public_key().as_ref().try_into().unwrap())])
    }

    #[test]
    fn every_module_accepts_what_is_signed_here() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passport.key");
        std::fs::write(&path, line(7)).unwrap();
        let signer = Signer::load(&path, LIFETIME, &verifier(7)).unwrap();
        let (user, session) = (UserId::new(5).unwrap(), SessionId::new(9).unwrap());
        let attachment = signer.sign(user, session, vec![Role::Auditor]).unwrap();
        assert_eq!(attachment.valid_for_ms, 300_000);
        let identity = verifier(7).verify(&Verifier::header(&attachment.passport)).unwrap();
        assert_eq!((identity.user, identity.session), (user, session));
        assert_eq!(*identity.roles, [Role::Auditor]);
    }

    #[test]
    fn a_key_that_nobody_trusts_is_found_at_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passport.key");
        std::fs::write(&path, line(8)).unwrap();
        let error = Signer::load(&path, LIFETIME, &verifier(7)).unwrap_err();
        assert!(error.to_string().contains("passport.pub"), "{error}");
        for bad in ["", "3", "x AAAA", "3 AAAA"] {
            std::fs::write(&path, bad).unwrap();
            let error = Signer::load(&path, LIFETIME, &verifier(7)).unwrap_err();
            assert!(error.to_string().contains("passport.key: expected "), "{error}");
        }
    }
}

//! The key that signs passports, and the public keys that check them. Both files hold `<id> <base64>` lines.

use std::fmt;
use std::path::Path;

use anyhow::{Context, ensure};
use base64::prelude::{BASE64_STANDARD, Engine};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

use crate::file;

/// The key that signs passports. Only the user module reads it.
#[derive(Clone)]
pub struct PassportKey {
    /// Names the key; a passport carries it.
    pub id: u32,
    /// The Ed25519 seed.
    pub seed: [u8; 32],
}

impl PassportKey {
    /// Reads the key from its file.
    ///
    /// # Errors
    /// When the file can't be read or isn't one line of a key.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let (id, seed) = parse(file::read(path)?.trim_end())
            .with_context(|| format!("{} is damaged; delete it to get a new key", path.display()))?;
        Ok(Self { id, seed })
    }

    /// The public half.
    ///
    /// # Errors
    /// Never for a seed of 32 bytes, as far as `ring` documents.
    pub fn public(&self) -> anyhow::Result<[u8; 32]> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(&self.seed).ok().context("the seed is no Ed25519 key")?;
        Ok(pair.public_key().as_ref().try_into()?)
    }
}

impl fmt::Debug for PassportKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassportKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Reads every public key, with its id.
///
/// # Errors
/// When the file can't be read or has a line that isn't a key.
pub fn load_public_keys(path: &Path) -> anyhow::Result<Vec<(u32, [u8; 32])>> {
    let text = file::read(path)?;
    let keys: anyhow::Result<Vec<_>> = text.lines().map(parse).collect();
    keys.with_context(|| format!("{} is damaged", path.display()))
}

/// Makes what is missing of the two files.
///
/// A signing key that was deleted gets a successor under the next id. The old public key stays, and with it every
/// passport that the old key signed: this is how a key is rotated.
pub(crate) fn ensure_keys(key_path: &Path, public_path: &Path) -> anyhow::Result<()> {
    let mut known = if public_path.exists() { load_public_keys(public_path)? } else { Vec::new() };
    file::create(key_path, || {
        let newest = known.iter().map(|(id, _)| *id).max().unwrap_or(0);
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).ok().context("the system has no randomness")?;
        Ok(line(newest + 1, &seed))
    })?;

    let key = PassportKey::load(key_path)?;
    let public = key.public()?;
    if let Some((_, listed)) = known.iter().find(|(id, _)| *id == key.id) {
        let (key_path, public_path) = (key_path.display(), public_path.display());
        ensure!(*listed == public, "{key_path} and {public_path} disagree about key {}", key.id);
        return Ok(());
    }
    known.push((key.id, public));
    file::write(public_path, &known.iter().map(|(id, public)| line(*id, public)).collect::<String>())
}

fn line(id: u32, bytes: &[u8; 32]) -> String {
    format!("{id} {}\n", BASE64_STANDARD.encode(bytes))
}

fn parse(line: &str) -> anyhow::Result<(u32, [u8; 32])> {
    let (id, bytes) = line.split_once(' ').context("expected `<id> <base64>`")?;
    let bytes = BASE64_STANDARD.decode(bytes)?;
    Ok((id.parse()?, bytes.as_slice().try_into().context("expected 32 bytes")?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_deleted_key_is_succeeded_and_its_passports_stay_good() {
        let dir = tempfile::tempdir().unwrap();
        let (key, public) = (dir.path().join("passport.key"), dir.path().join("passport.pub"));
        ensure_keys(&key, &public).unwrap();
        let first = PassportKey::load(&key).unwrap();
        fs::remove_file(&key).unwrap();
        ensure_keys(&key, &public).unwrap();
        let second = PassportKey::load(&key).unwrap();

        let expected = [(1, first.public().unwrap()), (2, second.public().unwrap())];
        assert_eq!(load_public_keys(&public).unwrap(), expected);
        assert_ne!(first.seed, second.seed);
    }

    #[test]
    fn keys_that_disagree_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (key, public) = (dir.path().join("passport.key"), dir.path().join("passport.pub"));
        ensure_keys(&key, &public).unwrap();
        fs::write(&key, line(1, &[7; 32])).unwrap();
        assert!(ensure_keys(&key, &public).unwrap_err().to_string().contains("disagree about key 1"));
    }

    #[test]
    fn the_seed_is_not_printed() {
        let key = PassportKey { id: 1, seed: [7; 32] };
        assert_eq!(format!("{key:?}"), "PassportKey { id: 1, .. }");
    }

    #[test]
    fn a_damaged_line_is_refused() {
        for bad in ["", "1", "1 ", "x AAAA", "1 AAAA", "1 !!"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}

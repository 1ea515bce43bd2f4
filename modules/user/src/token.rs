//! The token that opens a session again: 256 random bits for the client, their hash for the database.

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A new token. It goes to the client and nowhere else.
pub(crate) struct Token(String);

/// What the database has of a token. A plain hash is enough: 256 random bits can't be guessed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenHash(String);

impl Token {
    pub(crate) fn generate() -> anyhow::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).context("random bytes for a token")?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }

    pub(crate) fn into_inner(self) -> String {
        self.0
    }
}

impl TokenHash {
    /// The hash of what a client shows as its token.
    pub(crate) fn of(token: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(token)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_new_each_time_and_its_hash_is_not_the_token() {
        let (one, other) = (Token::generate().unwrap(), Token::generate().unwrap());
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.0.len(), 43);
        assert_eq!(TokenHash::of(&one.0), one.hash());
        assert_ne!(one.hash().as_str(), one.0);
    }
}

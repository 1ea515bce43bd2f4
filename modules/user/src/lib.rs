//! Accounts, sign-in, sessions and presence.

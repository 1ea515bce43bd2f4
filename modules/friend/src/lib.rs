//! Who is whose friend.

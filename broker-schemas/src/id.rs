//! Names of things: numbers from the database as types of their own, and conversations.

use std::fmt;
use std::str::FromStr;

use postcard_schema::Schema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Ids stay below 2^53, so that a JavaScript number holds them exactly.
pub const MAX_ID: u64 = (1 << 53) - 1;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Schema)]
        pub struct $name(u64);

        impl $name {
            /// The id with this number.
            ///
            /// # Errors
            /// Says what is accepted when `number` is not in `1..=2^53-1`.
            pub fn new(number: u64) -> Result<Self, OutOfRange> {
                if (1..=MAX_ID).contains(&number) { Ok(Self(number)) } else { Err(OutOfRange) }
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> Self {
                id.0.cast_signed()
            }
        }

        impl TryFrom<i64> for $name {
            type Error = OutOfRange;

            fn try_from(number: i64) -> Result<Self, OutOfRange> {
                Self::new(u64::try_from(number).map_err(|_| OutOfRange)?)
            }
        }

        impl FromStr for $name {
            type Err = OutOfRange;

            fn from_str(text: &str) -> Result<Self, OutOfRange> {
                // Only the canonical form: an id names one subject and one row.
                let number: u64 = text.parse().map_err(|_| OutOfRange)?;
                if text.starts_with(['0', '+']) { Err(OutOfRange) } else { Self::new(number) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // As a newtype, like what `Serialize` and `Schema` derive.
                #[derive(Deserialize)]
                #[serde(transparent)]
                struct Raw(u64);
                Self::new(Raw::deserialize(deserializer)?.0).map_err(de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A user.
    UserId
    /// A group.
    GroupId
    /// One sign-in of a user on one device.
    SessionId
    /// The place of a message in its conversation: 1, 2, 3, … without gaps.
    Seq
}

/// A number outside `1..=2^53-1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange;

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a whole number from 1 to 9007199254740991")
    }
}

impl std::error::Error for OutOfRange {}

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Schema)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The present, by this machine's clock.
    #[must_use]
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// This moment, `duration` later.
    #[must_use]
    pub fn after(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

/// Names one running edge process; random, so that a restarted edge is another edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Schema)]
pub struct EdgeId(String);

impl EdgeId {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 32;

    /// The edge called `name`.
    ///
    /// # Errors
    /// When `name` can't be a token of a subject: 1 to 32 of `A-Z a-z 0-9 _ -` are accepted.
    pub fn new(name: impl Into<String>) -> Result<Self, String> {
        let name = name.into();
        let good = name.len() <= Self::MAX_LEN && crate::subject::is_token(&name);
        if good { Ok(Self(name)) } else { Err("an edge's name is 1 to 32 of A-Z a-z 0-9 _ -".into()) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EdgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EdgeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(transparent)]
        struct Raw(crate::Text<{ EdgeId::MAX_LEN }>);
        Self::new(Raw::deserialize(deserializer)?.0).map_err(de::Error::custom)
    }
}

/// Where messages stand: between two people, or in a group.
///
/// In JSON, and wherever a person reads it, a string: `"u3-u7"` (the smaller id first) or `"g9"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conversation(Wire);

/// What a [`Conversation`] is between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Schema)]
enum Wire {
    Direct(UserId, UserId),
    Group(GroupId),
}

impl Conversation {
    /// The conversation between two different people, whoever is named first.
    ///
    /// # Errors
    /// Nobody talks to themselves.
    pub fn direct(a: UserId, b: UserId) -> Result<Self, &'static str> {
        match a.cmp(&b) {
            std::cmp::Ordering::Less => Ok(Self(Wire::Direct(a, b))),
            std::cmp::Ordering::Greater => Ok(Self(Wire::Direct(b, a))),
            std::cmp::Ordering::Equal => Err("a direct conversation is between two different users"),
        }
    }

    /// The conversation of a group.
    #[must_use]
    pub const fn group(group: GroupId) -> Self {
        Self(Wire::Group(group))
    }

    /// The two people of a direct conversation, the smaller id first.
    #[must_use]
    pub const fn pair(self) -> Option<(UserId, UserId)> {
        match self.0 {
            Wire::Direct(a, b) => Some((a, b)),
            Wire::Group(_) => None,
        }
    }

    /// The group whose conversation this is.
    #[must_use]
    pub const fn group_id(self) -> Option<GroupId> {
        match self.0 {
            Wire::Direct(..) => None,
            Wire::Group(group) => Some(group),
        }
    }

    /// The other one of a direct conversation that `user` is in.
    #[must_use]
    pub fn peer_of(self, user: UserId) -> Option<UserId> {
        match self.0 {
            Wire::Direct(a, b) if a == user => Some(b),
            Wire::Direct(a, b) if b == user => Some(a),
            _ => None,
        }
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Wire::Direct(a, b) => write!(f, "u{a}-u{b}"),
            Wire::Group(group) => write!(f, "g{group}"),
        }
    }
}

impl FromStr for Conversation {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = r#"a conversation is "u<id>-u<id>", the smaller id first, or "g<id>""#;
        if let Some(group) = text.strip_prefix('g') {
            return group.parse().map(Self::group).map_err(|_| FORM);
        }
        let (a, b) = text.strip_prefix('u').and_then(|rest| rest.split_once("-u")).ok_or(FORM)?;
        let (a, b): (UserId, UserId) = (a.parse().map_err(|_| FORM)?, b.parse().map_err(|_| FORM)?);
        if a < b { Ok(Self(Wire::Direct(a, b))) } else { Err(FORM) }
    }
}

impl Serialize for Conversation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Conversation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            crate::Text::<64>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
        } else {
            match Wire::deserialize(deserializer)? {
                Wire::Direct(a, b) if a >= b => {
                    Err(de::Error::custom("a conversation names the smaller id first"))
                }
                wire => Ok(Self(wire)),
            }
        }
    }
}

impl Schema for Conversation {
    const SCHEMA: &'static postcard_schema::schema::NamedType =
        &postcard_schema::schema::NamedType { name: "Conversation", ty: Wire::SCHEMA.ty };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    #[test]
    fn a_conversation_has_one_name_whoever_asks() {
        let there = Conversation::direct(user(7), user(3)).unwrap();
        assert_eq!(there, Conversation::direct(user(3), user(7)).unwrap());
        assert_eq!(there.to_string(), "u3-u7");
        assert_eq!("u3-u7".parse(), Ok(there));
        assert_eq!(there.peer_of(user(3)), Some(user(7)));
        assert_eq!(there.peer_of(user(4)), None);
    }

    #[test]
    fn only_the_canonical_name_of_a_conversation_is_read() {
        for bad in
            ["u7-u3", "u3-u3", "u03-u7", "u+3-u7", "u0-u1", "g0", "g01", "g", "", "3-7", "u3-u7 ", "u3-7"]
        {
            assert!(bad.parse::<Conversation>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_outside_the_range_are_refused_in_both_codecs() {
        assert!(serde_json::from_str::<UserId>("0").is_err());
        assert!(serde_json::from_str::<UserId>("9007199254740992").is_err());
        assert!(postcard::from_bytes::<UserId>(&[0]).is_err());
    }

    #[test]
    fn a_binary_conversation_in_the_wrong_order_is_refused() {
        assert!(postcard::from_bytes::<Conversation>(&[0, 7, 3]).is_err());
        assert_eq!(postcard::from_bytes::<Conversation>(&[0, 3, 7]).unwrap().to_string(), "u3-u7");
    }
}

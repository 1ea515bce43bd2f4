//! Strings, lists and maps with a maximum that decoding enforces, before it allocates for them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use postcard_schema::Schema;
use postcard_schema::schema::{DataModelType, NamedType};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A string of at most `MAX` bytes of UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// `text`, if it is short enough.
    ///
    /// # Errors
    /// Says how long it is and how long it may be.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        if text.len() <= MAX { Ok(Self(text)) } else { Err(too_long(MAX, text.len())) }
    }

    /// The string itself.
    #[must_use]
    pub fn into_inner(self) -> String {
        self.0
    }
}

fn too_long(max: usize, got: usize) -> String {
    format!("expected at most {max} bytes of text, got {got}")
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MAX: usize> TryFrom<&str> for Text<MAX> {
    type Error = String;

    fn try_from(text: &str) -> Result<Self, String> {
        Self::new(text)
    }
}

impl<const MAX: usize> From<Text<MAX>> for String {
    fn from(text: Text<MAX>) -> Self {
        text.0
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<const MAX: usize>;

        impl<const MAX: usize> Visitor<'_> for TextVisitor<MAX> {
            type Value = Text<MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a string of at most {MAX} bytes")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                if text.len() <= MAX {
                    Ok(Text(text.to_owned()))
                } else {
                    Err(E::custom(too_long(MAX, text.len())))
                }
            }
        }

        deserializer.deserialize_str(TextVisitor::<MAX>)
    }
}

impl<const MAX: usize> Schema for Text<MAX> {
    const SCHEMA: &'static NamedType = &NamedType { name: "Text", ty: &DataModelType::String };
}

/// A list of at most `MAX` items.
///
/// An item must take space on the wire: ten bytes of postcard can otherwise claim 2^64 empty items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> List<T, MAX> {
    /// `items`, if they are few enough.
    ///
    /// # Errors
    /// Says how many there are and how many there may be.
    pub fn new(items: Vec<T>) -> Result<Self, String> {
        if items.len() <= MAX { Ok(Self(items)) } else { Err(too_many(MAX, items.len())) }
    }

    /// The items.
    #[must_use]
    pub fn into_inner(self) -> Vec<T> {
        self.0
    }
}

fn too_many(max: usize, got: usize) -> String {
    format!("expected at most {max} items, got {got}")
}

impl<T, const MAX: usize> Default for List<T, MAX> {
    /// An empty one.
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
            type Value = List<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {MAX} items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                const { assert!(size_of::<T>() > 0, "an item of a list takes space") };
                let claimed = seq.size_hint().unwrap_or(0);
                if claimed > MAX {
                    return Err(A::Error::custom(too_many(MAX, claimed)));
                }
                let mut items = Vec::with_capacity(claimed);
                while let Some(item) = seq.next_element()? {
                    if items.len() == MAX {
                        return Err(A::Error::custom(too_many(MAX, MAX + 1)));
                    }
                    items.push(item);
                }
                Ok(List(items))
            }
        }

        deserializer.deserialize_seq(ListVisitor::<T, MAX>(PhantomData))
    }
}

impl<T: Schema, const MAX: usize> Schema for List<T, MAX> {
    const SCHEMA: &'static NamedType = &NamedType { name: "List", ty: &DataModelType::Seq(T::SCHEMA) };
}

/// A map of at most `MAX` entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Map<K, V, const MAX: usize>(BTreeMap<K, V>);

impl<K: Ord, V, const MAX: usize> Map<K, V, MAX> {
    /// `entries`, if they are few enough.
    ///
    /// # Errors
    /// Says how many there are and how many there may be.
    pub fn new(entries: BTreeMap<K, V>) -> Result<Self, String> {
        if entries.len() <= MAX { Ok(Self(entries)) } else { Err(too_many(MAX, entries.len())) }
    }
}

impl<K, V, const MAX: usize> Deref for Map<K, V, MAX> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &BTreeMap<K, V> {
        &self.0
    }
}

impl<'de, K, V, const MAX: usize> Deserialize<'de> for Map<K, V, MAX>
where
    K: Deserialize<'de> + Ord,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor<K, V, const MAX: usize>(PhantomData<(K, V)>);

        impl<'de, K, V, const MAX: usize> Visitor<'de> for MapVisitor<K, V, MAX>
        where
            K: Deserialize<'de> + Ord,
            V: Deserialize<'de>,
        {
            type Value = Map<K, V, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a map of at most {MAX} entries")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = BTreeMap::new();
                let mut read = 0;
                while let Some((key, value)) = map.next_entry()? {
                    read += 1;
                    if read > MAX {
                        return Err(A::Error::custom(too_many(MAX, read)));
                    }
                    if entries.insert(key, value).is_some() {
                        return Err(A::Error::custom("duplicate key in a map"));
                    }
                }
                Ok(Map(entries))
            }
        }

        deserializer.deserialize_map(MapVisitor::<K, V, MAX>(PhantomData))
    }
}

impl<K: Schema, V: Schema, const MAX: usize> Schema for Map<K, V, MAX> {
    const SCHEMA: &'static NamedType =
        &NamedType { name: "Map", ty: &DataModelType::Map { key: K::SCHEMA, val: V::SCHEMA } };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_claims_more_than_it_may_costs_no_memory() {
        // The varint of 2^63 - 1 items, then nothing.
        let lie = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(postcard::from_bytes::<List<u64, 16>>(&lie).is_err());
        assert!(postcard::from_bytes::<Text<16>>(&lie).is_err());
        assert!(postcard::from_bytes::<Map<u64, u64, 16>>(&lie).is_err());
    }

    #[test]
    fn a_key_that_comes_twice_is_refused() {
        assert!(serde_json::from_str::<Map<String, u64, 4>>(r#"{"a":0,"b":5}"#).is_ok());
        let error = serde_json::from_str::<Map<String, u64, 4>>(r#"{"a":0,"a":5}"#).unwrap_err().to_string();
        assert!(error.contains("duplicate key"), "{error}");
        assert!(postcard::from_bytes::<Map<u64, u64, 4>>(&[2, 1, 0, 1, 5]).is_err());
    }

    #[test]
    fn the_bound_is_inclusive_and_the_message_names_it() {
        assert!(serde_json::from_str::<List<u64, 2>>("[1,2]").is_ok());
        let error = serde_json::from_str::<List<u64, 2>>("[1,2,3]").unwrap_err().to_string();
        assert!(error.contains("at most 2 items, got 3"), "{error}");
        let error = serde_json::from_str::<Text<3>>(r#""four""#).unwrap_err().to_string();
        assert!(error.contains("at most 3 bytes of text, got 4"), "{error}");
    }
}

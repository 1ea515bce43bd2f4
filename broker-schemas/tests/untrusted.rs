//! Whatever bytes a stranger sends: no panic, and no more memory than the contract grants.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic of a test is its report")]

#[path = "support/examples/mod.rs"]
mod examples;
mod support;

use broker_schemas::{ContentType, EdgeId, SERVICES};
use postcard_schema::schema::{DataModelType, NamedType};
use proptest::prelude::*;

use examples::examples;

/// Types that have a limit of their own, which their `Deserialize` enforces: 16 bytes; 32 bytes.
const BOUNDED_BY_THEMSELVES: [&str; 2] = ["Uuid", "EdgeId"];

#[test]
fn no_type_that_travels_is_recursive() {
    for wire in support::wire_types() {
        support::walk(wire.schema, &mut |_| {});
    }
}

#[test]
fn no_item_of_a_list_takes_zero_bytes() {
    // Else ten bytes are a list of 2^64 items.
    for wire in support::wire_types() {
        support::walk(wire.schema, &mut |schema| {
            let item = match schema.ty {
                DataModelType::Seq(item) => item,
                DataModelType::Map { key, .. } => key,
                _ => return,
            };
            assert!(least_size(item) > 0, "{}: a {} of {} may be endless", wire.name, schema.name, item.name);
        });
    }
}

/// The fewest bytes that a value takes.
fn least_size(schema: &'static NamedType) -> usize {
    match schema.ty {
        DataModelType::Unit | DataModelType::UnitStruct => 0,
        DataModelType::NewtypeStruct(_)
        | DataModelType::Tuple(_)
        | DataModelType::TupleStruct(_)
        | DataModelType::Struct(_) => support::parts(schema).into_iter().map(least_size).sum(),
        _ => 1,
    }
}

#[test]
fn every_string_and_list_of_a_request_has_a_maximum() {
    for method in SERVICES.iter().flat_map(|service| service.methods) {
        let call = format!("{}.{}", method.service, method.name);
        assert_bounded(method.request, &call);
    }
}

fn assert_bounded(schema: &'static NamedType, place: &str) {
    let bound = match schema.ty {
        _ if BOUNDED_BY_THEMSELVES.contains(&schema.name) => return,
        DataModelType::String | DataModelType::ByteArray => "Text",
        DataModelType::Seq(_) => "List",
        DataModelType::Map { .. } => "Map",
        _ => schema.name,
    };
    assert_eq!(schema.name, bound, "{place} has no maximum: use {bound}");
    match schema.ty {
        DataModelType::Struct(fields) => {
            fields.iter().for_each(|field| assert_bounded(field.ty, &format!("{place}.{}", field.name)));
        }
        _ => support::parts(schema).into_iter().for_each(|part| assert_bounded(part, place)),
    }
}

#[test]
fn what_bounds_itself_does() {
    let name = "e".repeat(EdgeId::MAX_LEN + 1);
    assert!(ContentType::Json.decode::<EdgeId>(format!("\"{name}\"").as_bytes()).is_err());
    assert!(ContentType::Postcard.decode::<EdgeId>(&postcard::to_stdvec(&name).unwrap()).is_err());
    assert!(
        ContentType::Postcard.decode::<uuid::Uuid>(&postcard::to_stdvec(&[7u8; 17][..]).unwrap()).is_err()
    );
}

#[test]
fn a_body_that_is_cut_short_or_too_long_is_refused() {
    for example in examples() {
        for (codec, bytes) in
            [(ContentType::Postcard, &example.postcard[..]), (ContentType::Json, example.json.as_bytes())]
        {
            // An empty JSON body stands for `{}`, so it isn't one that was cut.
            for length in usize::from(codec == ContentType::Json)..bytes.len() {
                let cut = (example.reread)(codec, &bytes[..length]);
                assert!(cut.is_err(), "{}, {}: {length} bytes are enough", example.name, example.case);
            }
            let longer = [bytes, b"0"].concat();
            assert!(
                (example.reread)(codec, &longer).is_err(),
                "{}, {}: takes a byte more",
                example.name,
                example.case
            );
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_a_decoder(bytes: Vec<u8>) {
        for example in examples() {
            let _ = (example.reread)(ContentType::Postcard, &bytes);
            let _ = (example.reread)(ContentType::Json, &bytes);
        }
    }

    #[test]
    fn no_damage_to_a_good_body_panics_a_decoder(
        which: prop::sample::Index, at: prop::sample::Index, byte: u8, length: prop::sample::Index,
    ) {
        let examples = examples();
        let example = &examples[which.index(examples.len())];
        for (codec, bytes) in
            [(ContentType::Postcard, &example.postcard[..]), (ContentType::Json, example.json.as_bytes())]
        {
            if bytes.is_empty() {
                continue;
            }
            let mut damaged = bytes.to_vec();
            damaged[at.index(bytes.len())] = byte;
            let _ = (example.reread)(codec, &damaged);
            damaged.truncate(length.index(bytes.len()));
            let _ = (example.reread)(codec, &damaged);
        }
    }
}

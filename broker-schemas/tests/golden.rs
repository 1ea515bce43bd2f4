//! Every type that travels has the bytes that `golden.json` remembers, in both encodings.
//!
//! The lock guards what a type is made of; this guards how that becomes bytes, which a new version of postcard, an
//! attribute of serde or a hand-written `Serialize` could change. Other languages can test their codec with the file.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic of a test is its report")]

#[path = "support/examples/mod.rs"]
mod examples;
mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use broker_schemas::ContentType;
use postcard_schema::schema::{DataModelType, DataModelVariant, NamedType};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use examples::{Example, examples};

const ADD: &str = "broker-schemas/tests/support/examples";
const UPDATE: &str = "NATTER_UPDATE_GOLDEN=1 cargo test -p broker-schemas --test golden";

/// One line of `golden.json`.
#[derive(Serialize, Deserialize)]
struct Golden {
    #[serde(rename = "type")]
    name: String,
    case: String,
    postcard: String,
    json: Box<RawValue>,
}

impl Golden {
    fn of(example: &Example) -> Self {
        Self {
            name: example.name.clone(),
            case: example.case.to_owned(),
            postcard: hex(&example.postcard),
            json: RawValue::from_string(example.json.clone()).unwrap(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn unhex(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn every_example_has_the_bytes_it_always_had() {
    let file = support::path("golden.json");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|_| "[]".into());
    let mut golden: Vec<Golden> = serde_json::from_str(&text).unwrap();
    let mut report = String::new();
    for example in examples() {
        let same = |line: &&Golden| line.name == example.name && line.case == example.case;
        let now = Golden::of(&example);
        match golden.iter().find(same) {
            None if std::env::var_os("NATTER_UPDATE_GOLDEN").is_some() => golden.push(now),
            None => writeln!(report, "{}, {}: has no line yet; add it: {UPDATE}", now.name, now.case).unwrap(),
            Some(line) if line.postcard == now.postcard && line.json.get() == now.json.get() => {}
            Some(line) => writeln!(
                report,
                "{}, {}: has other bytes now\n  golden: {} {}\n  now:    {} {}\n  A peer built yesterday can't read \
                 them: undo what changed the encoding. Only if schema.lock says that the type was never released, \
                 delete the line from golden.json and run {UPDATE}",
                line.name, line.case, line.postcard, line.json, now.postcard, now.json,
            )
            .unwrap(),
        }
    }
    assert!(report.is_empty(), "{report}");
    let lines: Vec<_> = golden.iter().map(|line| serde_json::to_string(line).unwrap()).collect();
    let written = format!("[\n{}\n]\n", lines.join(",\n"));
    if written != text && std::env::var_os("NATTER_UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, written).unwrap();
    }
}

#[test]
fn every_golden_line_is_read_and_written_again_as_it_was() {
    let golden: Vec<Golden> =
        serde_json::from_str(&std::fs::read_to_string(support::path("golden.json")).unwrap()).unwrap();
    let examples = examples();
    for Golden { name, case, postcard, json } in golden {
        let example = examples.iter().find(|example| example.name == name);
        let example =
            example.unwrap_or_else(|| panic!("{name} is in golden.json, but has no example in {ADD}"));
        let expected = (unhex(&postcard), json.get().to_owned());
        for (codec, bytes) in
            [(ContentType::Postcard, &expected.0[..]), (ContentType::Json, expected.1.as_bytes())]
        {
            let again = (example.reread)(codec, bytes);
            let again = again.unwrap_or_else(|error| panic!("{name}, {case}, {}: {error}", codec.as_str()));
            assert_eq!(again, expected, "{name}, {case}, {}", codec.as_str());
        }
    }
}

#[test]
fn everything_that_travels_has_an_example() {
    let examples = examples();
    let known: BTreeSet<_> = examples.iter().map(|example| example.name.as_str()).collect();
    for wire in support::wire_types() {
        assert!(known.contains(&*wire.name), "{} has no example: add one to {ADD}, then {UPDATE}", wire.name);
    }
    let cases: BTreeSet<_> = examples.iter().map(|example| (&example.name, example.case)).collect();
    assert_eq!(cases.len(), examples.len(), "two examples of one type have the same case");
}

#[test]
fn the_examples_show_every_choice_that_a_type_leaves() {
    let mut shown = BTreeSet::new();
    for Example { name, case, schema, postcard, .. } in examples() {
        let mut rest = &postcard[..];
        read(schema, &mut rest, &name, &mut shown);
        assert!(rest.is_empty(), "{name}, {case}: the schema describes fewer bytes than there are");
    }
    for wire in support::wire_types() {
        for choice in choices(wire.schema, &wire.name) {
            assert!(shown.contains(&choice), "no example shows {choice}: add one to {ADD}, then {UPDATE}");
        }
    }
}

/// What a value may be at one place of a type: absent or present, this variant or that one.
///
/// An enum of mere words (`Code`) has its choices once, wherever it stands.
fn choice(schema: &NamedType, place: &str, which: &str) -> String {
    let words = |variants: &[&postcard_schema::schema::NamedVariant]| {
        variants.iter().all(|variant| matches!(variant.ty, DataModelVariant::UnitVariant))
    };
    match schema.ty {
        DataModelType::Enum(variants) if words(variants) => format!("{}::{which}", schema.name),
        _ => format!("{place}: {}::{which}", schema.name),
    }
}

/// The choices that a type leaves.
fn choices(schema: &'static NamedType, place: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    match schema.ty {
        DataModelType::Option(_) => all.extend(["None", "Some"].map(|which| choice(schema, place, which))),
        DataModelType::Enum(variants) => {
            all.extend(variants.iter().map(|variant| choice(schema, place, variant.name)));
        }
        _ => {}
    }
    for (inner_place, inner) in places(schema, place) {
        all.extend(choices(inner, &inner_place));
    }
    all
}

/// The types inside `schema`, and what to call their places.
fn places(schema: &'static NamedType, place: &str) -> Vec<(String, &'static NamedType)> {
    match schema.ty {
        DataModelType::Struct(fields) => {
            fields.iter().map(|field| (format!("{place}.{}", field.name), field.ty)).collect()
        }
        DataModelType::Enum(variants) => variants
            .iter()
            .flat_map(|variant| {
                let parts = support::parts_of_variant(variant.ty).into_iter();
                parts.enumerate().map(move |(i, part)| (format!("{place}.{}.{i}", variant.name), part))
            })
            .collect(),
        _ => support::parts(schema).into_iter().map(|part| (place.to_owned(), part)).collect(),
    }
}

/// Reads a postcard value by nothing but its schema, and notes the choices it shows.
///
/// So a schema that was written by hand, or that serde's attributes contradict, is found out.
fn read(schema: &'static NamedType, bytes: &mut &[u8], place: &str, shown: &mut BTreeSet<String>) {
    match schema.ty {
        DataModelType::Bool => assert!(take(bytes, 1)[0] < 2, "{place}: not a bool"),
        DataModelType::U8 | DataModelType::I8 => drop(take(bytes, 1)),
        DataModelType::U16 | DataModelType::U32 | DataModelType::U64 => drop(varint(bytes)),
        DataModelType::I16 | DataModelType::I32 | DataModelType::I64 => drop(varint(bytes)),
        DataModelType::String => {
            let length = varint(bytes);
            assert!(std::str::from_utf8(&take(bytes, length)).is_ok(), "{place}: not a string");
        }
        DataModelType::ByteArray => {
            let length = varint(bytes);
            take(bytes, length);
        }
        DataModelType::Option(inner) => {
            let present = take(bytes, 1)[0];
            assert!(present < 2, "{place}: not an option");
            shown.insert(choice(schema, place, ["None", "Some"][usize::from(present)]));
            if present == 1 {
                read(inner, bytes, place, shown);
            }
        }
        DataModelType::Seq(item) => (0..varint(bytes)).for_each(|_| read(item, bytes, place, shown)),
        DataModelType::Map { key, val } => (0..varint(bytes)).for_each(|_| {
            read(key, bytes, place, shown);
            read(val, bytes, place, shown);
        }),
        DataModelType::Enum(variants) => {
            let variant = variants[varint(bytes)];
            shown.insert(choice(schema, place, variant.name));
            for (i, part) in support::parts_of_variant(variant.ty).into_iter().enumerate() {
                read(part, bytes, &format!("{place}.{}.{i}", variant.name), shown);
            }
        }
        DataModelType::Struct(_)
        | DataModelType::NewtypeStruct(_)
        | DataModelType::Tuple(_)
        | DataModelType::TupleStruct(_)
        | DataModelType::Unit
        | DataModelType::UnitStruct => {
            for (inner_place, inner) in places(schema, place) {
                read(inner, bytes, &inner_place, shown);
            }
        }
        other => panic!("{place}: no wire type has had a {other:?} yet; read it here"),
    }
}

fn take(bytes: &mut &[u8], length: usize) -> Vec<u8> {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken.to_vec()
}

fn varint(bytes: &mut &[u8]) -> usize {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

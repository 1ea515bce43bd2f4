//! The list of everything that travels, and a walk through what it is made of. Without values of these types, which are in
//! `examples`: the test of the lock must build, whatever became of a type.

#![allow(dead_code, reason = "each test uses some of it")]

use broker_schemas::caller::Passport;
use broker_schemas::delivery::{Attachment, Beat, Spent};
use broker_schemas::{Delivery, SERVICES};
use postcard_schema::Schema;
use postcard_schema::schema::{DataModelType, DataModelVariant, NamedType};

/// A type that travels, under the name by which `schema.lock` and `golden.json` know it.
pub(crate) struct WireType {
    pub(crate) name: String,
    pub(crate) schema: &'static NamedType,
}

/// Every request, reply, event and fact of the contract, and what else modules and edges tell each other.
pub(crate) fn wire_types() -> Vec<WireType> {
    let mut types = Vec::new();
    let mut add = |name: String, schema| types.push(WireType { name, schema });
    for service in SERVICES {
        for method in service.methods {
            let path = format!("{}.v{}.{}", method.service, method.version, method.name);
            add(format!("{path} request"), method.request);
            add(format!("{path} reply"), method.reply);
        }
        for event in service.events {
            add(format!("{} event", event.name), event.schema);
        }
        for fact in service.facts {
            add(format!("{}.v1.{} fact", service.name, fact.name), fact.schema);
        }
    }
    add("Delivery".into(), Delivery::SCHEMA);
    add("Attachment".into(), Attachment::SCHEMA);
    add("Spent".into(), Spent::SCHEMA);
    add("Beat".into(), Beat::SCHEMA);
    add("Passport".into(), Passport::SCHEMA);
    types
}

/// Deeper than any type here nests: a walk that gets there goes round in circles.
pub(crate) const MAX_DEPTH: usize = 16;

/// Calls `visit` with `schema` and everything inside it.
pub(crate) fn walk(schema: &'static NamedType, visit: &mut dyn FnMut(&'static NamedType)) {
    walk_to(schema, MAX_DEPTH, visit);
}

fn walk_to(schema: &'static NamedType, depth: usize, visit: &mut dyn FnMut(&'static NamedType)) {
    assert!(depth > 0, "{} nests deeper than {MAX_DEPTH}: is it recursive?", schema.name);
    visit(schema);
    for inner in parts(schema) {
        walk_to(inner, depth - 1, visit);
    }
}

/// The types that `schema` is made of, one level down.
pub(crate) fn parts(schema: &'static NamedType) -> Vec<&'static NamedType> {
    match schema.ty {
        DataModelType::Option(inner) | DataModelType::NewtypeStruct(inner) | DataModelType::Seq(inner) => {
            vec![inner]
        }
        DataModelType::Tuple(items) | DataModelType::TupleStruct(items) => items.to_vec(),
        DataModelType::Map { key, val } => vec![key, val],
        DataModelType::Struct(fields) => fields.iter().map(|field| field.ty).collect(),
        DataModelType::Enum(variants) => {
            variants.iter().flat_map(|variant| parts_of_variant(variant.ty)).collect()
        }
        _ => Vec::new(),
    }
}

/// The types that a variant is made of.
pub(crate) fn parts_of_variant(variant: &'static DataModelVariant) -> Vec<&'static NamedType> {
    match variant {
        DataModelVariant::UnitVariant => Vec::new(),
        DataModelVariant::NewtypeVariant(inner) => vec![inner],
        DataModelVariant::TupleVariant(items) => items.to_vec(),
        DataModelVariant::StructVariant(fields) => fields.iter().map(|field| field.ty).collect(),
    }
}

/// A file of this crate's directory.
pub(crate) fn path(relative: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

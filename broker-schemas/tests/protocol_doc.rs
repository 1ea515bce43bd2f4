//! `docs/PROTOCOL.md` describes this contract, and not yesterday's: what can be written from the contract is, and what
//! people wrote covers every method, field, event and error code.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic of a test is its report")]

#[path = "support/examples/mod.rs"]
mod examples;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use broker_schemas::rights::{APART, RIGHTS, Standing, Verdict};
use broker_schemas::{Code, ContentType, Exposure, MethodSpec, Role, SERVICES, admin, announcement, group};
use broker_schemas::{message, user};
use postcard_schema::Schema;
use postcard_schema::schema::{DataModelType, DataModelVariant, NamedType, NamedValue};
use serde_json::Value;

use examples::examples;

const DOCUMENT: &str = "../docs/PROTOCOL.md";
const UPDATE: &str = "NATTER_UPDATE_DOCS=1 cargo test -p broker-schemas --test protocol_doc";

fn document() -> String {
    std::fs::read_to_string(support::path(DOCUMENT)).unwrap()
}

fn methods_on(exposure: Exposure) -> impl Iterator<Item = &'static MethodSpec> {
    let methods = SERVICES.iter().flat_map(|service| service.methods);
    methods.filter(move |method| method.exposures.contains(&exposure))
}

/// What can be called through an edge, by anyone or by staff.
fn callable_methods() -> impl Iterator<Item = &'static MethodSpec> {
    methods_on(Exposure::Client).chain(methods_on(Exposure::Admin))
}

/// What a client calls it.
fn call(method: &MethodSpec) -> String {
    format!("{}.{}", method.service, method.called)
}

#[test]
fn the_generated_tables_are_those_of_the_contract() {
    let before = document();
    let mut after = before.clone();
    for (name, table) in [
        ("errors", errors()),
        ("limits", limits()),
        ("rights", rights()),
        ("apart", apart()),
        ("variants", variants()),
        ("shapes", shapes()),
        ("methods", methods()),
        ("administration", administration()),
        ("administrative rights", administrative_rights()),
        ("events", events()),
    ] {
        let open = format!("<!-- generated: {name} -->\n");
        let start =
            after.find(&open).unwrap_or_else(|| panic!("PROTOCOL.md has no line {open}")) + open.len();
        let end =
            start + after[start..].find("<!-- end -->").expect("a generated table ends with <!-- end -->");
        after.replace_range(start..end, &table);
    }
    if std::env::var_os("NATTER_UPDATE_DOCS").is_some() {
        std::fs::write(support::path(DOCUMENT), after).unwrap();
    } else {
        assert!(
            before == after,
            "a generated table of docs/PROTOCOL.md is not that of the contract: {UPDATE}"
        );
    }
}

fn errors() -> String {
    let mut table = "| code | number | in postcard | outcome | meaning |\n|---|---|---|---|---|\n".to_owned();
    for code in Code::ALL {
        let meaning = match code {
            Code::Invalid => "the request can't be read, or breaks a stated rule",
            Code::Unauthenticated => "nobody is signed in on this connection",
            Code::Forbidden => "signed in, but not allowed to do this",
            Code::NotFound => "it doesn't exist, or the caller may not know that it does",
            Code::Conflict => "it clashes with what is already there",
            Code::TooLarge => "longer than the stated maximum",
            Code::RateLimited => "too many, too fast; `retry_after_ms` says when to try again",
            Code::Internal => "a fault inside the service",
            Code::Unavailable => "not done: the service is absent, full or stopping",
            Code::Timeout => "no answer in time",
        };
        let outcome = code.outcome().name();
        writeln!(table, "| `{code}` | {} | {} | `{outcome}` | {meaning} |", code.number(), code as u8)
            .unwrap();
    }
    table
}

fn limits() -> String {
    let pages = "`limit` of `message.history`, `message.search` and `message.conversations`";
    let limits = [
        ("`name` of an account", user::NAME_BYTES, "bytes; the rule for names is narrower"),
        ("`display_name`", user::DISPLAY_NAME_BYTES, "bytes, and 64 characters"),
        ("`password`, `old`, `new`", user::PASSWORD_BYTES, "bytes, and 128 characters"),
        ("`name` of a group", group::NAME_BYTES, "bytes, and 64 characters"),
        ("`members` of `group.create`", group::INVITED_MAX, "entries"),
        ("members of a group, however it is configured", group::MEMBERS_MAX, "users"),
        ("`text` of `group.announce`", group::ANNOUNCEMENT_BYTES, "bytes"),
        ("`limit` of `group.members`", group::PAGE_MAX as usize, "members"),
        ("`limit` of `group.members` when absent", group::PAGE_DEFAULT as usize, "members"),
        ("`text` of a message", message::TEXT_BYTES, "bytes"),
        ("`mentions`", message::MENTIONS_MAX, "users"),
        ("`kind` of a payload", message::KIND_BYTES, "bytes"),
        ("`data` of a payload", message::PAYLOAD_BYTES, "bytes"),
        ("`reaction`", message::REACTION_BYTES, "bytes"),
        ("different reactions to one message", message::REACTIONS_MAX, ""),
        (pages, message::PAGE_MAX as usize, "messages, or conversations"),
        ("the same when absent", message::PAGE_DEFAULT as usize, "messages, or conversations"),
        ("what a page of messages says, in all", message::PAGE_BYTES, "bytes, then it ends early"),
        ("`have` and `revisions` of `message.sync`", message::SYNC_MAX, "entries each"),
        ("`text` of `message.search`", message::QUERY_BYTES, "bytes"),
        ("`skip` of `message.search`", message::SKIP_MAX as usize, "messages"),
        ("`text` of a preview", message::PREVIEW_BYTES, "bytes"),
        (
            "`seen` of `announcement.seen`, and what `announcement.list` answers",
            announcement::MAX,
            "announcements",
        ),
        ("`text` of a broadcast, an announcement or a campaign", admin::TEXT_BYTES, "bytes"),
        ("`title` of a campaign", admin::TITLE_BYTES, "bytes"),
        ("`users` of a segment", admin::SEGMENT_USERS_MAX, "users"),
        ("`per_second` of a campaign", admin::PER_SECOND_MAX as usize, "recipients"),
        ("rules", admin::RULES_MAX, ""),
        ("`pattern` of a rule", admin::PATTERN_BYTES, "bytes"),
        ("`limit` of administrative lists", admin::PAGE_MAX as usize, "entries"),
        ("the same when absent", admin::PAGE_DEFAULT as usize, "entries"),
    ];
    limits.iter().fold("| what | at most | |\n|---|---|---|\n".to_owned(), |mut table, (what, most, unit)| {
        writeln!(table, "| {what} | {most} | {unit} |").unwrap();
        table
    })
}

fn rights() -> String {
    let cells = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let mut table = cells(&[&["call"][..], &Standing::ALL.map(Standing::name)].concat());
    table.push_str(&cells(&["---"; Standing::ALL.len() + 1]));
    for (method, verdicts) in RIGHTS {
        let call = format!("`{method}`");
        table.push_str(&cells(&[&[&*call][..], &verdicts.map(Verdict::words)].concat()));
    }
    table
}

/// The client methods that the table of rights leaves out.
fn apart() -> String {
    let calls: Vec<_> = APART.iter().map(|method| format!("`{method}`")).collect();
    format!("{}.\n", calls.join(", "))
}

fn methods() -> String {
    let mut table =
        "| call | request | reply | who | repeat | within |\n|---|---|---|---|---|---|\n".to_owned();
    for method in methods_on(Exposure::Client) {
        let (call, request, reply) = (call(method), fields(method.request), shape(method.reply));
        let (access, repeat, seconds) =
            (method.access.name(), method.repeat.name(), method.deadline.as_secs());
        writeln!(table, "| `{call}` | `{request}` | `{reply}` | {access} | {repeat} | {seconds} s |")
            .unwrap();
    }
    table
}

fn administration() -> String {
    let mut table = "| call | request | reply | repeat | within |\n|---|---|---|---|---|\n".to_owned();
    for method in methods_on(Exposure::Admin) {
        let (call, request, reply) = (call(method), fields(method.request), shape(method.reply));
        let (repeat, seconds) = (method.repeat.name(), method.deadline.as_secs());
        writeln!(table, "| `{call}` | `{request}` | `{reply}` | {repeat} | {seconds} s |").unwrap();
    }
    table
}

/// Who may call what, as the methods' declarations have it.
fn administrative_rights() -> String {
    let roles = Role::ALL.map(Role::name).join(" | ");
    let mut table =
        format!("| call | {roles} | user | nobody |\n|---|{}---|---|\n", "---|".repeat(Role::ALL.len()));
    for method in methods_on(Exposure::Admin) {
        let may = |role: &Role| if method.access.roles().contains(role) { "yes" } else { "forbidden" };
        let cells: Vec<_> = Role::ALL.iter().map(may).collect();
        writeln!(table, "| `{}` | {} | forbidden | unauthenticated |", call(method), cells.join(" | "))
            .unwrap();
    }
    table
}

fn events() -> String {
    let mut table = "| event | body |\n|---|---|\n".to_owned();
    for event in SERVICES.iter().flat_map(|service| service.events) {
        writeln!(table, "| `{}` | `{}` |", event.name, shape(event.schema)).unwrap();
    }
    table
}

/// The records inside requests, replies and events, and the replies that have a section of their own.
fn shapes() -> String {
    let mut table = "| shape | fields |\n|---|---|\n".to_owned();
    for (name, schema) in named_shapes() {
        writeln!(table, "| `{name}` | `{}` |", fields(schema)).unwrap();
    }
    table
}

fn variants() -> String {
    let mut enums: BTreeMap<&str, &'static NamedType> = BTreeMap::new();
    visible(&mut |schema| {
        if matches!(schema.ty, DataModelType::Enum(_)) {
            enums.entry(title(schema)).or_insert(schema);
        }
    });
    let mut table = "| type | number | variant | carries |\n|---|---|---|---|\n".to_owned();
    for (name, schema) in enums {
        let DataModelType::Enum(variants) = schema.ty else { unreachable!() };
        for (number, variant) in variants.iter().enumerate() {
            let carries = match variant.ty {
                DataModelVariant::UnitVariant => String::new(),
                DataModelVariant::NewtypeVariant(_) if name == "Fetched" => "`T`".to_owned(),
                DataModelVariant::NewtypeVariant(inner) => format!("`{}`", shape(inner)),
                DataModelVariant::TupleVariant(parts) => {
                    format!("`{}`", parts.iter().map(|part| shape(part)).collect::<Vec<_>>().join(", "))
                }
                DataModelVariant::StructVariant(parts) => format!("`{}`", record(parts)),
            };
            writeln!(table, "| `{name}` | {number} | `{}` | {carries} |", snake(variant.name)).unwrap();
        }
    }
    table
}

/// serde's `rename_all = "snake_case"`, which every enum that clients see has.
fn snake(name: &str) -> String {
    name.chars().enumerate().fold(String::new(), |mut snake, (i, letter)| {
        if letter.is_uppercase() && i > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
        snake
    })
}

/// What the document calls a type. What one is in a group, and what one is on the platform, are both roles.
fn title(schema: &'static NamedType) -> &'static str {
    if schema == <Role as Schema>::SCHEMA { "StaffRole" } else { schema.name }
}

/// How the document writes a type: by its name if it explains the name, otherwise by its fields.
fn shape(schema: &'static NamedType) -> String {
    match schema.ty {
        DataModelType::Struct(_) if is_named(schema) => schema.name.to_owned(),
        DataModelType::Enum(variants) if schema.name == "Fetched" => {
            format!(
                "Fetched<{}>",
                support::parts_of_variant(variants[0].ty).into_iter().map(shape).collect::<String>()
            )
        }
        DataModelType::Struct(parts) => record(parts),
        // A new event of an old shape.
        DataModelType::NewtypeStruct(inner) if matches!(inner.ty, DataModelType::Struct(_)) => shape(inner),
        DataModelType::Option(inner) => format!("{}?", shape(inner)),
        DataModelType::Seq(item) => format!("[{}]", shape(item)),
        DataModelType::Map { key, val } => format!("{{[{}]: {}}}", shape(key), shape(val)),
        DataModelType::String => "string".to_owned(),
        _ => title(schema).to_owned(),
    }
}

fn fields(schema: &'static NamedType) -> String {
    match schema.ty {
        DataModelType::Struct(parts) => record(parts),
        _ => shape(schema),
    }
}

fn record(parts: &[&'static NamedValue]) -> String {
    let parts: Vec<_> = parts.iter().map(|field| format!("{}: {}", field.name, shape(field.ty))).collect();
    format!("{{{}}}", parts.join(", "))
}

/// Calls `visit` with everything that a client sees.
fn visible(visit: &mut dyn FnMut(&'static NamedType)) {
    let bodies = callable_methods().flat_map(|method| [method.request, method.reply]);
    let events = SERVICES.iter().flat_map(|service| service.events).map(|event| event.schema);
    bodies.chain(events).for_each(|schema| support::walk(schema, visit));
}

/// The records that the document explains once, under their own name: those inside others, and replies of several
/// methods.
fn named_shapes() -> BTreeMap<&'static str, &'static NamedType> {
    let mut named = BTreeMap::new();
    visible(&mut |schema| {
        for part in support::parts(schema) {
            if matches!(part.ty, DataModelType::Struct(_)) {
                let other = named.insert(part.name, part);
                assert!(other.is_none_or(|other| other == part), "two shapes are called {}", part.name);
            }
        }
    });
    let replies: Vec<_> = callable_methods().map(|method| method.reply).collect();
    for reply in &replies {
        let filled = matches!(reply.ty, DataModelType::Struct(parts) if !parts.is_empty());
        if filled && replies.iter().filter(|other| other == &reply).count() > 1 {
            let other = named.insert(reply.name, reply);
            assert!(other.is_none_or(|other| other == *reply), "two shapes are called {}", reply.name);
        }
    }
    named
}

/// Whether the document explains `schema` under its name. Another service may have another type of that name.
fn is_named(schema: &'static NamedType) -> bool {
    named_shapes().get(schema.name) == Some(&schema)
}

/// The parts of the document that begin with a heading ``#### `title` ``, by title.
fn sections(document: &str) -> BTreeMap<String, String> {
    let mut sections = BTreeMap::new();
    for part in document.split("\n#### ").skip(1) {
        let (title, text) = part.split_once('\n').unwrap();
        let text = text.split("\n### ").next().unwrap().split("\n## ").next().unwrap();
        sections.insert(title.replace('`', ""), text.to_owned());
    }
    sections
}

/// Whether `text` has the row of each field, with its type.
fn assert_explains(title: &str, text: &str, schema: &'static NamedType) {
    match schema.ty {
        DataModelType::Struct(parts) if is_named(schema) && title != schema.name => {
            let link = format!("[`{}`]", schema.name);
            assert!(text.contains(&link), "PROTOCOL.md, {title}: should point to {link}: {}", record(parts));
        }
        DataModelType::Struct(parts) => {
            for field in *parts {
                let row = format!("| `{}` | `{}` |", field.name, shape(field.ty));
                assert!(text.contains(&row), "PROTOCOL.md, {title}: has no row {row}");
            }
        }
        DataModelType::NewtypeStruct(inner) => assert_explains(title, text, inner),
        _ => panic!("{title}: a body is a record"),
    }
}

#[test]
fn every_method_and_field_is_explained() {
    let sections = sections(&document());
    for method in callable_methods() {
        let title = call(method);
        let text =
            sections.get(&title).unwrap_or_else(|| panic!("PROTOCOL.md has no section #### `{title}`"));
        assert_explains(&title, text, method.request);
        assert_explains(&title, text, method.reply);
    }
    for (title, schema) in named_shapes() {
        let text = sections.get(title).unwrap_or_else(|| panic!("PROTOCOL.md has no section #### `{title}`"));
        assert_explains(title, text, schema);
    }
}

#[test]
fn every_event_is_explained() {
    let sections = sections(&document());
    for event in SERVICES.iter().flat_map(|service| service.events) {
        // A method may have the same name.
        let (alone, beside) = (event.name.to_owned(), format!("{}, the event", event.name));
        let text = sections.get(&beside).or_else(|| sections.get(&alone));
        let text = text.unwrap_or_else(|| panic!("PROTOCOL.md has no section #### `{alone}`"));
        assert_explains(&alone, text, event.schema);
    }
}

#[test]
fn nothing_is_explained_that_does_not_exist() {
    let methods: BTreeSet<_> = callable_methods().map(call).collect();
    let events: BTreeSet<_> =
        SERVICES.iter().flat_map(|service| service.events).map(|event| event.name).collect();
    for title in sections(&document()).into_keys() {
        let name = title.trim_end_matches(", the event");
        let exists = methods.contains(name)
            || events.contains(name)
            || named_shapes().contains_key(name)
            || name.starts_with("session.");
        assert!(exists, "PROTOCOL.md explains {title}, which the contract doesn't have");
    }
}

#[test]
fn every_example_is_a_message_that_the_contract_accepts() {
    let mut open: BTreeMap<(String, u64), String> = BTreeMap::new();
    let mut seen = 0;
    for block in document().split("```conversation\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            let (who, rest) = line.split_once(' ').unwrap();
            let (direction, json) = rest.trim_start().split_once(' ').unwrap();
            let frame: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{line}: {error}"));
            let id = frame["id"].as_u64().unwrap_or_default();
            if let (">", Some(call)) = (direction, frame["call"].as_str()) {
                open.insert((who.to_owned(), id), call.to_owned());
                if let Some(body) = frame.get("body")
                    && !line.contains(r#""body":{}"#)
                {
                    assert_body(line, &versioned(call, "request"), body);
                }
            } else if let Some(body) = frame.get("ok") {
                let call = &open[&(who.to_owned(), id)];
                assert_body(line, &versioned(call, "reply"), body);
            } else if let Some(event) = frame["event"].as_str() {
                assert_body(line, &format!("{event} event"), &frame["body"]);
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "the document lost its examples");
}

fn versioned(call: &str, what: &str) -> String {
    let (service, method) = call.split_once('.').unwrap();
    format!("{service}.v1.{method} {what}")
}

/// Whether `body` is a `name` and has no field that a `name` doesn't have.
fn assert_body(line: &str, name: &str, body: &Value) {
    let examples = examples();
    let example =
        examples.iter().find(|example| example.name == name).unwrap_or_else(|| panic!("{line}: no {name}"));
    let again = (example.reread)(ContentType::Json, body.to_string().as_bytes());
    let (_, again) = again.unwrap_or_else(|error| panic!("{line}: {error}"));
    let again: Value = serde_json::from_str(&again).unwrap();
    if !name.ends_with("request") {
        assert_eq!(&again, body, "{line}");
    }
}

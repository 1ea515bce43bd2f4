//! Every type that travels is as `schema.lock` remembers it.
//!
//! postcard has no field tags: a peer built yesterday can't read a type that got a field today. So a type that was part
//! of a release is frozen, and this test says so before a peer does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic of a test is its report")]

mod support;

use std::fmt::Write as _;

use broker_schemas::caller::Role;
use broker_schemas::message::Recipient;
use broker_schemas::notation::notation;
use broker_schemas::{Code, Conversation, Outcome};
use postcard_schema::Schema;
use postcard_schema::key::Key;
use postcard_schema::key::hash::Fnv1a64Hasher;
use postcard_schema::schema::{DataModelType, DataModelVariant, NamedType, NamedValue, NamedVariant};

const UPDATE: &str = "NATTER_UPDATE_LOCK=1 cargo test -p broker-schemas --test lock";

#[test]
fn every_type_that_travels_is_as_the_lock_remembers_it() {
    let file = support::path("schema.lock");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let lock = Lock::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let release = std::env::var("NATTER_RELEASE").ok();
    if release.is_none() && std::env::var_os("NATTER_UPDATE_LOCK").is_none() {
        lock.check(&contract()).unwrap_or_else(|report| panic!("{report}"));
        return;
    }
    let mut updated = lock.update(&contract()).unwrap_or_else(|report| panic!("{report}"));
    if let Some(version) = release {
        updated.release(&version);
    }
    std::fs::write(&file, updated.to_string()).unwrap();
}

/// One shape, as bytes see it and as people do.
///
/// The fingerprint alone is not enough: it has no mark for where a nested struct ends, so it can't tell
/// `{a: {b: u8}, c: u8}` from `{a: {b: u8, c: u8}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    fingerprint: String,
    notation: String,
}

impl Shape {
    fn of_type(name: &str, schema: &NamedType) -> Self {
        let key = Key::for_owned_schema_path(name, &schema.into());
        Self { fingerprint: hex(&key.to_bytes()), notation: notation(schema) }
    }

    fn of_text(name: &str, text: String) -> Self {
        let mut hasher = Fnv1a64Hasher::new();
        hasher.update(name.as_bytes());
        hasher.update(text.as_bytes());
        Self { fingerprint: hex(&hasher.digest_bytes()), notation: text }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// What the contract says today of one name.
struct Item {
    name: String,
    shape: Shape,
    /// What it was if it grew only by what may be appended.
    earlier: Vec<Shape>,
}

impl Item {
    fn of_type(name: impl Into<String>, schema: &'static NamedType) -> Self {
        let name = name.into();
        let earlier =
            without_last_variants(schema).into_iter().map(|schema| Shape::of_type(&name, schema)).collect();
        Self { shape: Shape::of_type(&name, schema), earlier, name }
    }

    fn of_code(name: &str, number: u16) -> Self {
        let name = format!("error code {name}");
        Self { shape: Shape::of_text(&name, number.to_string()), earlier: Vec::new(), name }
    }
}

/// All that the lock remembers, in its order.
fn contract() -> Vec<Item> {
    let mut items: Vec<_> =
        support::wire_types().iter().map(|wire| Item::of_type(&*wire.name, wire.schema)).collect();
    items.extend(Code::ALL.iter().map(|code| Item::of_code(code.name(), code.number())));
    // Client frames and headers carry these by themselves.
    items.push(Item::of_type("enum Code", Code::SCHEMA));
    items.push(Item::of_type("enum Outcome", Outcome::SCHEMA));
    items.push(Item::of_type("enum Role", Role::SCHEMA));
    items.push(Item::of_type("enum Recipient", Recipient::SCHEMA));
    items.push(Item::of_type("enum Conversation", Conversation::SCHEMA));
    items
}

type Variants = &'static [&'static NamedVariant];

/// Every schema that becomes `schema` when variants are appended to its enums.
///
/// An enum that occurs twice in a type is cut the same way at both places, as it is one type.
fn without_last_variants(schema: &'static NamedType) -> Vec<&'static NamedType> {
    let mut enums: Vec<Variants> = Vec::new();
    support::walk(schema, &mut |inner| {
        if let DataModelType::Enum(variants) = inner.ty
            && !enums.contains(variants)
        {
            enums.push(variants);
        }
    });
    let mut cuts: Vec<Vec<usize>> = vec![Vec::new()];
    for variants in &enums {
        cuts = cuts
            .iter()
            .flat_map(|cut| (1..=variants.len()).map(move |length| [&cut[..], &[length]].concat()))
            .collect();
        assert!(cuts.len() < 10_000, "{}: too many enums in one type to compare", schema.name);
    }
    let whole: Vec<_> = enums.iter().map(|variants| variants.len()).collect();
    cuts.iter()
        .filter(|cut| **cut != whole)
        .map(|cut| Cut { enums: &enums, lengths: cut }.of_type(schema))
        .collect()
}

/// How many variants each enum keeps.
struct Cut<'a> {
    enums: &'a [Variants],
    lengths: &'a [usize],
}

// A schema refers to its parts for ever, so the parts made here are leaked; a test ends soon.
impl Cut<'_> {
    fn of_type(&self, schema: &'static NamedType) -> &'static NamedType {
        let ty = match schema.ty {
            DataModelType::Option(inner) => DataModelType::Option(self.of_type(inner)),
            DataModelType::NewtypeStruct(inner) => DataModelType::NewtypeStruct(self.of_type(inner)),
            DataModelType::Seq(item) => DataModelType::Seq(self.of_type(item)),
            DataModelType::Tuple(items) => DataModelType::Tuple(self.of_types(items)),
            DataModelType::TupleStruct(items) => DataModelType::TupleStruct(self.of_types(items)),
            DataModelType::Map { key, val } => {
                DataModelType::Map { key: self.of_type(key), val: self.of_type(val) }
            }
            DataModelType::Struct(fields) => DataModelType::Struct(self.of_fields(fields)),
            DataModelType::Enum(variants) => DataModelType::Enum(self.of_variants(variants)),
            other => *other,
        };
        Box::leak(Box::new(NamedType { name: schema.name, ty: Box::leak(Box::new(ty)) }))
    }

    fn of_types(&self, types: &[&'static NamedType]) -> &'static [&'static NamedType] {
        types.iter().map(|inner| self.of_type(inner)).collect::<Vec<_>>().leak()
    }

    fn of_fields(&self, fields: &[&'static NamedValue]) -> &'static [&'static NamedValue] {
        let cut = |field: &&'static NamedValue| -> &'static NamedValue {
            Box::leak(Box::new(NamedValue { name: field.name, ty: self.of_type(field.ty) }))
        };
        fields.iter().map(cut).collect::<Vec<_>>().leak()
    }

    fn of_variants(&self, variants: Variants) -> Variants {
        let which = self.enums.iter().position(|known| *known == variants).unwrap();
        let cut = |variant: &&'static NamedVariant| -> &'static NamedVariant {
            let ty = match variant.ty {
                DataModelVariant::UnitVariant => DataModelVariant::UnitVariant,
                DataModelVariant::NewtypeVariant(inner) => {
                    DataModelVariant::NewtypeVariant(self.of_type(inner))
                }
                DataModelVariant::TupleVariant(items) => DataModelVariant::TupleVariant(self.of_types(items)),
                DataModelVariant::StructVariant(fields) => {
                    DataModelVariant::StructVariant(self.of_fields(fields))
                }
            };
            Box::leak(Box::new(NamedVariant { name: variant.name, ty: Box::leak(Box::new(ty)) }))
        };
        variants[..self.lengths[which]].iter().map(cut).collect::<Vec<_>>().leak()
    }
}

/// What the lock remembers of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    name: String,
    /// The first release that had it.
    since: Option<String>,
    shape: Shape,
}

/// `schema.lock`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Lock {
    /// The last release.
    released: Option<String>,
    lines: Vec<Line>,
}

/// How one name differs between lock and contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Appended,
    Changed,
    Removed,
}

struct Difference<'a> {
    change: Change,
    name: &'a str,
    locked: Option<&'a Line>,
    now: Option<&'a Item>,
}

impl Difference<'_> {
    /// Whether the release that has this type forbids it.
    fn is_refused(&self) -> bool {
        let released = self.locked.is_some_and(|line| line.since.is_some());
        released && matches!(self.change, Change::Changed | Change::Removed)
    }

    fn advice(&self) -> String {
        let since = self.locked.and_then(|line| line.since.as_deref());
        match (self.change, since) {
            (Change::Added, _) => format!("It is new. Remember it: {UPDATE}"),
            (Change::Appended, _) => {
                format!("Its enums got variants at their end, which is allowed. Remember it: {UPDATE}")
            }
            (Change::Changed, Some(since)) => format!(
                "It was released with {since} and is frozen: a peer of that release reads the new bytes wrongly. Take \
                 the change back, add `v2` of the method beside `v1`, and keep `v1` for one release. Variants of an \
                 enum may be appended at its end, not moved."
            ),
            (Change::Removed, Some(since)) => format!(
                "It was released with {since}: keep it for one release after its `v2` came. Once that release is out, \
                 delete its line from schema.lock by hand."
            ),
            (Change::Changed | Change::Removed, None) => {
                format!("It was never part of a release, so it may: {UPDATE}")
            }
        }
    }
}

impl Lock {
    fn parse(text: &str) -> Result<Self, String> {
        let mut lock = Self::default();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(released) = line.strip_prefix("released = ") {
                lock.released = some(released);
                continue;
            }
            let [name, since, fingerprint, notation] =
                line.splitn(4, " | ").collect::<Vec<_>>().try_into().map_err(|_| {
                    format!("line {}: expected `name | since | fingerprint | shape`", number + 1)
                })?;
            let shape = Shape { fingerprint: fingerprint.into(), notation: notation.into() };
            lock.lines.push(Line { name: name.into(), since: some(since), shape });
        }
        Ok(lock)
    }

    fn differences<'a>(&'a self, contract: &'a [Item]) -> Vec<Difference<'a>> {
        let mut differences = Vec::new();
        for line in &self.lines {
            let now = contract.iter().find(|item| item.name == line.name);
            let change = match now {
                None => Change::Removed,
                Some(item) if item.shape == line.shape => continue,
                Some(item) if item.earlier.contains(&line.shape) => Change::Appended,
                Some(_) => Change::Changed,
            };
            differences.push(Difference { change, name: &line.name, locked: Some(line), now });
        }
        for item in contract {
            if !self.lines.iter().any(|line| line.name == item.name) {
                differences.push(Difference {
                    change: Change::Added,
                    name: &item.name,
                    locked: None,
                    now: Some(item),
                });
            }
        }
        differences
    }

    fn check(&self, contract: &[Item]) -> Result<(), String> {
        report(&self.differences(contract))
    }

    /// The lock of `contract`, unless that breaks what was released.
    fn update(&self, contract: &[Item]) -> Result<Self, String> {
        let mut differences = self.differences(contract);
        differences.retain(Difference::is_refused);
        report(&differences)?;
        let since =
            |name: &str| self.lines.iter().find(|line| line.name == name).and_then(|line| line.since.clone());
        let line = |item: &Item| Line {
            name: item.name.clone(),
            since: since(&item.name),
            shape: item.shape.clone(),
        };
        Ok(Self { released: self.released.clone(), lines: contract.iter().map(line).collect() })
    }

    /// Freezes every line.
    fn release(&mut self, version: &str) {
        self.released = Some(version.to_owned());
        for line in &mut self.lines {
            line.since.get_or_insert_with(|| version.to_owned());
        }
    }
}

fn some(text: &str) -> Option<String> {
    (text != "none").then(|| text.to_owned())
}

fn report(differences: &[Difference<'_>]) -> Result<(), String> {
    if differences.is_empty() {
        return Ok(());
    }
    let mut report = "the contract and broker-schemas/schema.lock differ\n".to_owned();
    for Difference { change, name, locked, now } in differences {
        writeln!(report, "\n{name}: {}", format!("{change:?}").to_lowercase()).unwrap();
        if let Some(line) = locked {
            writeln!(report, "  locked: {} ({})", line.shape.notation, line.shape.fingerprint).unwrap();
        }
        if let Some(item) = now {
            writeln!(report, "  now:    {} ({})", item.shape.notation, item.shape.fingerprint).unwrap();
        }
    }
    for difference in differences {
        writeln!(report, "\n{}: {}", difference.name, difference.advice()).unwrap();
    }
    Err(report)
}

const HEADER: &str = "\
# Every type that travels, as it was when last looked at. `tests/lock.rs` writes this file and compares; after a change:
#   NATTER_UPDATE_LOCK=1 cargo test -p broker-schemas --test lock
# and with each release of the platform, which freezes all that is here:
#   NATTER_RELEASE=<version> cargo test -p broker-schemas --test lock
#
# name | first release that had it | fingerprint (postcard-schema key of name and type) | shape
";

impl std::fmt::Display for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
        writeln!(f, "{HEADER}\nreleased = {}\n", or_none(&self.released))?;
        for Line { name, since, shape } in &self.lines {
            writeln!(f, "{name} | {} | {} | {}", or_none(since), shape.fingerprint, shape.notation)?;
        }
        Ok(())
    }
}

/// The comparison itself, on types made for it.
mod comparison {
    use super::*;

    mod before {
        #[derive(postcard_schema::Schema)]
        #[expect(dead_code, reason = "only its schema is used")]
        pub(super) enum Colour {
            Red,
            Blue,
        }

        #[derive(postcard_schema::Schema)]
        #[expect(dead_code, reason = "only its schema is used")]
        pub(super) struct Paint {
            wall: u32,
            colours: Vec<Colour>,
            trim: Option<Colour>,
        }
    }

    /// Declares what `Paint` and `Colour` became.
    macro_rules! after {
        ($module:ident, [$($variant:ident),*], {$($field:ident: $type:ty),*}) => {
            mod $module {
                #[derive(postcard_schema::Schema)]
                #[expect(dead_code, reason = "only its schema is used")]
                pub(super) enum Colour { $($variant),* }

                #[derive(postcard_schema::Schema)]
                #[expect(dead_code, reason = "only its schema is used")]
                pub(super) struct Paint { $($field: $type),* }
            }
        };
    }

    after!(appended, [Red, Blue, Green, Grey], { wall: u32, colours: Vec<Colour>, trim: Option<Colour> });
    after!(inserted, [Red, Green, Blue], { wall: u32, colours: Vec<Colour>, trim: Option<Colour> });
    after!(reordered, [Blue, Red], { wall: u32, colours: Vec<Colour>, trim: Option<Colour> });
    after!(retyped, [Red, Blue], { wall: u64, colours: Vec<Colour>, trim: Option<Colour> });
    after!(field_removed, [Red, Blue], { wall: u32, colours: Vec<Colour> });
    after!(field_added, [Red, Blue], { wall: u32, colours: Vec<Colour>, trim: Option<Colour>, coats: u8 });
    after!(appended_and_retyped, [Red, Blue, Green], { wall: u64, colours: Vec<Colour>, trim: Option<Colour> });

    fn paint<T: Schema>() -> Vec<Item> {
        vec![Item::of_type("wall.v1.paint request", T::SCHEMA)]
    }

    fn lock(released: bool) -> Lock {
        let mut lock = Lock::default().update(&paint::<before::Paint>()).unwrap();
        if released {
            lock.release("0.1.0");
        }
        lock
    }

    fn only_change(lock: &Lock, contract: &[Item]) -> Change {
        let differences = lock.differences(contract);
        assert_eq!(differences.len(), 1);
        differences[0].change
    }

    #[test]
    fn an_unchanged_contract_passes_and_the_file_reads_back() {
        for lock in [lock(false), lock(true)] {
            lock.check(&paint::<before::Paint>()).unwrap();
            assert_eq!(Lock::parse(&lock.to_string()).unwrap(), lock);
        }
    }

    #[test]
    fn a_released_type_is_frozen() {
        let lock = lock(true);
        for contract in [
            paint::<retyped::Paint>(),
            paint::<field_removed::Paint>(),
            paint::<field_added::Paint>(),
            paint::<inserted::Paint>(),
            paint::<reordered::Paint>(),
            paint::<appended_and_retyped::Paint>(),
        ] {
            assert_eq!(only_change(&lock, &contract), Change::Changed);
            let report = lock.check(&contract).unwrap_err();
            for expected in [
                "wall.v1.paint request",
                "locked: {wall: u32,",
                "now:    {wall: ",
                "add `v2`",
                "released with 0.1.0",
            ] {
                assert!(report.contains(expected), "{expected} is missing in: {report}");
            }
            assert_eq!(lock.update(&contract).unwrap_err(), report);
        }
    }

    #[test]
    fn a_type_that_was_never_released_may_change_once_somebody_says_so() {
        let lock = lock(false);
        let contract = paint::<retyped::Paint>();
        assert!(lock.check(&contract).unwrap_err().contains(UPDATE));
        lock.update(&contract).unwrap().check(&contract).unwrap();
    }

    #[test]
    fn variants_may_be_appended_to_a_released_type() {
        let lock = lock(true);
        let contract = paint::<appended::Paint>();
        assert_eq!(only_change(&lock, &contract), Change::Appended);
        assert!(lock.check(&contract).unwrap_err().contains(UPDATE));
        let updated = lock.update(&contract).unwrap();
        updated.check(&contract).unwrap();
        assert_eq!(updated.lines[0].since.as_deref(), Some("0.1.0"), "it stays released");
        assert!(updated.update(&paint::<before::Paint>()).is_err(), "and can't lose them again");
    }

    #[test]
    fn a_new_method_is_only_added() {
        let lock = lock(true);
        let mut contract = paint::<before::Paint>();
        contract.push(Item::of_type("wall.v2.paint request", retyped::Paint::SCHEMA));
        assert_eq!(only_change(&lock, &contract), Change::Added);
        assert!(lock.check(&contract).unwrap_err().contains(UPDATE));
        let updated = lock.update(&contract).unwrap();
        assert_eq!(updated.lines[0], lock.lines[0]);
        assert_eq!(updated.lines[1].since, None);
    }

    #[test]
    fn a_released_method_does_not_vanish_by_itself() {
        let lock = lock(true);
        assert_eq!(only_change(&lock, &[]), Change::Removed);
        let report = lock.update(&[]).unwrap_err();
        assert!(report.contains("keep it for one release"), "{report}");
    }

    #[test]
    fn an_error_code_keeps_its_number() {
        let mut lock = Lock::default().update(&[Item::of_code("invalid", 400)]).unwrap();
        lock.release("0.1.0");
        assert_eq!(
            only_change(&lock, &[Item::of_code("invalid", 400), Item::of_code("gone", 410)]),
            Change::Added
        );
        assert_eq!(only_change(&lock, &[Item::of_code("invalid", 422)]), Change::Changed);
    }
}

//! What names and texts must not contain: the rules that operators set, as every module applies them.
//!
//! The admin module hands each module that applies them a [`RuleBook`]. [`RulesInForce`] keeps it in the module's own
//! tables, so that it holds while the admin module is down and after a restart, and has every copy follow it.

mod cost;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use broker_schemas::Error;
use broker_schemas::admin::{Applies, Rule, RuleBook, Then};
use broker_schemas::visible::is_visible;
use regex::{RegexSet, RegexSetBuilder};
use sqlx::{query, query_as, query_scalar};

use crate::{Database, Result};

/// What a check gives: a value, or the refusal.
type Checked<T> = std::result::Result<T, Error>;

/// How large the patterns for names may be, compiled, and those for texts, in bytes. Patterns of operators are trusted to be
/// sensible, not to be small: `\w{500}` is short to write and large to keep. How long they take, see [`cost`].
const COMPILED_BYTES: usize = 4 * 1024 * 1024;
/// How deep groups may nest in a pattern.
const NESTING: u32 = 32;
/// How often a copy looks whether another one was given newer rules.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The table in which a module keeps its rules, for one of its migrations.
pub const RULES_TABLE: &str = "
-- What the admin module said that names and texts must not contain: one row, or none at first.
CREATE TABLE rule_book (
    id BIGINT PRIMARY KEY,
    -- Never goes back.
    version BIGINT NOT NULL,
    -- `admin::RuleBook` in JSON
    book TEXT NOT NULL
);";

/// Rules, ready to be applied.
#[derive(Debug, Default)]
pub struct Rules {
    version: u64,
    names: Compiled,
    texts: Compiled,
}

/// Rules for the same. One automaton looks for all of them at once.
#[derive(Debug, Default)]
struct Compiled {
    patterns: RegexSet,
    /// What follows when one matches, and its words; as many as there are patterns.
    follows: Vec<(Then, String)>,
}

impl Rules {
    /// Makes the rules of a book ready.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Invalid`] when one of them can't be applied, see [`check_rule`], or they are too many or too
    /// costly together.
    pub fn compile(book: &RuleBook) -> Checked<Self> {
        let of = |applies| {
            let rules: Vec<_> = book.rules.iter().filter(|rule| rule.applies == applies).collect();
            let follows = rules.iter().map(|rule| (rule.then, rule.words.to_string())).collect();
            compile(&rules).map(|patterns| Compiled { patterns, follows })
        };
        Ok(Self { version: book.version, names: of(Applies::Names)?, texts: of(Applies::Texts)? })
    }

    /// Which version of the book they are; 0 when there never was one.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Checks a name, or a display name, that is given in `field` of a request.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Invalid`], with the words of the rule that it breaks.
    pub fn check_name(&self, field: &str, name: &str) -> Checked<()> {
        self.names.apply(field, name).map(drop)
    }

    /// Checks a text that is given in `field` of a request. The words of a rule that asks for a report, if the text is to be
    /// let through and reported.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Invalid`], with the words of the rule that it breaks.
    pub fn check_text(&self, field: &str, text: &str) -> Checked<Option<&str>> {
        self.texts.apply(field, text)
    }
}

impl Compiled {
    /// Refusals go first: what is refused needs no report.
    fn apply(&self, field: &str, text: &str) -> Checked<Option<&str>> {
        let matches = self.patterns.matches(text);
        let mut report = None;
        for (then, words) in matches.iter().filter_map(|rule| self.follows.get(rule)) {
            match then {
                Then::Refuse => return Err(Error::invalid(format!("{field}: {words}"))),
                Then::Report => report = report.or(Some(words.as_str())),
            }
        }
        Ok(report)
    }
}

/// Whether a rule can be applied, before it is handed out.
///
/// # Errors
/// [`broker_schemas::Code::Invalid`] when the pattern is none, is too large or too costly, or matches everything; when there
/// are no words; and when names are to be reported, which nobody does.
pub fn check_rule(rule: &Rule) -> Checked<()> {
    if !is_visible(&rule.words) {
        return Err(Error::invalid("rule.words: expected 1 to 256 bytes with something to see"));
    }
    if rule.applies == Applies::Names && rule.then == Then::Report {
        return Err(Error::invalid("rule.then: only texts can be reported; names can be refused"));
    }
    compile(&[rule]).map(drop)
}

fn compile(rules: &[&Rule]) -> Checked<RegexSet> {
    let patterns = || rules.iter().map(|rule| &*rule.pattern);
    let compiled = RegexSetBuilder::new(patterns())
        .case_insensitive(true)
        .size_limit(COMPILED_BYTES)
        .nest_limit(NESTING)
        .build()
        .map_err(|error| Error::invalid(format!("rule.pattern: {error}")))?;
    cost::check(patterns())?;
    if compiled.is_match("") {
        return Err(Error::invalid("rule.pattern: it matches every text, also an empty one"));
    }
    Ok(compiled)
}

/// The rules in force in one copy of a module.
#[derive(Debug)]
pub struct RulesInForce {
    database: Database,
    current: RwLock<Arc<Rules>>,
}

impl RulesInForce {
    /// Those that are in the module's tables, where a migration of the module made [`RULES_TABLE`].
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn open(database: Database) -> anyhow::Result<Self> {
        let rules = Self { database, current: RwLock::default() };
        rules.look().await.map_err(crate::Failure::into_anyhow).context("read the rules")?;
        Ok(rules)
    }

    /// The rules as this copy knows them; another copy may have been given newer ones up to 3 s ago.
    #[must_use]
    pub fn current(&self) -> Arc<Rules> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a book that the admin module hands over: what a module's `set_rules` does.
    ///
    /// # Errors
    /// [`broker_schemas::Code::Invalid`] when a rule can't be applied, [`broker_schemas::Code::Conflict`] when there is a newer
    /// book.
    pub async fn set(&self, book: &RuleBook) -> Result<()> {
        const SQL: &str = "
            INSERT INTO rule_book (id, version, book) VALUES (1, $1, $2)
            ON CONFLICT (id) DO UPDATE SET version = excluded.version, book = excluded.book
            WHERE rule_book.version < excluded.version";
        Rules::compile(book)?;
        let text = serde_json::to_string(book).context("encode rules")?;
        query(SQL).bind(to_i64(book.version)).bind(text).execute(self.database.write()).await?;
        self.look().await?;
        let version = self.current().version();
        if version > book.version {
            let given = book.version;
            let message =
                format!("rules: version {given} is older than version {version}, which is in force");
            return Err(Error::conflict(message).into());
        }
        Ok(())
    }

    /// Follows what other copies of the module are given, for as long as it is polled.
    pub async fn follow(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(failure) = self.look().await {
                tracing::warn!(?failure, "rules not read; those that were in force stay");
            }
        }
    }

    /// Reads the book if it is newer than the one in force.
    async fn look(&self) -> Result<()> {
        let known = to_i64(self.current().version());
        let newer: Option<i64> = query_scalar("SELECT version FROM rule_book WHERE version > $1")
            .bind(known)
            .fetch_optional(self.database.read())
            .await?;
        if newer.is_none() {
            return Ok(());
        }
        let (version, text): (i64, String) =
            query_as("SELECT version, book FROM rule_book").fetch_one(self.database.read()).await?;
        let book: RuleBook = serde_json::from_str(&text).context("rules in the database")?;
        let rules = match Rules::compile(&book) {
            Ok(rules) => rules,
            // It was taken under other bounds, perhaps by another version of this program. Nobody can hand over a better one to
            // a module that doesn't start.
            Err(error) => {
                tracing::error!(version, %error, "the rules can't be applied; those that were in force stay");
                return Ok(());
            }
        };
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if rules.version > current.version {
            *current = Arc::new(rules);
            drop(current);
            tracing::info!(version, "rules in force");
        }
        Ok(())
    }
}

fn to_i64(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_schemas::{Code, List, Text};
    use std::time::Instant;

    const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "rules", RULES_TABLE)];

    fn rule(applies: Applies, pattern: &str, then: Then) -> Rule {
        let words = Text::new(format!("must not contain {}", pattern.len())).unwrap();
        Rule { applies, pattern: Text::new(pattern).unwrap(), then, words }
    }

    fn book(version: u64, rules: Vec<Rule>) -> RuleBook {
        RuleBook { version, rules: List::new(rules).unwrap() }
    }

    #[test]
    fn a_refusal_has_the_rules_words_and_goes_before_a_report() {
        let rules = Rules::compile(&book(
            1,
            vec![
                rule(Applies::Texts, "cheap", Then::Report),
                rule(Applies::Texts, r"\bcasino\b", Then::Refuse),
                rule(Applies::Names, "^admin", Then::Refuse),
            ],
        ))
        .unwrap();
        assert_eq!(rules.check_text("text", "hello").unwrap(), None);
        assert_eq!(rules.check_text("text", "so CHEAP").unwrap(), Some("must not contain 5"));
        let error = rules.check_text("text", "cheap CASINO!").unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (Code::Invalid, "text: must not contain 10"));
        assert!(rules.check_text("text", "admin casinos").unwrap().is_none());
        assert_eq!(
            rules.check_name("name", "Administrator").unwrap_err().message,
            "name: must not contain 6"
        );
        assert!(rules.check_name("name", "casino").is_ok());
    }

    #[test]
    fn a_rule_that_cannot_be_applied_is_refused_with_the_reason() {
        for (pattern, reason) in [
            ("(", "unclosed group"),
            ("", "matches every text"),
            ("a*", "matches every text"),
            (r"\w{500}\w{500}", "size limit"),
            (&"(".repeat(100), "rule.pattern"),
            (r"(a)\1", "backreferences"),
        ] {
            let error = check_rule(&rule(Applies::Texts, pattern, Then::Refuse)).unwrap_err();
            assert_eq!(error.code, Code::Invalid);
            assert!(error.message.contains(reason), "{pattern}: {error}");
        }
        assert!(check_rule(&rule(Applies::Names, "x", Then::Report)).is_err());
        assert!(check_rule(&rule(Applies::Texts, r"\bviagra\s+\p{L}+\b", Then::Refuse)).is_ok());
        let silent =
            Rule { words: Text::new("\u{200b} ").unwrap(), ..rule(Applies::Texts, "x", Then::Refuse) };
        assert!(check_rule(&silent).is_err());
    }

    #[test]
    fn rules_that_are_fine_one_by_one_may_be_too_costly_together() {
        let costly =
            |number: usize| rule(Applies::Texts, &format!("[ab]*a[ab]{{60}}[{number}c]"), Then::Refuse);
        assert!(check_rule(&costly(1)).is_ok());
        assert!(Rules::compile(&book(1, (0..8).map(costly).collect())).is_ok());
        let error = Rules::compile(&book(1, (0..32).map(costly).collect())).unwrap_err();
        assert_eq!(error.code, Code::Invalid);
        assert!(error.message.contains("too long to apply"), "{error}");
        let words =
            |number: usize| rule(Applies::Texts, &format!(r"\b(casino|poker)\b{number}"), Then::Refuse);
        assert!(Rules::compile(&book(1, (0..170).map(words).collect())).is_ok());
        assert!(Rules::compile(&book(1, (0..171).map(words).collect())).is_err());
    }

    /// For how long this thread ran: others may keep it waiting, as other tests do.
    fn on_processor() -> Duration {
        let ran = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(ran.split_whitespace().next().unwrap().parse().unwrap())
    }

    #[test]
    fn the_most_costly_rules_are_applied_to_the_worst_text_in_time() {
        let costly = (0..8).map(|n| rule(Applies::Texts, &format!("[ab]*a[ab]{{61}}[{n}c]"), Then::Refuse));
        let rules = Rules::compile(&book(1, costly.collect())).unwrap();
        // A text in which every character may be the first of a match, without a period.
        let mut bits = 1_u32;
        let text: String = std::iter::repeat_with(|| {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if bits >> 31 == 0 { 'a' } else { 'b' }
        })
        .take(16 * 1024)
        .collect();
        for text in [text, "a".repeat(16 * 1024)] {
            let before = on_processor();
            assert!(rules.check_text("text", &text).is_ok());
            let took = on_processor() - before;
            assert!(took < Duration::from_secs(1), "{took:?}");
        }
    }

    #[test]
    fn a_pattern_that_others_choke_on_is_matched_in_time() {
        let rules = Rules::compile(&book(1, vec![rule(Applies::Texts, "(x+x+)+y", Then::Refuse)])).unwrap();
        let started = Instant::now();
        assert!(rules.check_text("text", &"x".repeat(8 * 1024)).is_ok());
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn a_version_never_goes_back_and_every_copy_follows_it() {
        for test in crate::testing::databases("rules", MIGRATIONS).await {
            let copy = || RulesInForce::open(test.database.clone());
            let (one, two) = (copy().await.unwrap(), copy().await.unwrap());
            assert_eq!(one.current().version(), 0);
            let newer = book(2, vec![rule(Applies::Texts, "casino", Then::Refuse)]);
            one.set(&newer).await.unwrap();
            one.set(&newer).await.unwrap();
            assert!(one.current().check_text("text", "casino").is_err());
            let older = two.set(&book(1, vec![])).await;
            assert!(
                matches!(&older, Err(crate::Failure::Refused(error)) if error.code == Code::Conflict),
                "{}: {older:?}",
                test.name
            );
            assert_eq!(two.current().version(), 2, "{}", test.name);
            let bad = two.set(&book(3, vec![rule(Applies::Texts, "(", Then::Refuse)])).await;
            assert!(matches!(bad, Err(crate::Failure::Refused(_))));
            assert_eq!(copy().await.unwrap().current().version(), 2);

            one.set(&book(4, vec![])).await.unwrap();
            let followed = tokio::time::timeout(Duration::from_secs(10), async {
                while two.current().version() < 4 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
            tokio::select! {
                () = two.follow() => unreachable!("it ends only when it is dropped"),
                followed = followed => followed.unwrap(),
            }
        }
    }
}

//! Refusals, as many as there are: the first ones are written down singly, the rest as their number.

use std::collections::{HashMap, VecDeque};

use broker_schemas::admin::AuditOutcome;
use broker_schemas::{Timestamp, UserId};
use natter_host::Refused;

use super::{Act, origin, refused};

/// Refusals of one user, or from one address, that are written down singly in a minute.
const SINGLY: u32 = 20;
/// The same of all users and addresses together: more would keep the database from other work.
const SINGLY_OF_ALL: u32 = 600;
/// Refusals that may wait to be written down singly while the database is slow, or away.
const WAITING: usize = 600;
/// Users and addresses that are told apart in a minute, and also their numbers, one for each method; those beyond are
/// counted together.
const SOURCES: usize = 10_000;

/// Whom a refusal is counted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Source {
    User(UserId),
    Place(String),
    Others,
}

/// The refusals of one minute, and those that wait to be written down. Every one is either written down singly or counted.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    /// How many of a source are written down singly.
    singly: HashMap<Source, u32>,
    singly_of_all: u32,
    waiting: VecDeque<Entry>,
    /// Those beyond, of a source and a method.
    more: HashMap<(Source, String), Counted>,
}

#[derive(Debug)]
struct Counted {
    count: u64,
    latest: Entry,
}

/// An act and what became of it.
pub(crate) type Entry = (Act, AuditOutcome);

impl Flood {
    /// Takes a refusal, to be written down singly or counted.
    pub(crate) fn take(&mut self, entry: Entry) {
        let mut source = match entry.0.by {
            Some(user) => Source::User(user),
            None => Source::Place(entry.0.origin.clone()),
        };
        if self.singly.len() >= SOURCES && !self.singly.contains_key(&source) {
            source = Source::Others;
        }
        let singly = self.singly.entry(source.clone()).or_default();
        if *singly < SINGLY && self.singly_of_all < SINGLY_OF_ALL && self.waiting.len() < WAITING {
            *singly += 1;
            self.singly_of_all += 1;
            self.waiting.push_back(entry);
        } else {
            self.count(source, entry);
        }
    }

    fn count(&mut self, mut source: Source, (mut act, outcome): Entry) {
        // Its number takes its place, and there may be many of these.
        act.request = String::new();
        let mut key = (source, act.method.clone());
        if self.more.len() >= SOURCES && !self.more.contains_key(&key) {
            source = Source::Others;
            key = (source, act.method.clone());
        }
        if let Some(counted) = self.more.get_mut(&key) {
            counted.count += 1;
            // It says on whom only where that is true of each.
            act.on = act.on.filter(|on| counted.latest.0.on == Some(*on));
            counted.latest = (act, outcome);
        } else {
            self.more.insert(key, Counted { count: 1, latest: (act, outcome) });
        }
    }

    /// The next refusal to write down singly.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        self.waiting.pop_front()
    }

    /// The minute is over: an entry for each source and method of which there were more.
    pub(crate) fn sum_up(&mut self) -> Vec<Entry> {
        self.singly.clear();
        self.singly_of_all = 0;
        let sum = |((source, _), Counted { count, latest: (mut act, outcome) }): (_, Counted)| {
            if source == Source::Others {
                (act.by, act.roles) = (None, Vec::new());
                "many places".clone_into(&mut act.origin);
            }
            act.at = Timestamp::now();
            act.request = format!(r#"{{"refused":{count}}}"#);
            let AuditOutcome::Refused { code, message } = outcome else { return None };
            let message = format!("{count} more in this minute were refused; the last: {message}");
            Some((act, AuditOutcome::Refused { code, message }))
        };
        self.more.drain().filter_map(sum).collect()
    }
}

/// What the log says of a refusal.
pub(crate) fn entry(refusal: &Refused) -> Entry {
    let act = Act {
        at: Timestamp::now(),
        by: refusal.identity.as_ref().map(|identity| identity.user),
        roles: refusal.identity.as_ref().map(|identity| identity.roles.to_vec()).unwrap_or_default(),
        origin: origin(refusal.client_address.as_deref(), refusal.edge.as_ref()),
        method: refusal.method.name.to_owned(),
        on: on(&refusal.request),
        request: refusal.request.clone(),
    };
    (act, refused(&refusal.error))
}

/// On whom, as the request says: most have a field for it.
fn on(request: &str) -> Option<UserId> {
    let request: serde_json::Value = serde_json::from_str(request).ok()?;
    UserId::new(request.get("user")?.as_u64()?).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use broker_schemas::{Error, Exposure, Identity, List, Method, SessionId, admin};

    pub(crate) fn refusal(by: Option<u64>, address: &str) -> Refused {
        let identity = |user| Identity {
            user: UserId::new(user).unwrap(),
            session: SessionId::new(1).unwrap(),
            roles: List::new(vec![]).unwrap(),
        };
        Refused {
            method: admin::Ban::SPEC,
            exposure: Exposure::Admin,
            identity: by.map(identity),
            edge: None,
            client_address: Some(address.to_owned()),
            request: r#"{"user":9,"reason":"x"}"#.into(),
            error: Error::forbidden("no"),
        }
    }

    impl Flood {
        fn refuse(&mut self, by: Option<u64>, address: &str) {
            self.take(entry(&refusal(by, address)));
        }

        fn singly(&mut self) -> usize {
            std::iter::from_fn(|| self.next()).count()
        }
    }

    /// What a sum says: of which method, how many.
    fn counts(sums: &[Entry]) -> Vec<(&str, &str)> {
        let mut counts: Vec<_> =
            sums.iter().map(|(act, _)| (act.method.as_str(), act.request.as_str())).collect();
        counts.sort_unstable();
        counts
    }

    #[test]
    fn a_refusal_says_who_asked_what_on_whom_and_from_where() {
        let (act, outcome) = entry(&refusal(Some(7), "192.0.2.1"));
        assert_eq!((act.by, act.on), (UserId::new(7).ok(), UserId::new(9).ok()));
        assert_eq!((act.method.as_str(), act.origin.as_str()), ("ban", "192.0.2.1"));
        assert!(matches!(outcome, AuditOutcome::Refused { .. }));
    }

    #[test]
    fn a_flood_of_one_is_summed_up_and_hides_nobody_elses_refusals() {
        let mut flood = Flood::default();
        (0..1_000).for_each(|_| flood.refuse(Some(7), "192.0.2.1"));
        assert_eq!(flood.singly(), 20);
        flood.refuse(Some(8), "192.0.2.1");
        flood.refuse(None, "192.0.2.1");
        assert_eq!(flood.singly(), 2);
        let sums = flood.sum_up();
        assert_eq!(counts(&sums), [("ban", r#"{"refused":980}"#)]);
        assert_eq!((sums[0].0.by, sums[0].0.on), (UserId::new(7).ok(), UserId::new(9).ok()));
        assert!(flood.sum_up().is_empty());
        flood.refuse(Some(7), "192.0.2.1");
        assert_eq!(flood.singly(), 1);
    }

    #[test]
    fn a_flood_is_counted_for_each_method_and_says_on_whom_only_if_that_is_one() {
        let mut flood = Flood::default();
        for number in 0..100 {
            flood.refuse(Some(7), "192.0.2.1");
            let request = format!(r#"{{"user":{}}}"#, number + 1);
            let unban = Refused { method: admin::Unban::SPEC, request, ..refusal(Some(7), "192.0.2.1") };
            flood.take(entry(&unban));
        }
        assert_eq!(flood.singly(), 20);
        let sums = flood.sum_up();
        assert_eq!(counts(&sums), [("ban", r#"{"refused":90}"#), ("unban", r#"{"refused":90}"#)]);
        let on = |method| sums.iter().find(|(act, _)| act.method == method).unwrap().0.on;
        assert_eq!((on("ban"), on("unban")), (UserId::new(9).ok(), None));
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_and_each_is_counted() {
        let mut flood = Flood::default();
        (0..30_000).for_each(|n| flood.refuse(Some(n + 1), &n.to_string()));
        assert!(flood.singly.len() <= SOURCES + 1 && flood.more.len() <= SOURCES + 1);
        assert_eq!(flood.singly(), 600);
        let sums = flood.sum_up();
        let others: Vec<_> = sums.iter().filter(|(act, _)| act.origin == "many places").collect();
        assert_eq!((others.len(), others[0].0.by), (1, None));
        let number = |(act, _): &Entry| -> u64 {
            serde_json::from_str::<serde_json::Value>(&act.request).unwrap()["refused"].as_u64().unwrap()
        };
        assert_eq!(sums.iter().map(number).sum::<u64>(), 30_000 - 600);
    }

    #[test]
    fn what_cannot_be_written_down_in_time_is_counted() {
        let mut flood = Flood::default();
        for minute in 1..=3 {
            (0..WAITING as u64).for_each(|n| flood.refuse(Some(n + 1), "192.0.2.1"));
            let summed = flood.sum_up().len();
            assert_eq!(summed, if minute == 1 { 0 } else { WAITING });
        }
        assert_eq!(flood.singly(), WAITING);
    }
}

//! Refusals that come in floods: the first ones are written down singly, the rest as their number.

use std::collections::HashMap;

use broker_schemas::admin::AuditOutcome;
use broker_schemas::{Timestamp, UserId};
use natter_host::Refused;

use super::{Act, origin, refused};

/// Refusals of one user, or from one address, that are written down singly in a minute.
const SINGLY: u32 = 20;
/// The same of all users and addresses together.
const SINGLY_OF_ALL: u32 = 600;
/// Users and addresses that are told apart in a minute; those beyond are counted together.
const SOURCES: usize = 10_000;

/// Whom a refusal is counted for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Source {
    User(UserId),
    Place(String),
    Others,
}

/// The refusals of one minute.
#[derive(Debug, Default)]
pub(crate) struct Flood {
    sources: HashMap<Source, Counted>,
    singly: u32,
}

#[derive(Debug)]
struct Counted {
    singly: u32,
    more: u64,
    /// The latest.
    last: Option<Entry>,
}

/// An act and what became of it.
pub(crate) type Entry = (Act, AuditOutcome);

impl Flood {
    /// Counts a refusal; its entry, if it is one of those that are written down singly.
    pub(crate) fn take(&mut self, refusal: &Refused) -> Option<Entry> {
        let entry = entry(refusal);
        let mut source = match entry.0.by {
            Some(user) => Source::User(user),
            None => Source::Place(entry.0.origin.clone()),
        };
        if self.sources.len() >= SOURCES && !self.sources.contains_key(&source) {
            source = Source::Others;
        }
        let counted = self.sources.entry(source).or_insert(Counted { singly: 0, more: 0, last: None });
        if counted.singly < SINGLY && self.singly < SINGLY_OF_ALL {
            counted.singly += 1;
            self.singly += 1;
            return Some(entry);
        }
        counted.more += 1;
        let (mut act, outcome) = entry;
        // Its number takes its place, and there may be many of these.
        act.request = String::new();
        counted.last = Some((act, outcome));
        None
    }

    /// The minute is over: an entry for each source that had more.
    pub(crate) fn sum_up(&mut self) -> Vec<Entry> {
        self.singly = 0;
        let sum = |(source, counted): (Source, Counted)| {
            let (mut act, outcome) = counted.last?;
            if source == Source::Others {
                "many places".clone_into(&mut act.origin);
            }
            act.at = Timestamp::now();
            act.request = format!(r#"{{"refused":{}}}"#, counted.more);
            let AuditOutcome::Refused { code, message } = outcome else { return None };
            let message = format!("{} more in this minute were refused; the last: {message}", counted.more);
            Some((act, AuditOutcome::Refused { code, message }))
        };
        self.sources.drain().filter_map(sum).collect()
    }
}

fn entry(refusal: &Refused) -> Entry {
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

    #[test]
    fn a_refusal_says_who_asked_what_on_whom_and_from_where() {
        let (act, outcome) = Flood::default().take(&refusal(Some(7), "192.0.2.1")).unwrap();
        assert_eq!((act.by, act.on), (UserId::new(7).ok(), UserId::new(9).ok()));
        assert_eq!((act.method.as_str(), act.origin.as_str()), ("ban", "192.0.2.1"));
        assert!(matches!(outcome, AuditOutcome::Refused { .. }));
    }

    #[test]
    fn a_flood_of_one_is_summed_up_and_hides_nobody_elses_refusals() {
        let mut flood = Flood::default();
        let singly = (0..1_000).filter_map(|_| flood.take(&refusal(Some(7), "192.0.2.1"))).count();
        assert_eq!(singly, 20);
        assert!(flood.take(&refusal(Some(8), "192.0.2.1")).is_some());
        assert!(flood.take(&refusal(None, "192.0.2.1")).is_some());
        let sums = flood.sum_up();
        assert_eq!(sums.len(), 1);
        assert_eq!(sums[0].0.by, UserId::new(7).ok());
        assert_eq!(sums[0].0.request, r#"{"refused":980}"#);
        assert!(flood.sum_up().is_empty());
        assert!(flood.take(&refusal(Some(7), "192.0.2.1")).is_some());
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_and_counted() {
        let mut flood = Flood::default();
        let taken = (0..30_000).filter_map(|n| flood.take(&refusal(None, &n.to_string()))).count();
        assert_eq!(taken, 600);
        assert!(flood.sources.len() <= SOURCES + 1);
        let others: Vec<_> =
            flood.sum_up().into_iter().filter(|(act, _)| act.origin == "many places").collect();
        assert_eq!(others[0].0.request, r#"{"refused":20000}"#);
    }
}

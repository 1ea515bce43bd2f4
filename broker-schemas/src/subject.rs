//! Every subject of the platform is built here, and nowhere else.
//!
//! Ids come last, and every token is of `A-Z a-z 0-9 _ -`.

use std::fmt;

use crate::delivery::{Beat, Spent};
use crate::{Audiences, EdgeId, Error, Exposure, GroupId, MethodSpec, ServiceSpec, UserId};

/// A subject to publish on or to subscribe to. Only this module makes one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(String);

impl Subject {
    /// The subject as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself.
    #[must_use]
    pub fn into_inner(self) -> String {
        self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The longest name of a service or method, in bytes.
pub const MAX_NAME: usize = 64;

/// Whether `text` can be one token of a subject.
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// `natter.<exposure>.<service>.v<N>.<method>`: where a method is called.
#[must_use]
pub fn method(exposure: Exposure, method: &MethodSpec) -> Subject {
    Subject(format!("natter.{}.{}.v{}.{}", exposure.token(), method.service, method.version, method.name))
}

/// `natter.<exposure>.<service>.*.*`: all methods of a service, in every version: a release that adds `v2` of one needs no other
/// permissions than the one before.
#[must_use]
pub fn methods(exposure: Exposure, service: &ServiceSpec) -> Subject {
    Subject(format!("natter.{}.{}.*.*", exposure.token(), service.name))
}

/// `natter.<exposure>.<service>.*.<method>`: one method in every version.
#[must_use]
pub fn versions(exposure: Exposure, method: &MethodSpec) -> Subject {
    Subject(format!("natter.{}.{}.*.{}", exposure.token(), method.service, method.name))
}

/// `natter.<exposure>.>`: everything with this exposure.
#[must_use]
pub fn exposed(exposure: Exposure) -> Subject {
    Subject(format!("natter.{}.>", exposure.token()))
}

/// `natter.canary.…`: where a share of the calls on `subject` goes while a new version is tried. NATS maps them there; nobody
/// calls it by this name.
#[must_use]
pub fn canary(subject: &Subject) -> Subject {
    Subject(format!("natter.canary.{}", subject.0.trim_start_matches("natter.")))
}

/// Where a client's call goes: `"friend.list"` to `natter.client.friend.v1.list`, and `"friend.v2.list"` to version 2.
///
/// The edge has no list of methods; this rule is all it knows.
///
/// # Errors
/// [`crate::Code::Invalid`] when `call` isn't of that form.
pub fn client_call(call: &str) -> Result<Subject, Error> {
    let refuse = || Error::invalid(r#"call: expected "service.method" or "service.v2.method""#);
    let (service, rest) = call.split_once('.').ok_or_else(refuse)?;
    let (version, method) = rest.split_once('.').unwrap_or(("v1", rest));
    let number = version.strip_prefix('v').ok_or_else(refuse)?;
    let canonical = number.parse::<u16>().is_ok_and(|parsed| parsed.to_string() == number);
    let good = |name: &str| is_token(name) && name.len() <= MAX_NAME;
    if canonical && good(service) && good(method) {
        Ok(Subject(format!("natter.client.{service}.{version}.{method}")))
    } else {
        Err(refuse())
    }
}

/// Where an edge takes a client's call that carries administrative ones: `"admin.ban"` to `natter.admin.admin.v1.ban`, every
/// other call as [`client_call`] does.
///
/// # Errors
/// As [`client_call`].
pub fn client_or_admin_call(call: &str) -> Result<Subject, Error> {
    let subject = client_call(call)?;
    let administrative = subject.0.strip_prefix("natter.client.").filter(|rest| {
        rest.split_once('.').is_some_and(|(service, _)| service == crate::admin::Admin::SPEC.name)
    });
    Ok(match administrative {
        Some(rest) => Subject(format!("natter.admin.{rest}")),
        None => subject,
    })
}

/// `natter.event.<service>.v1.<fact>.<id>`: one fact about one thing.
#[must_use]
pub fn fact(service: &str, fact: &str, about: u64) -> Subject {
    Subject(format!("natter.event.{service}.v1.{fact}.{about}"))
}

/// `natter.event.<service>.v1.<fact>.*`: that fact, about anything.
#[must_use]
pub fn facts(service: &str, fact: &str) -> Subject {
    Subject(format!("natter.event.{service}.v1.{fact}.*"))
}

/// `natter.event.<service>.v1.spent.<limit>`: what the copies of a service spent of the budgets of one of its limits.
#[must_use]
pub fn spent(service: &str, limit: &'static str) -> Subject {
    Subject(format!("natter.event.{service}.v1.{}.{limit}", Spent::NAME))
}

/// `natter.event.<service>.v1.spent.*`: the same, of any of its limits.
#[must_use]
pub fn spent_of_any(service: &str) -> Subject {
    facts(service, Spent::NAME)
}

/// `natter.event.<service>.>`: every fact of a service.
#[must_use]
pub fn facts_of(service: &str) -> Subject {
    Subject(format!("natter.event.{service}.>"))
}

/// To whom a delivery goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Every session of a user.
    User(UserId),
    /// Every session of the members of a group.
    Group(GroupId),
    /// Every session.
    Everyone,
}

/// `natter.deliver.user.<user>`, `natter.deliver.group.<group>` or `natter.deliver.everyone`.
#[must_use]
pub fn deliver(audience: Audience) -> Subject {
    Subject(match audience {
        Audience::User(user) => format!("natter.deliver.user.{user}"),
        Audience::Group(group) => format!("natter.deliver.group.{group}"),
        Audience::Everyone => "natter.deliver.everyone".to_owned(),
    })
}

/// `natter.deliver.user.*`, `natter.deliver.group.*` or `natter.deliver.everyone`: deliveries to any of them.
#[must_use]
pub fn deliveries_to(audiences: Audiences) -> Subject {
    Subject(match audiences {
        Audiences::Users => "natter.deliver.user.*".to_owned(),
        Audiences::Groups => "natter.deliver.group.*".to_owned(),
        Audiences::Everyone => return deliver(Audience::Everyone),
    })
}

/// `natter.deliver.>`: every delivery.
#[must_use]
pub fn deliveries() -> Subject {
    Subject("natter.deliver.>".to_owned())
}

const BEAT: &str = "_NATTER.beat";

/// `_NATTER.beat`: whoever delivers says all the time that it is there, see [`Beat`]. Apart from what people look at.
#[must_use]
pub fn beat() -> Subject {
    Subject(BEAT.to_owned())
}

/// `natter.edge.<edge>.>`: control of one edge.
#[must_use]
pub fn edge(edge: &EdgeId) -> Subject {
    Subject(format!("natter.edge.{edge}.>"))
}

/// `natter.fence.<role>`: nobody serves it. Asking it proves to a role that the server has seen what it sent before.
#[must_use]
pub fn fence(role: &str) -> Subject {
    Subject(format!("natter.fence.{role}"))
}

/// `natter.>`: everything of the platform but [`beat`]s.
#[must_use]
pub fn everything() -> Subject {
    Subject("natter.>".to_owned())
}

/// `_INBOX.<role>`: the prefix of the subjects on which a role receives its replies.
#[must_use]
pub fn inbox_prefix(role: &str) -> String {
    format!("_INBOX.{role}")
}

/// `_INBOX.<role>.>`: the replies of one role.
#[must_use]
pub fn inbox(role: &str) -> Subject {
    Subject(format!("_INBOX.{role}.>"))
}

/// A question of the NATS service API (ADR-32).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Discovery {
    /// Who is there?
    Ping,
    /// What do you serve?
    Info,
    /// How is it going?
    Stats,
}

impl Discovery {
    /// Every question.
    pub const ALL: [Self; 3] = [Self::Ping, Self::Info, Self::Stats];

    const fn verb(self) -> &'static str {
        match self {
            Self::Ping => "PING",
            Self::Info => "INFO",
            Self::Stats => "STATS",
        }
    }
}

/// The three subjects on which one copy of a service answers a question: to all, to the service, to the copy.
#[must_use]
pub fn discovery(question: Discovery, service: &str, copy: &str) -> [Subject; 3] {
    let verb = question.verb();
    [format!("$SRV.{verb}"), format!("$SRV.{verb}.{service}"), format!("$SRV.{verb}.{service}.{copy}")]
        .map(Subject)
}

/// `$SRV.STATS` and the like: a question to every copy of every service.
#[must_use]
pub fn survey(question: Discovery) -> Subject {
    Subject(format!("$SRV.{}", question.verb()))
}

/// `$SRV.>`: every question.
#[must_use]
pub fn discovery_all() -> Subject {
    Subject("$SRV.>".to_owned())
}

/// What `subject` addresses, for people who look at traffic.
#[derive(Debug, Clone, Copy)]
pub enum Addressed {
    /// A request of this method.
    Request(&'static MethodSpec),
    /// A [`crate::Delivery`].
    Delivery,
    /// This fact.
    Fact(&'static crate::delivery::EventSpec),
}

/// Finds what travels on `subject`.
#[must_use]
pub fn parse(subject: &str) -> Option<Addressed> {
    if subject == BEAT {
        return Some(Addressed::Fact(&Beat::SPEC));
    }
    let mut tokens = subject.split('.');
    if tokens.next() != Some("natter") {
        return None;
    }
    match tokens.next()? {
        "deliver" => Some(Addressed::Delivery),
        "event" => {
            let service = crate::find_service(tokens.next()?)?;
            let name = tokens.nth(1)?;
            if name == Spent::NAME {
                return Some(Addressed::Fact(&Spent::SPEC));
            }
            service.facts.iter().find(|fact| fact.name == name).map(Addressed::Fact)
        }
        exposure => {
            if exposure == "canary" {
                tokens.next()?;
            }
            let service = crate::find_service(tokens.next()?)?;
            let version: u16 = tokens.next()?.strip_prefix('v')?.parse().ok()?;
            let name = tokens.next()?;
            let found =
                service.methods.iter().find(|method| method.name == name && method.version == version);
            found.map(Addressed::Request)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_call_finds_its_subject() {
        assert_eq!(client_call("friend.list").unwrap().as_str(), "natter.client.friend.v1.list");
        assert_eq!(client_call("weather.v2.ask").unwrap().as_str(), "natter.client.weather.v2.ask");
    }

    #[test]
    fn administrative_calls_have_subjects_of_their_own_where_an_edge_carries_them() {
        let subject = |call| client_or_admin_call(call).unwrap().into_inner();
        assert_eq!(client_call("admin.ban").unwrap().as_str(), "natter.client.admin.v1.ban");
        assert_eq!(subject("admin.ban"), "natter.admin.admin.v1.ban");
        assert_eq!(subject("admin.v2.ban"), "natter.admin.admin.v2.ban");
        assert_eq!(subject("administration.ban"), "natter.client.administration.v1.ban");
        assert_eq!(subject("friend.admin"), "natter.client.friend.v1.admin");
        assert!(client_or_admin_call("admin.>").is_err());
    }

    #[test]
    fn a_call_cannot_reach_outside_the_client_subjects() {
        let long = "a".repeat(MAX_NAME + 1);
        let bad = [
            "",
            "friend",
            "friend.",
            ".list",
            "friend.*",
            "friend.>",
            "a.b.c.d",
            "friend.v1.li st",
            "friend.x.y",
        ];
        for call in
            bad.into_iter().chain(["friend.v01.list", "friend.v99999.list", "a\r\nb.c", "$SRV.PING", &long])
        {
            assert!(client_call(call).is_err(), "{call}");
        }
    }

    #[test]
    fn what_copies_spent_is_found_again_by_its_subject() {
        let found = parse(spent("message", "typing").as_str());
        assert!(matches!(found, Some(Addressed::Fact(fact)) if fact.name == Spent::NAME));
    }

    #[test]
    fn every_method_is_found_again_by_its_subject() {
        for service in crate::SERVICES {
            for spec in service.methods {
                for exposure in spec.exposures {
                    let found = parse(method(*exposure, spec).as_str());
                    assert!(matches!(found, Some(Addressed::Request(method)) if method.name == spec.name));
                }
            }
        }
    }
}

//! Who may publish and subscribe what, derived from the declarations. Deny by default: what is not here is refused.
//!
//! `infra/nats` writes these lists into the server's configuration, so that they can't drift from the contract.

use std::collections::BTreeSet;

use crate::subject::{self, Discovery, Subject};
use crate::{Exposure, Method, ServiceSpec, admin, message, user};

/// Whoever holds a credential of the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// Every edge that carries no administrative calls.
    Edge,
    /// Every edge that carries them as well.
    AdminEdge,
    /// A module: every copy of this service.
    Service(&'static str),
    /// A person at the NATS CLI, or the `natter` tool.
    Operator,
}

impl Holder {
    /// Every holder, edges first.
    pub fn all() -> impl Iterator<Item = Self> {
        let services = crate::SERVICES.iter().map(|service| Self::Service(service.name));
        EDGES.into_iter().chain(services).chain([Self::Operator])
    }

    /// Its name: of its credential, and in its inbox prefix.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::AdminEdge => "admin-edge",
            Self::Service(name) => name,
            Self::Operator => "operator",
        }
    }

    /// The holder called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|holder| holder.name() == name)
    }

    /// What it may do.
    #[must_use]
    pub fn permissions(self) -> Permissions {
        let mut may = match self {
            Self::Edge => edge(),
            Self::AdminEdge => admin_edge(),
            Self::Service(name) => crate::find_service(name).map(service).unwrap_or_default(),
            Self::Operator => operator(),
        };
        may.publish(subject::fence(self.name()));
        may.subscribe(subject::inbox(self.name()));
        may
    }
}

/// The holders that are edges.
const EDGES: [Holder; 2] = [Holder::Edge, Holder::AdminEdge];

/// The service that asks every copy of every service how it is going.
const SURVEYOR: &str = admin::Admin::SPEC.name;

/// The methods that edges call on their own account.
pub const EDGE_CALLS: &[crate::MethodSpec] =
    &[user::Renew::SPEC, user::ReportSessions::SPEC, message::GetGroupsOf::SPEC, message::GetPresent::SPEC];

/// What a credential allows, in the patterns of a NATS configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Subjects it may publish on.
    pub publish: BTreeSet<String>,
    /// Subjects it may subscribe to, with the queue group after a space where only that one is allowed.
    pub subscribe: BTreeSet<String>,
}

impl Permissions {
    fn publish(&mut self, subject: Subject) {
        self.publish.insert(subject.into_inner());
    }

    /// It may call what is served on `subject`. NATS judges a call by where it is mapped to.
    fn call(&mut self, subject: Subject) {
        self.publish(subject::canary(&subject));
        self.publish(subject);
    }

    fn subscribe(&mut self, subject: Subject) {
        self.subscribe.insert(subject.into_inner());
    }

    fn subscribe_as(&mut self, subject: &Subject, queue: &str) {
        self.subscribe.insert(format!("{subject} {queue}"));
    }

    /// Whether `subject` may be published on.
    #[must_use]
    pub fn may_publish(&self, subject: &Subject) -> bool {
        self.publish.iter().any(|pattern| matches(pattern, subject.as_str()))
    }
}

/// Whether a NATS pattern covers a subject without wildcards.
pub(crate) fn matches(pattern: &str, subject: &str) -> bool {
    let mut subject = subject.split('.');
    for token in pattern.split('.') {
        match (token, subject.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (token, Some(given)) if token == given => {}
            _ => return false,
        }
    }
    subject.next().is_none()
}

fn edge() -> Permissions {
    let mut may = Permissions::default();
    may.call(subject::exposed(Exposure::Client));
    for method in EDGE_CALLS {
        may.call(subject::method(Exposure::Internal, method));
    }
    may.subscribe(subject::deliveries());
    may.subscribe(subject::beat());
    may.subscribe.insert("natter.edge.>".to_owned());
    may
}

fn admin_edge() -> Permissions {
    let mut may = edge();
    may.call(subject::exposed(Exposure::Admin));
    may
}

fn service(service: &'static ServiceSpec) -> Permissions {
    let mut may = Permissions::default();
    if service.name == SURVEYOR {
        may.publish(subject::survey(Discovery::Stats));
    }
    for method in service.calls {
        may.call(subject::method(Exposure::Internal, method));
    }
    may.publish(subject::facts_of(service.name));
    // Not as one of a group: each copy hears what the others spent.
    may.subscribe(subject::spent_of_any(service.name));
    if !service.delivers.is_empty() {
        may.publish(subject::beat());
    }
    for audiences in service.delivers {
        may.publish(subject::deliveries_to(*audiences));
    }
    for holder in callers_of(service) {
        may.publish(subject::inbox(holder));
    }
    for exposure in [Exposure::Client, Exposure::Admin, Exposure::Internal] {
        if service.listens_on(exposure) {
            let methods = subject::methods(exposure, service);
            may.subscribe_as(&methods, service.name);
            may.subscribe_as(&subject::canary(&methods), service.name);
            // A copy that leaves its queue group sends itself what ends its subscription.
            may.call(methods);
        }
    }
    for (owner, fact) in service.hears {
        may.subscribe_as(&subject::facts(owner, fact), service.name);
    }
    for question in subject::Discovery::ALL {
        for subject in subject::discovery(question, service.name, "*") {
            may.subscribe(subject);
        }
    }
    may
}

/// Everyone who may await a reply of `service`.
fn callers_of(service: &ServiceSpec) -> BTreeSet<&'static str> {
    let calls_it = |calls: &[crate::MethodSpec]| calls.iter().any(|method| method.service == service.name);
    let mut callers: BTreeSet<_> =
        crate::SERVICES.iter().filter(|other| calls_it(other.calls)).map(|other| other.name).collect();
    if service.listens_on(Exposure::Client) || calls_it(EDGE_CALLS) {
        callers.extend(EDGES.map(Holder::name));
    }
    callers.extend([SURVEYOR, Holder::Operator.name()]);
    callers
}

fn operator() -> Permissions {
    let mut may = Permissions::default();
    may.call(subject::exposed(Exposure::Client));
    may.call(subject::exposed(Exposure::Admin));
    // The first operator is appointed by whoever holds this credential.
    may.publish(subject::method(Exposure::Internal, &admin::Appoint::SPEC));
    may.publish(subject::discovery_all());
    may.subscribe(subject::everything());
    may.subscribe(subject::beat());
    may
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GroupId;

    #[test]
    fn patterns_cover_what_nats_says_they_do() {
        assert!(matches("natter.client.>", "natter.client.user.v1.login"));
        assert!(matches("natter.deliver.user.*", "natter.deliver.user.7"));
        assert!(!matches("natter.client.>", "natter.client"));
        assert!(!matches("natter.deliver.user.*", "natter.deliver.user.7.8"));
        assert!(!matches("natter.deliver.user.*", "natter.deliver.group.7"));
    }

    #[test]
    fn only_edges_operators_and_the_service_itself_speak_for_clients() {
        let call = subject::client_call("friend.list").unwrap();
        for holder in Holder::all() {
            let expected = matches!(
                holder,
                Holder::Edge | Holder::AdminEdge | Holder::Operator | Holder::Service("friend")
            );
            assert_eq!(holder.permissions().may_publish(&call), expected, "{holder:?}");
        }
    }

    #[test]
    fn only_edges_that_are_told_to_carry_administrative_calls() {
        let call = subject::method(Exposure::Admin, &admin::Ban::SPEC);
        for holder in Holder::all() {
            // The admin module publishes on its own subjects when a copy of it stops.
            let expected = matches!(holder, Holder::AdminEdge | Holder::Operator | Holder::Service("admin"));
            assert_eq!(holder.permissions().may_publish(&call), expected, "{holder:?}");
        }
    }

    #[test]
    fn of_what_parts_call_the_operator_may_call_one_method() {
        let may = Holder::Operator.permissions();
        for method in crate::SERVICES.iter().flat_map(|service| service.methods) {
            if method.exposures.contains(&Exposure::Internal) {
                let expected = method.service == "admin" && method.name == "appoint";
                let subject = subject::method(Exposure::Internal, method);
                assert_eq!(may.may_publish(&subject), expected, "{subject}");
            }
        }
    }

    #[test]
    fn only_the_admin_module_speaks_to_everyone_and_acts_on_accounts() {
        let everyone = subject::deliver(subject::Audience::Everyone);
        let ban = subject::method(Exposure::Internal, &user::SetBan::SPEC);
        for holder in Holder::all() {
            let is_admin = holder == Holder::Service("admin");
            assert_eq!(holder.permissions().may_publish(&everyone), is_admin, "{holder:?}");
            let expected = is_admin || holder == Holder::Service("user");
            assert_eq!(holder.permissions().may_publish(&ban), expected, "{holder:?}");
        }
    }

    #[test]
    fn nobody_reads_another_roles_replies() {
        for holder in Holder::all() {
            for other in Holder::all().filter(|other| *other != holder) {
                let inbox = subject::inbox(other.name()).into_inner();
                assert!(!holder.permissions().subscribe.contains(&inbox), "{holder:?} reads {other:?}");
            }
        }
    }

    #[test]
    fn only_who_knows_a_groups_members_delivers_to_them() {
        let delivery = subject::deliver(subject::Audience::Group(GroupId::new(9).unwrap()));
        for holder in Holder::all() {
            let expected = matches!(holder, Holder::Service("group" | "message"));
            assert_eq!(holder.permissions().may_publish(&delivery), expected, "{holder:?}");
        }
    }

    #[test]
    fn only_the_group_module_changes_who_is_in_a_group() {
        let change = subject::method(Exposure::Internal, &message::ChangeGroup::SPEC);
        for holder in Holder::all() {
            // The message module publishes on its own subjects when a copy of it stops.
            let expected = matches!(holder, Holder::Service("group" | "message"));
            assert_eq!(holder.permissions().may_publish(&change), expected, "{holder:?}");
        }
    }

    #[test]
    fn only_copies_of_a_service_hear_and_tell_each_other_what_they_spent() {
        let spent = subject::spent("message", "sends");
        for holder in Holder::all() {
            let may = holder.permissions();
            let is_copy = holder == Holder::Service("message");
            assert_eq!(may.may_publish(&spent), is_copy, "{holder:?}");
            let hears = may.subscribe.iter().any(|pattern| matches(pattern, spent.as_str()));
            assert_eq!(hears, is_copy || holder == Holder::Operator, "{holder:?}");
        }
    }

    #[test]
    fn only_the_edge_overhears_deliveries_among_the_parts() {
        for holder in Holder::all() {
            let hears = holder.permissions().subscribe.contains(subject::deliveries().as_str());
            assert_eq!(hears, EDGES.contains(&holder), "{holder:?}");
            let hears = holder.permissions().subscribe.contains(subject::beat().as_str());
            assert_eq!(hears, EDGES.contains(&holder) || holder == Holder::Operator, "{holder:?}");
        }
    }
}

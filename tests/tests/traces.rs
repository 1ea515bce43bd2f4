//! One call of a client is one trace, over every hop.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use broker_schemas::group::{Admission, Invite, Kick};
use broker_schemas::header;
use broker_schemas::permission::Holder;
use futures_util::StreamExt;
use natter_tests::{Backend, Device, Platform};
use tokio::time::timeout;

/// The traces of the requests that an operator sees.
struct Watch(async_nats::Subscriber);

impl Watch {
    /// Waits until each of these subjects was seen, which no other call uses meanwhile, and returns the trace and the step of
    /// each request.
    async fn steps(&mut self, subjects: &[&str]) -> Vec<(String, String)> {
        let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
        while !subjects.iter().all(|subject| seen.contains_key(*subject)) {
            let next = timeout(Duration::from_secs(10), self.0.next()).await;
            let request = next.unwrap_or_else(|_| panic!("{subjects:?}: only {seen:?}")).unwrap();
            let Some(trace) = request.headers.as_ref().and_then(|headers| headers.get(header::TRACEPARENT))
            else {
                assert!(!subjects.contains(&request.subject.as_str()), "{} has no trace", request.subject);
                continue;
            };
            let parts: Vec<_> = trace.as_str().split('-').collect();
            let [_, trace, step, _] = parts[..] else { panic!("{trace:?}") };
            seen.insert(request.subject.to_string(), (trace.to_owned(), step.to_owned()));
        }
        subjects.iter().map(|subject| seen[*subject].clone()).collect()
    }

    /// The same, of which there must be one trace: the first one's, and what it calls names another step.
    async fn one_trace(&mut self, subjects: &[&str]) -> String {
        let steps = self.steps(subjects).await;
        let [(trace, step), calls @ ..] = &steps[..] else { panic!("no subject") };
        let fits = calls.iter().all(|(other, from)| other == trace && from != step);
        assert!(fits && !calls.is_empty(), "{subjects:?}: {steps:?}");
        trace.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_one_trace_over_every_hop_and_another_call_another() {
    let platform = Platform::distributed(Backend::Sqlite).await;
    let place = platform.address("tcp").await;
    let alice = Device::register(&place, "alice").await;
    let bob = Device::register(&place, "bob").await;
    alice.befriend(&bob).await;
    let group = alice.create("the group", &[], Admission::Invitation).await;

    let operator = platform.on_bus(Holder::Operator).await;
    let mut watch = Watch(operator.subscribe("natter.>").await.unwrap());
    operator.flush().await.unwrap();
    let _phone = Device::sign_in(&place, "alice").await;
    let sign_in = [
        "natter.client.user.v1.login",
        "natter.internal.friend.v1.list",
        "natter.internal.group.v1.list",
        "natter.internal.message.v1.unread",
    ];
    let sign_in = watch.one_trace(&sign_in).await;
    alice.call(&Invite { group, user: bob.user }).await.unwrap();
    let invite = [
        "natter.client.group.v1.invite",
        "natter.internal.friend.v1.gate",
        "natter.internal.message.v1.change_group",
    ];
    let invite = watch.one_trace(&invite).await;
    alice.call(&Kick { group, user: bob.user, block: None }).await.unwrap();
    let kick =
        watch.one_trace(&["natter.client.group.v1.kick", "natter.internal.message.v1.change_group"]).await;
    assert_eq!(BTreeSet::from([sign_in, invite, kick]).len(), 3, "another call is another trace");
}

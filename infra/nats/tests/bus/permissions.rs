use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerError};
use broker_schemas::permission::{Holder, Permissions};
use broker_schemas::subject::{self, Audience};
use broker_schemas::{Exposure, SERVICES, UserId};
use futures_util::StreamExt;
use nkeys::KeyPair;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::fixture::Running;

const PATIENCE: Duration = Duration::from_secs(10);
/// Nobody may publish here: its refusal says that everything before it was judged.
const LAST: &str = "last";

/// One or more subjects of every family that exists, and of some that don't.
fn subjects() -> Vec<String> {
    let mut subjects = vec![
        "natter.deliver.user.7".to_owned(),
        "natter.deliver.group.9".to_owned(),
        "natter.deliver.everyone".to_owned(),
        "natter.deliver.>".to_owned(),
        subject::beat().into_inner(),
        "natter.edge.e1.close".to_owned(),
        "natter.client.weather.v1.ask".to_owned(),
        "natter.internal.weather.v1.ask".to_owned(),
        "natter.>".to_owned(),
        "natter.*.user.v1.login".to_owned(),
        "natter.client.>".to_owned(),
        "$SRV.PING".to_owned(),
        "$SRV.>".to_owned(),
        "$SYS.REQ.SERVER.PING".to_owned(),
        "$SYS.>".to_owned(),
        "$JS.API.INFO".to_owned(),
        "_INBOX.nobody.a.b".to_owned(),
        "_INBOX.>".to_owned(),
        "_INBOX.*.>".to_owned(),
        "anything.else".to_owned(),
        ">".to_owned(),
    ];
    for service in SERVICES {
        let name = service.name;
        subjects.extend(service.methods.iter().flat_map(|method| {
            method.exposures.iter().map(|exposure| subject::method(*exposure, method).into_inner())
        }));
        for exposure in [Exposure::Client, Exposure::Admin, Exposure::Internal] {
            subjects.push(subject::methods(exposure, service).into_inner());
        }
        subjects.extend(service.facts.iter().map(|fact| subject::fact(name, fact.name, 7).into_inner()));
        subjects.push(subject::facts_of(name).into_inner());
        subjects.push(subject::spent(name, "sends").into_inner());
        subjects.push(subject::spent_of_any(name).into_inner());
        subjects.push(format!("$SRV.INFO.{name}"));
        subjects.push(format!("$SRV.STATS.{name}.copy"));
    }
    for holder in Holder::all() {
        subjects.push(format!("_INBOX.{}.nuid.1", holder.name()));
        subjects.push(subject::inbox(holder.name()).into_inner());
    }
    subjects
}

/// Whether everything that `wanted` covers, `pattern` covers.
fn covers(pattern: &str, wanted: &str) -> bool {
    let (mut pattern, mut wanted) = (pattern.split('.'), wanted.split('.'));
    loop {
        match (pattern.next(), wanted.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(expected), Some(token)) if expected == token => {}
            _ => return false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Attempt {
    Publish(String),
    Subscribe(String),
    QueueSubscribe(String, String),
}

impl Attempt {
    fn allowed(&self, may: &Permissions) -> bool {
        let (wanted, queue) = match self {
            Self::Publish(wanted) => return may.publish.iter().any(|pattern| covers(pattern, wanted)),
            Self::Subscribe(wanted) => (wanted, None),
            Self::QueueSubscribe(wanted, queue) => (wanted, Some(queue.as_str())),
        };
        let covering = may.subscribe.iter().filter_map(|entry| {
            let (pattern, queue) =
                entry.split_once(' ').map_or((entry.as_str(), None), |(p, q)| (p, Some(q)));
            covers(pattern, wanted).then_some(queue)
        });
        let (scoped, plain): (Vec<_>, Vec<_>) = covering.partition(Option::is_some);
        if queue.is_some() && !scoped.is_empty() { scoped.contains(&queue) } else { !plain.is_empty() }
    }

    async fn make(&self, client: &Client) {
        match self.clone() {
            Self::Publish(subject) => client.publish(subject, "".into()).await.unwrap(),
            Self::Subscribe(subject) => drop(client.subscribe(subject).await.unwrap()),
            Self::QueueSubscribe(subject, queue) => {
                drop(client.queue_subscribe(subject, queue).await.unwrap());
            }
        }
    }

    /// What the server refused.
    fn refused(event: Event) -> Option<Self> {
        let Event::ServerError(ServerError::Other(text)) = event else { return None };
        let mut quoted = text.split('"').skip(1).step_by(2).map(str::to_owned);
        let subject = quoted.next()?;
        match text.split('"').next()?.trim().to_lowercase().as_str() {
            "permissions violation for publish to" => Some(Self::Publish(subject)),
            "permissions violation for subscription to" => Some(match quoted.next() {
                Some(queue) => Self::QueueSubscribe(subject, queue),
                None => Self::Subscribe(subject),
            }),
            _ => None,
        }
    }
}

/// Every refusal until that of [`LAST`].
async fn refusals(events: &mut mpsc::Receiver<Event>) -> Vec<Attempt> {
    let mut refused = Vec::new();
    loop {
        let event =
            timeout(PATIENCE, events.recv()).await.expect("the last attempt was not refused").unwrap();
        match Attempt::refused(event) {
            Some(Attempt::Publish(subject)) if subject == LAST => return refused,
            attempt => refused.extend(attempt),
        }
    }
}

#[tokio::test]
async fn the_server_allows_what_the_contract_says_and_nothing_else() {
    let running = Running::start().await;
    for holder in Holder::all() {
        let may = holder.permissions();
        let (client, mut events) = running.connect_with_events(holder).await;
        let (mut allowed, mut denied) = (0, 0);
        for subject in subjects() {
            let queues = Holder::all().map(Holder::name).chain(["thieves"]);
            let mut attempts: Vec<_> =
                queues.map(|queue| Attempt::QueueSubscribe(subject.clone(), queue.to_owned())).collect();
            attempts.push(Attempt::Subscribe(subject.clone()));
            if !subject.contains(['*', '>']) {
                attempts.push(Attempt::Publish(subject));
            }
            for attempt in &attempts {
                attempt.make(&client).await;
            }
            client.publish(LAST, "".into()).await.unwrap();

            let refused = refusals(&mut events).await;
            let (expected_allowed, expected): (Vec<_>, Vec<_>) =
                attempts.into_iter().partition(|attempt| attempt.allowed(&may));
            assert_eq!(refused, expected, "{holder:?}");
            allowed += expected_allowed.len();
            denied += expected.len();
        }
        assert!(allowed > 0 && denied > 0, "{holder:?}: {allowed} allowed, {denied} denied");
    }
    running.server.shutdown().await;
}

#[tokio::test]
async fn every_call_that_the_contract_permits_gets_its_reply() {
    let running = Running::start().await;
    let mut servants = tokio::task::JoinSet::new();
    for service in SERVICES {
        let holder = Holder::Service(service.name);
        let (client, _) = running.connect_with_events(holder).await;
        let may = holder.permissions();
        for entry in may.subscribe.iter().filter(|entry| !entry.starts_with("natter.event.")) {
            let Some((pattern, queue)) = entry.split_once(' ') else { continue };
            let mut requests = client.queue_subscribe(pattern.to_owned(), queue.to_owned()).await.unwrap();
            let client = client.clone();
            servants.spawn(async move {
                while let Some(request) = requests.next().await {
                    client
                        .publish(request.reply.unwrap(), request.subject.as_str().to_owned().into())
                        .await
                        .unwrap();
                }
            });
        }
        // The server has judged the subscriptions once it answers, be it with "no responders".
        let anything = subject::fact(service.name, "nothing", 0).into_inner();
        client.request(anything, "".into()).await.unwrap_err();
    }

    let mut calls = 0;
    for holder in Holder::all() {
        let client = running.connect(holder).await;
        for method in SERVICES.iter().flat_map(|service| service.methods) {
            for exposure in method.exposures {
                let subject = subject::method(*exposure, method);
                // A service may publish there to leave its queue group; it awaits no reply.
                let calls_itself = holder == Holder::Service(method.service);
                if !calls_itself && holder.permissions().may_publish(&subject) {
                    let reply = timeout(PATIENCE, client.request(subject.to_string(), "".into())).await;
                    let reply =
                        reply.unwrap_or_else(|_| panic!("{holder:?} gets no reply from {subject}")).unwrap();
                    assert_eq!(reply.payload, subject.as_str());
                    calls += 1;
                }
            }
        }
    }
    assert!(calls > SERVICES.len(), "{calls} calls");
    drop(servants);
    running.server.shutdown().await;
}

#[tokio::test]
async fn a_role_overhears_nothing_of_another() {
    let running = Running::start().await;
    let edge = running.connect(Holder::Edge).await;
    let delivery = subject::deliver(Audience::User(UserId::new(7).unwrap())).into_inner();
    let mut deliveries = edge.subscribe(delivery.clone()).await.unwrap();
    let spy = running.connect(Holder::Service("friend")).await;
    let mut overheard = Vec::new();
    for subject in [delivery.as_str(), "natter.client.user.v1.login", "_INBOX.edge.>", "_INBOX.>", ">"] {
        overheard.push(spy.subscribe(subject.to_owned()).await.unwrap());
    }
    for client in [&edge, &spy] {
        client.flush().await.unwrap();
    }

    // The request has no responder: its answer reaches the inbox of the edge, and nobody else's.
    let call = subject::client_call("user.login").unwrap().into_inner();
    edge.request(call, "password".into()).await.unwrap_err();
    let message = running.connect(Holder::Service("message")).await;
    message.publish(delivery, "hello".into()).await.unwrap();
    assert_eq!(timeout(PATIENCE, deliveries.next()).await.unwrap().unwrap().payload, "hello");

    spy.drain().await.unwrap();
    for mut subscription in overheard {
        let heard = timeout(PATIENCE, subscription.next()).await.unwrap();
        assert!(heard.is_none(), "{heard:?}");
    }
    running.server.shutdown().await;
}

#[tokio::test]
async fn whoever_has_no_credential_is_refused() {
    let running = Running::start().await;
    let url = running.server.client_url();
    let stranger = KeyPair::new_user().seed().unwrap();
    for options in [
        ConnectOptions::new(),
        ConnectOptions::with_nkey(stranger),
        ConnectOptions::with_user_and_password("edge".to_owned(), "edge".to_owned()),
    ] {
        let refused = options.connect(url).await.map(drop).unwrap_err();
        assert_eq!(refused.kind(), async_nats::ConnectErrorKind::AuthorizationViolation, "{refused:?}");
    }
    running.server.shutdown().await;
}

#[tokio::test]
async fn the_system_account_is_apart() {
    let running = Running::start().await;
    let seed = std::fs::read_to_string(running.bus.system_seed_path()).unwrap();
    let options = ConnectOptions::with_nkey(seed.trim().to_owned());
    let system = options.connect(running.server.client_url()).await.unwrap();
    let reply = system.request("$SYS.REQ.SERVER.PING", "".into()).await.unwrap();
    assert!(String::from_utf8_lossy(&reply.payload).contains("server"));

    let mut overheard = system.subscribe("natter.>").await.unwrap();
    system.request("$SYS.REQ.SERVER.PING", "".into()).await.unwrap();
    let edge = running.connect(Holder::Edge).await;
    edge.request("natter.client.user.v1.login", "password".into()).await.unwrap_err();
    system.request("$SYS.REQ.SERVER.PING", "".into()).await.unwrap();
    assert!(timeout(Duration::from_millis(50), overheard.next()).await.is_err());
    running.server.shutdown().await;
}

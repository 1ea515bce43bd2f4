//! The host on a real NATS server: each trap of the client library and the server that cost others time, as a test.

#![allow(clippy::large_futures, reason = "a test's stack has room")]

mod budgets;
mod doors;
mod reconnect;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use broker_schemas::delivery::Beat;
use broker_schemas::permission::Holder;
use broker_schemas::subject::{self, Audience, Discovery};
use broker_schemas::{
    Code, ContentType, Done, Error, Exposure, Method, Outcome, Part, Role, Service, SignedIn, UserId, friend,
    user,
};
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use crate::serve::{Serving, With};
use crate::{Bus, BusSettings, Call, Forward, Handle, Result, Scope, Verifier};

/// A NATS server with credentials for every part.
struct Rig {
    directory: TempDir,
    server: natter_nats::Server,
    settings: BusSettings,
}

impl Rig {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options =
            natter_nats::Options { port: crate::testing::free_port(), ..natter_nats::Options::default() };
        let bus = natter_nats::Bus::create_or_open(directory.path(), &options).unwrap();
        let server = natter_nats::Server::start(&bus, None).await.unwrap();
        let settings = BusSettings {
            url: server.client_url().to_owned(),
            directory: directory.path().to_owned(),
            ..BusSettings::default()
        };
        Self { directory, server, settings }
    }

    async fn bus(&self, holder: Holder) -> Bus {
        Bus::connect(&self.settings, holder).await.unwrap()
    }

    /// A part that may call the demonstration.
    async fn caller(&self) -> Bus {
        self.bus(Holder::Service("message")).await
    }

    /// Another copy of the demonstration.
    async fn serve(&self) -> Serving<Demonstration> {
        self.serve_with(&self.settings).await
    }

    async fn serve_with(&self, settings: &BusSettings) -> Serving<Demonstration> {
        let bus = Bus::connect(settings, Holder::Service("friend")).await.unwrap();
        let verifier = Verifier::from_file(&self.settings.directory.join("passport.pub")).unwrap();
        let module = Arc::new(Demonstration { handled: AtomicU64::new(0) });
        let with = With::default();
        Serving::start::<friend::Friend>(bus, Arc::new(verifier), "1.2.3", module, with).await.unwrap()
    }

    /// User 7's passport.
    fn passport(&self, roles: &[Role]) -> Arc<str> {
        self.passport_signed_by(None, roles)
    }

    fn passport_signed_by(&self, seed: Option<[u8; 32]>, roles: &[Role]) -> Arc<str> {
        let key = natter_nats::PassportKey::load(&self.settings.directory.join("passport.key")).unwrap();
        let identity = broker_schemas::Identity {
            user: user(7),
            session: broker_schemas::SessionId::new(1).unwrap(),
            roles: broker_schemas::List::new(roles.to_vec()).unwrap(),
        };
        let expires_at = broker_schemas::Timestamp::now().after(Duration::from_secs(60));
        let passport = broker_schemas::caller::Passport { key: key.id, identity, expires_at };
        let mut bytes = postcard::to_stdvec(&passport).unwrap();
        let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&seed.unwrap_or(key.seed)).unwrap();
        bytes.extend_from_slice(pair.sign(&bytes).as_ref());
        Verifier::header(&bytes)
    }

    /// To the server.
    fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(self.pid_file()).unwrap();
        crate::testing::signal(pid.trim().parse().unwrap(), name);
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.path().join("nats-server.pid")
    }
}

/// Serves the friend service's contract, with handlers that do what the test asks for.
struct Demonstration {
    handled: AtomicU64,
}

/// What `friend.gate` does: `a` chooses, `b` is the argument.
const ANSWER: u64 = 1;
const SLEEP_MILLIS: u64 = 2;
const PANIC: u64 = 3;
const BE_UNAVAILABLE: u64 = 4;
const WAIT_MILLIS: u64 = 5;

impl Handle<friend::GetGate> for Demonstration {
    async fn handle(&self, call: &Call<Part>, request: friend::GetGate) -> Result<friend::Gate> {
        self.handled.fetch_add(1, Ordering::Relaxed);
        match request.a.get() {
            ANSWER => {}
            SLEEP_MILLIS => sleep(Duration::from_millis(request.b.get())).await,
            WAIT_MILLIS => {
                let wait = Duration::from_millis(request.b.get());
                sleep(wait).await;
                call.waited(wait);
            }
            PANIC => panic!("as asked"),
            BE_UNAVAILABLE => return Err(Error::unavailable("as asked").into()),
            other => return Err(Error::conflict(format!("no\nsuch {other}")).into()),
        }
        Ok(friend::Gate { open: true, version: request.b.get() })
    }
}

impl Handle<friend::ListFriends> for Demonstration {
    async fn handle(&self, call: &Call<SignedIn>, _: friend::ListFriends) -> Result<friend::Friends> {
        Err(Error::conflict(format!("you are {}", call.caller.user())).into())
    }
}

macro_rules! unused {
    ($($request:ty => $reply:expr),* $(,)?) => {$(
        impl Handle<$request> for Demonstration {
            async fn handle(
                &self,
                _: &Call<<$request as Method>::Caller>,
                _: $request,
            ) -> Result<<$request as Method>::Reply> {
                Ok($reply)
            }
        }
    )*};
}

unused! {
    friend::Request => friend::Requested { friends: false },
    friend::Accept => Done {},
    friend::Decline => Done {},
    friend::Remove => Done {},
    friend::Block => Done {},
    friend::Unblock => Done {},
    friend::SetSilence => Done {},
    friend::ListRequests => friend::Requests { incoming: vec![], outgoing: vec![], blocked: vec![] },
    friend::ForgetUser => Done {},
}

fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn ask(what: u64, argument: u64) -> friend::GetGate {
    friend::GetGate { a: user(what), b: user(argument) }
}

fn within(millis: u64) -> Scope {
    Scope::background(Duration::from_millis(millis))
}

/// One attempt to call `friend.gate` that is not repeated when its outcome is unknown.
async fn once(
    bus: &Bus,
    scope: &Scope,
    request: &friend::GetGate,
) -> std::result::Result<crate::Reply, Error> {
    let subject = subject::method(Exposure::Internal, &friend::GetGate::SPEC);
    let content_type = ContentType::Postcard;
    let forward = Forward { subject: &subject, scope, content_type, headers: &[], repeatable: false };
    bus.forward(forward, content_type.encode(request).unwrap().into()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_and_a_reply_come_back_as_they_were_made() {
    let rig = Rig::start().await;
    let _serving = rig.serve().await;
    let caller = rig.caller().await;
    assert_eq!(caller.call(&within(2_000), &ask(ANSWER, 7)).await.unwrap().version, 7);
    let error = caller.call(&within(2_000), &ask(9, 7)).await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (Code::Conflict, "no such 9"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_serves_was_not_executed_and_is_known_soon() {
    let rig = Rig::start().await;
    let caller = rig.caller().await;
    let started = Instant::now();
    let error = once(&caller, &within(10_000), &ask(ANSWER, 7)).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotExecuted);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_comes_back_in_time_answers_a_call_that_began_before() {
    let rig = Rig::start().await;
    let caller = rig.caller().await;
    let late = async {
        sleep(Duration::from_millis(50)).await;
        rig.serve().await
    };
    let (scope, request) = (within(2_000), ask(ANSWER, 7));
    let (answer, _serving) = tokio::join!(caller.call(&scope, &request), late);
    assert_eq!(answer.unwrap().version, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passed_deadline_is_unknown_and_leaves_nothing_behind() {
    let rig = Rig::start().await;
    let _serving = rig.serve().await;
    let caller = rig.caller().await;
    let (scope, request) = (within(200), ask(SLEEP_MILLIS, 1_000));
    let calls = (0..50).map(|_| once(&caller, &scope, &request));
    for result in join_all(calls).await {
        assert_eq!(result.unwrap_err().outcome(), Outcome::Unknown);
    }
    assert_eq!(caller.waiting(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_tried_again_only_where_that_is_safe() {
    let rig = Rig::start().await;
    let serving = rig.serve().await;
    let caller = rig.caller().await;
    let handled = || serving.module().handled.load(Ordering::Relaxed);
    let _ = once(&caller, &within(600), &ask(SLEEP_MILLIS, 5_000)).await.unwrap_err();
    assert_eq!(handled(), 1);
    let _ = caller.call(&within(2_000), &ask(SLEEP_MILLIS, 5_000)).await.unwrap_err();
    assert!(handled() > 2, "{}", handled());
}

/// The first attempt may have been done; that the later ones reached nobody does not undo it.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_stays_unknown_whatever_becomes_of_later_tries() {
    let rig = Rig::start().await;
    let _serving = rig.serve().await;
    let caller = rig.caller().await;
    let (scope, request) = (within(2_000), ask(SLEEP_MILLIS, 5_000));
    let stop = async {
        sleep(Duration::from_millis(300)).await;
        rig.server.shutdown().await;
    };
    let (result, ()) = tokio::join!(caller.call(&scope, &request), stop);
    assert_eq!(result.unwrap_err().outcome(), Outcome::Unknown);
}

/// What a handler did before it found out, such as counting the call against a limit, it would do each time.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_refused_as_unavailable_is_not_tried_again() {
    let rig = Rig::start().await;
    let serving = rig.serve().await;
    let caller = rig.caller().await;
    let started = Instant::now();
    let error = caller.call(&within(2_000), &ask(BE_UNAVAILABLE, 1)).await.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (Code::Unavailable, "as asked"));
    assert_eq!(serving.module().handled.load(Ordering::Relaxed), 1);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn past_its_concurrency_a_service_refuses_at_once() {
    let rig = Rig::start().await;
    let serving = rig.serve().await;
    let caller = rig.caller().await;
    let (scope, request) = (within(2_000), ask(SLEEP_MILLIS, 1_900));
    let results = join_all((0..700).map(|_| once(&caller, &scope, &request))).await;
    let refused = results
        .iter()
        .filter(|result| matches!(result, Err(error) if error.code == Code::Unavailable))
        .count();
    assert_eq!(refused, 700 - 512);
    assert_eq!(serving.module().handled.load(Ordering::Relaxed), 512);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_answers_and_the_service_goes_on() {
    let rig = Rig::start().await;
    let _serving = rig.serve().await;
    let caller = rig.caller().await;
    assert_eq!(once(&caller, &within(2_000), &ask(PANIC, 1)).await.unwrap_err().code, Code::Internal);
    assert!(caller.call(&within(2_000), &ask(ANSWER, 7)).await.is_ok());
}

/// The client library would wait for room in its command channel until it reconnects.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_broker_hung_every_call_ends_by_its_deadline() {
    let rig = Rig::start().await;
    let _serving = rig.serve().await;
    let caller = rig.caller().await;
    rig.signal("STOP");
    let (scope, request, started) = (within(1_000), ask(ANSWER, 1), Instant::now());
    let results = join_all((0..6_000).map(|_| once(&caller, &scope, &request))).await;
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    assert!(results.iter().all(std::result::Result::is_err), "nobody could have answered");
    rig.signal("CONT");
    let deadline = Instant::now() + Duration::from_secs(10);
    while caller.call(&within(1_000), &request).await.is_err() {
        assert!(Instant::now() < deadline, "no recovery");
    }
}

/// The client library would leave them waiting for their timeout.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_broker_killed_calls_in_flight_end_early_and_later_ones_succeed() {
    let rig = Rig::start().await;
    let _serving = rig.serve().await;
    let caller = rig.caller().await;
    let before = *caller.disruptions().borrow();
    let (scope, request, started) =
        (Scope::background(Duration::from_secs(8)), ask(SLEEP_MILLIS, 7_000), Instant::now());
    let kill = async {
        sleep(Duration::from_millis(300)).await;
        rig.signal("KILL");
    };
    let (result, ()) = tokio::join!(once(&caller, &scope, &request), kill);
    assert_eq!(result.unwrap_err().outcome(), Outcome::Unknown);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());

    let deadline = Instant::now() + Duration::from_secs(10);
    while caller.call(&within(1_000), &ask(ANSWER, 7)).await.is_err() {
        assert!(Instant::now() < deadline, "no recovery");
    }
    // Whoever relays pushes must learn that some were lost.
    let mut disruptions = caller.disruptions();
    timeout(Duration::from_secs(10), disruptions.wait_for(|now| *now > before)).await.unwrap().unwrap();
}

/// What was said on a connection that broke may not have arrived, and nobody would know.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_delivers_leaves_a_beat_out_when_its_connection_broke_and_no_other_one() {
    let rig = Rig::start().await;
    let edge = rig.bus(Holder::Edge).await;
    let mut beats = edge.subscribe(&subject::beat()).await.unwrap();
    edge.fence().await.unwrap();
    let _module = rig.bus(Holder::Service("message")).await;
    let mut next = async || {
        let heard = timeout(Duration::from_secs(10), beats.next()).await.unwrap().unwrap();
        ContentType::Postcard.decode::<Beat>(&heard).unwrap().number
    };
    assert_eq!([next().await, next().await, next().await], [1, 2, 3]);
    rig.signal("KILL");
    let number = next().await;
    assert!(number > 4, "{number}");
    assert_eq!([next().await, next().await], [number + 1, number + 2]);
}

/// `subscribe()` returns before the server knows of it.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_fence_a_subscription_misses_nothing() {
    let rig = Rig::start().await;
    let edge = rig.bus(Holder::Edge).await;
    let module = rig.caller().await;
    for number in 1..200 {
        let audience = Audience::User(user(number));
        let mut heard = edge.subscribe(&subject::deliver(audience)).await.unwrap();
        edge.fence().await.unwrap();
        module.push(audience, &user::Deleted { user: user(number) }).await.unwrap();
        assert!(timeout(Duration::from_secs(2), heard.next()).await.unwrap().is_some(), "{number}");
        heard.close().await;
    }
}

/// So many ask that every copy has as much to do as it can; what the others ask is answered all the same.
#[tokio::test(flavor = "multi_thread")]
async fn parts_and_clients_do_not_crowd_each_other_out() {
    let rig = Rig::start().await;
    let serving = rig.serve().await;
    let (caller, edge) = (rig.caller().await, rig.bus(Holder::Edge).await);
    let passport = rig.passport(&[]);
    let (patience, question) = (within(1_500), ask(SLEEP_MILLIS, 1_000));
    let flood = join_all((0..1_000).map(|_| caller.call(&patience, &question)));
    let client = async {
        sleep(Duration::from_millis(500)).await;
        let scope = within(10_000).with_passport(passport);
        let request = Forward {
            subject: &subject::client_call("friend.list").unwrap(),
            scope: &scope,
            content_type: ContentType::Json,
            headers: &[],
            repeatable: false,
        };
        edge.forward(request, "{}".into()).await.map(drop).unwrap_err()
    };
    let (_, answer) = tokio::join!(flood, client);
    assert_eq!(answer.message, "you are 7");
    serving.drain().await;
}

/// The client library drops the newest message and only tells by an event.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_subscription_is_noticed() {
    let rig = Rig::start().await;
    let edge = rig.bus(Holder::Edge).await;
    let module = rig.caller().await;
    let _unread = edge.subscribe(&subject::deliver(Audience::User(user(1)))).await.unwrap();
    edge.fence().await.unwrap();
    let mut disruptions = edge.disruptions();
    let before = *disruptions.borrow_and_update();
    for _ in 0..9_000 {
        module.push(Audience::User(user(1)), &user::Deleted { user: user(1) }).await.unwrap();
    }
    timeout(Duration::from_secs(5), disruptions.wait_for(|now| *now > before)).await.unwrap().unwrap();
}

/// The server tells a denied publish only by an event, and the caller would wait for its timeout.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_contract_does_not_permit_fails_at_once() {
    let rig = Rig::start().await;
    let caller = rig.caller().await;
    let started = Instant::now();
    let error = caller
        .call(&within(2_000), &user::Lookup { users: broker_schemas::List::new(vec![]).unwrap() })
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::Internal);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

/// In async-nats 0.51 neither drain waits until the server knows.
#[tokio::test(flavor = "multi_thread")]
async fn copies_come_and_go_under_load_and_no_call_is_lost() {
    let rig = Rig::start().await;
    let caller = rig.caller().await;
    let mut serving = rig.serve().await;
    let (stop, calls) = (tokio_util::sync::CancellationToken::new(), Arc::new(AtomicU64::new(0)));
    let load = tokio_util::task::TaskTracker::new();
    let failed = Arc::new(std::sync::Mutex::new(Vec::new()));
    for _ in 0..32 {
        let (stop, calls, caller, failed) = (stop.clone(), calls.clone(), caller.clone(), failed.clone());
        load.spawn(async move {
            while !stop.is_cancelled() {
                calls.fetch_add(1, Ordering::Relaxed);
                if let Err(error) = once(&caller, &within(10_000), &ask(ANSWER, 7)).await {
                    failed.lock().unwrap().push(error);
                }
            }
        });
    }
    for _ in 0..10 {
        let next = rig.serve().await;
        std::mem::replace(&mut serving, next).drain().await;
    }
    stop.cancel();
    load.close();
    load.wait().await;
    let failed = failed.lock().unwrap();
    assert!(
        failed.is_empty(),
        "{} of {} calls: {:?}",
        failed.len(),
        calls.load(Ordering::Relaxed),
        failed[0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_not_begun_past_its_deadline() {
    let rig = Rig::start().await;
    let serving = rig.serve().await;
    let caller = rig.caller().await;
    let past = Scope { deadline: Instant::now(), ..within(1) };
    assert_eq!(once(&caller, &past, &ask(ANSWER, 1)).await.unwrap_err().outcome(), Outcome::NotExecuted);
    assert_eq!(serving.module().handled.load(Ordering::Relaxed), 0);
}

/// Its caller has given up, and may have repeated it elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn what_waited_on_the_way_longer_than_its_caller_is_not_begun() {
    let rig = Rig::start().await;
    let serving = rig.serve().await;
    let caller = rig.caller().await;
    let handled = || serving.module().handled.load(Ordering::Relaxed);
    once(&caller, &within(2_000), &ask(ANSWER, 1)).await.unwrap();
    assert_eq!(handled(), 1);
    rig.signal("STOP");
    let late = once(&caller, &within(1_000), &ask(ANSWER, 2)).await;
    assert_eq!(late.unwrap_err().outcome(), Outcome::Unknown);
    tokio::time::sleep(Duration::from_millis(500)).await;
    rig.signal("CONT");
    once(&caller, &within(5_000), &ask(ANSWER, 3)).await.unwrap();
    assert_eq!(handled(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_who_the_passport_proves_and_nobody_else() {
    let rig = Rig::start().await;
    let _serving = rig.serve().await;
    let edge = rig.bus(Holder::Edge).await;
    let call = async |passport: Option<&str>, content_type: ContentType, body: &'static [u8]| {
        let subject = subject::client_call("friend.list").unwrap();
        let scope = Scope { passport: passport.map(Into::into), ..within(2_000) };
        let forward =
            Forward { subject: &subject, scope: &scope, content_type, headers: &[], repeatable: false };
        edge.forward(forward, body.into()).await.unwrap_err()
    };
    let json = ContentType::Json;
    assert_eq!(call(None, json, b"{}").await.code, Code::Unauthenticated);
    assert_eq!(call(Some("nonsense"), json, b"{}").await.code, Code::Unauthenticated);
    let forged = rig.passport_signed_by(Some([9; 32]), &[]);
    assert_eq!(call(Some(&forged), json, b"{}").await.code, Code::Unauthenticated);
    let good = rig.passport(&[]);
    assert_eq!(call(Some(&good), json, b"{}").await.message, "you are 7");
    assert_eq!(call(Some(&good), ContentType::Postcard, b"").await.message, "you are 7");
    assert_eq!(call(Some(&good), ContentType::Postcard, b"x").await.code, Code::Invalid);
    assert_eq!(call(Some(&good), json, br#"{"user":8}"#).await.code, Code::Invalid);
    let long = format!(r#"{{"{}":8}}"#, "ä".repeat(5_000)).leak().as_bytes();
    assert_eq!(call(Some(&good), json, long).await.message.chars().count(), 1_024);
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_names_every_endpoint_once_with_its_counts() {
    let rig = Rig::start().await;
    let serving = rig.serve().await;
    let caller = rig.caller().await;
    for _ in 0..3 {
        let _ = caller.call(&within(2_000), &ask(ANSWER, 7)).await;
    }
    // What waits on purpose is not slow.
    once(&caller, &within(10_000), &ask(WAIT_MILLIS, 800)).await.unwrap();
    let answer =
        |question| serde_json::from_slice::<serde_json::Value>(&serving.discovery(question)).unwrap();
    let (info, stats) = (answer(Discovery::Info), answer(Discovery::Stats));
    let names: std::collections::BTreeSet<_> = info["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|endpoint| endpoint["name"].as_str().unwrap())
        .collect();
    let expected: usize = friend::Friend::SPEC.methods.iter().map(|method| method.exposures.len()).sum();
    assert_eq!(names.len(), expected);
    let gate = stats["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .find(|endpoint| endpoint["name"] == "gate-internal")
        .unwrap();
    assert_eq!((&gate["num_requests"], &gate["num_errors"]), (&4.into(), &0.into()));
    assert!(gate["processing_time"].as_u64().unwrap() < 800_000_000, "{gate}");
    assert_eq!(info["version"], "1.2.3");
    assert_eq!(info["name"], friend::Friend::NAME);
    drop(rig.server);
}

//! Measures the platform beside raw NATS, in one run on one machine, and prints the table of `docs/FIGURES.md`.
//!
//! Everything shares the machine: the load, the bus, the parts. So a figure is worth something beside the raw figure of
//! the same run, not by itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measuring tool"
)]

mod copies;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use broker_schemas::admin::{self, CampaignState};
use broker_schemas::message::Recipient;
use broker_schemas::permission::Holder;
use broker_schemas::{Outcome, Role, UserId, message, user};
use futures_util::StreamExt;
use hdrhistogram::Histogram;
use natter_client::{Address, Client, Event, Events};
use natter_tests::crowd::{self, Crowd};
use natter_tests::device::draft;
use natter_tests::records::make_accounts;
use natter_tests::shell::grant_at_console;
use natter_tests::{Backend, Person, Platform, Usage, befriend};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const SECONDS: u64 = 10;
const IN_FLIGHT: usize = 64;
const PAIRS: usize = 32;
const IDLE: usize = 5_000;
const CROWD: usize = 1_000;
const CROWD_MESSAGES: usize = 50;
const RECIPIENTS: u64 = 100_000;
const CAMPAIGN_PER_SECOND: u32 = 1_000;

#[tokio::main]
async fn main() {
    let backends =
        [Some(("SQLite", Backend::Sqlite)), Backend::postgres().map(|backend| ("PostgreSQL", backend))];
    let backends: Vec<_> = backends.into_iter().flatten().collect();
    if wanted("copies") {
        copies::measure(&backends).await;
    }
    for (name, backend) in backends {
        if !["calls", "campaign", "crowd"].into_iter().any(wanted) {
            return;
        }
        println!("\n### On {name}\n\n| what | figure |\n|---|---|");
        if wanted("calls") {
            measure(backend.clone()).await;
        }
        if wanted("campaign") {
            measure_campaign(backend.clone()).await;
        }
        if wanted("crowd") {
            measure_crowd(backend).await;
        }
    }
}

/// Whether a part of the benchmark is to run: all of them, unless arguments name some.
fn wanted(part: &str) -> bool {
    std::env::args().len() < 2 || std::env::args().skip(1).any(|argument| argument == part)
}

/// What people notice of a campaign: messages between them without one and under one, in one run.
async fn measure_campaign(backend: Backend) {
    let settings = ["edge.max_connections_per_user=100", "user.sessions_per_user=1000"];
    let mut platform = Platform::distributed_with(backend, &settings).await;
    let (address, door) = (platform.tcp().await, platform.start_admin_edge().await);
    drop(Person::register(&address, "root").await);
    grant_at_console(&platform, "root", Role::Operator).await;
    let root = Person::sign_in(&door, "root").await;
    let people = friends(&address).await;
    make_accounts(&platform, RECIPIENTS, root.user).await;
    let create = admin::CreateCampaign {
        title: "a figure".try_into().unwrap(),
        text: "an activity message of some forty characters".try_into().unwrap(),
        segment: admin::Segment::All {},
        starts_at: None,
        ends_at: None,
        hours: None,
        per_second: Some(CAMPAIGN_PER_SECOND),
    };
    let campaign = root.chat.call(&create).await.unwrap().campaign;
    let found = async || root.chat.call(&admin::GetCampaign { campaign }).await.unwrap();
    let sent = async || found().await.reach.map_or(0, |reach| reach.sent);

    let (without, people) = steady(people, 1_000).await;
    root.chat.call(&admin::StartCampaign { campaign }).await.unwrap();
    let started = Instant::now();
    while sent().await == 0 {
        sleep(Duration::from_millis(20)).await;
    }
    let before = sent().await;
    let (under, _people) = steady(people, 1_000).await;
    let meanwhile = sent().await - before;
    assert!(found().await.state == CampaignState::Running, "the campaign was over before the measurement");
    while found().await.state == CampaignState::Running {
        sleep(Duration::from_millis(200)).await;
    }
    let took = started.elapsed();
    assert_eq!(sent().await, found().await.recipients.unwrap(), "everyone has it");

    let at = |delays: &Histogram<u64>, quantile| Duration::from_micros(delays.value_at_quantile(quantile));
    let figure = |delays| format!("p50 {:.1?}, p99 {:.1?}", at(delays, 0.5), at(delays, 0.99));
    row("send to receive between people, 1,000 messages per second, without a campaign", figure(&without));
    let times = at(&under, 0.99).as_secs_f64() / at(&without, 0.99).as_secs_f64();
    let under = format!("{} ({times:.1} × the p99 without)", figure(&under));
    row("- the same while a campaign sends to 100,000 recipients, 1,000 per second", under);
    row("- of whom it reached meanwhile, in 11 s", meanwhile);
    row("- until all of them had it", format!("{:.0} s", took.as_secs_f64()));
}

/// A message to a group of 1,000, all of them online on two edges.
async fn measure_crowd(backend: Backend) {
    let mut platform = Platform::distributed_with(backend, crowd::SETTINGS).await;
    platform.start("edge2").await;
    let edges = [platform.tcp().await, platform.tcp_of("edge2").await];
    let mut crowd = Crowd::gather(&platform, &edges, CROWD).await;
    let (mut acked, mut last) = (Histogram::<u64>::new(3).unwrap(), Histogram::<u64>::new(3).unwrap());
    crowd.send(&platform).await;
    for number in 0..CROWD_MESSAGES {
        let reach = crowd.send(&platform).await;
        acked.record(u64::try_from(reach.acked.as_micros()).unwrap()).unwrap();
        last.record(u64::try_from(reach.last.as_micros()).unwrap()).unwrap();
        if number == 0 {
            let rows: Vec<_> =
                reach.rows.iter().map(|(table, rows)| format!("{rows} in `{table}`")).collect();
            row("a message to a group of 1,000 on two edges: rows that it adds", rows.join(", "));
            let publishes: usize = reach.publishes.values().sum();
            row("- publishes, as a subscriber to everything that is delivered counts them", publishes);
            row("- deliveries to connections", reach.deliveries);
        }
    }
    let figure = |times: &Histogram<u64>| {
        let at = |quantile| Duration::from_micros(times.value_at_quantile(quantile));
        format!("p50 {:.1?}, max {:.1?}", at(0.5), at(1.0))
    };
    row("- until it is acked, of 50 messages", figure(&acked));
    row("- until the last of 1,000 connections has it", figure(&last));
}

fn row(what: &str, figure: impl std::fmt::Display) {
    println!("| {what} | {figure} |");
}

async fn measure(backend: Backend) {
    let settings = ["edge.max_connections_per_user=100", "user.sessions_per_user=1000"];
    let platform = Platform::distributed_with(backend, &settings).await;
    let address = platform.tcp().await;

    let raw = Raw::start(&platform).await;
    let raw_p50 = latency(|| raw.request()).await;
    row("raw NATS request-reply, one at a time, p50", format!("{} µs", raw_p50.as_micros()));
    let raw_rate = rate(IN_FLIGHT, |_| raw.request()).await;
    row("raw NATS request-reply, 64 in flight", format!("{raw_rate:.0}/s"));
    drop(raw);

    let people = friends(&address).await;
    let own = user::GetProfile { user: None };
    let call_p50 = latency(async || drop(people[0].client.call(&own).await.unwrap())).await;
    let ratio = call_p50.as_secs_f64() / raw_p50.as_secs_f64();
    let figure = format!("{} µs ({ratio:.1} × raw)", call_p50.as_micros());
    row("call through edge and module (`user.profile`, a row read), one at a time, p50", figure);
    let before = platform.usage();
    let call_rate = rate(IN_FLIGHT, async |n| drop(people[n].client.call(&own).await.unwrap())).await;
    row("the same, 64 in flight", format!("{call_rate:.0}/s ({:.2} × raw)", call_rate / raw_rate));
    row("- CPU per call, by part", per_item(&before, &platform.usage(), call_rate));

    let before = platform.usage();
    let message_rate = rate(IN_FLIGHT * 4, async |n| {
        let person = &people[n % people.len()];
        person.client.call(&person.draft("a message of some forty characters or so")).await.unwrap();
    })
    .await;
    let after = platform.usage();
    row("durable one-to-one messages, 256 in flight, each delivered to both", format!("{message_rate:.0}/s"));
    let cpu: f64 = after.iter().map(|(part, usage)| usage.cpu - before[part].cpu).sum();
    row(
        "  messages per CPU-second of the platform, the bus included",
        format!("{:.0}", message_rate * seconds() / cpu),
    );
    row("- CPU per message, by part", per_item(&before, &after, message_rate));

    let (delays, _people) = steady(people, 1_000).await;
    let at = |quantile| Duration::from_micros(delays.value_at_quantile(quantile));
    let figure = format!("p50 {:.1?}, p99 {:.1?}, max {:.1?}", at(0.5), at(0.99), at(1.0));
    row("send to receive, 1,000 messages per second, of the time it was due", figure);

    sleep(Duration::from_secs(2)).await;
    let before = platform.usage()["edge"].resident;
    let idle = idle(&address).await;
    sleep(Duration::from_secs(2)).await;
    let after = platform.usage()["edge"].resident;
    let figure = format!("{} bytes", after.saturating_sub(before) / idle.len() as u64);
    row("edge's resident memory per idle TCP connection, at 5,000 of as many signed-in users", figure);
}

#[allow(clippy::cast_precision_loss, reason = "a small constant")]
fn seconds() -> f64 {
    SECONDS as f64
}

/// Microseconds of CPU per item, by part.
fn per_item(before: &BTreeMap<&str, Usage>, after: &BTreeMap<&str, Usage>, per_second: f64) -> String {
    let parts = after.iter().map(|(part, usage)| {
        let spent = (usage.cpu - before[part].cpu) / (per_second * seconds());
        format!("{part} {:.0} µs", spent * 1e6)
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// The median time of one after the other.
async fn latency(mut work: impl AsyncFnMut()) -> Duration {
    let mut times = Histogram::<u64>::new(3).unwrap();
    for _ in 0..500 {
        work().await;
    }
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        let started = Instant::now();
        work().await;
        times.record(u64::try_from(started.elapsed().as_nanos()).unwrap()).unwrap();
    }
    Duration::from_nanos(times.value_at_quantile(0.5))
}

/// How many per second, with so many at once.
async fn rate(at_once: usize, work: impl AsyncFn(usize)) -> f64 {
    let done = AtomicU64::new(0);
    let end = Instant::now() + Duration::from_secs(SECONDS);
    let one = async |n| {
        while Instant::now() < end {
            work(n).await;
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    futures_util::future::join_all((0..at_once).map(one)).await;
    #[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
    let done = done.into_inner() as f64;
    done / seconds()
}

/// Request-reply without Natter: two plain connections, on a subject that no part listens to.
struct Raw {
    requester: async_nats::Client,
    subject: String,
    _responder: JoinSet<()>,
}

impl Raw {
    async fn start(platform: &Platform) -> Self {
        let requester = platform.on_bus(Holder::Operator).await;
        let client = platform.on_bus(Holder::Service("user")).await;
        let subject = "natter.client.user.v1.raw".to_owned();
        let mut requests = client.queue_subscribe(subject.clone(), "user".into()).await.unwrap();
        let mut responder = JoinSet::new();
        responder.spawn(async move {
            while let Some(request) = requests.next().await {
                client.publish(request.reply.unwrap(), request.payload).await.unwrap();
            }
        });
        sleep(Duration::from_millis(200)).await;
        Self { requester, subject, _responder: responder }
    }

    async fn request(&self) {
        self.requester.request(self.subject.clone(), vec![b'x'; 64].into()).await.unwrap();
    }
}

struct Talker {
    client: Client,
    events: Option<Events>,
    peer: UserId,
}

impl Talker {
    fn draft(&self, text: &str) -> message::Send {
        draft(Recipient::User(self.peer), text)
    }
}

/// Pairs of friends, each with a plain connection.
async fn friends(address: &Address) -> Vec<Talker> {
    let mut talkers = Vec::new();
    for pair in 0..PAIRS {
        let mut a = Person::register(address, &format!("left{pair}")).await;
        let mut b = Person::register(address, &format!("right{pair}")).await;
        befriend(&mut a, &mut b).await;
        for (person, peer) in [(&a, &b), (&b, &a)] {
            let (client, events) = Client::connect(address).await.unwrap();
            client.call(&Person::login(&person.name)).await.unwrap();
            talkers.push(Talker { client, events: Some(events), peer: peer.user });
        }
    }
    talkers
}

/// Sends so many per second and returns how long after it was due each one was received, in microseconds.
async fn steady(mut people: Vec<Talker>, per_second: u32) -> (Histogram<u64>, Vec<Talker>) {
    let start = Instant::now();
    let stop = Arc::new(AtomicBool::new(false));
    let mut receivers = JoinSet::new();
    for (n, person) in people.iter_mut().enumerate() {
        let (mut events, stop) = (person.events.take().unwrap(), stop.clone());
        let own = format!("{n} ");
        receivers.spawn(async move {
            let mut delays = Histogram::<u64>::new(3).unwrap();
            while !stop.load(Ordering::Relaxed) {
                let Ok(event) = tokio::time::timeout(Duration::from_millis(100), events.next()).await else {
                    continue;
                };
                let Some(Event::Message(entry)) = event else { continue };
                // Only what the other one sent in this part of the run.
                if let Some((due, false)) = entry
                    .text
                    .split_once(" due ")
                    .and_then(|(_, due)| due.parse::<u64>().ok())
                    .map(|due| (due, entry.text.starts_with(&own)))
                {
                    let now = u64::try_from(start.elapsed().as_micros()).unwrap();
                    delays.record(now.saturating_sub(due)).unwrap();
                }
            }
            (n, events, delays)
        });
    }
    let people = Arc::new(people);
    let mut sends = JoinSet::new();
    for number in 0..per_second * u32::try_from(SECONDS).unwrap() {
        let due = Duration::from_secs(1) * number / per_second;
        tokio::time::sleep_until(start + due).await;
        let people = people.clone();
        sends.spawn(async move {
            let n = number as usize % people.len();
            let text = format!("{n} due {}", due.as_micros());
            let draft = people[n].draft(&text);
            // What is refused for now is sent again, as clients do; it is late then, and counts so.
            while let Err(error) = people[n].client.call(&draft).await {
                assert_eq!(error.outcome(), Outcome::NotExecuted, "{error}");
                sleep(Duration::from_millis(20)).await;
            }
        });
    }
    sends.join_all().await;
    sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    let mut all = Histogram::<u64>::new(3).unwrap();
    let mut people = Arc::into_inner(people).expect("every send is over");
    for (n, events, delays) in receivers.join_all().await {
        all.add(delays).unwrap();
        people[n].events = Some(events);
    }
    assert_eq!(all.len(), u64::from(per_second) * SECONDS, "every message is received once");
    (all, people)
}

/// Connections, each of a user of its own, that are signed in and say nothing.
async fn idle(address: &Address) -> Vec<(Client, Events)> {
    let mut idle = Vec::new();
    for n in 0..IDLE {
        let login = Person::login(&format!("idle{n}"));
        let register =
            user::Register { name: login.name.clone(), password: login.password.clone(), display_name: None };
        let (client, events) = Client::connect(address).await.unwrap();
        client.call(&register).await.unwrap();
        client.call(&login).await.unwrap();
        idle.push((client, events));
    }
    idle
}

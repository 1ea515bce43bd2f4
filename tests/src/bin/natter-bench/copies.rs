//! Messages per second with one copy of the message module and with two, on both databases, and what each process spends on
//! them: where the time goes.

use std::collections::BTreeMap;

use broker_schemas::permission::Holder;
use natter_tests::{Backend, Platform, Usage};
use serde_json::Value;
use sqlx::{AnyConnection, Connection, Row};
use tokio::time::{Duration, Instant, sleep, timeout_at};

use super::{IN_FLIGHT, SECONDS, Talker, friends, rate, seconds};
use futures_util::StreamExt;

/// One after the other with one copy and with two, so often: the machine isn't the same all the time.
const ROUNDS: usize = 3;
const SECOND: &str = "message2";

/// What was measured with so many copies.
#[derive(Default)]
struct Measured {
    /// Messages per second, of each round.
    rates: Vec<f64>,
    /// CPU seconds by part, of all rounds.
    cpu: BTreeMap<String, f64>,
    /// How many sends each copy answered, of all rounds, the busier one first.
    answered: Vec<u64>,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.rates.iter().sum::<f64>() / count(self.rates.len())
    }

    fn cpu_of_all(&self) -> f64 {
        self.cpu.values().sum()
    }
}

#[allow(clippy::cast_precision_loss, reason = "a few")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Prints the table.
pub(super) async fn measure(backends: &[(&str, Backend)]) {
    let mut columns = Vec::new();
    for (name, backend) in backends {
        let [one, two] = measure_on(backend).await;
        columns.push((format!("{name}, 1 copy"), one));
        columns.push((format!("{name}, 2 copies"), two));
    }
    let line = |what: &str, figure: &dyn Fn(usize, &Measured) -> String| {
        let cells = columns.iter().enumerate().map(|(place, (_, measured))| figure(place, measured));
        println!("| {what} | {} |", cells.collect::<Vec<_>>().join(" | "));
    };
    let names: Vec<_> = columns.iter().map(|(name, _)| name.as_str()).collect();
    println!(
        "\n### One copy of the message module, and two\n\n| | {} |\n|---|{}",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    line("durable one-to-one messages per second, 256 in flight", &|_, measured| {
        let rounds: Vec<_> = measured.rates.iter().map(|rate| format!("{rate:.0}")).collect();
        format!("{:.0} ({})", measured.rate(), rounds.join(", "))
    });
    line("- of one copy on the same database", &|place, measured| {
        format!("{:.2} ×", measured.rate() / columns[place - place % 2].1.rate())
    });
    line("- of as many copies on SQLite", &|place, measured| {
        format!("{:.2} ×", measured.rate() / columns[place % 2].1.rate())
    });
    line("sends by copy", &|_, measured| {
        let all: u64 = measured.answered.iter().sum();
        let share = |calls: &u64| format!("{} %", (calls * 100 + all / 2) / all.max(1));
        measured.answered.iter().map(share).collect::<Vec<_>>().join(", ")
    });
    let parts: std::collections::BTreeSet<_> =
        columns.iter().flat_map(|(_, measured)| measured.cpu.keys()).collect();
    for part in parts {
        line(&format!("CPU seconds, {part}"), &|_, measured| {
            measured.cpu.get(part).map_or_else(|| "-".into(), |cpu| format!("{cpu:.1}"))
        });
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let there_are = count(cores * ROUNDS) * seconds();
    line(
        &format!("all of it, of the {there_are:.0} that {cores} cores have in {ROUNDS} × {SECONDS} s"),
        &|_, measured| {
            let cpu = measured.cpu_of_all();
            format!("{cpu:.1} ({:.0} %)", 100.0 * cpu / there_are)
        },
    );
    line("- where it goes", &|_, measured| {
        let mut parts: Vec<_> = measured.cpu.iter().collect();
        parts.sort_by(|a, b| b.1.total_cmp(a.1));
        let part =
            |(part, cpu): &(&String, &f64)| format!("{part} {:.0} %", 100.0 * **cpu / measured.cpu_of_all());
        parts.iter().take(4).map(part).collect::<Vec<_>>().join(", ")
    });
    line("CPU per message, all of it", &|_, measured| {
        let messages = measured.rates.iter().sum::<f64>() * seconds();
        format!("{:.0} µs", 1e6 * measured.cpu_of_all() / messages)
    });
}

/// With one copy, and with two.
async fn measure_on(backend: &Backend) -> [Measured; 2] {
    let settings = ["edge.max_connections_per_user=100", "user.sessions_per_user=1000"];
    let mut platform = Platform::distributed_with(backend.clone(), &settings).await;
    let people = friends(&platform.tcp().await).await;
    let server = match backend {
        Backend::Postgres(url) => server_of(url).await,
        Backend::Sqlite | Backend::OfTopology => None,
    };
    let mut measured = [Measured::default(), Measured::default()];
    for _ in 0..ROUNDS {
        once(&platform, &people, server, &mut measured[0]).await;
        platform.start(SECOND).await;
        once(&platform, &people, server, &mut measured[1]).await;
        platform.stop(SECOND).await;
    }
    measured
}

async fn once(platform: &Platform, people: &[Talker], server: Option<u32>, measured: &mut Measured) {
    let (cpu, answered) = (cpu(platform, server), answered(platform).await);
    let rate = rate(IN_FLIGHT * 4, async |n| {
        let person = &people[n % people.len()];
        person.client.call(&person.draft("a message of some forty characters or so")).await.unwrap();
    })
    .await;
    measured.rates.push(rate);
    for (part, now) in self::cpu(platform, server) {
        let before = cpu.get(&part).copied().unwrap_or_default();
        *measured.cpu.entry(part).or_default() += now - before;
    }
    let mut sends: Vec<u64> = self::answered(platform)
        .await
        .iter()
        .map(|(copy, now)| now - answered.get(copy).copied().unwrap_or_default())
        .collect();
    sends.sort_unstable_by(|a, b| b.cmp(a));
    measured.answered.resize(sends.len(), 0);
    for (all, sends) in measured.answered.iter_mut().zip(sends) {
        *all += sends;
    }
}

/// CPU seconds so far, by part: copies of one together, and everything else that has a share of the machine.
fn cpu(platform: &Platform, server: Option<u32>) -> BTreeMap<String, f64> {
    let mut cpu = BTreeMap::new();
    for (part, usage) in platform.usage() {
        *cpu.entry(part.trim_end_matches(char::is_numeric).to_owned()).or_default() += usage.cpu;
    }
    let of = |pid| Usage::of(pid).map_or(0.0, |usage| usage.cpu);
    if let Some(server) = server {
        cpu.insert("PostgreSQL".into(), of(server) + children(server).into_iter().map(of).sum::<f64>());
    }
    cpu.insert("the load itself".into(), of(std::process::id()));
    cpu
}

/// How many sends each copy of the message module has answered, as it says by the NATS service API.
async fn answered(platform: &Platform) -> BTreeMap<String, u64> {
    let operator = platform.on_bus(Holder::Operator).await;
    let inbox = operator.new_inbox();
    let mut answers = operator.subscribe(inbox.clone()).await.unwrap();
    operator.publish_with_reply("$SRV.STATS.message", inbox, "".into()).await.unwrap();
    let deadline = Instant::now() + Duration::from_millis(500);
    let mut answered = BTreeMap::new();
    while let Ok(Some(answer)) = timeout_at(deadline, answers.next()).await {
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        let endpoints = answer["endpoints"].as_array().unwrap();
        let send = endpoints.iter().find(|endpoint| endpoint["name"] == "send").unwrap();
        answered.insert(answer["id"].as_str().unwrap().to_owned(), send["num_requests"].as_u64().unwrap());
    }
    assert!(!answered.is_empty(), "no copy answers");
    sleep(Duration::from_millis(100)).await;
    answered
}

/// The PostgreSQL server at this URL, if it runs on this machine.
async fn server_of(url: &str) -> Option<u32> {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.unwrap();
    let row = sqlx::query("SELECT pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
    parent(row.get::<i32, _>(0).try_into().unwrap())
}

/// The process that started this one.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The processes that this one started, and that still run: PostgreSQL has one per connection, and a few of its own.
fn children(pid: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|child| parent(*child) == Some(pid)).collect()
}

//! Who may do what of administration: every method, tried by everybody, through every door. What is expected comes from the methods'
//! declarations. Only what a role allows is done, and each refusal that reached the platform is in the audit log.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use broker_schemas::admin::{self, Admin, BroadcastEvent};
use broker_schemas::delivery::Attachment;
use broker_schemas::group::Admission;
use broker_schemas::message::Recipient;
use broker_schemas::permission::Holder;
use broker_schemas::{
    Code, ContentType, Conversation, Exposure, GroupId, MethodSpec, Role, Seq, Timestamp, UserId, header,
    subject,
};
use natter_host::Verifier;
use natter_tests::device::{Connection, Device};
use natter_tests::records::Records;
use natter_tests::shell::grant_at_console;
use natter_tests::{ADMIN_EDGE, Backend, Person, Platform, on_both_databases};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

/// How long an answer on the bus may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// At whom and what requests aim: such that only rights stand in their way.
#[derive(Debug, Clone, Copy)]
struct Target {
    victim: UserId,
    group: GroupId,
    seq: Seq,
    announcement: u64,
    draft: u64,
    other_draft: u64,
    running: u64,
    paused: u64,
    report: u64,
    rule: u64,
}

type Body = fn(&Target) -> Value;

/// A request for every method.
const REQUESTS: &[(&str, Body)] = &[
    ("grant", |t| json!({"user": t.victim, "role": "auditor"})),
    ("revoke", |t| json!({"user": t.victim, "role": "auditor"})),
    ("staff", |_| json!({})),
    ("broadcast", |_| json!({"text": "hear, hear"})),
    ("announce", |_| json!({"text": "hear, hear", "until": in_an_hour()})),
    ("change_announcement", |t| json!({"announcement": t.announcement, "text": "otherwise"})),
    ("announcements", |_| json!({})),
    ("withdraw", |t| json!({"announcement": t.announcement})),
    ("campaign_create", |_| json!({"title": "one more", "text": "hello", "segment": {"all": {}}})),
    ("campaign_dry_run", |t| json!({"campaign": t.draft})),
    ("campaign_start", |t| json!({"campaign": t.draft})),
    ("campaign_pause", |t| json!({"campaign": t.running})),
    ("campaign_resume", |t| json!({"campaign": t.paused})),
    ("campaign_cancel", |t| json!({"campaign": t.other_draft})),
    ("campaign", |t| json!({"campaign": t.draft})),
    ("campaigns", |_| json!({})),
    ("ban", |t| json!({"user": t.victim, "reason": "because"})),
    ("unban", |t| json!({"user": t.victim})),
    ("mute", |t| json!({"user": t.victim, "until": in_an_hour()})),
    ("sign_out", |t| json!({"user": t.victim})),
    ("remove_message", |t| json!({"conversation": Conversation::group(t.group), "seq": t.seq})),
    ("dissolve_group", |t| json!({"group": t.group})),
    ("reports", |_| json!({})),
    ("settle_report", |t| json!({"report": t.report, "note": "done"})),
    ("rules", |_| json!({})),
    (
        "set_rule",
        |_| json!({"rule": {"applies": "texts", "pattern": "never said", "then": "refuse", "words": "no"}}),
    ),
    ("remove_rule", |t| json!({"id": t.rule})),
    ("stats", |_| json!({})),
    ("audit", |_| json!({})),
];

fn in_an_hour() -> Timestamp {
    Timestamp::now().after(Duration::from_secs(3_600))
}

/// Who tries: somebody with a role or none, or nobody.
type Caller = Option<Option<Role>>;

const CALLERS: [Caller; 5] =
    [Some(Some(Role::Operator)), Some(Some(Role::Moderator)), Some(Some(Role::Auditor)), Some(None), None];

fn name_of(caller: Caller) -> &'static str {
    caller.map_or("nobody", |role| role.map_or("user", Role::name))
}

/// What rights say about a call that came in by a door for administration.
fn refusal(method: &MethodSpec, caller: Caller) -> Option<Code> {
    match caller {
        None => Some(Code::Unauthenticated),
        Some(role) if role.is_some_and(|role| method.access.roles().contains(&role)) => None,
        Some(_) => Some(Code::Forbidden),
    }
}

/// The methods, with what to ask.
fn requests() -> Vec<(&'static MethodSpec, Body)> {
    let methods: Vec<_> =
        Admin::SPEC.methods.iter().filter(|method| method.exposures.contains(&Exposure::Admin)).collect();
    assert_eq!(methods.len(), REQUESTS.len(), "a request for every method");
    let of = |(name, body): &(&str, Body)| {
        let method = methods.iter().find(|method| method.name == *name);
        (*method.unwrap_or_else(|| panic!("there is no {name}")), *body)
    };
    REQUESTS.iter().map(of).collect()
}

/// Somebody signed in at an edge, and the passport with which a part would be asked for them.
struct Somebody {
    user: UserId,
    passport: String,
}

struct Scene {
    platform: Platform,
    /// Where people connect, and where staff does.
    plain: String,
    door: String,
    victim: Device,
    target: Target,
    /// How often each user, by id, was refused, and nobody (0).
    refused: BTreeMap<u64, u64>,
    count: u32,
}

impl Scene {
    async fn begin(backend: Backend) -> Self {
        let mut platform = Platform::distributed_with(backend, &["edge.max_connections=2000"]).await;
        let plain = platform.address("tcp").await;
        platform.start_admin_edge().await;
        let door = platform.address_of(ADMIN_EDGE, "tcp").await;
        let root = Device::register(&door, "root").await;
        grant_at_console(&platform, "root", Role::Operator).await;
        let root = sign_in_again(root, &door, "root").await;
        let victim = Device::register(&plain, "victim").await;
        let witness = Device::register(&plain, "witness").await;
        victim.befriend(&witness).await;
        let group = victim.create("team", &[&witness], Admission::Invitation).await;
        let seq = victim.send(Recipient::Group(group), "what I said").await.unwrap().seq;
        let report = broker_schemas::user::Report { user: victim.user, reason: "a test".try_into().unwrap() };
        witness.call(&report).await.unwrap();
        let announce = admin::Announce { text: "as it was".try_into().unwrap(), until: in_an_hour() };
        let announcement = root.call(&announce).await.unwrap().announcement;
        let mut campaigns = Vec::new();
        for _ in 0..4 {
            // None of them sends anything while this test runs.
            let create = admin::CreateCampaign {
                title: "a test".try_into().unwrap(),
                text: "a campaign".try_into().unwrap(),
                segment: admin::Segment::All {},
                starts_at: Some(in_an_hour()),
                ends_at: None,
                hours: None,
                per_second: None,
            };
            campaigns.push(root.call(&create).await.unwrap().campaign);
        }
        let [draft, other_draft, running, paused] = campaigns[..] else { panic!("four") };
        for campaign in [running, paused] {
            root.call(&admin::StartCampaign { campaign }).await.unwrap();
        }
        root.call(&admin::PauseCampaign { campaign: paused }).await.unwrap();
        let rule = admin::Rule {
            applies: admin::Applies::Names,
            pattern: "^nobody-is-called-so".try_into().unwrap(),
            then: admin::Then::Refuse,
            words: "no".try_into().unwrap(),
        };
        let rule = root.call(&admin::SetRule { id: None, rule }).await.unwrap().id;
        let report =
            root.call(&admin::ListReports { settled: None, after: None, limit: None }).await.unwrap();
        let target = Target {
            victim: victim.user,
            group,
            seq,
            announcement,
            draft,
            other_draft,
            running,
            paused,
            report: report.reports[0].report,
            rule,
        };
        victim.forget();
        Self { platform, plain, door, victim, target, refused: BTreeMap::new(), count: 0 }
    }

    /// A new account with that role, on a connection to `place`.
    async fn somebody(&mut self, place: &str, role: Option<Role>) -> Device {
        self.count += 1;
        let name = format!("{}{}", role.map_or("user", Role::name), self.count);
        let device = Device::register(place, &name).await;
        match role {
            None => device,
            Some(role) => {
                grant_at_console(&self.platform, &name, role).await;
                sign_in_again(device, place, &name).await
            }
        }
    }

    /// The same for who comes by the bus: an edge gets it, with a sign-in's reply.
    async fn on_bus(&mut self, bus: &async_nats::Client, role: Option<Role>) -> Somebody {
        self.count += 1;
        let name = format!("bus-{}{}", role.map_or("user", Role::name), self.count);
        drop(Device::register(&self.plain.clone(), &name).await);
        if let Some(role) = role {
            grant_at_console(&self.platform, &name, role).await;
        }
        let login = serde_json::to_vec(&Person::login(&name)).unwrap();
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json");
        let asked = bus.request_with_headers("natter.client.user.v1.login", headers, login.into());
        let reply = timeout(PATIENCE, asked).await.unwrap().unwrap();
        let attach =
            reply.headers.as_ref().and_then(|headers| headers.get(header::ATTACH)).expect("signed in");
        let attachment: Attachment =
            ContentType::Postcard.decode(&URL_SAFE_NO_PAD.decode(attach.as_str()).unwrap()).unwrap();
        let passport = Verifier::header(&attachment.passport).to_string();
        Somebody { user: attachment.identity.user, passport }
    }

    fn count_refusal(&mut self, caller: Option<UserId>) {
        *self.refused.entry(caller.map_or(0, UserId::get)).or_default() += 1;
    }

    /// Everything that the methods change, counted.
    async fn state(&self) -> Vec<i64> {
        let mut state = Vec::new();
        let numbers = [
            (
                "admin",
                "SELECT (SELECT count(*) FROM announcement), (SELECT count(*) FROM announcement WHERE withdrawn_at IS NULL), \
                 (SELECT max(revision) FROM announcement), (SELECT count(*) FROM campaign), \
                 (SELECT count(*) FROM campaign WHERE state = 'draft'), (SELECT count(*) FROM campaign WHERE state = 'running'), \
                 (SELECT count(*) FROM report WHERE settled_at IS NULL), (SELECT count(*) FROM rule)",
            ),
            (
                "message",
                "SELECT (SELECT count(*) FROM message WHERE recalled_by IS NOT NULL), \
                 (SELECT count(*) FROM conversation WHERE open = 1)",
            ),
        ];
        for (module, sql) in numbers {
            state.extend(Records::of(&self.platform, module).await.numbers(sql).await);
        }
        let victim = self.target.victim;
        let sql = format!(
            "SELECT (SELECT count(*) FROM staff WHERE account = {victim}), \
             (SELECT count(*) FROM account WHERE ban_reason IS NOT NULL), \
             (SELECT count(*) FROM session WHERE account = {victim})"
        );
        state.extend(Records::of(&self.platform, "user").await.numbers(&sql).await);
        state
    }

    /// Tries every method at an edge. What is refused, is refused with the right code.
    async fn try_at_edge(&mut self, place: &str, caller: Caller, carries: bool) {
        let device = match caller {
            Some(role) => Some(self.somebody(place, role).await),
            None => None,
        };
        let anonymous = Connection::open(place).await;
        let connection = device.as_deref().unwrap_or(&anonymous);
        for (method, body) in requests() {
            let expected = match refusal(method, caller) {
                None if carries => continue,
                refusal => refusal.unwrap_or(Code::Forbidden),
            };
            let call = format!("admin.{}", method.name);
            let answer = connection.call_json(&call, body(&self.target)).await;
            let case = format!("{call} by {} at {place}, carried: {carries}", name_of(caller));
            let found = answer.expect_err(&case);
            // At the wrong door it is forbidden for everybody, signed in or not.
            let fits = found.code == expected || (!carries && found.code == Code::Forbidden);
            assert!(fits, "{case}: {found:?}");
            self.count_refusal(device.as_ref().map(|device| device.user));
        }
    }

    /// Tries every method on the bus with a credential that the bus lets through.
    async fn try_on_bus(&mut self, holder: Holder, exposure: Exposure, caller: Caller) {
        let bus = self.platform.on_bus(holder).await;
        let somebody = match caller {
            Some(role) => {
                let operator = self.platform.on_bus(Holder::Operator).await;
                Some(self.on_bus(&operator, role).await)
            }
            None => None,
        };
        for (method, body) in requests() {
            let expected = match refusal(method, caller) {
                None if exposure == Exposure::Admin => continue,
                refusal => refusal.unwrap_or(Code::Forbidden),
            };
            let case = format!("{} by {} as {holder:?} on {exposure:?}", method.name, name_of(caller));
            let passport = somebody.as_ref().map(|somebody| somebody.passport.as_str());
            let subject = subject::method(exposure, method);
            let body = body(&self.target);
            let asked = ask(&bus, subject.as_str(), passport, &body);
            let answer = timeout(PATIENCE, asked).await.expect(&case);
            let found = answer.unwrap_or_else(|| panic!("{case}: nobody answers")).expect_err(&case);
            let fits = found == expected || (exposure == Exposure::Client && found == Code::Forbidden);
            assert!(fits, "{case}: {found:?}");
            self.count_refusal(somebody.as_ref().map(|somebody| somebody.user));
        }
    }

    /// The audit log's refusals: how many of each user, and of nobody; those in one entry, too.
    async fn refusals_in_log(&self) -> BTreeMap<u64, u64> {
        let sql = "SELECT CAST(audit.by_user AS TEXT), audit.request FROM audit JOIN audit_outcome ON entry = audit.id \
                   WHERE code IN ('forbidden', 'unauthenticated')";
        let mut counted = BTreeMap::new();
        for row in Records::of(&self.platform, "admin").await.texts(sql).await {
            let summed =
                serde_json::from_str::<Value>(&row[1]).ok().and_then(|request| request["refused"].as_u64());
            *counted.entry(row[0].parse().unwrap_or(0)).or_default() += summed.unwrap_or(1);
        }
        counted
    }
}

/// A role counts from the next sign-in.
async fn sign_in_again(before: Device, place: &str, name: &str) -> Device {
    drop(before);
    Device::sign_in(place, name).await
}

/// Asks on the bus, as an edge would. The refusal's code, if there is one; nothing, when nobody answers.
async fn ask(
    bus: &async_nats::Client,
    subject: &str,
    passport: Option<&str>,
    body: &Value,
) -> Option<Result<(), Code>> {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, "application/json");
    if let Some(passport) = passport {
        headers.insert(header::PASSPORT, passport);
    }
    let reply = bus.request_with_headers(subject.to_owned(), headers, body.to_string().into()).await.ok()?;
    let code = reply.headers.as_ref().and_then(|headers| headers.get("Nats-Service-Error-Code"));
    let refused = code.map(|number| {
        let number: u16 = number.as_str().parse().unwrap();
        Code::ALL.into_iter().find(|code| code.number() == number).unwrap()
    });
    Some(refused.map_or(Ok(()), Err))
}

/// The credentials with which a call can be made on administrative subjects, and on those of clients.
const THROUGH: [(Holder, &[Exposure]); 4] = [
    (Holder::Edge, &[Exposure::Client]),
    (Holder::AdminEdge, &[Exposure::Client, Exposure::Admin]),
    (Holder::Operator, &[Exposure::Client, Exposure::Admin]),
    (Holder::Service("admin"), &[Exposure::Client, Exposure::Admin]),
];

on_both_databases! {
    async fn everybody_tries_everything_at_every_door_and_only_what_a_role_allows_is_done(backend: Backend) {
        let mut scene = Scene::begin(backend).await;
        let before = scene.state().await;
        let (plain, door) = (scene.plain.clone(), scene.door.clone());
        for caller in CALLERS {
            scene.try_at_edge(&door, caller, true).await;
            scene.try_at_edge(&plain, caller, false).await;
        }
        for (holder, exposures) in THROUGH {
            for exposure in exposures {
                for caller in CALLERS {
                    scene.try_on_bus(holder, *exposure, caller).await;
                }
            }
        }
        scene.everyone_else_is_stopped_by_the_bus().await;
        assert_eq!(scene.state().await, before, "nothing was done");
        assert!(scene.victim.waiting().iter().all(|pushed| pushed.read::<BroadcastEvent>().is_none()));
        scene.victim.send(Recipient::Group(scene.target.group), "not muted").await.unwrap();

        // The log has each refusal, of a flood its count. What is still being counted is written when the module stops.
        scene.platform.stop("admin").await;
        assert_eq!(scene.refusals_in_log().await, scene.refused);
        scene.platform.start("admin").await;

        scene.whoever_may_can().await;
    }
}

impl Scene {
    /// With every other credential, even an operator's passport gets nowhere, nor does the appointment of an operator.
    async fn everyone_else_is_stopped_by_the_bus(&mut self) {
        let operator = self.platform.on_bus(Holder::Operator).await;
        let root = self.on_bus(&operator, Some(Role::Operator)).await;
        let eve = Device::register(&self.plain, "eve").await;
        let appoint = json!({"name": "eve", "role": "operator", "from": "nowhere"});
        for holder in Holder::all() {
            let may = |exposure| {
                THROUGH.iter().any(|(other, through)| *other == holder && through.contains(&exposure))
            };
            let bus = self.platform.on_bus(holder).await;
            let mut subjects = Vec::new();
            for (method, body) in requests() {
                for exposure in [Exposure::Client, Exposure::Admin] {
                    if !may(exposure) {
                        subjects.push((subject::method(exposure, method).into_inner(), body(&self.target)));
                    }
                }
            }
            if !matches!(holder, Holder::Operator | Holder::Service("admin")) {
                let internal = Admin::SPEC.methods.iter().find(|method| method.name == "appoint").unwrap();
                subjects.push((subject::method(Exposure::Internal, internal).into_inner(), appoint.clone()));
            }
            let asked = subjects.iter().map(async |(subject, body)| {
                let answer =
                    timeout(Duration::from_secs(1), ask(&bus, subject, Some(&root.passport), body)).await;
                assert!(!matches!(answer, Ok(Some(_))), "{subject} as {holder:?} is answered: {answer:?}");
            });
            futures_util::future::join_all(asked).await;
        }
        // What the bus refused it logged, and nobody else.
        let log = std::fs::read_to_string(self.platform.bus_directory().join("nats-server.log")).unwrap();
        assert!(log.contains("Publish Violation"), "the bus logs whom it refuses");
        let sql = format!("SELECT count(*) FROM staff WHERE account = {}", eve.user);
        assert_eq!(Records::of(&self.platform, "user").await.numbers(&sql).await, [0]);
        let sql = format!("SELECT count(*) FROM audit WHERE by_user = {}", root.user);
        assert_eq!(Records::of(&self.platform, "admin").await.numbers(&sql).await, [0]);
    }

    /// What a role allows is done: by an operator first, each method once, then by everybody else who may.
    async fn whoever_may_can(&mut self) {
        let door = self.door.clone();
        // The module has just started.
        sleep(Duration::from_millis(500)).await;
        for role in Role::ALL {
            let device = self.somebody(&door, Some(role)).await;
            for (method, body) in requests() {
                if refusal(method, Some(Some(role))).is_some() {
                    continue;
                }
                let answer = device.call_json(&format!("admin.{}", method.name), body(&self.target)).await;
                match answer {
                    Ok(_) => {}
                    // What the operator settled and ended before.
                    Err(refused) if role != Role::Operator => {
                        let done_already = matches!(refused.code, Code::Conflict | Code::NotFound);
                        assert!(done_already, "{} by {}: {refused:?}", method.name, role.name());
                    }
                    Err(refused) => panic!("{} by {}: {refused:?}", method.name, role.name()),
                }
            }
        }
        let sql = "SELECT count(DISTINCT method) FROM audit JOIN audit_outcome ON entry = audit.id WHERE code = 'ok'";
        let done = Records::of(&self.platform, "admin").await.numbers(sql).await[0];
        // Acts are in the log; of what only reads, the log of itself and of reports.
        let reads = ["staff", "announcements", "campaign_dry_run", "campaign", "campaigns", "rules", "stats"];
        assert_eq!(
            done,
            i64::try_from(REQUESTS.len() - reads.len()).unwrap() + 1,
            "each act, and the appointments"
        );
    }
}

on_both_databases! {
    async fn the_audit_log_cannot_be_changed_not_even_with_sql(backend: Backend) {
        let scene = Scene::begin(backend).await;
        let mut records = Records::of(&scene.platform, "admin").await;
        let before = records.numbers("SELECT count(*) FROM audit").await;
        assert!(before[0] > 0);
        for sql in [
            "UPDATE audit SET method = 'nothing'",
            "DELETE FROM audit",
            "UPDATE audit_outcome SET code = 'ok'",
            "DELETE FROM audit_outcome",
        ] {
            let refused = records.execute(sql).await.unwrap_err();
            assert!(refused.to_string().contains("can't be changed"), "{sql}: {refused}");
        }
        assert_eq!(records.numbers("SELECT count(*) FROM audit").await, before);
    }
}

on_both_databases! {
    async fn a_role_counts_from_the_next_sign_in_and_is_gone_with_the_sessions_that_had_it(backend: Backend) {
        let scene = Scene::begin(backend).await;
        let root = Device::sign_in(&scene.door, "root").await;
        let alice = Device::register(&scene.door, "alice").await;
        let reports = admin::ListReports { settled: None, after: None, limit: None };
        assert_eq!(alice.call(&reports).await.unwrap_err().code, Code::Forbidden);
        root.call(&admin::Grant { user: alice.user, role: Role::Moderator }).await.unwrap();
        let alice = sign_in_again(alice, &scene.door, "alice").await;
        alice.call(&reports).await.unwrap();
        let staff = root.call(&admin::ListStaff {}).await.unwrap().members;
        let moderator = staff.iter().find(|member| member.user == alice.user).expect("she is staff");
        assert_eq!((moderator.name.as_str(), &moderator.roles[..]), ("alice", &[Role::Moderator][..]));

        root.call(&admin::Revoke { user: alice.user, role: Role::Moderator }).await.unwrap();
        let closed = |pushed: &natter_tests::device::Pushed| {
            (pushed.name == "session.closed").then(|| pushed.body["code"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(alice.pushed(closed).await, "role_revoked");
        let alice = sign_in_again(alice, &scene.door, "alice").await;
        assert_eq!(alice.call(&reports).await.unwrap_err().code, Code::Forbidden);
    }
}

//! Who may do what in a group: every client method of the group and message services, tried by everybody, through edges. What is
//! expected comes from the one table, [`broker_schemas::rights`].

use broker_schemas::group::{self, Admission, Group};
use broker_schemas::message::{self, Message, Recipient};
use broker_schemas::rights::{self, Role, Standing, Verdict};
use broker_schemas::{
    Access, Code, Conversation, Exposure, GroupId, MethodSpec, Repeat, Seq, Timestamp, UserId,
};
use futures_util::future::join_all;
use natter_tests::device::{Connection, Device, Refusal};
use natter_tests::{Backend, Platform, Wire, is_left_out, on_both_databases};
use serde_json::{Value, json};

/// Who tries, in the order of the columns in the issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Owner,
    Administrator,
    Member,
    Muted,
    /// Was a member once, and has written.
    Former,
    Stranger,
    /// Was put out, and is kept out.
    Blocked,
    NotSignedIn,
}

const CALLERS: [Caller; 8] = [
    Caller::Owner,
    Caller::Administrator,
    Caller::Member,
    Caller::Muted,
    Caller::Former,
    Caller::Stranger,
    Caller::Blocked,
    Caller::NotSignedIn,
];

impl Caller {
    /// The table's column.
    const fn standing(self) -> Option<Standing> {
        match self {
            Self::Owner => Some(Standing::Owner),
            Self::Administrator => Some(Standing::Administrator),
            Self::Member => Some(Standing::Member),
            Self::Muted => Some(Standing::Muted),
            Self::Former | Self::Stranger => Some(Standing::Stranger),
            Self::Blocked => Some(Standing::Blocked),
            Self::NotSignedIn => None,
        }
    }
}

/// Where a request aims: such that only rights can stand in its way.
#[derive(Debug, Clone, Copy)]
struct Target {
    group: GroupId,
    /// A message of the caller's, or another's where the caller has none.
    own: Seq,
    /// The last message, by the plain member.
    last: Seq,
    /// A plain member.
    member: UserId,
    /// A friend of everybody, who isn't in the group.
    friend: UserId,
    /// Asks to join, where that is possible.
    asking: UserId,
    /// Is kept out.
    outcast: UserId,
}

impl Target {
    const fn there(&self) -> Conversation {
        Conversation::group(self.group)
    }
}

type Body = fn(&Target) -> Value;

/// What does something, of which nothing is seen in the group.
const UNSEEN: &[&str] = &["message.typing", "message.received", "message.report"];

/// A request for every method. `message.search` looks for a word that stands in the group.
const REQUESTS: &[(&str, Body)] = &[
    ("group.join", |t| json!({"group": t.group})),
    ("group.leave", |t| json!({"group": t.group})),
    ("group.invite", |t| json!({"group": t.group, "user": t.friend})),
    ("group.approve", |t| json!({"group": t.group, "user": t.asking})),
    ("group.decline", |t| json!({"group": t.group, "user": t.asking})),
    ("group.kick", |t| json!({"group": t.group, "user": t.member})),
    ("group.unblock", |t| json!({"group": t.group, "user": t.outcast})),
    ("group.dissolve", |t| json!({"group": t.group})),
    ("group.transfer", |t| json!({"group": t.group, "user": t.member})),
    ("group.set_role", |t| json!({"group": t.group, "user": t.member, "role": "administrator"})),
    ("group.mute", |t| json!({"group": t.group, "user": t.member, "until": in_an_hour()})),
    ("group.announce", |t| json!({"group": t.group, "text": "hear, hear"})),
    ("group.rename", |t| json!({"group": t.group, "name": "another name"})),
    ("group.configure", |t| json!({"group": t.group, "visible": "everything"})),
    ("group.profile", |t| json!({"group": t.group})),
    ("group.members", |t| json!({"group": t.group})),
    ("group.requests", |t| json!({"group": t.group})),
    (
        "message.send",
        |t| json!({"to": {"group": t.group}, "client_id": uuid::Uuid::now_v7(), "text": "hello"}),
    ),
    ("message.history", |t| json!({"conversation": t.there()})),
    ("message.read", |t| json!({"conversation": t.there(), "seq": t.last})),
    ("message.readers", |t| json!({"conversation": t.there()})),
    ("message.typing", |t| json!({"conversation": t.there()})),
    ("message.edit", |t| json!({"conversation": t.there(), "seq": t.own, "text": "in other words"})),
    ("message.recall", |t| json!({"conversation": t.there(), "seq": t.own})),
    ("message.react", |t| json!({"conversation": t.there(), "seq": t.last, "reaction": "👍"})),
    ("message.received", |t| json!({"conversation": t.there(), "seq": t.last})),
    ("message.report", |t| json!({"conversation": t.there(), "seq": t.last, "reason": "not nice"})),
    ("group.create", |_| json!({"name": "one more"})),
    ("group.list", |_| json!({"unread": true})),
    (
        "message.sync",
        |t| json!({"have": {t.there().to_string(): 0}, "revisions": {t.there().to_string(): 0}}),
    ),
    ("message.conversations", |_| json!({})),
    ("message.unread", |_| json!({})),
    ("message.search", |_| json!({"text": WORD})),
];

/// A word of which every message in a group of this test has one.
const WORD: &str = "xylophone";

fn in_an_hour() -> Timestamp {
    Timestamp(Timestamp::now().0 + 3_600_000)
}

/// The methods that this test is about.
fn methods() -> impl Iterator<Item = (String, &'static MethodSpec)> {
    let methods = [&Group::SPEC, &Message::SPEC].into_iter().flat_map(|service| service.methods);
    methods
        .filter(|method| method.exposures.contains(&Exposure::Client))
        .map(|method| (format!("{}.{}", method.service, method.name), method))
}

fn body_of(method: &str) -> Option<Body> {
    REQUESTS.iter().find(|(name, _)| *name == method).map(|(_, body)| *body)
}

#[test]
fn every_method_has_a_row_in_the_table_and_is_tried_here() {
    for (name, _) in methods() {
        let has_row = rights::verdict(&name, Standing::Owner).is_some();
        assert!(
            has_row || rights::APART.contains(&name.as_str()),
            "{name} has no row in broker_schemas::rights::RIGHTS: say there who may call it"
        );
        assert!(body_of(&name).is_some(), "{name} has no request in REQUESTS here: say how to try it");
    }
    for (name, _) in REQUESTS {
        assert!(methods().any(|(method, _)| method == *name), "{name} is tried, and is no method");
    }
}

/// Everybody who tries, and those they aim at.
struct People {
    callers: Vec<(Caller, Device)>,
    member: Device,
    friend: Device,
    asking: Device,
    outcast: Device,
    /// Where somebody connects who doesn't sign in.
    place: String,
}

impl People {
    async fn on(first: &str, second: &str) -> Self {
        let mut callers = Vec::new();
        for (number, caller) in
            CALLERS.into_iter().filter(|caller| *caller != Caller::NotSignedIn).enumerate()
        {
            let place = if number % 2 == 0 { first } else { second };
            callers.push((caller, Device::register(place, &format!("{caller:?}")).await));
        }
        let member = Device::register(second, "target").await;
        let friend = Device::register(first, "friend").await;
        let asking = Device::register(first, "asking").await;
        let outcast = Device::register(second, "outcast").await;
        let people = Self { callers, member, friend, asking, outcast, place: second.to_owned() };
        for (caller, device) in &people.callers {
            device.befriend(&people.friend).await;
            if !matches!(caller, Caller::Owner | Caller::Stranger) {
                people.owner().befriend(device).await;
            }
        }
        for device in [&people.member, &people.outcast] {
            people.owner().befriend(device).await;
        }
        people
    }

    fn device(&self, wanted: Caller) -> Option<&Device> {
        self.callers.iter().find(|(caller, _)| *caller == wanted).map(|(_, device)| device)
    }

    fn owner(&self) -> &Device {
        self.device(Caller::Owner).unwrap()
    }

    /// A group in which everybody is what they are called, and has said something.
    async fn group(&self, admission: Admission) -> Situation {
        let owner = self.owner();
        let joins = |caller: &Caller| !matches!(caller, Caller::Owner | Caller::Stranger);
        let mut members: Vec<_> =
            self.callers.iter().filter(|(caller, _)| joins(caller)).map(|(_, device)| device).collect();
        members.extend([&self.member, &self.outcast]);
        let group = owner.create("the group", &members, admission).await;
        let to = Recipient::Group(group);
        let sends = self.callers.iter().map(async |(caller, device)| match caller {
            Caller::Stranger => None,
            _ => Some((*caller, device.send(to, &format!("{WORD} of {caller:?}")).await.unwrap().seq)),
        });
        let own: Vec<_> = join_all(sends).await.into_iter().flatten().collect();
        let last = self.member.send(to, &format!("{WORD} of the target")).await.unwrap().seq;

        let user = self.device(Caller::Administrator).unwrap().user;
        owner.call(&group::SetRole { group, user, role: Role::Administrator }).await.unwrap();
        let user = Some(self.device(Caller::Muted).unwrap().user);
        owner.call(&group::Mute { group, user, until: Some(in_an_hour()) }).await.unwrap();
        for (user, block) in [
            (self.device(Caller::Former).unwrap().user, None),
            (self.device(Caller::Blocked).unwrap().user, Some(true)),
            (self.outcast.user, Some(true)),
        ] {
            owner.call(&group::Kick { group, user, block }).await.unwrap();
        }
        if admission == Admission::Approval {
            self.asking.call(&group::Join { group }).await.unwrap();
        }
        Situation { group, last, own, before: self.look(group).await }
    }

    fn target(&self, situation: &Situation, caller: Caller) -> Target {
        let own = situation.own.iter().find(|(who, _)| *who == caller).map(|(_, seq)| *seq);
        Target {
            group: situation.group,
            own: own.unwrap_or(situation.last),
            last: situation.last,
            member: self.member.user,
            friend: self.friend.user,
            asking: self.asking.user,
            outcast: self.outcast.user,
        }
    }

    async fn call(&self, caller: Caller, method: &str, target: &Target) -> Result<Value, Refusal> {
        let body = body_of(method).unwrap()(target);
        match self.device(caller) {
            Some(device) => device.call_json(method, body).await,
            None => Connection::open(&self.place).await.call_json(method, body).await,
        }
    }

    /// Everything that the owner can see of a group.
    async fn look(&self, group: GroupId) -> Value {
        let there = Conversation::group(group);
        let calls = [
            ("group.profile", json!({"group": group})),
            ("group.members", json!({"group": group})),
            ("group.requests", json!({"group": group})),
            ("message.readers", json!({"conversation": there})),
            ("message.history", json!({"conversation": there})),
        ];
        join_all(calls.map(async |(method, body)| {
            self.owner().call_json(method, body).await.unwrap_or_else(|refusal| refusal.message.into())
        }))
        .await
        .into()
    }
}

/// A group, as it was made.
struct Situation {
    group: GroupId,
    last: Seq,
    /// What each caller has written there.
    own: Vec<(Caller, Seq)>,
    before: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Done,
    /// It is answered, and nothing happens.
    Nothing,
    Refused(Code),
}

fn expected(method: &str, caller: Caller, admission: Admission) -> Expected {
    let Some(standing) = caller.standing() else { return Expected::Refused(Code::Unauthenticated) };
    match (rights::verdict(method, standing).unwrap(), admission) {
        // The administration keeps reports.
        (Verdict::May, _) if method == "message.report" && is_left_out("admin") => {
            Expected::Refused(Code::Unavailable)
        }
        (Verdict::May, _)
        | (Verdict::MayIfOpen, Admission::Open)
        | (Verdict::MayJoin | Verdict::MayIfListed, Admission::Open | Admission::Approval) => Expected::Done,
        (Verdict::Nothing, _) => Expected::Nothing,
        (Verdict::Forbidden | Verdict::MayIfOpen, _) => Expected::Refused(Code::Forbidden),
        (Verdict::NotFound | Verdict::MayJoin | Verdict::MayIfListed, _) => Expected::Refused(Code::NotFound),
    }
}

/// How the group takes members in the tries of a method: each way where the table makes a difference.
fn admissions(method: &str) -> &'static [Admission] {
    let depends =
        |verdict: Verdict| matches!(verdict, Verdict::MayIfOpen | Verdict::MayJoin | Verdict::MayIfListed);
    if Standing::ALL.iter().any(|standing| depends(rights::verdict(method, *standing).unwrap())) {
        &[Admission::Approval, Admission::Open, Admission::Invitation]
    } else {
        &[Admission::Approval]
    }
}

async fn two_edges(backend: Backend) -> (Platform, People) {
    let settings = ["group.max_groups=1000", "edge.max_connections_per_user=100"];
    let mut platform = Platform::distributed_with(backend, &settings).await;
    platform.start("edge2").await;
    let (first, second) = (platform.address("tcp").await, platform.address_of("edge2", "tcp").await);
    let people = People::on(&first, &second).await;
    (platform, people)
}

on_both_databases! {
    async fn everybody_may_what_the_table_says_and_nothing_else(backend: Backend) {
        let (_platform, people) = two_edges(backend).await;
        // One for each way of taking members, made anew after each call that changed it.
        let mut situations: Vec<(Admission, Situation)> = Vec::new();
        for (method, spec) in methods().filter(|(name, _)| !rights::APART.contains(&name.as_str())) {
            for &admission in admissions(&method) {
                for caller in CALLERS {
                    let at = situations.iter().position(|(kind, _)| *kind == admission);
                    let situation = match at {
                        Some(at) => &situations[at].1,
                        None => {
                            situations.push((admission, people.group(admission).await));
                            &situations.last().unwrap().1
                        }
                    };
                    let changed = attempt(&people, situation, &method, spec, admission, caller).await;
                    if changed {
                        situations.retain(|(kind, _)| *kind != admission);
                    }
                }
            }
        }
    }
}

/// Tries, and judges the answer and what became of the group. Whether it was changed.
async fn attempt(
    people: &People,
    situation: &Situation,
    method: &str,
    spec: &MethodSpec,
    admission: Admission,
    caller: Caller,
) -> bool {
    let target = people.target(situation, caller);
    let answer = people.call(caller, method, &target).await;
    let expected = expected(method, caller, admission);
    let case = format!("{method} by {caller:?}, admission {admission:?}");
    match (&answer, expected) {
        (Ok(_), Expected::Done | Expected::Nothing) => {}
        (Err(refusal), Expected::Refused(code)) => assert_eq!(refusal.code, code, "{case}: {refusal:?}"),
        _ => panic!("{case}: expected {expected:?}, got {answer:?}"),
    }
    if let Expected::Refused(Code::NotFound) = expected {
        let nowhere = Target { group: GroupId::new(9_999_999).unwrap(), ..target };
        let nothing = people.call(caller, method, &nowhere).await;
        assert_eq!(answer, nothing, "{case}: the answer tells that the group exists");
    }
    let after = people.look(situation.group).await;
    let changes = expected == Expected::Done && spec.repeat != Repeat::Read && !UNSEEN.contains(&method);
    if changes {
        assert_ne!(after, situation.before, "{case}: answered as done, and nothing happened");
    } else {
        assert_eq!(after, situation.before, "{case}: something happened");
    }
    changes
}

on_both_databases! {
    /// Methods that aren't about one group show one's own, and of other groups nothing.
    async fn what_is_apart_shows_nothing_of_a_group_to_those_outside(backend: Backend) {
        let (_platform, people) = two_edges(backend).await;
        let situation = people.group(Admission::Approval).await;
        let conversation = json!(Conversation::group(situation.group));
        for method in rights::APART {
            for caller in CALLERS {
                let target = people.target(&situation, caller);
                let answer = people.call(caller, method, &target).await;
                let Some(standing) = caller.standing() else {
                    assert_eq!(answer.unwrap_err().code, Code::Unauthenticated, "{method}");
                    continue;
                };
                let answer = answer.unwrap_or_else(|refusal| panic!("{method} by {caller:?}: {refusal:?}"));
                if *method == "group.create" {
                    assert_ne!(answer["group"], json!(situation.group));
                    continue;
                }
                let shown = mentions(&answer, &conversation) || mentions_group(&answer, situation.group);
                let is_in = !matches!(standing, Standing::Stranger | Standing::Blocked);
                assert_eq!(shown, is_in, "{method} by {caller:?}: {answer}");
            }
        }
        // Nor does a search that names the group.
        for caller in [Caller::Former, Caller::Stranger, Caller::Blocked] {
            let device = people.device(caller).unwrap();
            let search = async |conversation: Conversation| {
                let text = WORD.try_into().unwrap();
                let search = message::Search { text, conversation: Some(conversation), limit: None, skip: None };
                device.call(&search).await
            };
            let nowhere = Conversation::group(GroupId::new(9_999_999).unwrap());
            let answer = search(Conversation::group(situation.group)).await;
            assert_eq!(answer, search(nowhere).await, "{caller:?}");
            assert!(answer.is_err_and(|refusal| refusal.code == Code::NotFound), "{caller:?}");
        }
    }
}

/// Whether `value` is somewhere in `json`.
fn mentions(json: &Value, value: &Value) -> bool {
    json == value
        || match json {
            Value::Array(items) => items.iter().any(|item| mentions(item, value)),
            Value::Object(fields) => {
                fields.values().any(|field| mentions(field, value))
                    || value.as_str().is_some_and(|name| fields.contains_key(name))
            }
            _ => false,
        }
}

/// Whether something in `json` has this group's number, under the name of groups.
fn mentions_group(json: &Value, group: GroupId) -> bool {
    match json {
        Value::Array(items) => items.iter().any(|item| mentions_group(item, group)),
        Value::Object(fields) => {
            fields.get("group") == Some(&json!(group))
                || fields.values().any(|field| mentions_group(field, group))
        }
        _ => false,
    }
}

on_both_databases! {
    async fn nobody_acts_on_the_owner_and_an_administrator_not_on_another_one(backend: Backend) {
        let (_platform, people) = two_edges(backend).await;
        let (owner, administrator) = (people.owner(), people.device(Caller::Administrator).unwrap());
        let situation = people.group(Admission::Approval).await;
        let group = situation.group;
        let user = people.member.user;
        owner.call(&group::SetRole { group, user, role: Role::Administrator }).await.unwrap();
        let before = people.look(group).await;
        let acts = |user: UserId| {
            [
                ("group.kick", json!({"group": group, "user": user})),
                ("group.kick", json!({"group": group, "user": user, "block": true})),
                ("group.mute", json!({"group": group, "user": user, "until": in_an_hour()})),
                ("group.set_role", json!({"group": group, "user": user, "role": "member"})),
            ]
        };
        for target in [owner.user, people.member.user] {
            for (method, body) in acts(target) {
                let refusal = administrator.call_json(method, body).await.unwrap_err();
                assert_eq!(refusal.code, Code::Forbidden, "{method} on {target}: {refusal:?}");
            }
        }
        for (method, body) in acts(owner.user) {
            let refusal = owner.call_json(method, body).await.unwrap_err();
            assert!(matches!(refusal.code, Code::Forbidden | Code::Invalid), "{method} on oneself: {refusal:?}");
        }
        let owner_is_transferred = json!({"group": group, "user": user, "role": "owner"});
        assert_eq!(owner.call_json("group.set_role", owner_is_transferred).await.unwrap_err().code, Code::Invalid);
        assert_eq!(people.look(group).await, before);

        // A message of a plain member's is theirs to recall; one of each other's is not.
        let seq = |caller: Caller| situation.own.iter().find(|(who, _)| *who == caller).unwrap().1;
        let recall = |caller: Caller| message::Recall { conversation: Conversation::group(group), seq: seq(caller) };
        assert_eq!(administrator.call(&recall(Caller::Owner)).await.unwrap_err().code, Code::Forbidden);
        let member = people.device(Caller::Member).unwrap();
        assert_eq!(member.call(&recall(Caller::Muted)).await.unwrap_err().code, Code::Forbidden);
        administrator.call(&recall(Caller::Muted)).await.unwrap();
        owner.call(&recall(Caller::Administrator)).await.unwrap_err();
        owner.call(&recall(Caller::Member)).await.unwrap();
    }
}

/// Of every service, by the contract: what is added for anyone at all has to be added here.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_signed_in_may_call_these_methods_and_no_other_one() {
    let platform = Platform::standalone(Backend::Sqlite).await;
    let mut wire = Wire::connect(&platform.address("tcp").await).await;
    let mut for_anyone = Vec::new();
    let methods = broker_schemas::SERVICES.iter().flat_map(|service| service.methods);
    let from_without = methods.filter(|method| method.exposures != [Exposure::Internal]);
    for (id, method) in (1..).zip(from_without) {
        let name = format!("{}.{}", method.service, method.called);
        let answer = wire.call(id, &name, json!({})).await;
        let code = answer["error"]["code"].as_str().unwrap_or_else(|| panic!("{name}: {answer}"));
        match (method.access, code) {
            (Access::Anyone, "invalid") => for_anyone.push(name),
            (Access::Anyone, _) => panic!("{name}: {answer}"),
            (_, "unauthenticated") => {}
            // An edge that is not for staff.
            (_, "forbidden") if !method.exposures.contains(&Exposure::Client) => {}
            _ => panic!("{name}: {answer}"),
        }
    }
    for_anyone.sort();
    assert_eq!(for_anyone, ["user.login", "user.register", "user.resume"]);
}

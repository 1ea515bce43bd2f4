//! What moderators do holds at once, everywhere, and the audit log has all of it.

use std::time::Duration;

use broker_schemas::group::Admission;
use broker_schemas::message::{self, EditedEvent, RecalledEvent, Recipient};
use broker_schemas::{Code, Conversation, GroupId, Role, Seq, Timestamp, UserId, admin, friend, group, user};
use natter_client::{Chat, ChatOptions, SignInError, Update};
use natter_tests::device::{Connection, Device, Refusal};
use natter_tests::records::Records;
use natter_tests::shell::grant_at_console;
use natter_tests::{Backend, Person, Platform, Shell, Terminal, on_both_databases};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

/// Within what time a ban ends every session.
const WITHIN: Duration = Duration::from_secs(5);
/// Within what time every copy of a module has new rules.
const IN_FORCE: Duration = Duration::from_secs(10);

/// A platform with two edges for people and one for administration, and a moderator at a shell.
async fn moderated(backend: Backend) -> (Platform, Shell) {
    let mut platform = Platform::distributed(backend).await;
    platform.start("edge2").await;
    let door = platform.start_admin_edge().await;
    drop(Person::register(&door, "mod").await);
    grant_at_console(&platform, "mod", Role::Moderator).await;
    let shell = Shell::of(&platform, &door, "mod");
    (platform, shell)
}

/// What an auditor reads, the newest first: method, on whom, and what became of it.
async fn audit(platform: &Platform) -> Vec<(String, Option<u64>, String)> {
    let door = platform.tcp_of(natter_tests::ADMIN_EDGE).await;
    let (client, _events) = natter_client::Client::connect(&door).await.unwrap();
    let login = Person::login("auditor");
    let new = user::Register { name: login.name.clone(), password: login.password, display_name: None };
    if client.call(&new).await.is_ok() {
        grant_at_console(platform, "auditor", Role::Auditor).await;
    }
    let page = Shell::of(platform, &door, "auditor").run(&["audit", "--limit", "200"]).await.done();
    let outcome = |entry: &Value| match &entry["outcome"]["refused"]["code"] {
        Value::String(code) => code.clone(),
        _ => entry["outcome"].as_str().unwrap_or("not known").to_owned(),
    };
    let entries = page["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| (entry["method"].as_str().unwrap().to_owned(), entry["on"].as_u64(), outcome(entry)))
        .collect()
}

fn assert_has(log: &[(String, Option<u64>, String)], method: &str, on: Option<UserId>, outcome: &str) {
    let wanted = (method.to_owned(), on.map(UserId::get), outcome.to_owned());
    assert!(log.contains(&wanted), "{wanted:?} is not in {log:#?}");
}

async fn over(person: &mut Person) -> natter_client::Closed {
    loop {
        match timeout(WITHIN, person.updates.next()).await.expect("the session ends in time") {
            Some(Update::Over(closed)) => return closed,
            Some(Update::Offline { reason, .. }) => panic!("offline is not over: {reason}"),
            Some(_) => {}
            None => panic!("it ended without a word"),
        }
    }
}

on_both_databases! {
    async fn a_ban_ends_every_session_says_why_and_lasts_until_it_is_lifted(backend: Backend) {
        let (mut platform, shell) = moderated(backend).await;
        let (first, second) = (platform.tcp().await, platform.tcp_of("edge2").await);
        let mut phone = Person::register(&first, "bob").await;
        let mut tablet = Person::sign_in(&second, "bob").await;
        let token = tablet.chat.token();
        let state = platform.directory().join("state");
        let mut alice = Person::register(&first, "alice").await;
        let mut terminal = Terminal::register(&first.to_string(), &state, "carol");
        terminal.see("* online as carol").await;
        let bob = phone.user;

        let begun = Instant::now();
        shell.run(&["ban", "BOB", "--reason", "spam, again", "--for", "7d"]).await.done();
        for person in [&mut phone, &mut tablet] {
            let closed = over(person).await;
            assert_eq!(closed.code.as_deref(), Some("banned"));
            assert!(closed.message.contains("spam, again"), "{closed}");
        }
        assert!(begun.elapsed() < WITHIN, "{:?}", begun.elapsed());

        // Sign-in says why, to who knows the password; to nobody else.
        for place in [&first, &second] {
            let refused = Chat::sign_in(place, &Person::login("bob"), ChatOptions::default()).await.unwrap_err();
            let SignInError::Call(error) = refused else { panic!("{refused}") };
            assert_eq!(error.code(), Code::Forbidden);
            assert!(error.to_string().contains("spam, again"), "{error}");
        }
        let stranger = Connection::open(&platform.address("tcp").await).await;
        let guess = user::Login { password: "not the password".try_into().unwrap(), ..Person::login("bob") };
        assert_eq!(stranger.call(&guess).await.unwrap_err().code, Code::Unauthenticated);
        let resume = user::Resume { token: token.as_str().try_into().unwrap() };
        let refused = stranger.call(&resume).await.unwrap_err();
        assert!(matches!(refused.code, Code::Forbidden | Code::Unauthenticated), "{refused:?}");

        // A person at a terminal reads it, and the program ends.
        shell.run(&["ban", "carol", "--reason", "rude"]).await.done();
        terminal.see("* signed out: ").await;

        // A restart forgets nothing, and lifting it is enough.
        platform.stop("user").await;
        platform.start("user").await;
        let refused = Chat::sign_in(&first, &Person::login("bob"), ChatOptions::default()).await;
        assert!(refused.is_err(), "banned, and signed in");
        shell.run(&["unban", "bob"]).await.done();
        let back = Person::sign_in(&second, "bob").await;
        assert_eq!(back.user, bob);

        // Nobody bans staff but an operator, and nobody themselves.
        drop(Person::register(&first, "colleague").await);
        grant_at_console(&platform, "colleague", Role::Auditor).await;
        assert_eq!(shell.run(&["ban", "colleague", "--reason", "why not"]).await.refused(), "forbidden");
        assert_eq!(shell.run(&["ban", "mod", "--reason", "tired"]).await.refused(), "invalid");

        // To end sessions is no ban.
        shell.run(&["sign-out", "alice"]).await.done();
        assert_eq!(over(&mut alice).await.code.as_deref(), Some("signed_out"));
        let alice = Person::sign_in(&first, "alice").await;

        let log = audit(&platform).await;
        assert_has(&log, "ban", Some(bob), "done");
        assert_has(&log, "unban", Some(bob), "done");
        assert_has(&log, "sign_out", Some(alice.user), "done");
        assert!(log.iter().any(|(method, _, outcome)| method == "ban" && outcome == "forbidden"), "{log:#?}");
    }
}

on_both_databases! {
    async fn a_ban_that_has_ended_is_over_by_itself(backend: Backend) {
        let (platform, shell) = moderated(backend).await;
        let place = platform.tcp().await;
        let bob = Person::register(&place, "bob").await;
        shell.run(&["ban", "bob", "--reason", "calm down", "--for", "10s"]).await.done();
        drop(bob);
        let refused = Chat::sign_in(&place, &Person::login("bob"), ChatOptions::default()).await;
        assert!(refused.is_err());
        sleep(Duration::from_millis(10_200)).await;
        drop(Person::sign_in(&place, "bob").await);
    }
}

on_both_databases! {
    async fn who_is_muted_writes_nowhere_from_the_answer_on(backend: Backend) {
        let (mut platform, shell) = moderated(backend).await;
        // Also at a second copy.
        platform.start("message2").await;
        let place = platform.address("tcp").await;
        let alice = Device::register(&place, "alice").await;
        let bob = Device::register(&place, "bob").await;
        alice.befriend(&bob).await;
        let team = bob.create("team", &[&alice], Admission::Invitation).await;
        let there = Conversation::direct(alice.user, bob.user).unwrap();
        let sent = bob.send(Recipient::User(alice.user), "hello").await.unwrap();

        shell.run(&["mute", "bob", "--for", "1h"]).await.done();
        for n in 0..10 {
            for to in [Recipient::User(alice.user), Recipient::Group(team)] {
                let refused = bob.send(to, &format!("I will be heard {n}")).await.unwrap_err();
                assert_eq!(refused.code, Code::Forbidden, "{refused:?}");
            }
            let edit = message::Edit { conversation: there, seq: sent.seq, text: "listen".try_into().unwrap() };
            assert_eq!(bob.call(&edit).await.unwrap_err().code, Code::Forbidden);
            let reaction = "👍".try_into().unwrap();
            let react = message::React { conversation: there, seq: sent.seq, reaction, remove: None };
            assert_eq!(bob.call(&react).await.unwrap_err().code, Code::Forbidden);
        }
        // To read, and to be written to, is another matter.
        assert_eq!(bob.whole(there).await.unwrap().len(), 1);
        alice.send(Recipient::User(bob.user), "poor you").await.unwrap();

        shell.run(&["unmute", "bob"]).await.done();
        bob.send(Recipient::User(alice.user), "at last").await.unwrap();
        shell.run(&["mute", "bob", "--for", "1s"]).await.done();
        sleep(Duration::from_millis(1_200)).await;
        bob.send(Recipient::Group(team), "a mute ends by itself").await.unwrap();
        let log = audit(&platform).await;
        assert_has(&log, "mute", Some(bob.user), "done");
    }
}

on_both_databases! {
    async fn whom_one_mutes_and_another_lets_speak_at_once_is_one_of_both_to_every_module(backend: Backend) {
        let (mut platform, _) = moderated(backend).await;
        platform.start("admin2").await;
        let door = platform.address_of(natter_tests::ADMIN_EDGE, "tcp").await;
        let bob = Device::register(&door, "bob").await;
        let mut moderators = Vec::new();
        for name in ["first", "second"] {
            drop(Device::register(&door, name).await);
            grant_at_console(&platform, name, Role::Moderator).await;
            moderators.push(Device::sign_in(&door, name).await);
        }
        let mut kept = Vec::new();
        for module in ["message", "user", "group", "friend"] {
            kept.push(Records::of(&platform, module).await);
        }
        for round in 0..30 {
            let until = Some(Timestamp(Timestamp::now().0 + 3_600_000));
            let (mute, unmute) =
                (admin::Mute { user: bob.user, until }, admin::Mute { user: bob.user, until: None });
            let (muted, unmuted) = tokio::join!(moderators[0].call(&mute), moderators[1].call(&unmute));
            muted.and(unmuted).unwrap();
            let mut found = Vec::new();
            for records in &mut kept {
                found.push(records.numbers("SELECT until, version FROM silence").await);
            }
            assert!(found.iter().all(|each| *each == found[0]), "round {round}: {found:?}");
        }
    }
}

on_both_databases! {
    async fn who_is_muted_says_nothing_by_names_announcements_invitations_and_requests_either(backend: Backend) {
        let (mut platform, shell) = moderated(backend).await;
        let place = platform.address("tcp").await;
        let alice = Device::register(&place, "alice").await;
        let bob = Device::register(&place, "bob").await;
        let carol = Device::register(&place, "carol").await;
        alice.befriend(&bob).await;
        let team = bob.create("team", &[], Admission::Invitation).await;

        shell.run(&["mute", "bob", "--for", "1h"]).await.done();
        // Nobody has to be asked for it: it holds while the others are down.
        platform.stop("admin").await;
        platform.stop("message").await;
        for said in say_otherwise(&bob, team, &alice, &carol).await {
            assert_eq!(said.unwrap_err(), Code::Forbidden);
        }
        platform.start("message").await;
        platform.start("admin").await;
        shell.run(&["unmute", "bob"]).await.done();
        for said in say_otherwise(&bob, team, &alice, &carol).await {
            said.unwrap();
        }

        // What can't be told everywhere is not called done.
        platform.stop("group").await;
        assert_eq!(shell.run(&["mute", "bob", "--for", "1h"]).await.refused(), "timeout");
        platform.start("group").await;
        shell.run(&["mute", "bob", "--for", "1h"]).await.done();
        let rename = group::Rename { group: team, name: "again".try_into().unwrap() };
        assert_eq!(bob.call(&rename).await.unwrap_err().code, Code::Forbidden);
    }
}

/// Whatever one says to others other than by messages.
async fn say_otherwise(
    who: &Device,
    group: GroupId,
    friend: &Device,
    stranger: &Device,
) -> [Result<(), Code>; 6] {
    fn outcome<T>(answer: Result<T, Refusal>) -> Result<(), Code> {
        answer.map(drop).map_err(|refused| refused.code)
    }
    let (name, text) = ("hear me".try_into().unwrap(), "hear me".try_into().unwrap());
    let create = group::Create { name, members: None, admission: None, visible: None };
    let name = "hear me".try_into().unwrap();
    let display_name = "hear me".try_into().unwrap();
    [
        outcome(who.call(&group::Announce { group, text }).await),
        outcome(who.call(&group::Rename { group, name }).await),
        outcome(who.call(&create).await),
        outcome(who.call(&group::Invite { group, user: friend.user }).await),
        outcome(who.call(&user::SetDisplayName { display_name }).await),
        outcome(who.call(&friend::Request { user: stranger.user }).await),
    ]
}

on_both_databases! {
    async fn moderators_act_on_no_staff_nor_on_the_platform_and_nobody_looks_like_it(backend: Backend) {
        let (platform, shell) = moderated(backend).await;
        let door = platform.tcp_of(natter_tests::ADMIN_EDGE).await;
        let place = platform.address("tcp").await;
        let alice = Device::register(&place, "alice").await;
        let root = Device::register(&place, "root").await;
        root.befriend(&alice).await;
        let team = root.create("team", &[&alice], Admission::Invitation).await;
        let sent = root.send(Recipient::Group(team), "mind the rules").await.unwrap();
        let mine = alice.send(Recipient::Group(team), "which rules?").await.unwrap();
        grant_at_console(&platform, "root", Role::Operator).await;
        let operator = Shell::of(&platform, &door, "root");

        // The platform's own account is made for its first campaign.
        let create = ["campaign", "create", "one", "welcome", "--group", &team.to_string()];
        let campaign = operator.run(&create).await.done()["campaign"].to_string();
        operator.run(&["campaign", "start", &campaign, "--watch"]).await.done();
        let welcome = loop {
            let entry = alice.message().await;
            if entry.campaign.is_some() {
                break entry;
            }
        };
        let remove = async |by: &Shell, there: Conversation, seq: Seq| {
            by.run(&["remove-message", &there.to_string(), &seq.to_string()]).await
        };
        let there = Conversation::group(team);
        assert_eq!(remove(&shell, there, sent.seq).await.refused(), "forbidden");
        assert_eq!(remove(&shell, welcome.conversation, welcome.seq).await.refused(), "forbidden");
        assert_eq!(shell.run(&["dissolve-group", &team.to_string()]).await.refused(), "forbidden");
        for by in [&shell, &operator] {
            assert_eq!(by.run(&["mute", "natter", "--for", "1h"]).await.refused(), "forbidden");
        }
        let whole = alice.whole(there).await.unwrap();
        assert!(whole.iter().all(|entry| entry.recalled_by.is_none()), "{whole:?}");
        // Others' they may, and an operator anything.
        remove(&shell, there, mine.seq).await.done();
        remove(&operator, there, sent.seq).await.done();
        remove(&operator, welcome.conversation, welcome.seq).await.done();
        operator.run(&["dissolve-group", &team.to_string()]).await.done();

        let friends = alice.create("friends", &[], Admission::Invitation).await;
        for name in ["Natter", "n a t t e r", "NAT\u{200d}TER"] {
            let shown = user::SetDisplayName { display_name: name.try_into().unwrap() };
            assert_eq!(alice.call(&shown).await.unwrap_err().code, Code::Conflict, "{name}");
            let login = Person::login("mallory");
            let display_name = Some(name.try_into().unwrap());
            let register = user::Register { name: login.name, password: login.password, display_name };
            assert_eq!(alice.call(&register).await.unwrap_err().code, Code::Conflict, "{name}");
            let name = || name.try_into().unwrap();
            let create = group::Create { name: name(), members: None, admission: None, visible: None };
            assert_eq!(alice.call(&create).await.unwrap_err().code, Code::Conflict);
            let rename = group::Rename { group: friends, name: name() };
            assert_eq!(alice.call(&rename).await.unwrap_err().code, Code::Conflict);
        }

        // What was done to somebody is found, also where the request didn't name whom.
        let log = audit(&platform).await;
        assert_has(&log, "appoint", Some(root.user), "done");
        assert_has(&log, "remove_message", Some(alice.user), "done");
        assert_has(&log, "remove_message", Some(root.user), "forbidden");
        let auditor = Shell::of(&platform, &door, "auditor");
        assert_eq!(auditor.run(&["audit", "--method", "bann"]).await.refused(), "invalid");
    }
}

on_both_databases! {
    async fn a_report_brings_a_message_to_a_moderator_who_removes_it(backend: Backend) {
        let (platform, shell) = moderated(backend).await;
        let place = platform.address("tcp").await;
        let alice = Device::register(&place, "alice").await;
        let bob = Device::register(&place, "bob").await;
        let carol = Device::register(&place, "carol").await;
        let mallory = Device::register(&place, "mallory").await;
        for friend in [&alice, &carol] {
            bob.befriend(friend).await;
        }
        let team = bob.create("team", &[&alice, &carol], Admission::Invitation).await;
        let there = Conversation::group(team);
        let sent = bob.send(Recipient::Group(team), "buy this, buy that").await.unwrap();
        let report = message::Report { conversation: there, seq: sent.seq, reason: "spam".try_into().unwrap() };

        // Who can't see it can't report it.
        assert_eq!(mallory.call(&report).await.unwrap_err().code, Code::NotFound);
        for reporter in [&alice, &alice, &carol] {
            reporter.call(&report).await.unwrap();
        }
        let about = user::Report { user: bob.user, reason: "he is a pest".try_into().unwrap() };
        alice.call(&about).await.unwrap();

        let queue = shell.run(&["reports"]).await.done();
        let [of_message, of_user] = &queue["reports"].as_array().unwrap()[..] else { panic!("{queue}") };
        assert_eq!((&of_message["times"], &of_message["by"]), (&2.into(), &alice.user.get().into()), "{queue}");
        assert_eq!(of_message["about"]["message"]["text"], "buy this, buy that");
        assert_eq!((&of_user["about"]["user"], &of_user["times"]), (&bob.user.get().into(), &1.into()));

        let seq = sent.seq.to_string();
        shell.run(&["remove-message", &there.to_string(), &seq]).await.done();
        let removed: RecalledEvent = alice.event().await;
        assert_eq!((removed.seq, removed.conversation), (sent.seq, there));
        let by = alice.call_json("user.profile", json!({ "user": removed.by })).await.unwrap();
        assert_eq!(by["name"], "natter", "the platform, and not which of its people");
        let whole = alice.whole(there).await.unwrap();
        let left = whole.iter().find(|entry| entry.seq == sent.seq).unwrap();
        assert_eq!((left.text.as_str(), left.recalled_by), ("", Some(removed.by)));
        let edit = message::Edit { conversation: there, seq: sent.seq, text: "again".try_into().unwrap() };
        assert!(bob.call(&edit).await.is_err());
        assert!(alice.waiting().iter().all(|pushed| pushed.read::<EditedEvent>().is_none()));

        for report in [of_message, of_user] {
            shell.run(&["settle", &report["report"].to_string(), "--note", "removed, and warned"]).await.done();
        }
        assert_eq!(shell.run(&["settle", &of_user["report"].to_string(), "--note", "x"]).await.refused(), "conflict");
        assert_eq!(shell.run(&["reports"]).await.done()["reports"], Value::Array(Vec::new()));
        let settled = shell.run(&["reports", "--settled"]).await.done();
        assert_eq!(settled["reports"][0]["settled"]["note"], "removed, and warned", "{settled}");

        // And a group.
        shell.run(&["dissolve-group", &there.to_string()]).await.done();
        alice.event::<group::DissolvedEvent>().await;
        let refused = bob.send(Recipient::Group(team), "anybody there?").await.unwrap_err();
        assert_eq!(refused.code, Code::Forbidden, "{refused:?}");

        let log = audit(&platform).await;
        assert_has(&log, "remove_message", Some(bob.user), "done");
        for method in ["settle_report", "dissolve_group", "reports"] {
            assert_has(&log, method, None, "done");
        }
    }
}

on_both_databases! {
    async fn reports_of_one_user_have_a_bound_and_none_is_taken_while_nobody_keeps_them(backend: Backend) {
        let (mut platform, _shell) = moderated(backend).await;
        let place = platform.address("tcp").await;
        let alice = Device::register(&place, "alice").await;
        let report = |user| user::Report { user, reason: "a pest".try_into().unwrap() };
        let mut others = Vec::new();
        for n in 0..21 {
            others.push(Device::register(&place, &format!("other{n}")).await.user);
        }
        for (n, user) in others.iter().enumerate() {
            let answer = alice.call(&report(*user)).await;
            match answer {
                Ok(_) => assert!(n < 20, "report {n} was taken"),
                Err(refused) => assert_eq!((n, refused.code), (20, Code::RateLimited), "{refused:?}"),
            }
        }
        platform.stop("admin").await;
        let bob = Device::register(&place, "bob").await;
        assert_eq!(bob.call(&report(alice.user)).await.unwrap_err().code, Code::Unavailable);
    }
}

on_both_databases! {
    async fn rules_hold_in_every_copy_and_while_the_admin_module_is_down(backend: Backend) {
        let (mut platform, shell) = moderated(backend).await;
        platform.start("message2").await;
        let door = platform.tcp_of(natter_tests::ADMIN_EDGE).await;
        drop(Person::register(&door, "root").await);
        grant_at_console(&platform, "root", Role::Operator).await;
        let root = Shell::of(&platform, &door, "root");
        let place = platform.address("tcp").await;
        let alice = Device::register(&place, "alice").await;
        let bob = Device::register(&place, "bob").await;
        alice.befriend(&bob).await;
        let to = Recipient::User(bob.user);
        alice.send(to, "come to the CASINO").await.unwrap();

        let rule = ["--pattern", r"cas[i1]no", "--words", "no gambling here"];
        let refuse = [&["set-rule", "--applies", "texts", "--then", "refuse"][..], &rule].concat();
        let id = root.run(&refuse).await.done()["id"].to_string();
        let names = ["set-rule", "--applies", "names", "--pattern", "^support", "--words", "kept for us"];
        root.run(&names).await.done();
        let watched = ["set-rule", "--applies", "texts", "--then", "report", "--pattern", "bargain", "--words", "spam?"];
        root.run(&watched).await.done();
        let unreadable = ["set-rule", "--applies", "texts", "--pattern", "(", "--words", "x"];
        assert_eq!(root.run(&unreadable).await.refused(), "invalid");
        in_force(&root).await;

        for n in 0..10 {
            let refused = alice.send(to, &format!("the Cas1no, {n}")).await.unwrap_err();
            assert_eq!(refused.code, Code::Invalid, "{refused:?}");
            assert!(refused.message.contains("no gambling here"), "{refused:?}");
        }
        let login = Person::login("Support-Team");
        let register = user::Register { name: login.name, password: login.password, display_name: None };
        let refused = bob.call(&register).await.unwrap_err();
        assert_eq!(refused.code, Code::Invalid, "{refused:?}");
        assert!(refused.message.contains("kept for us"), "{refused:?}");
        let team = group::Create { name: "support".try_into().unwrap(), members: None, admission: None, visible: None };
        assert_eq!(alice.call(&team).await.unwrap_err().code, Code::Invalid);

        // What is only reported is said all the same.
        alice.send(to, "what a bargain!").await.unwrap();
        let reported = async {
            while shell.run(&["reports"]).await.done()["reports"].as_array().unwrap().is_empty() {
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(IN_FORCE, reported).await.expect("a report is made");
        // It is the rule's: nobody is said to have reported, least of all the author.
        let queue = shell.run(&["reports"]).await.done();
        assert_eq!(queue["reports"][0]["by"], Value::Null, "{queue}");

        // Rules hold without the module that keeps them, also after a restart of who applies them.
        platform.stop("admin").await;
        platform.stop("message").await;
        platform.start("message").await;
        for _ in 0..10 {
            assert_eq!(alice.send(to, "casino").await.unwrap_err().code, Code::Invalid);
        }
        platform.start("admin").await;
        root.run(&["remove-rule", &id]).await.done();
        in_force(&root).await;
        for _ in 0..10 {
            alice.send(to, "casino").await.unwrap();
        }
    }
}

/// Waits until every copy of every module has the rules.
async fn in_force(root: &Shell) {
    let begun = Timestamp::now();
    let everywhere = async {
        while root.run(&["rules"]).await.done()["pending"] != Value::Array(Vec::new()) {
            sleep(Duration::from_millis(100)).await;
        }
        // Further copies look every 3 s.
        sleep(Duration::from_millis(3_500)).await;
    };
    timeout(IN_FORCE, everywhere).await.unwrap_or_else(|_| panic!("rules not in force since {begun:?}"));
}

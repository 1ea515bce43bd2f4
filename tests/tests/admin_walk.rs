//! The walk of an operator: the first role at the console, a broadcast, an announcement, a campaign during which the module that sends
//! it is killed; everyone has everything exactly once.

use std::time::Duration;

use broker_schemas::admin::{self, CampaignState, Segment};
use broker_schemas::{List, Role, UserId, announcement, group, message, user};
use natter_client::{Address, Event, Update};
use natter_host::testing::free_port;
use natter_tests::records::{Records, make_accounts};
use natter_tests::shell::grant_at_console;
use natter_tests::{ADMIN_EDGE, Person, Platform, Shell, Terminal, befriend, on_both_databases};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{Instant, sleep, timeout};

/// The server of the bus, among what is killed.
const BUS: &str = "nats-server";
/// How many accounts a campaign reaches here.
const RECIPIENTS: u64 = 10_000;
/// How fast: such that it is still under way when its module is killed.
const PER_SECOND: u32 = 1_500;
/// How long it may take in all, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

on_both_databases! {
    async fn an_operator_says_something_to_everyone_and_everyone_hears_it_once(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        let (plain, door) = (platform.tcp().await, platform.start_admin_edge().await);
        drop(Person::register(&plain, "root").await);
        let granted = grant_at_console(&platform, "Root", Role::Operator).await;
        assert_eq!((&granted["door"], &granted["role"]), (&"console".into(), &"operator".into()));
        let root = Shell::of(&platform, &door, "root");
        let elsewhere = Shell::of(&platform, &plain, "root");
        assert_eq!(elsewhere.run(&["broadcast", "through the wrong door"]).await.refused(), "forbidden");

        // A broadcast is for who is online.
        let mut alice = Person::register(&plain, "alice").await;
        let state = platform.directory().join("state");
        let mut bob = Terminal::register(&plain.to_string(), &state, "bob");
        bob.see("* online as bob").await;
        root.run(&["broadcast", "back in five minutes"]).await.done();
        let heard = alice.event(|event| if let Event::Broadcast(event) = event { Some(event.text) } else { None });
        assert_eq!(heard.await, "back in five minutes");
        bob.see("* from the platform: back in five minutes").await;

        // An announcement is also for who comes later, and for everyone once.
        let made = root.run(&["announce", "closed on Sunday", "--until", "1h"]).await.done();
        let id = made["announcement"].as_u64().unwrap();
        let told = next_announcement(&mut alice).await;
        assert_eq!((told.announcement, told.text.as_deref()), (id, Some("closed on Sunday")));
        let seen = announcement::SeenRevision { announcement: id, revision: told.revision };
        alice.chat.mark_seen(seen, Duration::from_secs(10)).await.unwrap();
        let line = format!("* from the platform, announcement {id}, until ");
        bob.see(&line).await;
        bob.end().await;
        let mut carol = Terminal::register(&plain.to_string(), &state, "carol");
        carol.see(&line).await;
        carol.end().await;
        for name in ["bob", "carol"] {
            let again = Terminal::start(&plain.to_string(), &state, name).end().await;
            assert!(again.iter().all(|shown| !shown.contains("announcement")), "{name}: {again:?}");
        }
        let page = root.run(&["announcements"]).await.done();
        assert_eq!(page["announcements"][0]["seen_by"], 3, "{page}");

        // Another wording is another one; and nothing of it comes once it was withdrawn.
        root.run(&["change-announcement", &id.to_string(), "--text", "closed on Monday"]).await.done();
        let told = next_announcement(&mut alice).await;
        assert_eq!((told.revision, told.text.as_deref()), (2, Some("closed on Monday")));
        let again = Terminal::start(&plain.to_string(), &state, "bob").end().await;
        assert!(again.iter().any(|shown| shown.contains("closed on Monday")), "{again:?}");
        root.run(&["withdraw", &id.to_string()]).await.done();
        assert_eq!(next_announcement(&mut alice).await.text, None);
        let again = Terminal::start(&plain.to_string(), &state, "carol").end().await;
        assert!(again.iter().all(|shown| !shown.contains("closed on")), "{again:?}");
    }
}

/// That somebody who was away has the campaign's message, and has it once.
async fn has_it_once(place: &Address, name: String, user: UserId) {
    let mut person = Person::sign_in(place, &name).await;
    assert_eq!(person.user, user);
    let entry = person.message().await;
    assert_eq!((entry.text.as_str(), entry.seq.get()), ("it is spring", 1), "{name}");
    person.expect_silence(Duration::from_millis(300)).await;
    let history = person.chat.history(entry.conversation, None, 50).await.unwrap();
    assert_eq!(history.len(), 1, "{name}");
    let read = message::Read { conversation: entry.conversation, seq: entry.seq };
    person.chat.call(&read).await.unwrap();
    // To the platform itself nobody can write.
    let refused = person.send(entry.from, "thank you").await.unwrap_err();
    assert_eq!(refused.code(), broker_schemas::Code::Forbidden, "{refused}");
}

on_both_databases! {
    async fn a_campaign_reaches_each_recipient_once_whatever_is_killed(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        let (plain, door) = (platform.tcp().await, platform.start_admin_edge().await);
        let mut alice = Person::register(&plain, "alice").await;
        drop(Person::register(&plain, "root").await);
        grant_at_console(&platform, "root", Role::Operator).await;
        let first = make_accounts(&platform, RECIPIENTS, alice.user).await;
        let mut root = Person::sign_in(&door, "root").await;

        // Alice, root, and the accounts that were made; not the platform's own.
        let create = admin::CreateCampaign {
            title: "spring".try_into().unwrap(),
            text: "it is spring".try_into().unwrap(),
            segment: Segment::All {},
            starts_at: None,
            ends_at: None,
            hours: None,
            per_second: Some(PER_SECOND),
        };
        let campaign = root.chat.call(&create).await.unwrap().campaign;
        let forecast = root.chat.call(&admin::DryRun { campaign }).await.unwrap();
        assert_eq!(forecast.recipients, RECIPIENTS + 2);
        root.chat.call(&admin::StartCampaign { campaign }).await.unwrap();

        let begun = Instant::now();
        for (tenths, part) in [(2, "admin"), (3, "message"), (4, "user"), (5, "admin"), (6, "message"), (7, BUS)] {
            while sent(campaign, &root).await.0 < RECIPIENTS * tenths / 10 {
                assert!(begun.elapsed() < PATIENCE, "it does not go on");
                sleep(Duration::from_millis(50)).await;
            }
            if part == BUS {
                platform.kill_bus();
            } else {
                platform.kill(part).await;
            }
            let count = in_tables(&platform).await.0;
            assert!(count < RECIPIENTS + 2, "it was too fast to be killed on the way");
            if part != BUS {
                sleep(Duration::from_millis(500)).await;
                platform.start(part).await;
            }
            assert_eq!(sent(campaign, &root).await.1, CampaignState::Running);
        }
        let done = loop {
            let found = show(campaign, &root).await;
            if found.state != CampaignState::Running {
                break found;
            }
            assert!(begun.elapsed() < PATIENCE, "{found:?}");
            sleep(Duration::from_millis(200)).await;
        };
        assert_eq!((done.state, done.recipients), (CampaignState::Done, Some(RECIPIENTS + 2)));

        // Counted in SQL: as many messages as recipients, each in another conversation.
        assert_eq!(in_tables(&platform).await, (RECIPIENTS + 2, RECIPIENTS + 2));
        assert_eq!(done.reach.unwrap().sent, RECIPIENTS + 2);

        // And in clients' views: of who was online, and of who comes now.
        for person in [&mut alice, &mut root] {
            let entry = person.message().await;
            assert_eq!((entry.text.as_str(), entry.campaign), ("it is spring", Some(campaign)));
            person.expect_silence(Duration::from_millis(300)).await;
        }
        let some: Vec<u64> = (1..=RECIPIENTS).step_by(40).collect();
        for few in some.chunks(10) {
            let views = few.iter().map(|number| {
                let user = UserId::new(first.get() + number - 1).unwrap();
                has_it_once(&plain, format!("crowd{number}"), user)
            });
            futures_util::future::join_all(views).await;
        }
        let reached = async {
            loop {
                let (all, reach) = (some.len() as u64, show(campaign, &root).await.reach);
                if reach.is_some_and(|reach| reach.delivered == 2 + all && reach.read == all) {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(Duration::from_secs(20), reached).await.expect("what was delivered and read is counted");
    }
}

on_both_databases! {
    async fn a_campaign_goes_to_its_segment_and_can_be_paused_and_cancelled(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        let (plain, door) = (platform.tcp().await, platform.start_admin_edge().await);
        drop(Person::register(&plain, "root").await);
        grant_at_console(&platform, "root", Role::Operator).await;
        let mut alice = Person::register(&plain, "alice").await;
        let mut bob = Person::register(&plain, "bob").await;
        let root = Shell::of(&platform, &door, "root");

        let names = platform.directory().join("names");
        std::fs::write(&names, "# only her\nALICE\n").unwrap();
        let file = names.to_str().unwrap();
        let create = ["campaign", "create", "one", "for you", "--users-file", file];
        let one = root.run(&create).await.done()["campaign"].to_string();
        assert_eq!(root.run(&["campaign", "dry-run", &one]).await.done()["recipients"], 1);
        let ended = root.run(&["campaign", "start", &one, "--watch"]).await.done();
        assert_eq!((&ended["state"], &ended["reach"]["sent"]), (&"done".into(), &1.into()), "{ended}");
        assert_eq!(alice.message().await.text, "for you");
        bob.expect_silence(Duration::from_millis(500)).await;

        // What was paused sends nothing; what was cancelled never will.
        // Its start is ahead: it must not be over before it is paused, however slow this machine is.
        let create = ["campaign", "create", "all", "for all", "--all", "--starts-at", "1h"];
        let all = root.run(&create).await.done()["campaign"].to_string();
        let steps = [["start", "running"], ["pause", "paused"], ["resume", "running"], ["cancel", "cancelled"]];
        for [step, state] in steps {
            root.run(&["campaign", step, &all]).await.done();
            assert_eq!(root.run(&["campaign", "show", &all]).await.done()["state"], state);
        }
        assert_eq!(root.run(&["campaign", "resume", &all]).await.refused(), "conflict");

        // As the README does it: with a start ahead, it can be paused however few it is for.
        let mut carol = Person::register(&plain, "carol").await;
        let create = ["campaign", "create", "spring", "it is spring", "--all", "--starts-at", "15s"];
        let spring = root.run(&create).await.done()["campaign"].to_string();
        root.run(&["campaign", "start", &spring]).await.done();
        let waiting = root.run(&["campaign", "show", &spring]).await.done();
        assert_eq!((&waiting["state"], &waiting["trouble"]), (&"running".into(), &serde_json::Value::Null));
        root.run(&["campaign", "pause", &spring]).await.done();
        carol.expect_silence(Duration::from_secs(17)).await;
        root.run(&["campaign", "resume", &spring]).await.done();
        assert_eq!(carol.message().await.text, "it is spring");
        let watched = root.start(&["campaign", "watch", &all]).wait_with_output().await.unwrap();
        let said = String::from_utf8(watched.stdout).unwrap();
        assert!(said.starts_with(&format!("campaign {all} cancelled: sent ")), "{said}");
    }
}

on_both_databases! {
    async fn who_watches_a_campaign_goes_on_when_the_edge_is_back(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        platform.set(ADMIN_EDGE, &format!("edge.tcp=127.0.0.1:{}", free_port()));
        let (plain, door) = (platform.tcp().await, platform.start_admin_edge().await);
        drop(Person::register(&plain, "root").await);
        grant_at_console(&platform, "root", Role::Operator).await;
        let root = Shell::of(&platform, &door, "root");
        let create = ["campaign", "create", "later", "later", "--all", "--starts-at", "1h"];
        let later = root.run(&create).await.done()["campaign"].to_string();
        root.run(&["campaign", "start", &later]).await.done();

        let mut watching = root.start(&["campaign", "watch", &later]);
        let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
        let mut says = async |wanted: &str| {
            let said = async {
                loop {
                    let line = lines.next_line().await.unwrap().expect("it goes on");
                    if line.starts_with(wanted) {
                        return;
                    }
                }
            };
            timeout(Duration::from_secs(60), said).await.unwrap_or_else(|_| panic!("it doesn't say {wanted}"));
        };
        let waits = format!("campaign {later} waits for its start");
        says(&waits).await;
        platform.kill(ADMIN_EDGE).await;
        says("offline (").await;
        platform.start(ADMIN_EDGE).await;
        says(&waits).await;
        root.run(&["campaign", "cancel", &later]).await.done();
        says(&format!("campaign {later} cancelled")).await;
        assert!(watching.wait().await.unwrap().success());
    }
}

on_both_databases! {
    async fn a_campaign_to_a_list_or_a_group_reaches_no_one_who_is_banned_or_gone_and_counts_no_one_twice(backend: Backend) {
        let mut platform = Platform::distributed(backend).await;
        let (plain, door) = (platform.tcp().await, platform.start_admin_edge().await);
        drop(Person::register(&plain, "root").await);
        grant_at_console(&platform, "root", Role::Operator).await;
        let root = Person::sign_in(&door, "root").await;
        let mut alice = Person::register(&plain, "alice").await;
        let mut bob = Person::register(&plain, "bob").await;
        let mut carol = Person::register(&plain, "carol").await;
        befriend(&mut alice, &mut bob).await;
        befriend(&mut alice, &mut carol).await;
        let (name, members) = ("team".try_into().unwrap(), List::new(vec![bob.user, carol.user]).unwrap());
        let team = group::Create { name, members: Some(members), admission: None, visible: None };
        let team = alice.chat.call(&team).await.unwrap().group;
        // The platform's own account comes into being with the first one.
        let all = run(campaign_to(Segment::Users(List::new(vec![root.user]).unwrap())), &root).await;
        assert_eq!((all.recipients, all.reach.unwrap().sent), (Some(1), 1));
        let find = user::Find { name: "natter".try_into().unwrap() };
        let natter = root.chat.call(&find).await.unwrap().user;

        let ban = admin::Ban { user: bob.user, reason: "spam".try_into().unwrap(), until: None };
        root.chat.call(&ban).await.unwrap();
        let nobody = UserId::new(999_999).unwrap();
        let listed = vec![carol.user, nobody, bob.user, natter, alice.user, carol.user, alice.user];
        for segment in [Segment::Users(List::new(listed).unwrap()), Segment::Group(team)] {
            let done = run(campaign_to(segment), &root).await;
            assert_eq!((done.recipients, done.reach.unwrap().sent), (Some(2), 2));
            for person in [&mut alice, &mut carol] {
                while person.message().await.campaign != Some(done.campaign) {}
            }
        }
        root.chat.call(&admin::Unban { user: bob.user }).await.unwrap();
        let mut bob = Person::sign_in(&plain, "bob").await;
        while let Ok(update) = timeout(Duration::from_millis(500), bob.update()).await {
            if let Update::Message(entry) = update {
                assert_eq!(entry.campaign, None, "bob was banned, and got it");
            }
        }
    }
}

fn campaign_to(segment: Segment) -> admin::CreateCampaign {
    admin::CreateCampaign {
        title: "spring".try_into().unwrap(),
        text: "for some".try_into().unwrap(),
        segment,
        starts_at: None,
        ends_at: None,
        hours: None,
        per_second: None,
    }
}

/// Sends a campaign to its end; what its dry run counts is what its start counts.
async fn run(new: admin::CreateCampaign, operator: &Person) -> admin::Campaign {
    let campaign = operator.chat.call(&new).await.unwrap().campaign;
    let forecast = operator.chat.call(&admin::DryRun { campaign }).await.unwrap();
    operator.chat.call(&admin::StartCampaign { campaign }).await.unwrap();
    let begun = Instant::now();
    loop {
        let found = show(campaign, operator).await;
        if found.state != CampaignState::Running {
            assert_eq!(found.recipients, Some(forecast.recipients));
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{found:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn next_announcement(person: &mut Person) -> admin::AnnouncedEvent {
    loop {
        if let Update::Announcement(event) = person.update().await {
            return event;
        }
    }
}

async fn show(campaign: u64, operator: &Person) -> admin::Campaign {
    // The module may just be starting.
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        match operator.chat.call(&admin::GetCampaign { campaign }).await {
            Ok(found) => return found,
            Err(error) => assert!(Instant::now() < limit, "{error}"),
        }
    }
}

/// How many have it so far, and the campaign's state.
async fn sent(campaign: u64, operator: &Person) -> (u64, CampaignState) {
    let found = show(campaign, operator).await;
    (found.reach.map_or(0, |reach| reach.sent), found.state)
}

/// How many messages of the campaign stand in the tables, and in how many conversations.
async fn in_tables(platform: &Platform) -> (u64, u64) {
    let mut records = Records::of(platform, "message").await;
    let sql = "SELECT count(*), count(DISTINCT conversation) FROM message WHERE body = 'it is spring'";
    let [messages, conversations] = records.numbers(sql).await[..] else { panic!("two numbers") };
    (u64::try_from(messages).unwrap(), u64::try_from(conversations).unwrap())
}

//! Everything that a conversation is beside sending: paging, catching up, the list, what was read, what was changed afterwards,
//! what was found again; for one-to-one and group alike.

use std::collections::BTreeMap;
use std::time::Duration;

use broker_schemas::group::{self, Admission, Change, Configure, Join, Kick, Visible};
use broker_schemas::message::{
    Edit, EditedEvent, Entry, GetUnread, History, ListConversations, ListReaders, NewEvent, Payload, React,
    ReactedEvent, Read, ReadEvent, Recall, RecalledEvent, Recipient, Search, Send, Sync, Typing, TypingEvent,
};
use broker_schemas::{Code, Conversation, List, Map, Seq, Text, message};
use natter_tests::device::{Device, Pushed, assert_bounded, draft};
use natter_tests::{Platform, on_both_databases};
use serde_json::json;
use tokio::time::{Instant, sleep};

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    text.try_into().unwrap()
}

/// The other end, and where messages for it stand.
fn between(a: &Device, b: &Device) -> (Recipient, Conversation) {
    (Recipient::User(b.user), Conversation::direct(a.user, b.user).unwrap())
}

fn of_group(group: broker_schemas::GroupId) -> (Recipient, Conversation) {
    (Recipient::Group(group), Conversation::group(group))
}

/// Waits for a message with this text.
async fn hears(device: &Device, words: &str) -> Entry {
    let is_it =
        |pushed: &Pushed| pushed.read::<NewEvent>().map(|event| event.0).filter(|entry| entry.text == words);
    device.pushed(is_it).await
}

async fn people<const N: usize>(platform: &Platform, names: [&str; N]) -> [Device; N] {
    let place = platform.address("tcp").await;
    let mut people = Vec::new();
    for name in names {
        people.push(Device::register(&place, name).await);
    }
    for later in 1..N {
        people[0].befriend(&people[later]).await;
    }
    people.try_into().unwrap()
}

on_both_databases! {
    async fn history_goes_both_ways_in_bounded_pages(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let [alice, bob] = people(&platform, ["alice", "bob"]).await;
        let group = alice.create("pages", &[&bob], Admission::Invitation).await;
        for (to, there, notices) in [(between(&alice, &bob).0, between(&alice, &bob).1, 0), (of_group(group).0, of_group(group).1, 1)] {
            for number in 1 + notices..=120 {
                alice.send(to, &format!("number {number}")).await.unwrap();
            }
            let page = async |before: Option<u64>, after: Option<u64>, limit: Option<u32>| {
                let (before, after) = (before.map(seq), after.map(seq));
                bob.call(&History { conversation: there, before, after, limit }).await.map(|page| {
                    (page.messages.iter().map(|entry| entry.seq.get()).collect::<Vec<_>>(), page.more)
                })
            };
            assert_eq!(page(None, None, None).await.unwrap(), ((71..=120).collect(), true));
            assert_eq!(page(Some(71), None, Some(60)).await.unwrap(), ((11..=70).collect(), true));
            assert_eq!(page(Some(11), None, Some(60)).await.unwrap(), ((1..=10).collect(), false));
            assert_eq!(page(Some(1), None, None).await.unwrap(), (vec![], false));
            assert_eq!(page(None, Some(60), Some(50)).await.unwrap(), ((61..=110).collect(), true));
            assert_eq!(page(None, Some(110), Some(50)).await.unwrap(), ((111..=120).collect(), false));
            assert_eq!(page(None, Some(110), Some(10)).await.unwrap(), ((111..=120).collect(), false));
            assert_eq!(page(None, Some(120), None).await.unwrap(), (vec![], false));
            for (before, after, limit) in [(Some(50), Some(10), None), (None, None, Some(0)), (None, None, Some(201))] {
                assert_eq!(page(before, after, limit).await.unwrap_err().code, Code::Invalid);
            }
        }
        // Long ones end a page early.
        let (to, there) = between(&alice, &bob);
        for _ in 0..10 {
            alice.send(to, &"x".repeat(message::TEXT_BYTES)).await.unwrap();
        }
        let long = History { conversation: there, before: None, after: Some(seq(118)), limit: Some(200) };
        let page = bob.call(&long).await.unwrap();
        assert_bounded(&page.messages);
        assert!(page.more);
        let places: Vec<_> = page.messages.iter().map(|entry| entry.seq.get()).collect();
        let last = *places.last().unwrap();
        assert_eq!(places, (119..=last).collect::<Vec<_>>());
        assert!((120..130).contains(&last));
        assert_eq!(bob.whole(there).await.unwrap().len(), 130);
    }
}

on_both_databases! {
    async fn a_sync_over_many_conversations_is_bounded_and_goes_on_until_everything_is_there(backend: Backend) {
        const GROUPS: usize = 30;
        let platform = Platform::standalone(backend).await;
        let [alice, bob] = people(&platform, ["alice", "bob"]).await;
        let mut expected: BTreeMap<Conversation, Vec<u64>> = BTreeMap::new();
        let mut have = BTreeMap::new();
        for number in 0..GROUPS {
            let group = alice.create(&format!("group {number}"), &[&bob], Admission::Invitation).await;
            let (to, there) = of_group(group);
            for message in 0..10 {
                alice.send(to, &format!("{number} {message} {}", "x".repeat(number * 100))).await.unwrap();
            }
            // Of some the client has a part, of others nothing.
            let begin = (number % 4 * 3) as u64;
            if begin > 0 {
                have.insert(there, begin);
            }
            expected.insert(there, (begin + 1..=11).collect());
        }
        let (messages, changed) = bob.sync(have.clone(), None).await;
        assert!(changed.is_empty());
        let mut got: BTreeMap<Conversation, Vec<u64>> = BTreeMap::new();
        for entry in &messages {
            got.entry(entry.conversation).or_default().push(entry.seq.get());
        }
        assert_eq!(got, expected);
        // What isn't named counts from where the user has read.
        let (read, _) = expected.iter().find(|(there, _)| !have.contains_key(there)).unwrap();
        bob.call(&Read { conversation: *read, seq: seq(9) }).await.unwrap();
        let (messages, _) = bob.sync(have, None).await;
        let of_it = messages.iter().filter(|entry| entry.conversation == *read).map(|entry| entry.seq.get());
        assert_eq!(of_it.collect::<Vec<_>>(), [10, 11]);
        // A request is bounded, too.
        let many: BTreeMap<String, u64> = (1..=message::SYNC_MAX as u64 + 1).map(|number| (format!("g{number}"), 0)).collect();
        let refused = bob.call_json("message.sync", json!({"have": many})).await.unwrap_err();
        assert_eq!(refused.code, Code::Invalid, "{refused:?}");
    }
}

on_both_databases! {
    async fn the_list_of_conversations_shows_what_a_list_shows(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let [alice, bob, carol] = people(&platform, ["alice", "bob", "carol"]).await;
        let group = alice.create("us", &[&bob, &carol], Admission::Invitation).await;
        let (to_group, in_group) = of_group(group);
        let list = async |after: Option<Conversation>, limit: Option<u32>| {
            alice.call(&ListConversations { after, limit }).await.unwrap()
        };
        let shown = list(None, None).await.conversations;
        let of_group = shown.iter().find(|overview| overview.standing.conversation == in_group).unwrap();
        let last = of_group.last.as_ref().unwrap();
        assert!(matches!(last.notice, Some(Change::Created { .. })), "{last:?}");

        let (with_bob, with_carol) = (between(&bob, &alice), between(&carol, &alice));
        bob.send(with_bob.0, "one").await.unwrap();
        let long = "ä".repeat(200);
        let second = bob.send(with_bob.0, &long).await.unwrap();
        let payload = Payload { kind: text("application/x-place"), data: text("52.1,13.2") };
        let place = Send { payload: Some(payload), ..draft(to_group, "") };
        bob.call(&place).await.unwrap();
        let recalled = carol.send(with_carol.0, "never mind").await.unwrap();
        carol.call(&Recall { conversation: with_carol.1, seq: recalled.seq }).await.unwrap();

        let all = list(None, None).await;
        assert!(!all.more);
        let order: Vec<_> = all.conversations.iter().map(|overview| overview.standing.conversation).collect();
        assert_eq!(order, [with_carol.1, in_group, with_bob.1]);
        let (carols, groups, bobs) = (&all.conversations[0], &all.conversations[1], &all.conversations[2]);
        let last = carols.last.as_ref().unwrap();
        assert_eq!((last.text.as_str(), last.recalled, carols.standing.unread(), carols.open), ("", true, 1, true));
        let last = groups.last.as_ref().unwrap();
        assert_eq!((last.kind.as_deref(), last.from, groups.standing.unread()), (Some("application/x-place"), bob.user, 2));
        let last = bobs.last.as_ref().unwrap();
        assert_eq!((last.seq, last.sent_at, bobs.standing.unread()), (second.seq, second.sent_at, 2));
        assert!(long.starts_with(&last.text) && last.text.len() == message::PREVIEW_BYTES, "{last:?}");

        // One at a time, the same.
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = list(after, Some(1)).await;
            after = page.conversations.last().map(|overview| overview.standing.conversation);
            paged.extend(page.conversations);
            if !page.more {
                break;
            }
        }
        assert_eq!(paged, all.conversations);

        // Whether one may write shows, and unread goes with what was read.
        alice.call(&Read { conversation: with_bob.1, seq: second.seq }).await.unwrap();
        alice.call(&broker_schemas::friend::Block { user: bob.user }).await.unwrap();
        let shown = list(None, None).await.conversations;
        let bobs = shown.iter().find(|overview| overview.standing.conversation == with_bob.1).unwrap();
        assert_eq!((bobs.open, bobs.standing.unread()), (false, 0));
        let unread = alice.call(&GetUnread {}).await.unwrap().conversations;
        assert_eq!(unread, shown.iter().map(|overview| overview.standing).collect::<Vec<_>>());
    }
}

on_both_databases! {
    async fn who_has_read_up_to_where_is_told_to_a_small_group_and_kept_for_every_one(backend: Backend) {
        let platform = Platform::standalone_with(backend, &["message.receipts_up_to=3"]).await;
        let [alice, bob, carol, dave] = people(&platform, ["alice", "bob", "carol", "dave"]).await;
        let phone = Device::sign_in(&platform.address("tcp").await, "bob").await;
        let (_, direct) = between(&alice, &bob);
        let small = alice.create("small", &[&bob, &carol], Admission::Invitation).await;
        let large = alice.create("large", &[&bob, &carol, &dave], Admission::Invitation).await;
        // From then on they receive what is said there.
        for device in [&alice, &bob, &phone, &carol, &carol, &dave] {
            device.event::<group::JoinedEvent>().await;
        }
        alice.send(Recipient::User(bob.user), "direct").await.unwrap();
        for group in [small, large] {
            alice.send(Recipient::Group(group), "to all").await.unwrap();
            hears(&carol, "to all").await;
        }
        let cases = [
            (direct, 1, vec![&alice, &bob, &phone], vec![]),
            (Conversation::group(small), 2, vec![&alice, &carol, &bob, &phone], vec![]),
            (Conversation::group(large), 2, vec![&bob, &phone], vec![&alice, &carol, &dave]),
        ];
        for (conversation, last, told, untold) in cases {
            bob.call(&Read { conversation, seq: seq(last) }).await.unwrap();
            for device in told {
                let read = device.event::<ReadEvent>().await;
                assert_eq!((read.conversation, read.user, read.seq), (conversation, bob.user, seq(last)));
            }
            // A cursor moves forward only, and not beyond the end.
            bob.call(&Read { conversation, seq: seq(1) }).await.unwrap();
            let beyond = bob.call(&Read { conversation, seq: seq(last + 1) }).await.unwrap_err();
            assert_eq!(beyond.code, Code::Invalid);
            let cursor = async |device: &Device| {
                let readers = device.call(&ListReaders { conversation, seq: None }).await.unwrap().readers;
                readers.iter().find(|reader| reader.user == bob.user).unwrap().seq
            };
            assert_eq!((cursor(&alice).await, cursor(&bob).await), (last, last));
            let readers = alice.call(&ListReaders { conversation, seq: Some(seq(last)) }).await.unwrap().readers;
            assert_eq!(readers.iter().map(|reader| reader.user).collect::<Vec<_>>(), [bob.user]);
            // What comes behind the event would find it there.
            alice.send(conversation.group_id().map_or(Recipient::User(bob.user), Recipient::Group), "marker").await.unwrap();
            for device in untold {
                hears(device, "marker").await;
                assert!(device.waiting().iter().all(|pushed| pushed.read::<ReadEvent>().is_none()));
            }
        }
    }
}

on_both_databases! {
    async fn typing_is_told_to_the_others_at_most_once_a_second_and_stored_nowhere(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let [alice, bob, carol] = people(&platform, ["alice", "bob", "carol"]).await;
        let group = alice.create("us", &[&bob, &carol], Admission::Invitation).await;
        alice.send(Recipient::User(bob.user), "hi").await.unwrap();
        for device in [&bob, &carol] {
            device.event::<group::JoinedEvent>().await;
        }
        for (conversation, to, told) in [
            (between(&alice, &bob).1, Recipient::User(bob.user), vec![&bob]),
            (Conversation::group(group), Recipient::Group(group), vec![&bob, &carol]),
        ] {
            let before = alice.whole(conversation).await.unwrap();
            // A few at once, and then one that counts again.
            let begun = Instant::now();
            for _ in 0..5 {
                alice.call(&Typing { conversation }).await.unwrap();
            }
            let seconds = begun.elapsed().as_secs();
            for device in &told {
                let typing = device.event::<TypingEvent>().await;
                assert_eq!((typing.conversation, typing.user), (conversation, alice.user));
            }
            sleep(Duration::from_millis(1_100)).await;
            alice.call(&Typing { conversation }).await.unwrap();
            for device in &told {
                device.event::<TypingEvent>().await;
            }
            assert_eq!(alice.whole(conversation).await.unwrap(), before);
            alice.send(to, "typed").await.unwrap();
            for device in &told {
                hears(device, "typed").await;
                let typing = device.waiting().iter().filter_map(Pushed::read::<TypingEvent>).count();
                assert!(typing as u64 <= seconds, "told more than twice");
            }
        }
        // In a group one is told of oneself, once each time.
        let own: Vec<_> = alice.waiting().iter().filter_map(Pushed::read::<TypingEvent>).collect();
        assert!(own.iter().all(|event| event.conversation.group_id().is_some()), "{own:?}");
    }
}

/// What an event says about a message that was changed, put into the message as it was.
fn apply(entry: &mut Entry, pushed: &Pushed) {
    if let Some(event) = pushed.read::<EditedEvent>().filter(|event| event.seq == entry.seq) {
        entry.text = event.text;
        entry.edited_at = Some(event.edited_at);
        entry.revision = event.revision;
    }
    if let Some(event) = pushed.read::<RecalledEvent>().filter(|event| event.seq == entry.seq) {
        *entry = Entry {
            text: String::new(),
            quote: None,
            mentions: vec![],
            payload: None,
            recalled_by: Some(event.by),
            reactions: vec![],
            revision: event.revision,
            ..entry.clone()
        };
    }
}

on_both_databases! {
    async fn what_is_changed_afterwards_reaches_who_is_there_at_once_and_who_is_away_by_sync(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let place = platform.address("tcp").await;
        let [alice, bob] = people(&platform, ["alice", "bob"]).await;
        let group = alice.create("us", &[&bob], Admission::Invitation).await;
        bob.event::<group::JoinedEvent>().await;
        for (to, there) in [between(&alice, &bob), of_group(group)] {
            let first = alice.send(to, "teh first").await.unwrap().seq;
            let second = alice.send(to, "the second").await.unwrap().seq;
            let third = alice.send(to, "the third").await.unwrap().seq;
            hears(&bob, "the third").await;
            let mut known = bob.whole(there).await.unwrap();

            let edited = alice.call(&Edit { conversation: there, seq: first, text: text("the first") }).await.unwrap();
            let recalled = alice.call(&Recall { conversation: there, seq: second }).await.unwrap();
            let react = |reaction: &str, remove: Option<bool>| React { conversation: there, seq: third, reaction: text(reaction), remove };
            let reacted = bob.call(&react("👍", None)).await.unwrap();
            alice.call(&react("👍", None)).await.unwrap();
            alice.call(&react("🎉", None)).await.unwrap();
            let last = bob.call(&react("👍", Some(true))).await.unwrap();
            assert_eq!([edited.revision, recalled.revision, reacted.revision, last.revision], [1, 2, 3, 6]);
            // Again: nothing happens.
            assert_eq!(alice.call(&Edit { conversation: there, seq: first, text: text("the first") }).await.unwrap(), edited);
            assert_eq!(alice.call(&Recall { conversation: there, seq: second }).await.unwrap(), recalled);
            bob.call(&react("👍", Some(true))).await.unwrap();
            alice.call(&react("🎉", None)).await.unwrap();

            // Who is there is told everything, once, in order.
            let mut events = Vec::new();
            while events.len() < 6 {
                let changes = ["message.edited", "message.recalled", "message.reacted"];
                let is_change = |pushed: &Pushed| changes.contains(&pushed.name.as_str()).then(|| pushed.clone());
                events.push(bob.pushed(is_change).await);
            }
            let revisions: Vec<_> = events.iter().map(|event| event.body["revision"].as_u64().unwrap()).collect();
            assert_eq!(revisions, [1, 2, 3, 4, 5, 6]);
            let reactions: Vec<_> = events.iter().filter_map(Pushed::read::<ReactedEvent>).collect();
            let said: Vec<_> = reactions.iter().map(|event| (event.user, event.reaction.as_str(), event.removed)).collect();
            assert_eq!(said, [(bob.user, "👍", false), (alice.user, "👍", false), (alice.user, "🎉", false), (bob.user, "👍", true)]);
            let now = bob.whole(there).await.unwrap();
            for entry in &mut known {
                for event in &events {
                    apply(entry, event);
                }
            }
            let place_of = |wanted: Seq| now.iter().position(|entry| entry.seq == wanted).unwrap();
            for at in [place_of(first), place_of(second)] {
                assert_eq!(known[at], now[at], "the events say what the history says");
            }
            let recalled = &now[place_of(second)];
            assert_eq!((recalled.text.as_str(), recalled.recalled_by), ("", Some(alice.user)));
            let reactions: Vec<_> = now[place_of(third)]
                .reactions
                .iter()
                .map(|reaction| (reaction.reaction.as_str(), reaction.count, reaction.mine))
                .collect();
            assert_eq!(reactions, [("👍", 1, false), ("🎉", 1, false)]);

            // A device that was away asks with what it has, and knows the same.
            let phone = Device::sign_in(&place, "bob").await;
            let have = BTreeMap::from([(there, third.get())]);
            let (messages, changed) = phone.sync(have.clone(), Some(BTreeMap::from([(there, 0)]))).await;
            assert!(messages.iter().all(|entry| entry.conversation != there), "{messages:?}");
            let expected: Vec<_> = [first, second, third].iter().map(|seq| now[place_of(*seq)].clone()).collect();
            assert_eq!(changed, expected, "by revision, each once, as it is now");
            let (_, later) = phone.sync(have.clone(), Some(BTreeMap::from([(there, 2)]))).await;
            assert_eq!(later, expected[2..]);
            let (_, none) = phone.sync(have, Some(BTreeMap::from([(there, 6)]))).await;
            assert!(none.is_empty());

            // A recalled message is not changed any more, and only one's own text is edited.
            let refused = |code: Code, answer: Result<message::Changed, natter_tests::device::Refusal>| {
                assert_eq!(answer.unwrap_err().code, code);
            };
            refused(Code::Conflict, alice.call(&Edit { conversation: there, seq: second, text: text("again") }).await);
            refused(Code::Conflict, bob.call(&React { conversation: there, seq: second, reaction: text("👍"), remove: None }).await);
            refused(Code::Forbidden, bob.call(&Edit { conversation: there, seq: first, text: text("mine") }).await);
            refused(Code::Forbidden, bob.call(&Recall { conversation: there, seq: first }).await);
            refused(Code::NotFound, alice.call(&Recall { conversation: there, seq: seq(999) }).await);
            refused(Code::Invalid, bob.call(&react("two words", None)).await);
            refused(Code::Invalid, bob.call(&react("", None)).await);
            refused(Code::Invalid, alice.call(&Edit { conversation: there, seq: first, text: text("") }).await);
            bob.forget();
        }
    }
}

on_both_databases! {
    async fn what_was_said_can_be_changed_within_the_installations_time_only(backend: Backend) {
        let settings = ["message.edit_within_s=4", "message.recall_within_s=5"];
        let platform = Platform::standalone_with(backend, &settings).await;
        let [alice, bob] = people(&platform, ["alice", "bob"]).await;
        let group = alice.create("us", &[&bob], Admission::Invitation).await;
        let (to, there) = of_group(group);
        let of_bob = bob.send(to, "said is said").await.unwrap().seq;
        bob.call(&Edit { conversation: there, seq: of_bob, text: text("quickly") }).await.unwrap();
        let started = Instant::now();
        let edit = async |number: u32| {
            bob.call(&Edit { conversation: there, seq: of_bob, text: text(&format!("edit {number}")) }).await
        };
        let mut number = 0;
        let refused = loop {
            match edit(number).await {
                Ok(_) => assert!(started.elapsed() < Duration::from_secs(5), "still edited"),
                Err(refused) => break refused,
            }
            number += 1;
            sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(refused.code, Code::Forbidden, "{refused:?}");
        // Neither does an edit make a message younger.
        sleep(Duration::from_secs(5).saturating_sub(started.elapsed()) + Duration::from_millis(100)).await;
        let recall = Recall { conversation: there, seq: of_bob };
        assert_eq!(bob.call(&recall).await.unwrap_err().code, Code::Forbidden);
        alice.call(&recall).await.expect("who runs the group may at any time");
        assert_eq!(alice.whole(there).await.unwrap().last().unwrap().recalled_by, Some(alice.user));
    }
}

on_both_databases! {
    async fn a_message_carries_quote_mentions_and_what_an_application_says(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let [alice, bob, carol] = people(&platform, ["alice", "bob", "carol"]).await;
        let group = alice.create("us", &[&bob, &carol], Admission::Open).await;
        for (to, there) in [between(&alice, &bob), of_group(group)] {
            let first = alice.send(to, "who comes?").await.unwrap();
            let largest = Payload { kind: text(&"k".repeat(128)), data: text(&"p".repeat(message::PAYLOAD_BYTES)) };
            let request = Send {
                quote: Some(first.seq),
                mentions: Some(List::new(vec![bob.user]).unwrap()),
                payload: Some(largest.clone()),
                ..draft(to, &format!("{there}{}", "x".repeat(message::TEXT_BYTES - there.to_string().len())))
            };
            let sent = alice.call(&request).await.unwrap();
            assert_eq!(alice.call(&request).await.unwrap(), sent, "the same again");
            let other = Send { quote: None, ..request.clone() };
            assert_eq!(alice.call(&other).await.unwrap_err().code, Code::Conflict, "not the same");
            let entry = hears(&bob, &request.text).await;
            assert_eq!((entry.quote, &entry.mentions, &entry.payload), (Some(first.seq), &vec![bob.user], &Some(largest)));
            assert_eq!(bob.whole(there).await.unwrap().last(), Some(&entry));

            let small = Payload { kind: text("text/x"), data: text("1") };
            alice.call(&Send { payload: Some(small.clone()), ..draft(to, "") }).await.expect("no text beside a payload");
            let strange = Payload { kind: text("no spaces"), ..small.clone() };
            let nameless = Payload { kind: text(""), ..small };
            let beyond = Some(seq(sent.seq.get() + 1_000));
            for (request, code) in [
                (draft(to, ""), Code::Invalid),
                (Send { payload: Some(strange), ..draft(to, "x") }, Code::Invalid),
                (Send { payload: Some(nameless), ..draft(to, "x") }, Code::Invalid),
                (Send { quote: beyond, ..draft(to, "x") }, Code::Invalid),
            ] {
                let refused = alice.call(&request).await.unwrap_err();
                assert_eq!(refused.code, code, "{request:?}: {refused:?}");
            }
            let too_long = |data: usize| {
                let mut body = serde_json::to_value(draft(to, "x")).unwrap();
                body["payload"] = json!({"kind": "k", "data": "p".repeat(data)});
                body
            };
            let refused = alice.call_json("message.send", too_long(message::PAYLOAD_BYTES + 1)).await.unwrap_err();
            assert_eq!(refused.code, Code::Invalid, "{refused:?}");
        }
        // A quote shows nothing that one may not read.
        let (to, _) = of_group(group);
        let place = platform.address("tcp").await;
        let dave = Device::register(&place, "dave").await;
        dave.call(&Join { group }).await.unwrap();
        let before = Send { quote: Some(seq(2)), ..draft(to, "what was that?") };
        let refused = dave.call(&before).await.unwrap_err();
        let nothing = Send { quote: Some(seq(999)), ..draft(to, "what was that?") };
        let of_nothing = dave.call(&nothing).await.unwrap_err();
        assert_eq!((refused.code, of_nothing.code), (Code::Invalid, Code::Invalid));
        assert_eq!(refused.message.replace('2', "999"), of_nothing.message, "there is no telling them apart");
    }
}

async fn find(
    device: &Device,
    words: &str,
    conversation: Option<Conversation>,
) -> Vec<(Conversation, String)> {
    let search = Search { text: text(words), conversation, limit: None, skip: None };
    let found = device.call(&search).await.unwrap_or_else(|refusal| panic!("{words:?}: {refusal:?}"));
    assert!(!found.more);
    found.messages.into_iter().map(|entry| (entry.conversation, entry.text)).collect()
}

on_both_databases! {
    async fn a_search_finds_what_one_may_read_and_nothing_else(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let [alice, bob, carol] = people(&platform, ["alice", "bob", "carol"]).await;
        let group = alice.create("us", &[&bob], Admission::Open).await;
        let (to_bob, with_bob) = between(&alice, &bob);
        let (to_group, in_group) = of_group(group);
        alice.send(to_bob, "The Quick brown fox").await.unwrap();
        alice.send(to_group, "jumps over the lazy dog, quickly").await.unwrap();
        alice.send(to_group, "Größe zählt: ÄRGER im Café").await.unwrap();
        bob.send(Recipient::User(alice.user), "e-mail to bob@example.org: 50% off \"today\"").await.unwrap();
        let fox = (with_bob, "The Quick brown fox".to_owned());
        let dog = (in_group, "jumps over the lazy dog, quickly".to_owned());
        let size = (in_group, "Größe zählt: ÄRGER im Café".to_owned());

        for (words, conversation, expected) in [
            ("quick", None, vec![dog.clone(), fox.clone()]),
            ("QUICK", Some(with_bob), vec![fox.clone()]),
            ("quick the", None, vec![dog.clone(), fox.clone()]),
            ("quick lazy", None, vec![dog.clone()]),
            ("laz do", Some(in_group), vec![dog.clone()]),
            ("uick", None, vec![]),
            ("größe", None, vec![size.clone()]),
            ("ärger", None, vec![size.clone()]),
            ("cafe", Some(with_bob), vec![]),
        ] {
            assert_eq!(find(&alice, words, conversation).await, expected, "{words:?}");
            assert_eq!(find(&bob, words, conversation).await, expected, "{words:?}");
        }
        // What a database's own language of questions would make something else of.
        for words in ["bob@example.org", "e-mail", "50%", "\"today\"", "quick*", "fox OR dog", "NOT fox", "text:fox", "'; drop table", "a & b | !c", "()", "^"] {
            let search = Search { text: text(words), conversation: None, limit: None, skip: None };
            match alice.call(&search).await {
                Ok(found) => assert!(found.messages.len() <= 2, "{words:?} found {:?}", found.messages),
                Err(refusal) => assert_eq!(refusal.code, Code::Invalid, "{words:?}"),
            }
        }
        assert_eq!(find(&alice, "bob@example.org", None).await.len(), 1);
        assert!(find(&alice, "fox OR dog", None).await.is_empty(), "three words");

        // Changed, recalled.
        let words = alice.send(to_group, "a zebra").await.unwrap();
        assert_eq!(find(&bob, "zebra", None).await.len(), 1);
        alice.call(&Edit { conversation: in_group, seq: words.seq, text: text("a giraffe") }).await.unwrap();
        assert!(find(&bob, "zebra", None).await.is_empty());
        assert_eq!(find(&bob, "giraffe", None).await, [(in_group, "a giraffe".to_owned())]);
        alice.call(&Recall { conversation: in_group, seq: words.seq }).await.unwrap();
        assert!(find(&alice, "giraffe", None).await.is_empty());

        // Others' conversations; before one was there; after one was.
        assert!(find(&carol, "quick", None).await.is_empty());
        let elsewhere = Search { text: text("quick"), conversation: Some(with_bob), limit: None, skip: None };
        assert_eq!(carol.call(&elsewhere).await.unwrap_err().code, Code::NotFound);
        carol.call(&Join { group }).await.unwrap();
        assert!(find(&carol, "lazy", Some(in_group)).await.is_empty());
        alice.send(to_group, "lazy again").await.unwrap();
        assert_eq!(find(&carol, "lazy", None).await, [(in_group, "lazy again".to_owned())]);
        alice.call(&Kick { group, user: carol.user, block: None }).await.unwrap();
        assert!(find(&carol, "lazy", None).await.is_empty());
        alice.call(&Configure { group, admission: None, visible: Some(Visible::Everything) }).await.unwrap();
        carol.call(&Join { group }).await.unwrap();
        assert_eq!(find(&carol, "lazy", None).await.len(), 2);

        // Page by page.
        for number in 0..25 {
            alice.send(to_bob, &format!("pebble {number}")).await.unwrap();
        }
        let page = async |skip: u32| {
            let search = Search { text: text("pebble"), conversation: None, limit: Some(10), skip: Some(skip) };
            let found = bob.call(&search).await.unwrap();
            (found.messages.into_iter().map(|entry| entry.text).collect::<Vec<_>>(), found.more)
        };
        let numbers = |from: u32, to: u32| (to..=from).rev().map(|number| format!("pebble {number}")).collect::<Vec<_>>();
        assert_eq!(page(0).await, (numbers(24, 15), true));
        assert_eq!(page(10).await, (numbers(14, 5), true));
        assert_eq!(page(20).await, (numbers(4, 0), false));
        for (words, limit, skip) in [("", None, None), ("x", Some(0), None), ("x", Some(201), None), ("x", None, Some(1_001))] {
            let refused = bob.call(&Search { text: text(words), conversation: None, limit, skip }).await.unwrap_err();
            assert_eq!(refused.code, Code::Invalid, "{words:?} {limit:?} {skip:?}");
        }
    }
}

on_both_databases! {
    async fn several_devices_of_a_user_see_the_same_read_state_included(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let place = platform.address("tcp").await;
        let [alice, bob] = people(&platform, ["alice", "bob"]).await;
        let phone = Device::sign_in(&place, "alice").await;
        let group = bob.create("us", &[&alice], Admission::Invitation).await;
        for device in [&alice, &phone] {
            device.event::<group::JoinedEvent>().await;
        }
        let (to_bob, with_bob) = between(&alice, &bob);
        let (to_group, in_group) = of_group(group);
        for (to, there) in [(to_bob, with_bob), (to_group, in_group)] {
            let sent = phone.send(to, "from the phone").await.unwrap();
            for device in [&alice, &phone, &bob] {
                assert_eq!(hears(device, "from the phone").await.seq, sent.seq);
            }
            let reaction = React { conversation: there, seq: sent.seq, reaction: text("👀"), remove: None };
            phone.call(&reaction).await.unwrap();
            alice.event::<ReactedEvent>().await;
            for (device, mine) in [(&alice, true), (&phone, true), (&bob, false)] {
                let last = device.whole(there).await.unwrap().pop().unwrap();
                assert_eq!((last.reactions[0].count, last.reactions[0].mine), (1, mine));
            }
            alice.call(&Read { conversation: there, seq: sent.seq }).await.unwrap();
            let read = phone.event::<ReadEvent>().await;
            assert_eq!((read.conversation, read.user, read.seq), (there, alice.user, sent.seq));
        }
        let tablet = Device::sign_in(&place, "alice").await;
        let broker_schemas::Fetched::Available(unread) = &tablet.session.unread else { panic!("{:?}", tablet.session) };
        assert!(unread.iter().all(|standing| standing.unread() == 0), "{unread:?}");
        let mut lists = Vec::new();
        for device in [&alice, &phone, &tablet] {
            lists.push(device.call(&ListConversations { after: None, limit: None }).await.unwrap());
            for there in [with_bob, in_group] {
                assert_eq!(device.whole(there).await.unwrap(), alice.whole(there).await.unwrap());
            }
            let nothing = device.call(&Sync { have: Map::new(BTreeMap::new()).unwrap(), revisions: None }).await.unwrap();
            assert!(nothing.messages.is_empty() && !nothing.more, "everything was read");
        }
        assert!(lists.windows(2).all(|pair| pair[0] == pair[1]));
    }
}

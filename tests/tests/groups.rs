//! The life of a group, seen by its members on two edges: each change reaches them at once, and stands in the conversation.

use std::time::Duration;

use broker_schemas::group::{
    self, Admission, Announce, Approve, Change, Configure, Decline, Dissolve, Invite, Join, Kick, Leave,
    ListGroups, ListMembers, ListRequests, Mute, Rename, SetRole, Transfer, Unblock, Visible,
};
use broker_schemas::message::{Entry, Recipient};
use broker_schemas::rights::Role;
use broker_schemas::user::DeleteAccount;
use broker_schemas::{Code, Conversation, GroupId, List, Text, Timestamp, UserId, message};
use natter_tests::device::{Device, Pushed, Refusal};
use natter_tests::{Backend, Person, Platform, on_both_databases};

/// Each part in a process of its own, and a second edge.
async fn on_two_edges(backend: Backend) -> (Platform, String, String) {
    let mut platform = Platform::distributed(backend).await;
    platform.start("edge2").await;
    let (first, second) = (platform.address("tcp").await, platform.address_of("edge2", "tcp").await);
    (platform, first, second)
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    text.try_into().unwrap()
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> Code {
    answer.unwrap_err().code
}

/// What happened to a group, by its conversation.
fn notices(conversation: &[Entry]) -> Vec<(UserId, Change)> {
    conversation.iter().filter_map(|entry| Some((entry.from, entry.notice.clone()?))).collect()
}

fn texts(conversation: &[Entry]) -> Vec<&str> {
    conversation.iter().filter(|entry| entry.notice.is_none()).map(|entry| entry.text.as_str()).collect()
}

/// Makes everybody a friend of the first one.
async fn befriend_all(one: &Device, others: &[&Device]) {
    for other in others {
        one.befriend(other).await;
    }
}

/// Waits until each device was pushed this notice, and that no other one came before it.
async fn all_see(devices: &[&Device], group: GroupId, by: &Device, change: &Change) {
    for device in devices {
        let mut notice = device.notice(Conversation::group(group)).await;
        // Of one's own joining one may be told or not: an edge that has other members on it is told in any case.
        if notice.notice == Some(Change::Joined { user: device.user })
            && notice.notice.as_ref() != Some(change)
        {
            notice = device.notice(Conversation::group(group)).await;
        }
        assert_eq!((notice.from, notice.notice.as_ref()), (by.user, Some(change)), "user {}", device.user);
        assert_eq!((notice.text.as_str(), notice.client_id), ("", None), "nobody wrote it");
    }
}

async fn members_of(device: &Device, group: GroupId) -> Vec<(UserId, Role)> {
    let members = device.call(&ListMembers { group, after: None, limit: None }).await.unwrap();
    assert!(!members.more);
    members.members.iter().map(|member| (member.user, member.role)).collect()
}

on_both_databases! {
    async fn every_change_reaches_every_member_at_once_and_stands_in_the_conversation(backend: Backend) {
        let (_platform, first, second) = on_two_edges(backend).await;
        let alice = Device::register(&first, "alice").await;
        let bob = Device::register(&second, "bob").await;
        let phone = Device::sign_in(&first, "bob").await;
        let carol = Device::register(&second, "carol").await;
        let dave = Device::register(&first, "dave").await;
        let erin = Device::register(&second, "erin").await;
        befriend_all(&alice, &[&bob, &carol, &dave]).await;

        let group = alice.create("Friends of Alice", &[&bob], Admission::Approval).await;
        let (there, to) = (Conversation::group(group), Recipient::Group(group));
        for device in [&alice, &bob, &phone] {
            let joined = device.event::<group::JoinedEvent>().await;
            assert_eq!((joined.group, joined.name.as_str(), joined.by), (group, "Friends of Alice", alice.user));
            // Pushed or not, depending on whether the edge heard the group's subject in time: the join says to ask.
            assert_eq!(device.whole(there).await.unwrap().len(), 1);
        }
        let mut everybody = vec![&alice, &bob, &phone];
        let mut expected = vec![(
            alice.user,
            Change::Created { name: text("Friends of Alice"), members: List::new(vec![bob.user]).unwrap() },
        )];
        for device in &everybody {
            device.forget();
        }

        alice.call(&Invite { group, user: carol.user }).await.unwrap();
        assert_eq!(carol.event::<group::JoinedEvent>().await.by, alice.user);
        expected.push((alice.user, Change::Joined { user: carol.user }));
        all_see(&everybody, group, &alice, &expected.last().unwrap().1).await;
        // Once told of the group, a member receives.
        everybody.push(&carol);

        let asked = erin.call(&Join { group }).await.unwrap();
        assert!(!asked.member, "the group takes members by approval");
        let asks = alice.event::<group::AskedEvent>().await;
        assert_eq!((asks.group, asks.user, asks.name.as_str()), (group, erin.user, "erin"));
        assert_eq!(refused(erin.whole(there).await), Code::NotFound, "asking shows nothing");
        let requests = alice.call(&ListRequests { group }).await.unwrap();
        assert_eq!(requests.asking.iter().map(|entry| entry.user).collect::<Vec<_>>(), [erin.user]);
        alice.call(&Decline { group, user: erin.user }).await.unwrap();
        assert!(alice.call(&ListRequests { group }).await.unwrap().asking.is_empty());
        assert_eq!(refused(alice.call(&Approve { group, user: erin.user }).await), Code::NotFound);
        assert!(!erin.call(&Join { group }).await.unwrap().member, "who was declined may ask again");
        alice.call(&Approve { group, user: erin.user }).await.unwrap();
        let change = Change::Joined { user: erin.user };
        all_see(&everybody, group, &alice, &change).await;
        expected.push((alice.user, change));
        assert_eq!(erin.event::<group::JoinedEvent>().await.by, alice.user);
        everybody.push(&erin);

        let administrator = SetRole { group, user: bob.user, role: Role::Administrator };
        alice.call(&administrator).await.unwrap();
        let change = Change::RoleSet { user: bob.user, role: Role::Administrator };
        all_see(&everybody, group, &alice, &change).await;
        expected.push((alice.user, change));
        alice.call(&administrator).await.unwrap();

        let hour = Timestamp(Timestamp::now().0 + 3_600_000);
        for (user, until) in [(Some(carol.user), Some(hour)), (Some(carol.user), None), (None, Some(hour))] {
            bob.call(&Mute { group, user, until }).await.unwrap();
            let change = Change::Muted { user, until };
            all_see(&everybody, group, &bob, &change).await;
            expected.push((bob.user, change));
            for (device, is_muted) in [(&alice, false), (&phone, false), (&carol, until.is_some()), (&erin, user.is_none())] {
                let sent = device.send(to, "may I?").await;
                assert_eq!(sent.is_err(), is_muted, "{user:?} muted until {until:?}: {} said {sent:?}", device.user);
                if is_muted {
                    assert_eq!(refused(sent), Code::Forbidden);
                }
            }
        }
        bob.call(&Mute { group, user: None, until: None }).await.unwrap();
        let change = Change::Muted { user: None, until: None };
        all_see(&everybody, group, &bob, &change).await;
        expected.push((bob.user, change));
        erin.send(to, "at last").await.unwrap();

        for words in ["Meet at noon", ""] {
            bob.call(&Announce { group, text: text(words) }).await.unwrap();
            let change = Change::Announced { text: text(words) };
            all_see(&everybody, group, &bob, &change).await;
            expected.push((bob.user, change));
            for device in &everybody {
                let announced = device.event::<group::AnnouncedEvent>().await;
                assert_eq!((announced.group, announced.by, announced.text.as_str()), (group, bob.user, words));
            }
            let profile = carol.call(&group::GetProfile { group }).await.unwrap();
            let shown = profile.announcement.map(|announcement| (announcement.by, announcement.text));
            assert_eq!(shown, (!words.is_empty()).then(|| (bob.user, words.to_owned())));
        }

        bob.call(&Rename { group, name: text("Friends of Bob") }).await.unwrap();
        bob.call(&Configure { group, admission: Some(Admission::Open), visible: None }).await.unwrap();
        alice.call(&Transfer { group, user: bob.user }).await.unwrap();
        let changes = [
            (&bob, Change::Renamed { name: text("Friends of Bob") }),
            (&bob, Change::Configured { admission: Admission::Open, visible: Visible::FromJoining }),
            (&alice, Change::Transferred { user: bob.user }),
        ];
        for (by, change) in changes {
            all_see(&everybody, group, by, &change).await;
            expected.push((by.user, change));
        }
        let roles = [
            (alice.user, Role::Administrator),
            (bob.user, Role::Owner),
            (carol.user, Role::Member),
            (erin.user, Role::Member),
        ];
        assert_eq!(members_of(&erin, group).await, roles);
        assert_eq!(refused(alice.call(&Dissolve { group }).await), Code::Forbidden, "it isn't hers any more");

        assert!(dave.call(&Join { group }).await.unwrap().member, "the group is open");
        let change = Change::Joined { user: dave.user };
        all_see(&everybody, group, &dave, &change).await;
        expected.push((dave.user, change));
        everybody.push(&dave);
        assert_eq!(dave.event::<group::JoinedEvent>().await.by, dave.user);
        dave.forget();

        everybody.retain(|device| device.user != erin.user);
        erin.call(&Leave { group }).await.unwrap();
        assert_eq!(erin.event::<group::LeftEvent>().await.group, group);
        let change = Change::Left { user: erin.user };
        all_see(&everybody, group, &erin, &change).await;
        expected.push((erin.user, change));

        everybody.retain(|device| device.user != carol.user);
        alice.call(&Kick { group, user: carol.user, block: None }).await.unwrap();
        let kicked = carol.event::<group::KickedEvent>().await;
        assert_eq!((kicked.group, kicked.by), (group, alice.user));
        let change = Change::Kicked { user: carol.user };
        all_see(&everybody, group, &alice, &change).await;
        expected.push((alice.user, change));

        assert_eq!(notices(&bob.whole(there).await.unwrap()), expected);
        bob.call(&Dissolve { group }).await.unwrap();
        for device in &everybody {
            let dissolved = device.event::<group::DissolvedEvent>().await;
            assert_eq!((dissolved.group, dissolved.by), (group, bob.user));
        }
        all_see(&everybody, group, &bob, &Change::Dissolved {}).await;
        expected.push((bob.user, Change::Dissolved {}));
        assert_eq!(notices(&alice.whole(there).await.unwrap()), expected);
        assert_eq!(refused(alice.send(to, "is anybody here?").await), Code::Forbidden);
        assert_eq!(refused(alice.call(&Rename { group, name: text("Ruins") }).await), Code::Conflict);
        assert!(alice.call(&ListGroups { unread: None }).await.unwrap().groups.is_empty());
    }
}

on_both_databases! {
    async fn one_gets_into_a_group_only_by_its_rules(backend: Backend) {
        let (_platform, first, second) = on_two_edges(backend).await;
        let alice = Device::register(&first, "alice").await;
        let bob = Device::register(&second, "bob").await;
        let carol = Device::register(&first, "carol").await;
        let eve = Device::register(&second, "eve").await;
        befriend_all(&alice, &[&bob]).await;
        befriend_all(&bob, &[&carol]).await;

        let request = |members: &[&Device]| group::Create {
            name: text("a group"),
            members: Some(List::new(members.iter().map(|member| member.user).collect()).unwrap()),
            admission: None,
            visible: None,
        };
        assert_eq!(refused(alice.call(&request(&[&bob, &eve])).await), Code::Forbidden, "eve is no friend");
        assert!(bob.call(&ListGroups { unread: None }).await.unwrap().groups.is_empty(), "all or nothing");

        let closed = alice.create("by invitation", &[&bob], Admission::Invitation).await;
        assert_eq!(refused(eve.call(&Join { group: closed }).await), Code::NotFound);
        assert_eq!(refused(eve.call(&group::GetProfile { group: closed }).await), Code::NotFound);
        assert_eq!(refused(alice.call(&Invite { group: closed, user: carol.user }).await), Code::Forbidden);
        assert_eq!(refused(bob.call(&Invite { group: closed, user: carol.user }).await), Code::Forbidden);
        let open = Configure { group: closed, admission: Some(Admission::Open), visible: None };
        alice.call(&open).await.unwrap();
        bob.call(&Invite { group: closed, user: carol.user }).await.unwrap();
        assert_eq!(carol.event::<group::JoinedEvent>().await.by, bob.user);
        assert!(eve.call(&Join { group: closed }).await.unwrap().member);
        assert!(eve.call(&Join { group: closed }).await.unwrap().member, "it is so already");

        // Out and kept out: the group is as if it weren't there, until that is taken back.
        alice.call(&Kick { group: closed, user: eve.user, block: Some(true) }).await.unwrap();
        let never = Join { group: GroupId::new(999_999).unwrap() };
        assert_eq!(eve.call(&Join { group: closed }).await, eve.call(&never).await);
        assert_eq!(refused(eve.call(&group::GetProfile { group: closed }).await), Code::NotFound);
        eve.befriend(&bob).await;
        assert_eq!(refused(bob.call(&Invite { group: closed, user: eve.user }).await), Code::Conflict);
        let blocked = alice.call(&ListRequests { group: closed }).await.unwrap().blocked;
        assert_eq!(blocked.iter().map(|entry| entry.user).collect::<Vec<_>>(), [eve.user]);
        alice.call(&Unblock { group: closed, user: eve.user }).await.unwrap();
        assert!(eve.call(&Join { group: closed }).await.unwrap().member);

        // Who was asked in by nobody, and asks where nobody may ask, is told nothing either.
        let ask = alice.create("by approval", &[], Admission::Approval).await;
        assert_eq!(eve.call(&group::GetProfile { group: ask }).await.unwrap().announcement, None);
        assert!(!eve.call(&Join { group: ask }).await.unwrap().member);
        eve.call(&Leave { group: ask }).await.unwrap();
        assert!(alice.call(&ListRequests { group: ask }).await.unwrap().asking.is_empty(), "taken back");
    }
}

on_both_databases! {
    async fn a_new_member_sees_what_follows_or_everything_by_the_groups_choice(backend: Backend) {
        let (_platform, first, second) = on_two_edges(backend).await;
        let alice = Device::register(&first, "alice").await;
        let bob = Device::register(&second, "bob").await;
        let group = alice.create("a long story", &[], Admission::Open).await;
        let (there, to) = (Conversation::group(group), Recipient::Group(group));
        alice.send(to, "once").await.unwrap();
        alice.send(to, "upon a time").await.unwrap();

        bob.call(&Join { group }).await.unwrap();
        alice.send(to, "there was").await.unwrap();
        let seen = bob.whole(there).await.unwrap();
        assert_eq!(texts(&seen), ["there was"]);
        assert_eq!(notices(&seen), [(bob.user, Change::Joined { user: bob.user })], "the joining is the first thing");
        let have = broker_schemas::Map::new([(there, 0)].into()).unwrap();
        let missed = bob.call(&message::Sync { have, revisions: None }).await.unwrap();
        assert_eq!(missed.messages, seen, "asking for more by another way changes nothing");
        let standing = bob.call(&message::GetUnread {}).await.unwrap().conversations[0];
        assert_eq!((standing.first_seq, standing.last_seq, standing.unread()), (4, 5, 2));

        // The choice is about those who join from now on.
        let all = Configure { group, admission: None, visible: Some(Visible::Everything) };
        alice.call(&all).await.unwrap();
        assert_eq!(texts(&bob.whole(there).await.unwrap()), ["there was"]);
        let carol = Device::register(&second, "carol").await;
        carol.call(&Join { group }).await.unwrap();
        let seen = carol.whole(there).await.unwrap();
        assert_eq!(texts(&seen), ["once", "upon a time", "there was"]);
        assert_eq!(seen, alice.whole(there).await.unwrap());

        // Who comes back has lost what was seen before, where the group shows only what follows.
        let less = Configure { group, admission: None, visible: Some(Visible::FromJoining) };
        alice.call(&less).await.unwrap();
        bob.call(&Leave { group }).await.unwrap();
        alice.send(to, "while he was away").await.unwrap();
        bob.call(&Join { group }).await.unwrap();
        alice.send(to, "welcome back").await.unwrap();
        assert_eq!(texts(&bob.whole(there).await.unwrap()), ["welcome back"]);
    }
}

on_both_databases! {
    async fn who_left_or_was_put_out_receives_and_reads_nothing_more_on_any_edge(backend: Backend) {
        let (_platform, first, second) = on_two_edges(backend).await;
        let alice = Device::register(&first, "alice").await;
        let bob = Device::register(&first, "bob").await;
        let phone = Device::sign_in(&second, "bob").await;
        let carol = Device::register(&second, "carol").await;
        befriend_all(&alice, &[&bob, &carol]).await;
        for (way, block) in [("leaves", None), ("is kicked", Some(false)), ("is kicked and blocked", Some(true))] {
            let group = alice.create(way, &[&bob, &carol], Admission::Open).await;
            let (there, to) = (Conversation::group(group), Recipient::Group(group));
            for device in [&alice, &bob, &phone, &carol] {
                device.event::<group::JoinedEvent>().await;
            }
            let before = alice.send(to, "between us").await.unwrap();
            for device in [&alice, &bob, &phone, &carol] {
                device.pushed(|pushed| is_text(pushed, before.seq.get(), there)).await;
            }
            match block {
                None => drop(phone.call(&Leave { group }).await.unwrap()),
                Some(_) => drop(alice.call(&Kick { group, user: bob.user, block }).await.unwrap()),
            }
            for device in [&bob, &phone] {
                assert_eq!(refused(device.whole(there).await), Code::NotFound, "{way}");
                assert_eq!(refused(device.send(to, "still here").await), Code::NotFound, "{way}");
                assert_eq!(refused(device.call(&ListMembers { group, after: None, limit: None }).await), Code::NotFound);
                let have = broker_schemas::Map::new([(there, 0)].into()).unwrap();
                let revisions = Some(broker_schemas::Map::new([(there, 0)].into()).unwrap());
                let missed = device.call(&message::Sync { have, revisions }).await.unwrap();
                let told = missed.messages.iter().chain(&missed.changed).any(|entry| entry.conversation == there);
                assert!(!told, "{way}: {missed:?}");
                assert!(device.call(&message::GetUnread {}).await.unwrap().conversations.iter().all(|s| s.conversation != there));
            }
            let after = alice.send(to, "without him").await.unwrap();
            carol.pushed(|pushed| is_text(pushed, after.seq.get(), there)).await;
            // What comes behind it on both edges is here: so it isn't on its way any more.
            let marker = alice.send(Recipient::User(bob.user), "see you").await.unwrap();
            for device in [&bob, &phone] {
                device.pushed(|pushed| is_text(pushed, marker.seq.get(), marker.conversation)).await;
                let told = device.messages();
                assert!(
                    told.iter().all(|entry| entry.conversation != there || entry.seq <= before.seq),
                    "{way}, and was told {told:?}"
                );
            }
        }
    }
}

fn is_text(pushed: &Pushed, seq: u64, conversation: Conversation) -> Option<()> {
    let entry = pushed.read::<message::NewEvent>()?.0;
    (entry.seq.get() == seq && entry.conversation == conversation).then_some(())
}

on_both_databases! {
    async fn lists_of_members_and_of_groups_say_who_is_what(backend: Backend) {
        let platform = Platform::standalone_with(backend, &["group.max_members=12"]).await;
        let place = platform.address("tcp").await;
        let alice = Device::register(&place, "alice").await;
        let mut others = Vec::new();
        let group = alice.create("Crowd", &[], Admission::Open).await;
        for number in 0..11 {
            let other = Device::register(&place, &format!("person{number}")).await;
            other.call(&Join { group }).await.unwrap();
            others.push(other);
        }
        let late = Device::register(&place, "late").await;
        let full = late.call(&Join { group }).await.unwrap_err();
        assert_eq!(full.code, Code::Conflict, "{full:?}");

        let (mut after, mut pages, mut seen) = (None, 0, Vec::new());
        loop {
            let page = alice.call(&ListMembers { group, after, limit: Some(5) }).await.unwrap();
            assert!(page.members.len() <= 5);
            seen.extend(page.members.iter().map(|member| (member.user, member.name.clone(), member.online, member.role)));
            pages += 1;
            if !page.more {
                break;
            }
            after = seen.last().map(|(user, ..)| *user);
        }
        let role = |index: usize| if index == 0 { Role::Owner } else { Role::Member };
        let expected: Vec<_> = std::iter::once(&alice)
            .chain(&others)
            .enumerate()
            .map(|(index, device)| (device.user, device.session.name.clone(), true, role(index)))
            .collect();
        assert_eq!((pages, seen), (3, expected));
        for limit in [0, 201] {
            let page = ListMembers { group, after: None, limit: Some(limit) };
            assert_eq!(refused(alice.call(&page).await), Code::Invalid);
        }

        let quiet = alice.create("A quiet place", &[], Admission::Invitation).await;
        let seq = others[0].send(Recipient::Group(group), "hello").await.unwrap().seq;
        let list = alice.call(&ListGroups { unread: Some(true) }).await.unwrap().groups;
        let shown: Vec<_> = list.iter().map(|entry| (entry.group, entry.name.as_str(), entry.role, entry.members)).collect();
        assert_eq!(shown, [(quiet, "A quiet place", Role::Owner, 1), (group, "Crowd", Role::Owner, 12)]);
        // Its making, eleven who joined, and what was said.
        assert_eq!(list[1].unread, Some(13));
        alice.call(&message::Read { conversation: Conversation::group(group), seq }).await.unwrap();
        let list = alice.call(&ListGroups { unread: Some(true) }).await.unwrap().groups;
        assert_eq!(list[1].unread, Some(0));
        assert_eq!(alice.call(&ListGroups { unread: Some(false) }).await.unwrap().groups[1].unread, None);
        // The sign-in brings the list along.
        let phone = Device::sign_in(&place, "alice").await;
        let broker_schemas::Fetched::Available(groups) = &phone.session.groups else { panic!("{:?}", phone.session.groups) };
        assert_eq!(groups.iter().map(|entry| entry.group).collect::<Vec<_>>(), [quiet, group]);
    }
}

on_both_databases! {
    async fn a_dissolved_group_stays_readable_for_its_last_members_and_is_gone_from_their_lists(backend: Backend) {
        let (_platform, first, second) = on_two_edges(backend).await;
        let alice = Device::register(&first, "alice").await;
        let bob = Device::register(&second, "bob").await;
        let carol = Device::register(&second, "carol").await;
        befriend_all(&alice, &[&bob, &carol]).await;
        let group = alice.create("Ruins", &[&bob, &carol], Admission::Open).await;
        let (there, to) = (Conversation::group(group), Recipient::Group(group));
        bob.send(to, "it was good").await.unwrap();
        alice.call(&Dissolve { group }).await.unwrap();
        alice.call(&Dissolve { group }).await.unwrap();

        assert_eq!(texts(&bob.whole(there).await.unwrap()), ["it was good"]);
        for device in [&alice, &bob] {
            assert!(device.call(&ListGroups { unread: None }).await.unwrap().groups.is_empty());
            assert_eq!(refused(device.send(to, "hello?").await), Code::Forbidden);
            assert_eq!(refused(device.call(&Invite { group, user: carol.user }).await), Code::Conflict);
            assert_eq!(refused(device.call(&ListMembers { group, after: None, limit: None }).await), Code::Conflict);
        }
        let eve = Device::register(&first, "eve").await;
        assert_eq!(refused(eve.call(&Join { group }).await), Code::NotFound);
        bob.call(&Leave { group }).await.unwrap();
        assert_eq!(refused(bob.whole(there).await), Code::NotFound);
        assert_eq!(texts(&carol.whole(there).await.unwrap()), ["it was good"]);
    }
}

on_both_databases! {
    async fn a_deleted_owner_passes_the_group_on_and_the_last_one_takes_it_along(backend: Backend) {
        let (_platform, first, second) = on_two_edges(backend).await;
        let alice = Device::register(&first, "alice").await;
        let bob = Device::register(&second, "bob").await;
        let carol = Device::register(&first, "carol").await;
        befriend_all(&alice, &[&bob, &carol]).await;
        let group = alice.create("Heirs", &[&bob, &carol], Admission::Open).await;
        let there = Conversation::group(group);
        alice.call(&SetRole { group, user: carol.user, role: Role::Administrator }).await.unwrap();
        alice.send(Recipient::Group(group), "my last words").await.unwrap();
        for device in [&bob, &carol] {
            device.pushed(|pushed| pushed.read::<message::NewEvent>().filter(|event| event.0.text == "my last words")).await;
        }
        // In order: each is the owner, and is deleted; then that one owns it.
        for (owner, heir) in [(&alice, Some(&carol)), (&carol, Some(&bob)), (&bob, None)] {
            let password = Person::password().try_into().unwrap();
            owner.call(&DeleteAccount { password }).await.unwrap();
            let Some(heir) = heir else { break };
            heir.pushed(|pushed| {
                let entry = pushed.read::<message::NewEvent>()?.0;
                (entry.notice == Some(Change::Transferred { user: heir.user })).then_some(())
            })
            .await;
            let members = members_of(heir, group).await;
            assert_eq!(members.iter().find(|(user, _)| *user == heir.user), Some(&(heir.user, Role::Owner)));
            assert!(members.iter().all(|(user, _)| *user != owner.user), "{members:?}");
            assert_eq!(texts(&heir.whole(there).await.unwrap()), ["my last words"]);
        }
        let eve = Device::register(&first, "eve").await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while eve.call(&group::GetProfile { group }).await.is_ok() {
            assert!(tokio::time::Instant::now() < deadline, "a group without members is still there");
        }
    }
}

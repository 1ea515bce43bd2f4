//! Examples of the message service.

mod administration;

use std::collections::BTreeMap;

use broker_schemas::message::{
    self, Entry, Membership, Overview, Payload, Preview, Reaction, Reader, Recipient, Standing,
};
use broker_schemas::{Conversation, Done, Map, Method, Timestamp, friend, group as groups, id};
use uuid::Uuid;

use super::{
    Example, direct, event, group, group_id, in_group, list, reply, request, seq, text, then, user_id,
};

pub(super) fn examples() -> Vec<Example> {
    let administration = administration::examples();
    [sending(), reading(), marking(), changing(), finding(), between_parts(), administration, events()]
        .into_iter()
        .flatten()
        .collect()
}

fn sending() -> Vec<Example> {
    vec![
        request("to a user", &plain(Recipient::User(user_id(7)), client_id(), "Hello, Bob!")),
        request("to a group, in Unicode", &plain(Recipient::Group(group_id(9)), Uuid::max(), UNICODE)),
        request(
            "an empty text, for the module to refuse",
            &plain(Recipient::User(user_id(7)), Uuid::nil(), ""),
        ),
        request(
            "with a quote, mentions and a payload",
            &message::Send {
                quote: Some(seq(11)),
                mentions: Some(list(vec![user_id(3), user_id(300)])),
                payload: Some(payload()),
                ..plain(Recipient::Group(group_id(9)), client_id(), "@alice @carol there?")
            },
        ),
        reply::<message::Send>(
            "in a direct conversation",
            &message::Sent { conversation: direct(), seq: seq(1), sent_at: then() },
        ),
        reply::<message::Send>(
            "in a group, the last there can be",
            &message::Sent {
                conversation: in_group(),
                seq: seq(id::MAX_ID),
                sent_at: Timestamp(id::MAX_ID.cast_signed()),
            },
        ),
    ]
}

fn reading() -> Vec<Example> {
    let page = |conversation, before, after, limit| message::History { conversation, before, after, limit };
    let map =
        |entries: &[(Conversation, u64)]| Map::new(BTreeMap::from_iter(entries.iter().copied())).unwrap();
    let entries: Vec<_> = entries().into_iter().map(|(_, entry)| entry).collect();
    vec![
        request("from the end", &page(direct(), None, None, None)),
        request("a page back", &page(in_group(), Some(seq(51)), None, Some(200))),
        request("a page forward", &page(direct(), None, Some(seq(51)), Some(1))),
        reply::<message::History>("nothing", &message::Messages { messages: vec![], more: false }),
        reply::<message::History>(
            "a page, and more",
            &message::Messages { messages: entries.clone(), more: true },
        ),
        request("of a client that has nothing", &message::Sync { have: map(&[]), revisions: None }),
        request(
            "of a client that has something",
            &message::Sync {
                have: map(&[(direct(), 12), (in_group(), 0)]),
                revisions: Some(map(&[(direct(), 3), (in_group(), 0)])),
            },
        ),
        reply::<message::Sync>(
            "nothing",
            &message::Missed { messages: vec![], changed: vec![], more: false },
        ),
        reply::<message::Sync>(
            "a page, changes, and more",
            &message::Missed { messages: entries.clone(), changed: entries, more: true },
        ),
    ]
}

fn marking() -> Vec<Example> {
    let reader = |user, seq| Reader { user: user_id(user), seq };
    vec![
        request("a direct conversation", &message::Read { conversation: direct(), seq: seq(12) }),
        request("a group", &message::Read { conversation: in_group(), seq: seq(128) }),
        done::<message::Read>(),
        request("everybody", &message::ListReaders { conversation: direct(), seq: None }),
        request("of a message", &message::ListReaders { conversation: in_group(), seq: Some(seq(12)) }),
        reply::<message::ListReaders>("nobody", &message::Readers { readers: vec![] }),
        reply::<message::ListReaders>(
            "two",
            &message::Readers { readers: vec![reader(3, 0), reader(7, id::MAX_ID)] },
        ),
        request("a direct conversation", &message::Typing { conversation: direct() }),
        request("a group", &message::Typing { conversation: in_group() }),
        done::<message::Typing>(),
    ]
}

fn changing() -> Vec<Example> {
    let edit = |conversation, words| message::Edit { conversation, seq: seq(12), text: text(words) };
    let react = |conversation, reaction, remove| {
        let reaction = text(reaction);
        message::React { conversation, seq: seq(12), reaction, remove }
    };
    vec![
        request("in a direct conversation", &edit(direct(), "Hello, dear Bob!")),
        request("in a group, in Unicode", &edit(in_group(), UNICODE)),
        reply::<message::Edit>("the first change", &message::Changed { revision: 1 }),
        request("in a direct conversation", &message::Recall { conversation: direct(), seq: seq(12) }),
        request("in a group", &message::Recall { conversation: in_group(), seq: seq(128) }),
        reply::<message::Recall>("a later change", &message::Changed { revision: 128 }),
        request("an emoji", &react(direct(), "👩‍🚀", None)),
        request("a word less", &react(in_group(), "+1", Some(true))),
        reply::<message::React>("the last change there can be", &message::Changed { revision: u64::MAX }),
    ]
}

fn finding() -> Vec<Example> {
    let entries = entries().into_iter().map(|(_, entry)| entry).collect();
    vec![
        request(
            "everywhere",
            &message::Search { text: text("hello bo"), conversation: None, limit: None, skip: None },
        ),
        request(
            "in a group, a later page",
            &message::Search {
                text: text("你好"),
                conversation: Some(in_group()),
                limit: Some(200),
                skip: Some(1_000),
            },
        ),
        request(
            "in a direct conversation",
            &message::Search { text: text("bob"), conversation: Some(direct()), limit: None, skip: None },
        ),
        reply::<message::Search>("nothing", &message::Found { messages: vec![], more: false }),
        reply::<message::Search>("a page, and more", &message::Found { messages: entries, more: true }),
        request("the first page", &message::ListConversations { after: None, limit: None }),
        request(
            "after a direct one",
            &message::ListConversations { after: Some(direct()), limit: Some(200) },
        ),
        request("after a group", &message::ListConversations { after: Some(in_group()), limit: None }),
        reply::<message::ListConversations>(
            "none",
            &message::Conversations { conversations: vec![], more: false },
        ),
        reply::<message::ListConversations>(
            "a page, and more",
            &message::Conversations { conversations: overviews(), more: true },
        ),
        request("nothing to say", &message::GetUnread {}),
        reply::<message::GetUnread>("none", &message::Unread { conversations: vec![] }),
        reply::<message::GetUnread>("some", &message::Unread { conversations: standings() }),
    ]
}

fn between_parts() -> Vec<Example> {
    let opened = friend::Gate { open: true, version: 1 };
    let mut examples = vec![
        request("opened", &message::SetGate { a: user_id(3), b: user_id(7), gate: opened }),
        done::<message::SetGate>(),
        reply::<message::ChangeGroup>("made now", &message::GroupChanged { seq: Some(seq(12)) }),
        reply::<message::ChangeGroup>("made long ago", &message::GroupChanged { seq: None }),
        request("a user", &message::GetGroupsOf { user: user_id(7) }),
        reply::<message::GetGroupsOf>("none", &message::GroupsOf { groups: vec![] }),
        reply::<message::GetGroupsOf>(
            "one",
            &message::GroupsOf { groups: vec![Membership { group: group_id(9), version: 12, since: 3 }] },
        ),
        request(
            "two users",
            &message::GetPresent { group: group_id(9), users: list(vec![user_id(3), user_id(300)]) },
        ),
        reply::<message::GetPresent>("none of them", &message::Present { version: 1, members: vec![] }),
        reply::<message::GetPresent>(
            "one of them",
            &message::Present { version: 300, members: vec![(user_id(3), 1)] },
        ),
        request("a user", &message::ForgetUser { user: user_id(7) }),
        done::<message::ForgetUser>(),
    ];
    examples.extend(group::changes().into_iter().zip(1..).map(|((case, change), version)| {
        let visible = groups::Visible::FromJoining;
        request(case, &message::ChangeGroup { group: group_id(9), version, by: user_id(3), change, visible })
    }));
    examples
}

fn events() -> Vec<Example> {
    let user = user_id(7);
    let mut examples: Vec<_> =
        entries().into_iter().map(|(case, entry)| event(case, &message::NewEvent(entry))).collect();
    for (case, conversation, place) in
        [("in a direct conversation", direct(), 12), ("in a group", in_group(), 128)]
    {
        let seq = seq(place);
        let text = UNICODE.to_owned();
        let (reaction, removed) = ("👍".to_owned(), conversation == in_group());
        examples.extend([
            event(case, &message::ReadEvent { conversation, user, seq }),
            event(case, &message::TypingEvent { conversation, user }),
            event(case, &message::EditedEvent { conversation, seq, revision: 1, text, edited_at: then() }),
            event(case, &message::RecalledEvent { conversation, seq, revision: 300, by: user }),
            event(
                case,
                &message::ReactedEvent { conversation, seq, revision: u64::MAX, user, reaction, removed },
            ),
        ]);
    }
    examples
}

const UNICODE: &str = "naïve — 你好\n\t\"🦉\" \u{7f}";

fn plain(to: Recipient, client_id: Uuid, words: &str) -> message::Send {
    message::Send { to, client_id, text: text(words), quote: None, mentions: None, payload: None }
}

fn done<M: Method<Reply = Done>>() -> Example {
    reply::<M>("done", &Done {})
}

fn client_id() -> Uuid {
    Uuid::from_u128(0x0190_aaaa_bbbb_7ccc_8ddd_eeee_ffff_0001)
}

fn payload() -> Payload {
    Payload { kind: text("application/geo+json"), data: text(r#"{"type":"Point","coordinates":[8.5,47.4]}"#) }
}

/// Where somebody stands in two conversations.
pub(super) fn standings() -> Vec<Standing> {
    vec![
        Standing { conversation: direct(), first_seq: 1, last_seq: 12, read_seq: 10, revision: 3 },
        Standing { conversation: in_group(), first_seq: 5, last_seq: 4, read_seq: 4, revision: 0 },
    ]
}

/// A message of every kind, and what its example is called.
fn entries() -> Vec<(&'static str, Entry)> {
    let entry = Entry {
        conversation: direct(),
        seq: seq(12),
        from: user_id(3),
        client_id: Some(client_id()),
        text: "Hello, Bob!".into(),
        sent_at: then(),
        quote: None,
        mentions: vec![],
        payload: None,
        notice: None,
        edited_at: None,
        recalled_by: None,
        reactions: vec![],
        revision: 0,
        campaign: None,
    };
    let in_group = Entry {
        conversation: in_group(),
        seq: seq(id::MAX_ID),
        from: user_id(id::MAX_ID),
        client_id: Some(Uuid::max()),
        text: UNICODE.into(),
        sent_at: Timestamp(0),
        ..entry.clone()
    };
    let rich = Entry {
        quote: Some(seq(11)),
        mentions: vec![user_id(7), user_id(300)],
        payload: Some(payload()),
        edited_at: Some(then()),
        reactions: vec![
            Reaction { reaction: "👍".into(), count: 2, mine: true },
            Reaction { reaction: "+1".into(), count: 1, mine: false },
        ],
        revision: 300,
        ..entry.clone()
    };
    let recalled =
        Entry { text: String::new(), recalled_by: Some(user_id(3)), revision: u64::MAX, ..entry.clone() };
    let campaign = Entry { campaign: Some(300), ..entry.clone() };
    let notice = Entry { client_id: None, text: String::new(), ..in_group.clone() };
    let plain = [
        ("in a direct conversation", entry),
        ("in a group", in_group),
        ("with all that it can have", rich),
        ("recalled", recalled),
        ("of a campaign", campaign),
    ];
    let notices = group::changes()
        .into_iter()
        .map(|(case, change)| (case, Entry { notice: Some(change), ..notice.clone() }));
    plain.into_iter().chain(notices).collect()
}

/// A list of conversations that end in a message of every kind.
fn overviews() -> Vec<Overview> {
    let preview = |entry: &Entry| Preview {
        seq: entry.seq,
        from: entry.from,
        text: entry.text.clone(),
        sent_at: entry.sent_at,
        kind: entry.payload.as_ref().map(|payload| payload.kind.to_string()),
        notice: entry.notice.clone(),
        recalled: entry.recalled_by.is_some(),
    };
    let [standing, empty] = standings().try_into().unwrap();
    let overview = |entry| Overview { standing, open: true, last: Some(preview(&entry)) };
    let last = Overview { standing: empty, open: false, last: None };
    entries().into_iter().map(|(_, entry)| overview(entry)).chain([last]).collect()
}

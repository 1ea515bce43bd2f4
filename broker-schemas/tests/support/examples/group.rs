//! Examples of the group service.

mod administration;

use broker_schemas::group::{
    self, Admission, Announcement, Change, GroupEntry, MemberEntry, Profile, Visible,
};
use broker_schemas::rights::Role;
use broker_schemas::{Done, Method, id};

use super::{Example, event, friend, group_id, list, reply, request, seq, text, then, user_id};

pub(super) fn examples() -> Vec<Example> {
    [making(), coming_and_going(), running(), looking(), administration::examples(), events()]
        .into_iter()
        .flatten()
        .collect()
}

fn making() -> Vec<Example> {
    vec![
        request(
            "with a name alone",
            &group::Create { name: text("Reading circle"), members: None, admission: None, visible: None },
        ),
        request(
            "with everything, named in Unicode",
            &group::Create {
                name: text("Lesekreis \"Ü\" 📚"),
                members: Some(list(vec![user_id(7), user_id(300)])),
                admission: Some(Admission::Open),
                visible: Some(Visible::Everything),
            },
        ),
        reply::<group::Create>("the first group", &group::Created { group: group_id(1) }),
        reply::<group::Create>("the largest id", &group::Created { group: group_id(id::MAX_ID) }),
        request("a group", &group::Dissolve { group: group_id(9) }),
        done::<group::Dissolve>(),
        request("a user", &group::ForgetUser { user: user_id(7) }),
        done::<group::ForgetUser>(),
    ]
}

fn coming_and_going() -> Vec<Example> {
    let group = group_id(9);
    vec![
        request("a group", &group::Join { group }),
        reply::<group::Join>("a member", &group::Joined { member: true }),
        reply::<group::Join>("asked", &group::Joined { member: false }),
        request("a group", &group::Leave { group }),
        done::<group::Leave>(),
        request("a friend", &group::Invite { group, user: user_id(7) }),
        done::<group::Invite>(),
        request("who asked", &group::Approve { group, user: user_id(7) }),
        done::<group::Approve>(),
        request("who asked", &group::Decline { group, user: user_id(7) }),
        done::<group::Decline>(),
        request("out", &group::Kick { group, user: user_id(7), block: None }),
        request("out for good", &group::Kick { group, user: user_id(7), block: Some(true) }),
        done::<group::Kick>(),
        request("a user", &group::Unblock { group, user: user_id(7) }),
        done::<group::Unblock>(),
    ]
}

fn running() -> Vec<Example> {
    let group = group_id(9);
    vec![
        request("the next owner", &group::Transfer { group, user: user_id(7) }),
        done::<group::Transfer>(),
        request("up", &group::SetRole { group, user: user_id(7), role: Role::Administrator }),
        request("down", &group::SetRole { group, user: user_id(7), role: Role::Member }),
        request(
            "the owner's role, for the module to refuse",
            &group::SetRole { group, user: user_id(7), role: Role::Owner },
        ),
        done::<group::SetRole>(),
        request("a member", &group::Mute { group, user: Some(user_id(7)), until: Some(then()) }),
        request("every plain member", &group::Mute { group, user: None, until: Some(then()) }),
        request("the end of a mute", &group::Mute { group, user: Some(user_id(7)), until: None }),
        done::<group::Mute>(),
        request("a text", &group::Announce { group, text: text("On Thursday we read \"Emma\".\n📚") }),
        request("nothing any more", &group::Announce { group, text: text("") }),
        done::<group::Announce>(),
        request("a name", &group::Rename { group, name: text("Emma") }),
        done::<group::Rename>(),
        request("nothing", &group::Configure { group, admission: None, visible: None }),
        request(
            "both",
            &group::Configure {
                group,
                admission: Some(Admission::Approval),
                visible: Some(Visible::FromJoining),
            },
        ),
        done::<group::Configure>(),
    ]
}

fn looking() -> Vec<Example> {
    let group = group_id(9);
    let member = Profile {
        group,
        name: "Reading circle".into(),
        members: 4,
        admission: Admission::Invitation,
        visible: Visible::FromJoining,
        role: Some(Role::Owner),
        announcement: Some(Announcement { text: "On Thursday.".into(), by: user_id(3), at: then() }),
        muted_until: Some(then()),
        dissolved: false,
    };
    let stranger = Profile {
        admission: Admission::Open,
        visible: Visible::Everything,
        role: None,
        announcement: None,
        muted_until: None,
        ..member.clone()
    };
    vec![
        request("a group", &group::GetProfile { group }),
        reply::<group::GetProfile>("to a member", &member),
        reply::<group::GetProfile>("to a stranger", &stranger),
        request("the first page", &group::ListMembers { group, after: None, limit: None }),
        request("the next page", &group::ListMembers { group, after: Some(user_id(7)), limit: Some(200) }),
        reply::<group::ListMembers>("a page", &group::Members { members: members(), more: true }),
        reply::<group::ListMembers>("the end", &group::Members { members: vec![], more: false }),
        request("a group", &group::ListRequests { group }),
        reply::<group::ListRequests>("nobody", &group::Requests { asking: vec![], blocked: vec![] }),
        reply::<group::ListRequests>(
            "one of each",
            &group::Requests {
                asking: vec![friend::request_entry(8, "carol")],
                blocked: vec![friend::request_entry(10, "eve")],
            },
        ),
        request("nothing to say", &group::ListGroups { unread: None }),
        request("without what is unread", &group::ListGroups { unread: Some(false) }),
        reply::<group::ListGroups>("none", &group::Groups { groups: vec![] }),
        reply::<group::ListGroups>("one of each role", &group::Groups { groups: entries() }),
    ]
}

fn events() -> Vec<Example> {
    let (group, by) = (group_id(9), user_id(3));
    let joined = |seq| group::JoinedEvent { group, name: "Reading circle".into(), by, seq };
    vec![
        event("by oneself or another", &joined(Some(seq(12)))),
        event("told late", &joined(None)),
        event("a group", &group::LeftEvent { group }),
        event("by another", &group::KickedEvent { group, by }),
        event("by its owner", &group::DissolvedEvent { group, by }),
        event("a text", &group::AnnouncedEvent { group, by, text: "On Thursday.".into() }),
        event("nothing any more", &group::AnnouncedEvent { group, by, text: String::new() }),
        event(
            "a user",
            &group::AskedEvent {
                group,
                user: user_id(8),
                name: "carol".into(),
                display_name: "Карол 🦊".into(),
            },
        ),
    ]
}

fn done<M: Method<Reply = Done>>() -> Example {
    reply::<M>("done", &Done {})
}

/// Somebody's groups: one as each role, one without how much is unread.
pub(super) fn entries() -> Vec<GroupEntry> {
    let entry = |number, role, unread| GroupEntry {
        group: group_id(number),
        name: "Reading circle".into(),
        role,
        members: 4,
        unread,
    };
    vec![
        entry(9, Role::Owner, Some(2)),
        entry(10, Role::Administrator, Some(0)),
        entry(id::MAX_ID, Role::Member, None),
    ]
}

fn members() -> Vec<MemberEntry> {
    let entry = |number, name: &str, role, muted_until| MemberEntry {
        user: user_id(number),
        name: name.into(),
        display_name: name.to_uppercase(),
        online: number == 3,
        role,
        muted_until,
        since: then(),
    };
    vec![entry(3, "alice", Role::Owner, None), entry(7, "bob", Role::Member, Some(then()))]
}

/// Everything that can happen to a group, as it stands in its conversation.
pub(super) fn changes() -> Vec<(&'static str, Change)> {
    let user = user_id(7);
    let settings = Change::Configured { admission: Admission::Approval, visible: Visible::Everything };
    vec![
        ("a group was made", Change::Created { name: text("Reading circle"), members: list(vec![user]) }),
        ("somebody joined", Change::Joined { user }),
        ("somebody left", Change::Left { user }),
        ("somebody was put out", Change::Kicked { user }),
        ("a group was dissolved", Change::Dissolved {}),
        ("a group has another owner", Change::Transferred { user }),
        ("a member has another role", Change::RoleSet { user, role: Role::Administrator }),
        ("a member can't write", Change::Muted { user: Some(user), until: Some(then()) }),
        ("everybody can write again", Change::Muted { user: None, until: None }),
        ("there is an announcement", Change::Announced { text: text("On Thursday we read \"Emma\".\n📚") }),
        ("a group has another name", Change::Renamed { name: text("Emma") }),
        ("a group has other settings", settings),
    ]
}

//! Examples of the admin service.

mod campaigns;
mod insight;
mod moderation;

use broker_schemas::admin::{self, AnnouncedEvent, BroadcastEvent};
use broker_schemas::caller::Role;
use broker_schemas::user::StaffMember;
use broker_schemas::{Done, Method};

use super::{Example, event, reply, request, text, then, user_id};

pub(super) fn examples() -> Vec<Example> {
    let parts = [
        roles(),
        announcements(),
        campaigns::examples(),
        moderation::examples(),
        insight::examples(),
        events(),
    ];
    parts.into_iter().flatten().collect()
}

fn done<M: Method<Reply = Done>>() -> Example {
    reply::<M>("done", &Done {})
}

fn roles() -> Vec<Example> {
    let user = user_id(7);
    let member = StaffMember { user, name: "alice".into(), roles: vec![Role::Operator, Role::Auditor] };
    vec![
        request("an operator", &admin::Grant { user, role: Role::Operator }),
        done::<admin::Grant>(),
        request("a moderator", &admin::Revoke { user, role: Role::Moderator }),
        done::<admin::Revoke>(),
        request(
            "the first operator",
            &admin::Appoint {
                name: text("Alice"),
                role: Role::Operator,
                from: text("root (uid 0) at server"),
            },
        ),
        done::<admin::Appoint>(),
        request("everyone", &admin::ListStaff {}),
        reply::<admin::ListStaff>("nobody", &admin::StaffMembers { members: Vec::new() }),
        reply::<admin::ListStaff>("one with two roles", &admin::StaffMembers { members: vec![member] }),
    ]
}

fn announcements() -> Vec<Example> {
    let entry = admin::AnnouncementEntry {
        announcement: 3,
        revision: 2,
        text: "Closed on \"Sunday\".\n📚".into(),
        made_at: then(),
        until: then(),
        withdrawn_at: None,
        seen_by: 70_000,
    };
    let withdrawn = admin::AnnouncementEntry { announcement: 2, withdrawn_at: Some(then()), ..entry.clone() };
    vec![
        request("a text", &admin::Broadcast { text: text("Back in \"five\" minutes.\n📚") }),
        done::<admin::Broadcast>(),
        request("a text", &admin::Announce { text: text("Closed on Sunday."), until: then() }),
        reply::<admin::Announce>("its id", &admin::Announced { announcement: 3 }),
        request("nothing", &admin::ChangeAnnouncement { announcement: 3, text: None, until: None }),
        request(
            "both",
            &admin::ChangeAnnouncement { announcement: 3, text: Some(text("Closed.")), until: Some(then()) },
        ),
        done::<admin::ChangeAnnouncement>(),
        request("one", &admin::Withdraw { announcement: 3 }),
        done::<admin::Withdraw>(),
        request("the newest", &admin::ListAnnouncements { before: None, limit: None }),
        request("older ones", &admin::ListAnnouncements { before: Some(3), limit: Some(200) }),
        reply::<admin::ListAnnouncements>(
            "nothing",
            &admin::Announcements { announcements: Vec::new(), more: false },
        ),
        reply::<admin::ListAnnouncements>(
            "a page",
            &admin::Announcements { announcements: vec![entry, withdrawn], more: true },
        ),
    ]
}

fn events() -> Vec<Example> {
    let announced =
        AnnouncedEvent { announcement: 3, revision: 2, text: Some("Closed.".into()), until: then() };
    vec![
        event("a text", &BroadcastEvent { text: "Back in five minutes.\n📚".into(), at: then() }),
        event("announced", &announced),
        event("withdrawn", &AnnouncedEvent { text: None, ..announced.clone() }),
    ]
}

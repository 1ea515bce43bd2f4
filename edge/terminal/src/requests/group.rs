//! The calls about groups.

use std::time::Duration;

use broker_schemas::group::{self, PAGE_MAX};
use broker_schemas::{GroupId, List, Text, Timestamp, UserId};
use natter_client::{CallError, Chat};

use super::{find, unfit};
use crate::model::{Act, Answer, Effect};

/// How many pages of members to ask for: as many as the largest group can have.
const PAGES: usize = group::MEMBERS_MAX.div_ceil(PAGE_MAX as usize);

pub(super) async fn ask(chat: &Chat, effect: Effect) -> Answer {
    match effect {
        Effect::Create { name, members } => {
            let result = create(chat, &name, &members).await;
            Answer::Created { name, result }
        }
        Effect::Join(group) => Answer::Joined {
            group,
            result: chat.call(&group::Join { group }).await.map(|joined| joined.member),
        },
        Effect::Act { group, act } => {
            let result = carry_out(chat, group, &act).await;
            Answer::Acted { group, act, result }
        }
        Effect::Groups { say } => {
            // What is unread is known here, unless it is to be said.
            Answer::Groups { say, result: chat.call(&group::ListGroups { unread: Some(say) }).await }
        }
        Effect::GroupProfile { group, why } => {
            Answer::GroupProfile { group, why, result: chat.call(&group::GetProfile { group }).await }
        }
        Effect::Members { group, say } => Answer::Members { group, say, result: members(chat, group).await },
        Effect::GroupRequests(group) => {
            Answer::GroupRequests { group, result: chat.call(&group::ListRequests { group }).await }
        }
        _ => Answer::SignedIn(Err("not a question to the server".into())),
    }
}

async fn create(chat: &Chat, name: &str, friends: &[String]) -> Result<GroupId, CallError> {
    let mut members = Vec::new();
    for friend in friends {
        members.push(find(chat, friend).await?.user);
    }
    let members = (!members.is_empty()).then(|| List::new(members)).transpose().map_err(unfit)?;
    let name = Text::new(name).map_err(unfit)?;
    let request = group::Create { name, members, admission: None, visible: None };
    Ok(chat.call(&request).await?.group)
}

async fn members(chat: &Chat, group: GroupId) -> Result<Vec<group::MemberEntry>, CallError> {
    let mut members: Vec<group::MemberEntry> = Vec::new();
    for _ in 0..PAGES {
        let after = members.last().map(|member| member.user);
        let page = chat.call(&group::ListMembers { group, after, limit: Some(PAGE_MAX) }).await?;
        members.extend(page.members);
        if !page.more {
            break;
        }
    }
    Ok(members)
}

async fn carry_out(chat: &Chat, group: GroupId, act: &Act) -> Result<(), CallError> {
    let user = async |name: &str| -> Result<UserId, CallError> { Ok(find(chat, name).await?.user) };
    let configure =
        async |admission, visible| chat.call(&group::Configure { group, admission, visible }).await;
    let done = match act {
        Act::Leave { .. } => chat.call(&group::Leave { group }).await,
        Act::Invite(name) => chat.call(&group::Invite { group, user: user(name).await? }).await,
        Act::Approve(name) => chat.call(&group::Approve { group, user: user(name).await? }).await,
        Act::Refuse(name) => chat.call(&group::Decline { group, user: user(name).await? }).await,
        Act::Kick { name, block } => {
            chat.call(&group::Kick { group, user: user(name).await?, block: Some(*block) }).await
        }
        Act::Readmit(name) => chat.call(&group::Unblock { group, user: user(name).await? }).await,
        Act::Mute { name, minutes } => {
            let whom = match name {
                Some(name) => Some(user(name).await?),
                None => None,
            };
            let length = Duration::from_secs(u64::from(*minutes) * 60);
            let until = (*minutes > 0).then(|| Timestamp::now().after(length));
            chat.call(&group::Mute { group, user: whom, until }).await
        }
        Act::Announce(text) => {
            let text = Text::new(text.as_deref().unwrap_or_default()).map_err(unfit)?;
            chat.call(&group::Announce { group, text }).await
        }
        Act::Rename(name) => {
            let name = Text::new(name.as_str()).map_err(unfit)?;
            chat.call(&group::Rename { group, name }).await
        }
        Act::Admission(admission) => configure(Some(*admission), None).await,
        Act::Visible(visible) => configure(None, Some(*visible)).await,
        Act::Role { name, role } => {
            chat.call(&group::SetRole { group, user: user(name).await?, role: *role }).await
        }
        Act::Transfer(name) => chat.call(&group::Transfer { group, user: user(name).await? }).await,
        Act::Dissolve => chat.call(&group::Dissolve { group }).await,
    };
    done.map(drop)
}

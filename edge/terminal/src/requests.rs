//! The calls behind the effects.

mod group;

use std::time::Duration;

use broker_schemas::{Code, Conversation, Error, Seq, Text, UserId, friend, message, user};
use natter_client::{CallError, Chat};

use crate::model::{About, Amend, Answer, Effect, Page, Verb};

/// How many messages of history to ask for at once.
const PAGE: u32 = 50;
/// How many results of a search to ask for at once.
const FOUND: u32 = 20;
/// How many conversations to list.
const LISTED: u32 = 50;
/// For how long to try to say that an announcement was shown; the next start says it otherwise.
const SEEN_LIMIT: Duration = Duration::from_secs(20);

/// Carries out an effect that is one question to the server, or a few.
pub(crate) async fn ask(chat: &Chat, effect: Effect) -> Answer {
    match effect {
        Effect::History { conversation, page } => {
            Answer::History { conversation, page, result: history(chat, conversation, page, PAGE).await }
        }
        Effect::Quoted { conversation, seq } => {
            // The last one before the next one. The largest number has no next one, and no message will ever have it.
            let page = Page::Before(Seq::new(seq.get() + 1).ok());
            let result = history(chat, conversation, page, 1).await;
            let found =
                result.map(|page| page.messages.into_iter().find(|entry| entry.seq == seq).map(Box::new));
            Answer::Quoted { conversation, seq, result: found }
        }
        Effect::Read { conversation, seq } => {
            let result = chat.call(&message::Read { conversation, seq }).await.map(drop);
            Answer::Read { conversation, seq, result }
        }
        Effect::Readers { conversation, seq, say } => {
            let result = chat.call(&message::ListReaders { conversation, seq }).await;
            Answer::Readers { conversation, seq, say, result }
        }
        Effect::Typing(conversation) => {
            // Nobody misses it.
            let _ = chat.call(&message::Typing { conversation }).await;
            Answer::Tried
        }
        Effect::Amend { conversation, seq, amend } => {
            let result = change(chat, conversation, seq, &amend).await;
            Answer::Amended { seq, amend, result }
        }
        Effect::Search { words, skip } => Answer::Found { skip, result: search(chat, &words, skip).await },
        Effect::Conversations => {
            let request = message::ListConversations { after: None, limit: Some(LISTED) };
            Answer::Conversations(chat.call(&request).await.map(|page| page.conversations))
        }
        Effect::Relate { verb, name } => {
            let result = relate(chat, verb, &name).await;
            Answer::Related { verb, name, result }
        }
        Effect::Friends => Answer::Friends(chat.call(&friend::ListFriends {}).await),
        Effect::Requests => Answer::Requests(chat.call(&friend::ListRequests {}).await),
        Effect::Profile(user) => {
            let result = chat.call(&user::GetProfile { user: Some(user) }).await;
            Answer::Profile { user, result }
        }
        Effect::Report { about, why } => {
            let what = match &about {
                About::User(name) => name.clone(),
                About::Message(_, seq) => format!("#{seq}"),
            };
            Answer::Reported { what, result: report(chat, about, &why).await }
        }
        Effect::Seen(seen) => {
            let _ = chat.mark_seen(seen, SEEN_LIMIT).await;
            Answer::Tried
        }
        Effect::ChangePassword { old, new } => {
            Answer::PasswordChanged(change_password(chat, &old, &new).await)
        }
        Effect::LogOut => Answer::LoggedOut(chat.log_out().await),
        effect => group::ask(chat, effect).await,
    }
}

async fn history(
    chat: &Chat,
    conversation: Conversation,
    page: Page,
    limit: u32,
) -> Result<message::Messages, CallError> {
    let (before, after) = match page {
        Page::Before(before) => (before, None),
        Page::After(after) => (None, Some(after)),
    };
    chat.call(&message::History { conversation, before, after, limit: Some(limit) }).await
}

async fn change(chat: &Chat, conversation: Conversation, seq: Seq, amend: &Amend) -> Result<(), CallError> {
    let react = async |reaction: &str, remove| {
        let reaction = Text::new(reaction).map_err(unfit)?;
        chat.call(&message::React { conversation, seq, reaction, remove: Some(remove) }).await
    };
    let changed = match amend {
        Amend::Edit(text) => {
            let text = Text::new(text.as_str()).map_err(unfit)?;
            chat.call(&message::Edit { conversation, seq, text }).await
        }
        Amend::Recall => chat.call(&message::Recall { conversation, seq }).await,
        Amend::React(reaction) => react(reaction, false).await,
        Amend::Unreact(reaction) => react(reaction, true).await,
    };
    changed.map(drop)
}

async fn search(chat: &Chat, words: &str, skip: u32) -> Result<message::Found, CallError> {
    let text = Text::new(words).map_err(unfit)?;
    chat.call(&message::Search { text, conversation: None, limit: Some(FOUND), skip: Some(skip) }).await
}

async fn report(chat: &Chat, about: About, why: &str) -> Result<(), CallError> {
    let reason = Text::new(why).map_err(unfit)?;
    match about {
        About::User(name) => {
            let user = find(chat, &name).await?.user;
            chat.call(&user::Report { user, reason }).await.map(drop)
        }
        About::Message(conversation, seq) => {
            chat.call(&message::Report { conversation, seq, reason }).await.map(drop)
        }
    }
}

/// Who is called `name`.
async fn find(chat: &Chat, name: &str) -> Result<user::Profile, CallError> {
    chat.call(&user::Find { name: Text::new(name).map_err(unfit)? }).await
}

/// Does something about the user called `name`. Who that is, and whether the two are friends now.
async fn relate(chat: &Chat, verb: Verb, name: &str) -> Result<(user::Profile, bool), CallError> {
    let profile = find(chat, name).await?;
    let user: UserId = profile.user;
    let friends = match verb {
        Verb::Add => chat.call(&friend::Request { user }).await?.friends,
        Verb::Accept => chat.call(&friend::Accept { user }).await.map(|_| true)?,
        Verb::Decline => chat.call(&friend::Decline { user }).await.map(|_| false)?,
        Verb::Remove => chat.call(&friend::Remove { user }).await.map(|_| false)?,
        Verb::Block => chat.call(&friend::Block { user }).await.map(|_| false)?,
        Verb::Unblock => chat.call(&friend::Unblock { user }).await.map(|_| false)?,
    };
    Ok((profile, friends))
}

async fn change_password(chat: &Chat, old: &str, new: &str) -> Result<(), CallError> {
    let (old, new) = (Text::new(old).map_err(unfit)?, Text::new(new).map_err(unfit)?);
    chat.call(&user::ChangePassword { old, new }).await.map(drop)
}

/// A request that the server would refuse, refused here.
fn unfit(message: String) -> CallError {
    let error = Error::new(Code::Invalid, message);
    CallError::Refused { outcome: error.outcome(), error }
}

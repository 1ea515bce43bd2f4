//! The calls behind the effects.

use broker_schemas::{Code, Error, Text, UserId, friend, message, user};
use natter_client::{CallError, Chat};

use crate::model::{Answer, Effect, Verb};

/// How many messages of history to ask for at once.
const PAGE: u32 = 50;

/// Carries out an effect that is one question to the server, or a few.
pub(crate) async fn ask(chat: &Chat, effect: Effect) -> Answer {
    match effect {
        Effect::History { conversation, before } => {
            Answer::History { conversation, result: chat.history(conversation, before, PAGE).await }
        }
        Effect::Read { conversation, seq } => {
            let result = chat.call(&message::Read { conversation, seq }).await.map(drop);
            Answer::Read { conversation, seq, result }
        }
        Effect::Relate { verb, name } => {
            let result = relate(chat, verb, &name).await;
            Answer::Related { verb, name, result }
        }
        Effect::Friends => Answer::Friends(chat.call(&friend::ListFriends {}).await),
        Effect::Requests => Answer::Requests(chat.call(&friend::ListRequests {}).await),
        Effect::Profile(user) => Answer::Profile(chat.call(&user::GetProfile { user: Some(user) }).await),
        Effect::ChangePassword { old, new } => {
            Answer::PasswordChanged(change_password(chat, &old, &new).await)
        }
        Effect::LogOut => Answer::LoggedOut(chat.log_out().await),
        Effect::SignIn { .. } | Effect::Send { .. } | Effect::Say(_) | Effect::Quit => {
            Answer::SignedIn(Err("not a question to the server".into()))
        }
    }
}

/// Does something about the user called `name`. Who that is, and whether the two are friends now.
async fn relate(chat: &Chat, verb: Verb, name: &str) -> Result<(user::Profile, bool), CallError> {
    let profile = chat.call(&user::Find { name: Text::new(name).map_err(unfit)? }).await?;
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

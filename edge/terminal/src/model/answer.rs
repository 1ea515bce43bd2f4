//! What became of what was asked of the server.

use broker_schemas::message::{self, Overview};
use broker_schemas::{Code, Conversation, Outcome, Seq};
use natter_client::CallError;

use super::group::answers;
use super::say::Saying;
use super::{Amend, Answer, Effect, Mode, Phase, Stage, State, arrive, open, people};
use crate::text::Safe;

pub(super) fn answer(state: &mut State, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::SignedIn(Ok(())) | Answer::Tried => Vec::new(),
        Answer::SignedIn(Err(error)) => {
            if let Phase::SignIn(form) = &mut state.phase {
                form.failed(&error);
            }
            vec![state.notice(error)]
        }
        Answer::Sent { conversation, client_id, result } => {
            let title = state.title_of(conversation);
            let thread = state.threads.entry(conversation).or_default();
            // Unless it came back already, and has its place.
            let Some(pending) = thread.pending.iter_mut().find(|pending| pending.client_id == client_id)
            else {
                return Vec::new();
            };
            match result {
                Ok(_) => {
                    pending.stage = Stage::Sent;
                    Vec::new()
                }
                Err(error) => {
                    let offer = if may_work_later(&error) { "; /retry tries again" } else { "" };
                    let why = format!("{}{offer}", explain(&error));
                    pending.stage = Stage::Failed(Safe::line(&why));
                    vec![state.notice(format!("not sent to {title}: {why}"))]
                }
            }
        }
        Answer::History { conversation, page, result } => open::fetched(state, conversation, page, result),
        Answer::Quoted { conversation, seq, result } => open::quoted(state, conversation, seq, result),
        Answer::Read { conversation, seq, result } => {
            let thread = state.threads.entry(conversation).or_default();
            if result.is_ok() {
                thread.told = thread.told.max(seq.get());
                thread.telling = false;
            }
            Vec::new()
        }
        Answer::Readers { conversation, seq, say, result } => readers(state, conversation, seq, say, result),
        Answer::Amended { seq, amend, result } => match result {
            // The push says so, and shows it.
            Ok(()) => Vec::new(),
            Err(error) => vec![state.notice(format!("#{seq} is {}: {}", not_done(&amend), explain(&error)))],
        },
        Answer::Found { skip, result } => found(state, skip, result),
        Answer::Conversations(result) => conversations(state, result),
        Answer::Related { verb, name, result: Ok((profile, friends)) } => {
            people::related(state, verb, &name, &profile, friends)
        }
        Answer::Related { name, result: Err(error), .. } => {
            vec![state.notice(format!("{name}: {}", explain(&error)))]
        }
        Answer::Friends(Ok(list)) => {
            people::set_friends(state, list.friends);
            Vec::new()
        }
        Answer::Requests(Ok(requests)) => people::set_requests(state, requests),
        Answer::Friends(Err(_)) | Answer::Requests(Err(_)) => Vec::new(),
        Answer::Profile { user, result } => {
            state.lookups.users.remove(&user);
            match result {
                Ok(profile) => {
                    people::meet_stranger(state, profile.user, &profile.name, &profile.display_name);
                }
                Err(_) => drop(state.lookups.nameless_users.insert(user)),
            }
            state.say_what_is_known()
        }
        Answer::Created { name, result } => answers::created(state, &name, result),
        Answer::Joined { group, result } => answers::joined(state, group, result),
        Answer::Acted { group, act, result } => answers::acted(state, group, &act, result),
        Answer::Groups { say, result } => answers::listed(state, say, result.map(|list| list.groups)),
        Answer::GroupProfile { group, why, result } => answers::profiled(state, group, why, result),
        Answer::Members { group, say, result } => answers::members(state, group, say, result),
        Answer::GroupRequests { group, result } => answers::requests(state, group, result),
        Answer::Reported { what, result: Ok(()) } => {
            vec![state.notice(format!("{what} is reported: a moderator will look at it"))]
        }
        Answer::Reported { what, result: Err(error) } => {
            vec![state.notice(format!("{what} is not reported: {}", explain(&error)))]
        }
        Answer::PasswordChanged(Ok(())) => {
            vec![state.notice("the password is changed; every other session of yours has ended")]
        }
        Answer::PasswordChanged(Err(error)) => {
            vec![state.notice(format!("the password is not changed: {}", explain(&error)))]
        }
        Answer::LoggedOut(Ok(())) => {
            let effect = state.notice("logged out");
            arrive::sign_out(state, "", None);
            match state.mode {
                Mode::Screen => vec![effect],
                Mode::Plain => vec![effect, Effect::Quit],
            }
        }
        Answer::LoggedOut(Err(error)) => vec![state.notice(format!("still logged in: {}", explain(&error)))],
    }
}

const fn not_done(amend: &Amend) -> &'static str {
    match amend {
        Amend::Edit(_) => "not edited",
        Amend::Recall => "not recalled",
        Amend::React(_) | Amend::Unreact(_) => "not reacted to",
    }
}

fn readers(
    state: &mut State,
    conversation: Conversation,
    seq: Option<Seq>,
    say: bool,
    result: Result<message::Readers, CallError>,
) -> Vec<Effect> {
    let readers = match result {
        Ok(found) => found.readers,
        Err(error) if say => return vec![state.notice_in(conversation, explain(&error))],
        Err(_) => return Vec::new(),
    };
    let others: Vec<_> = readers.into_iter().filter(|reader| !state.is_me(reader.user)).collect();
    let thread = state.threads.entry(conversation).or_default();
    for reader in &others {
        let before = thread.readers.entry(reader.user).or_default();
        *before = reader.seq.max(*before);
    }
    match seq {
        Some(seq) if say => {
            let users: Vec<_> = others.iter().map(|reader| reader.user).collect();
            let text = format!("#{seq} was read by {}", state.names(&users));
            vec![state.notice_in(conversation, text)]
        }
        _ => Vec::new(),
    }
}

fn found(state: &mut State, skip: u32, result: Result<message::Found, CallError>) -> Vec<Effect> {
    let message::Found { messages, more } = match result {
        Ok(found) => found,
        Err(error) => return vec![state.notice(format!("nothing is found now: {}", explain(&error)))],
    };
    if let Some((_, shown)) = &mut state.search {
        *shown = skip.saturating_add(u32::try_from(messages.len()).unwrap_or(u32::MAX));
    }
    if messages.is_empty() {
        return vec![state.notice(if skip == 0 { "nothing is found" } else { "nothing more is found" })];
    }
    let mut messages = messages;
    state.freshen(&mut messages);
    let mut effects = Vec::new();
    let note = "there is more: /more";
    match state.mode {
        Mode::Plain => {
            for entry in messages {
                effects.extend(state.say(Saying::State(Box::new(entry))));
            }
            if more {
                effects.extend(state.say(Saying::Text(Safe::line(&format!("* {note}")))));
            }
        }
        Mode::Screen => {
            let named: Vec<_> = messages.iter().flat_map(|entry| state.named_in(entry)).collect();
            effects.extend(state.look_up(named));
            let mut lines: Vec<_> = messages.iter().map(|entry| state.numbered_line(entry)).collect();
            lines.push(
                "/open NAME, then /history N or /newer N, shows what was said before or after one".into(),
            );
            lines.extend(more.then(|| note.to_owned()));
            effects.extend(state.list("Found", lines));
        }
    }
    effects
}

fn conversations(state: &mut State, result: Result<Vec<Overview>, CallError>) -> Vec<Effect> {
    let overviews = match result {
        Ok(overviews) => overviews,
        Err(error) => return vec![state.notice(format!("no list now: {}", explain(&error)))],
    };
    let row = |overview: &Overview| {
        let label = state.label(overview.standing.conversation);
        let unread = match overview.standing.unread() {
            0 => String::new(),
            unread => format!(" ({unread} unread)"),
        };
        let closed = if overview.open { "" } else { " (closed)" };
        let last = overview.last.as_ref().map_or_else(|| "nothing yet".into(), |last| state.preview(last));
        format!("[{label}]{unread}{closed} {last}")
    };
    let lines: Vec<_> = overviews.iter().map(row).collect();
    if lines.is_empty() {
        return vec![state.notice("no conversations yet; /add NAME asks somebody to be your friend")];
    }
    state.list("Conversations", lines)
}

/// Whether the same call may be answered otherwise in a while, with nothing changed by anybody.
fn may_work_later(error: &CallError) -> bool {
    match error {
        CallError::Refused { error, outcome: Outcome::Rejected } => {
            // Who is muted is told until when.
            error.code == Code::RateLimited
                || (error.code == Code::Forbidden && error.message.contains(" until "))
        }
        _ => true,
    }
}

/// What a refusal begins with that is about a field of the request, where the person gave no name to it.
const FIELDS: [&str; 7] = ["conversation: ", "group: ", "reaction: ", "seq: ", "text: ", "to: ", "user: "];

/// Why a call failed, for a person.
pub(crate) fn explain(error: &CallError) -> String {
    match (error, error.outcome()) {
        (CallError::Refused { error, outcome: Outcome::Rejected }, _) => {
            let message = error.message.as_str();
            FIELDS.iter().find_map(|field| message.strip_prefix(field)).unwrap_or(message).to_owned()
        }
        (error, Outcome::Unknown) => format!("{error} (it may have happened all the same)"),
        (error, _) => error.to_string(),
    }
}

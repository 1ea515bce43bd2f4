//! Signing in for one command, and keeping the session for the next.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use broker_schemas::{Code, Error, Outcome, Text, user};
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use natter_client::{Address, CallError, Client};

use super::Door;
use super::desk::limited;
use crate::exit::Failure;
use crate::token::TokenFile;

/// How many commands at once find a session of their own: a session is on one connection at a time.
const SESSIONS: usize = 4;

/// A connection on which somebody is signed in.
pub(super) struct Visit {
    pub(super) client: Client,
    server: Address,
    session: Session,
}

/// What a further connection goes on with. A sign-in would be one more session, and may end another of the same user.
enum Session {
    /// The one that a file keeps for the next command.
    Kept(Kept),
    /// Nothing keeps it but its token here.
    Passing(String),
}

struct Kept {
    file: TokenFile,
    /// No other command uses the session meanwhile.
    _lock: File,
}

/// Connects and signs in: with a session that an earlier command left, else with the password.
pub(super) async fn enter(door: &Door, tokens: Option<PathBuf>) -> Result<Visit, Failure> {
    let Some(name) = &door.name else {
        return Err(Failure::Usage("who are you? --as NAME, or NATTER_ADMIN in the environment".into()));
    };
    let server = door.server.clone();
    let kept = tokens.and_then(|directory| free_session(&directory, &server, name));
    let (client, _events) = Client::connect(&server).await?;
    let kept = match kept {
        Some(kept) if resume_kept(&client, &kept.file).await? => {
            return Ok(Visit { client, server, session: Session::Kept(kept) });
        }
        kept => kept,
    };
    let password = match &door.password {
        Some(password) => password.clone(),
        None => ask_password(name)?,
    };
    let (name, password) = (limited("--as", name)?, limited("the password", &password)?);
    let login = user::Login { name, password, device: Text::new("natter admin").ok() };
    let session = client.call(&login).await?;
    let saved = kept.filter(|kept| kept.file.save(&session.token).is_ok());
    Ok(Visit { client, server, session: saved.map_or(Session::Passing(session.token), Session::Kept) })
}

impl Visit {
    /// Goes on with the session on a new connection, in the place of one that was lost.
    pub(super) async fn enter_again(&mut self) -> Result<(), Failure> {
        let (client, _events) = Client::connect(&self.server).await?;
        let is_open = match &mut self.session {
            Session::Kept(kept) => resume_kept(&client, &kept.file).await?,
            Session::Passing(token) => match resume(&client, token).await? {
                Some(next) => {
                    *token = next;
                    true
                }
                None => false,
            },
        };
        if !is_open {
            let error = Error::new(Code::Unauthenticated, "the session is over; sign in again");
            return Err(CallError::Refused { error, outcome: Outcome::Rejected }.into());
        }
        self.client = client;
        Ok(())
    }

    /// Leaves; the session stays, if it is kept.
    pub(super) async fn leave(self) {
        if let Session::Passing(_) = self.session {
            // That it may stay behind is no reason to fail.
            let _ = self.client.call(&user::Logout {}).await;
        }
    }
}

/// Opens the session whose token is in `file`. Whether there was one that is still good.
async fn resume_kept(client: &Client, file: &TokenFile) -> Result<bool, Failure> {
    let Some(token) = file.load() else { return Ok(false) };
    let Some(next) = resume(client, &token).await? else {
        file.remove();
        return Ok(false);
    };
    // If it can't be kept, the old token is good once more.
    let _ = file.save(&next);
    Ok(true)
}

/// Opens the session of a token. What opens it the next time; nothing, if it is over.
async fn resume(client: &Client, token: &str) -> Result<Option<String>, Failure> {
    let Ok(token) = Text::new(token) else { return Ok(None) };
    match client.call(&user::Resume { token }).await {
        Ok(session) => Ok(Some(session.token)),
        Err(error) if error.code() == Code::Unauthenticated => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A session that no other command uses right now.
fn free_session(directory: &Path, server: &Address, name: &str) -> Option<Kept> {
    (1..=SESSIONS).find_map(|number| {
        let file = TokenFile::of_tool(directory, server, name, &format!("admin{number}"));
        let lock = file.lock().ok()??;
        Some(Kept { file, _lock: lock })
    })
}

/// Asks for the password on the terminal, without showing it.
fn ask_password(name: &str) -> Result<String, Failure> {
    let missing =
        || Failure::Usage("no session was kept for --as: put the password into NATTER_PASSWORD".into());
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(missing());
    }
    let mut screen = std::io::stderr();
    let _ = write!(screen, "password of {}: ", crate::text::Safe::line(name));
    let _ = screen.flush();
    let typed = crossterm::terminal::enable_raw_mode().ok().and_then(|()| {
        let typed = read_password();
        let _ = crossterm::terminal::disable_raw_mode();
        typed
    });
    let _ = writeln!(screen);
    typed.ok_or_else(missing)
}

/// What is typed up to Enter; nothing, if the person leaves.
fn read_password() -> Option<String> {
    let mut typed = String::new();
    loop {
        let Event::Key(key) = crossterm::event::read().ok()? else { continue };
        if key.kind == KeyEventKind::Release {
            continue;
        }
        match key.code {
            KeyCode::Enter => return Some(typed),
            KeyCode::Esc => return None,
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => return None,
            KeyCode::Backspace => drop(typed.pop()),
            KeyCode::Char(c) => typed.push(c),
            _ => {}
        }
    }
}

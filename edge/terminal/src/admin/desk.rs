//! What every command needs: calls, names, and a way to answer.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use anyhow::Context;
use broker_schemas::{Error, Method, Text, UserId, user};
use futures_util::StreamExt;
use natter_client::CallError;
use serde::Serialize;

use super::door::Visit;
use super::table::Table;
use crate::exit::Failure;
use crate::text::Safe;

/// How many names are asked for at once: half of what an edge works on for one connection.
const AT_ONCE: usize = 16;

pub(super) struct Desk {
    visit: Visit,
    json: bool,
}

impl Desk {
    pub(super) const fn new(visit: Visit, json: bool) -> Self {
        Self { visit, json }
    }

    /// Leaves it.
    pub(super) async fn leave(self) {
        self.visit.leave().await;
    }

    /// Whether to answer with a JSON document.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    pub(super) async fn call<R: Method>(&self, request: &R) -> Result<R::Reply, Failure> {
        Ok(self.visit.client.call(request).await?)
    }

    /// Whether the connection is there.
    pub(super) fn is_connected(&self) -> bool {
        self.visit.client.closed().is_none()
    }

    /// Signs in once more, on a new connection.
    pub(super) async fn reconnect(&mut self) -> Result<(), Failure> {
        self.visit.enter_again().await
    }

    /// Who is called `name`.
    pub(super) async fn user(&self, name: &str) -> Result<UserId, Failure> {
        let name = limited("the name", name)?;
        match self.visit.client.call(&user::Find { name: name.clone() }).await {
            Ok(profile) => Ok(profile.user),
            Err(CallError::Refused { error, outcome }) => {
                // Which of several names it was.
                let error = Error { message: format!("{}: {}", &*name, error.message), ..error };
                Err(CallError::Refused { error, outcome }.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Who are called so, in that order.
    pub(super) async fn users(&self, names: &[String]) -> Result<Vec<UserId>, Failure> {
        let found: Vec<_> =
            futures_util::stream::iter(names).map(|name| self.user(name)).buffered(AT_ONCE).collect().await;
        found.into_iter().collect()
    }

    /// What these users are called; nothing, where that can't be had any more.
    pub(super) async fn names(&self, users: impl IntoIterator<Item = UserId>) -> Names {
        let users: std::collections::BTreeSet<_> = users.into_iter().collect();
        let ask = |user| async move {
            let profile = self.visit.client.call(&user::GetProfile { user: Some(user) }).await.ok()?;
            Some((user, profile.name))
        };
        let found = futures_util::stream::iter(users).map(ask).buffer_unordered(AT_ONCE);
        Names(found.filter_map(std::future::ready).collect().await)
    }

    /// Answers: `words`, or `document`.
    pub(super) fn say(&self, document: &impl Serialize, words: impl AsRef<str>) -> anyhow::Result<()> {
        if self.json { print(document) } else { self.line(words) }
    }

    /// Answers: a table and what stands below it, or `document`.
    pub(super) fn show(
        &self,
        document: &impl Serialize,
        table: &Table,
        below: &[String],
    ) -> anyhow::Result<()> {
        if self.json {
            return print(document);
        }
        let mut out = std::io::stdout().lock();
        write!(out, "{table}")?;
        for line in below {
            writeln!(out, "{}", Safe::line(line))?;
        }
        Ok(())
    }

    /// A line for a person; nothing, where a document is wanted.
    pub(super) fn line(&self, words: impl AsRef<str>) -> anyhow::Result<()> {
        if !self.json {
            writeln!(std::io::stdout().lock(), "{}", Safe::text(words.as_ref()))?;
        }
        Ok(())
    }
}

/// What some users are called.
#[derive(Debug, Default)]
pub(super) struct Names(pub(super) BTreeMap<UserId, String>);

impl Names {
    /// The name of a user, or the number.
    pub(super) fn of(&self, user: UserId) -> String {
        self.0.get(&user).cloned().unwrap_or_else(|| format!("user {user}"))
    }
}

/// Writes a JSON document.
pub(super) fn print(document: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, document)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// `text` within the bounds that the contract has for `what`.
///
/// # Errors
/// Says what is accepted instead.
pub(super) fn limited<const N: usize>(what: &str, text: &str) -> Result<Text<N>, Failure> {
    Text::new(text).map_err(|error| Failure::Usage(format!("{what}: {error}")))
}

/// What was typed as a text, or standard input for `-`.
pub(super) fn text_of(argument: &str) -> anyhow::Result<String> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("reading the text from standard input")?;
    Ok(text.trim_end_matches('\n').to_owned())
}

/// The line below a page that is not the last one.
pub(super) fn further(more: bool, command: &str, option: &str, at: Option<u64>) -> Option<String> {
    at.filter(|_| more).map(|at| format!("there is more: natter admin {command} {option} {at}"))
}

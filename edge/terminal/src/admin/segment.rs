//! Whom a campaign reaches, as it is typed.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use broker_schemas::admin::{SEGMENT_USERS_MAX, Segment, Span};
use broker_schemas::{GroupId, List, Timestamp};
use clap::Args;

use super::desk::Desk;
use super::{moderate, moment};
use crate::exit::Failure;

/// One of these says to whom.
#[derive(Debug, Default, Args)]
pub(super) struct Arguments {
    /// To every account
    #[arg(long)]
    all: bool,
    /// To the members of a group: 9, or g9
    #[arg(long, value_name = "ID", value_parser = moderate::group)]
    group: Option<GroupId>,
    /// To who signed up from this moment on; 30d is thirty days ago
    #[arg(long, value_name = "MOMENT", value_parser = moment::back)]
    signed_up_after: Option<Timestamp>,
    /// To who signed up before this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment::back)]
    signed_up_before: Option<Timestamp>,
    /// To who was signed in from this moment on
    #[arg(long, value_name = "MOMENT", value_parser = moment::back)]
    last_seen_after: Option<Timestamp>,
    /// To who was last signed in before this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment::back)]
    last_seen_before: Option<Timestamp>,
    /// To the users whose names this file has, one a line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    users_file: Option<PathBuf>,
}

/// A segment, but for the ids of users.
#[derive(Debug, PartialEq, Eq)]
enum Typed {
    Whole(Segment),
    UsersIn(PathBuf),
}

impl Arguments {
    /// The segment.
    pub(super) async fn resolve(self, desk: &Desk) -> anyhow::Result<Segment> {
        let file = match self.typed()? {
            Typed::Whole(segment) => return Ok(segment),
            Typed::UsersIn(file) => file,
        };
        let mut users = desk.users(&names_in(&contents(&file)?)?).await?;
        users.sort_unstable();
        users.dedup();
        let users = List::new(users).map_err(|error| Failure::Usage(format!("--users-file: {error}")))?;
        Ok(Segment::Users(users))
    }

    fn typed(self) -> Result<Typed, Failure> {
        let span = |from: Option<Timestamp>, to: Option<Timestamp>| {
            (from.is_some() || to.is_some()).then_some(Span { from, to })
        };
        let whole = [
            self.all.then_some(Segment::All {}),
            self.group.map(Segment::Group),
            span(self.signed_up_after, self.signed_up_before).map(Segment::SignedUp),
            span(self.last_seen_after, self.last_seen_before).map(Segment::LastSeen),
        ];
        let mut typed: Vec<_> = whole.into_iter().flatten().map(Typed::Whole).collect();
        typed.extend(self.users_file.map(Typed::UsersIn));
        match (typed.pop(), typed.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(Failure::Usage(
                "to whom? give one of --all, --group, --signed-up-after and -before, --last-seen-after and -before, --users-file"
                    .into(),
            )),
        }
    }
}

fn contents(file: &Path) -> anyhow::Result<String> {
    if file != Path::new("-") {
        return std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()));
    }
    let mut names = String::new();
    std::io::stdin().read_to_string(&mut names).context("reading the names from standard input")?;
    Ok(names)
}

/// The names in a file, one a line; empty lines, and those that begin with `#`, are none.
fn names_in(text: &str) -> Result<Vec<String>, Failure> {
    let names: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    match names.len() {
        0 => Err(Failure::Usage("--users-file: no name is in it".into())),
        1..=SEGMENT_USERS_MAX => Ok(names),
        many => Err(Failure::Usage(format!(
            "--users-file: {many} names, at most {SEGMENT_USERS_MAX} are accepted"
        ))),
    }
}

/// A segment in words.
pub(super) fn words(segment: &Segment) -> String {
    let span = |span: &Span| match (span.from.map(moment::shown), span.to.map(moment::shown)) {
        (Some(from), Some(to)) => format!("from {from} to {to}"),
        (Some(from), None) => format!("since {from}"),
        (None, Some(to)) => format!("before {to}"),
        (None, None) => "at any time".to_owned(),
    };
    match segment {
        Segment::All {} => "every account".to_owned(),
        Segment::Group(group) => format!("the members of g{group}"),
        Segment::SignedUp(when) => format!("who signed up {}", span(when)),
        Segment::LastSeen(when) => format!("who was last signed in {}", span(when)),
        Segment::Users(users) => format!("{} users by name", users.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_kind_of_segment_is_taken() {
        let group = Some(GroupId::new(9).unwrap());
        let all = || Arguments { all: true, ..Arguments::default() };
        assert_eq!(all().typed().unwrap(), Typed::Whole(Segment::All {}));
        let both_ends = Arguments {
            last_seen_after: Some(Timestamp(1)),
            last_seen_before: Some(Timestamp(2)),
            ..Arguments::default()
        };
        let span = Span { from: Some(Timestamp(1)), to: Some(Timestamp(2)) };
        assert_eq!(both_ends.typed().unwrap(), Typed::Whole(Segment::LastSeen(span)));
        for wrong in [
            Arguments::default(),
            Arguments { group, ..all() },
            Arguments { users_file: Some("x".into()), ..all() },
        ] {
            assert!(matches!(wrong.typed(), Err(Failure::Usage(words)) if words.contains("--users-file")));
        }
    }

    #[test]
    fn a_file_has_a_name_a_line_and_a_bound() {
        assert_eq!(names_in("alice\n\n# not her\n  bob \r\n").unwrap(), ["alice", "bob"]);
        assert!(names_in("\n#\n").is_err());
        let many = "al\n".repeat(SEGMENT_USERS_MAX + 1);
        assert!(names_in(&many).is_err());
    }
}

//! What can be typed behind a `/`.

mod arguments;
mod group;

use broker_schemas::{GroupId, Seq};

use arguments::Arguments;
pub(crate) use group::Act;
pub(super) use group::{how_to_join, what_is_seen};

/// What a person can do about another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Add,
    Accept,
    Decline,
    Remove,
    Block,
    Unblock,
}

/// What can be done to a message that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Amend {
    Edit(String),
    Recall,
    React(String),
    Unreact(String),
}

/// A line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Say this in the open conversation.
    Say(String),
    /// Say this to somebody, or in a group.
    Tell(String, String),
    /// Say this in answer to a message of the open conversation.
    Reply(Seq, String),
    Amend(Seq, Amend),
    Relate(Verb, String),
    Open(String),
    Friends,
    Conversations,
    /// Older messages, than this one if it is named.
    Older(Option<Seq>),
    Newer(Option<Seq>),
    Search(String),
    More,
    Readers(Option<Seq>),
    Create(String, Vec<String>),
    Join(GroupId),
    Groups,
    /// The open group, or the one that is named.
    Leave(Option<GroupId>),
    About,
    Members,
    GroupRequests,
    /// Do something about the open group.
    Act(Act),
    /// End the open group, which is called so.
    Dissolve(Option<String>),
    /// Tell the moderators about a message of the open conversation.
    ReportMessage(Seq, String),
    /// Tell the moderators about a user.
    ReportUser(String, String),
    Retry,
    Password,
    LogOut,
    Quit,
    Help,
}

/// Every command with what it does, by subject; the first words are what is typed.
pub(crate) const HELP: &[(&str, &[(&str, &str)])] = &[
    ("Friends", FRIENDS),
    ("Messages, of the conversation that is open; N is the number of one", MESSAGES),
    ("Groups", group::GROUPS),
    ("In the group that is open", group::IN_GROUP),
    ("Beside these", OTHERS),
];

const FRIENDS: &[(&str, &str)] = &[
    ("/add NAME", "ask somebody to be your friend"),
    ("/accept NAME", "accept somebody who asked you"),
    ("/decline NAME", "decline, or take back what you asked"),
    ("/remove NAME", "end a friendship"),
    ("/block NAME", "refuse somebody for good; they aren't told"),
    ("/unblock NAME", "take a block back"),
    ("/friends", "list friends and requests"),
    ("/open NAME", "open the conversation with a friend, or a group"),
    ("/msg NAME TEXT", "send without opening; a NAME with spaces in \"quotes\""),
    ("/conversations", "list them, each with its last message"),
];

const MESSAGES: &[(&str, &str)] = &[
    ("/reply N TEXT", "answer a message; @NAME anywhere points somebody out"),
    ("/edit N TEXT", "give a message of yours another wording"),
    ("/recall N", "take a message back"),
    ("/react N EMOJI", "react to a message"),
    ("/unreact N EMOJI", "take your reaction away"),
    ("/readers [N]", "who has read a message; your last one without N"),
    ("/history [N]", "older messages, or those before N"),
    ("/newer [N]", "newer messages, or those after N"),
    ("/search WORDS", "find messages in all your conversations"),
    ("/more", "more of what the search finds"),
    ("/retry", "send again what failed"),
];

const OTHERS: &[(&str, &str)] = &[
    ("/report N WHY", "tell the moderators about a message of the open conversation"),
    ("/report NAME WHY", "tell the moderators about a user; @NAME, if the name is a number"),
    ("/password", "set a new password"),
    ("/logout", "end this session and forget it here"),
    ("/quit", "leave; the session stays open"),
    ("//TEXT", "send a text that begins with /"),
    ("/help", "this list"),
];

/// Reads a line.
///
/// # Errors
/// Says what is accepted instead.
pub(super) fn parse(line: &str) -> Result<Command, String> {
    let Some(command) = line.strip_prefix('/') else { return Ok(Command::Say(line.to_owned())) };
    if command.starts_with('/') {
        return Ok(Command::Say(command.to_owned()));
    }
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let mut arguments = Arguments::new(word, rest);
    let command = match word {
        "add" => Command::Relate(Verb::Add, arguments.name()?),
        "accept" => Command::Relate(Verb::Accept, arguments.name()?),
        "decline" => Command::Relate(Verb::Decline, arguments.name()?),
        "remove" => Command::Relate(Verb::Remove, arguments.name()?),
        "block" => Command::Relate(Verb::Block, arguments.name()?),
        "unblock" => Command::Relate(Verb::Unblock, arguments.name()?),
        "open" => Command::Open(arguments.title()?),
        "msg" => Command::Tell(arguments.name()?, arguments.text()?),
        "friends" => Command::Friends,
        "conversations" => Command::Conversations,
        "reply" => Command::Reply(arguments.seq()?, arguments.text()?),
        "edit" => Command::Amend(arguments.seq()?, Amend::Edit(arguments.text()?)),
        "recall" => Command::Amend(arguments.seq()?, Amend::Recall),
        "react" => Command::Amend(arguments.seq()?, Amend::React(arguments.word("an emoji")?)),
        "unreact" => Command::Amend(arguments.seq()?, Amend::Unreact(arguments.word("an emoji")?)),
        "readers" => Command::Readers(arguments.optional_seq()?),
        "history" => Command::Older(arguments.optional_seq()?),
        "newer" => Command::Newer(arguments.optional_seq()?),
        "search" => Command::Search(arguments.text()?),
        "more" => Command::More,
        "retry" => Command::Retry,
        "report" => {
            let about = arguments.word("the number of a message, or a name")?;
            let number = about.strip_prefix('#').unwrap_or(&about).parse();
            let why = arguments.optional_text().ok_or_else(|| arguments.needs("a reason"))?;
            match number {
                Ok(seq) => Command::ReportMessage(seq, why),
                Err(_) => Command::ReportUser(about.strip_prefix('@').unwrap_or(&about).to_owned(), why),
            }
        }
        "password" => Command::Password,
        "logout" => Command::LogOut,
        "quit" | "exit" => Command::Quit,
        "help" | "?" | "" => Command::Help,
        _ => group::parse(&mut arguments)?,
    };
    arguments.end()?;
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A usage with each of its choices, and samples for what a person fills in.
    fn samples(usage: &str) -> Vec<String> {
        let mut lines = vec![String::new()];
        for word in usage.split(' ') {
            let choices = word.split('|').map(|choice| match choice.trim_matches(['[', ']']) {
                "NAME" => "\"our team\"",
                "FRIEND…" => "carol dave",
                "TEXT" | "WORDS" | "WHY" => "hello there",
                "//TEXT" => "//etc",
                "EMOJI" => "👍",
                "TIME" => "2h",
                "ID" => "g9",
                "N" => "#12",
                choice => choice,
            });
            lines =
                choices.flat_map(|choice| lines.iter().map(move |line| format!("{line} {choice}"))).collect();
        }
        lines.into_iter().map(|line| line.trim_start().to_owned()).collect()
    }

    #[test]
    fn every_command_of_the_help_is_understood() {
        for (usage, _) in HELP.iter().flat_map(|(_, commands)| *commands) {
            for line in samples(usage) {
                parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
            if let Some((short, _)) = usage.split_once(" [") {
                let short = samples(short).remove(0);
                parse(&short).unwrap_or_else(|error| panic!("{short}: {error}"));
            }
        }
    }

    #[test]
    fn names_with_spaces_are_quoted_and_numbers_may_have_their_sign() {
        let create = Command::Create("our team".into(), vec!["bob".into(), "carol".into()]);
        assert_eq!(parse("/create \"our team\" bob carol"), Ok(create));
        assert_eq!(parse("/open our team"), Ok(Command::Open("our team".into())));
        assert_eq!(
            parse("/msg \"our team\" hello all"),
            Ok(Command::Tell("our team".into(), "hello all".into()))
        );
        let reply = Command::Reply(Seq::new(12).unwrap(), "yes, \"that\"".into());
        assert_eq!(parse("/reply #12 yes, \"that\""), Ok(reply.clone()));
        assert_eq!(parse("/reply 12  yes, \"that\""), Ok(reply));
        assert!(parse("/create \"our team").unwrap_err().contains("quote"));
        assert!(parse("/reply yes").unwrap_err().contains("/reply N TEXT"));
        assert!(parse("/mute bob soon").unwrap_err().contains("TIME"));
        assert!(parse("/role bob king").unwrap_err().contains("administrator|member"));
    }

    #[test]
    fn a_report_is_about_a_message_by_its_number_and_about_a_user_by_name() {
        let seq = Seq::new(12).unwrap();
        for line in ["/report #12 he lies", "/report 12  he lies"] {
            assert_eq!(parse(line), Ok(Command::ReportMessage(seq, "he lies".into())));
        }
        assert_eq!(parse("/report bob he lies"), Ok(Command::ReportUser("bob".into(), "he lies".into())));
        assert_eq!(parse("/report @12 he lies"), Ok(Command::ReportUser("12".into(), "he lies".into())));
        assert!(parse("/report bob").unwrap_err().contains("a reason"));
    }

    #[test]
    fn a_slash_can_be_said_and_a_mistake_says_what_helps() {
        assert_eq!(parse("//etc"), Ok(Command::Say("/etc".into())));
        assert_eq!(parse("hello /add"), Ok(Command::Say("hello /add".into())));
        assert_eq!(parse("/msg bob  see you"), Ok(Command::Tell("bob".into(), "see you".into())));
        assert!(parse("/add").unwrap_err().contains("/add NAME"));
        assert!(parse("/add bob carol").unwrap_err().contains("/add NAME"));
        assert!(parse("/ad bob").unwrap_err().contains("/help"));
    }
}

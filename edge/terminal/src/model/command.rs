//! What can be typed behind a `/`.

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

/// A line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Say this in the open conversation.
    Say(String),
    /// Say this to somebody.
    Tell(String, String),
    Relate(Verb, String),
    Open(String),
    Friends,
    History,
    Retry,
    Password,
    LogOut,
    Quit,
    Help,
}

/// Every command with what it does; the first words are what is typed.
pub(crate) const HELP: &[(&str, &str)] = &[
    ("/add NAME", "ask somebody to be your friend"),
    ("/accept NAME", "accept somebody who asked you"),
    ("/decline NAME", "decline, or take back what you asked"),
    ("/remove NAME", "end a friendship"),
    ("/block NAME", "refuse somebody for good; they aren't told"),
    ("/unblock NAME", "take a block back"),
    ("/open NAME", "open the conversation with a friend"),
    ("/msg NAME TEXT", "send to a friend without opening"),
    ("/friends", "list friends and requests"),
    ("/history", "show older messages"),
    ("/retry", "send again what failed"),
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
    let rest = rest.trim();
    let name = || {
        if rest.is_empty() || rest.contains(char::is_whitespace) {
            Err(format!("/{word} needs one name: /{word} NAME"))
        } else {
            Ok(rest.to_owned())
        }
    };
    Ok(match word {
        "add" => Command::Relate(Verb::Add, name()?),
        "accept" => Command::Relate(Verb::Accept, name()?),
        "decline" => Command::Relate(Verb::Decline, name()?),
        "remove" => Command::Relate(Verb::Remove, name()?),
        "block" => Command::Relate(Verb::Block, name()?),
        "unblock" => Command::Relate(Verb::Unblock, name()?),
        "open" => Command::Open(name()?),
        "msg" => match rest.split_once(char::is_whitespace) {
            Some((name, text)) => Command::Tell(name.to_owned(), text.trim().to_owned()),
            None => return Err("/msg needs a name and a text: /msg NAME TEXT".into()),
        },
        "friends" => Command::Friends,
        "history" => Command::History,
        "retry" => Command::Retry,
        "password" => Command::Password,
        "logout" => Command::LogOut,
        "quit" | "exit" => Command::Quit,
        "help" | "?" | "" => Command::Help,
        _ => return Err(format!("there is no /{word}; /help lists what there is")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_help_is_understood() {
        for (usage, _) in HELP {
            let line = usage.replace("NAME", "bob").replace("TEXT", "hello");
            parse(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn a_slash_can_be_said_and_a_mistake_says_what_helps() {
        assert_eq!(parse("//etc"), Ok(Command::Say("/etc".into())));
        assert_eq!(parse("hello /add"), Ok(Command::Say("hello /add".into())));
        assert_eq!(parse("/msg bob  see you"), Ok(Command::Tell("bob".into(), "see you".into())));
        assert!(parse("/add").unwrap_err().contains("/add NAME"));
        assert!(parse("/ad bob").unwrap_err().contains("/help"));
    }
}

//! `natter decode SUBJECT`: what travels on the bus, as JSON.

use std::io::Read;

use anyhow::Context;
use broker_schemas::delivery::Push;
use broker_schemas::subject::{self, Addressed};
use broker_schemas::{ContentType, Delivery};

/// What to decode.
#[derive(Debug, clap::Args)]
pub(crate) struct DecodeArguments {
    /// The subject that the message came on; the message itself is read from standard input
    subject: String,
}

#[allow(clippy::print_stdout)]
pub(crate) fn run(arguments: &DecodeArguments) -> anyhow::Result<()> {
    let mut body = Vec::new();
    std::io::stdin().lock().read_to_end(&mut body).context("read the message from standard input")?;
    println!("{}", decode(&arguments.subject, &body));
    Ok(())
}

/// JSON for what the contract knows, text for what is text, and a count for the rest: a person looks at it.
fn decode(subject: &str, body: &[u8]) -> String {
    let known = match subject::parse(subject) {
        // Only an object: the postcard of user 55 is a `7`.
        _ if body.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() => None,
        Some(Addressed::Request(method)) => (method.request_to_json)(body).ok(),
        Some(Addressed::Fact(fact)) => (fact.to_json)(body).ok(),
        Some(Addressed::Delivery) => delivery(body),
        None => None,
    };
    known.unwrap_or_else(|| match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("({} bytes of another shape)", body.len()),
    })
}

fn delivery(body: &[u8]) -> Option<String> {
    match ContentType::Postcard.decode(body).ok()? {
        Delivery::Event(push) => Some(format!("{{{}}}", event(&push))),
        close @ Delivery::Close { .. } => serde_json::to_string(&close).ok(),
        Delivery::ToMembers { version, joined_by, joined, left, push } => {
            let [joined, left] = [joined, left].map(|users| serde_json::to_string(&users).ok());
            let (joined, left) = (joined?, left?);
            Some(format!(
                "{{\"version\":{version},\"joined_by\":{joined_by},\"joined\":{joined},\"left\":{left},{}}}",
                event(&push)
            ))
        }
        Delivery::Join { group, push } => Some(format!("{{\"join\":{group},{}}}", event(&push))),
    }
}

fn event(push: &Push) -> String {
    format!("\"event\":{:?},\"body\":{}", push.name, String::from_utf8_lossy(&push.json))
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_schemas::{GroupId, UserId, friend};

    #[test]
    fn a_request_a_delivery_and_json_are_shown_as_json() {
        let user = UserId::new(7).unwrap();
        let request = ContentType::Postcard.encode(&friend::Request { user }).unwrap();
        assert_eq!(decode("natter.client.friend.v1.request", &request), r#"{"user":7}"#);
        assert_eq!(decode("natter.client.friend.v1.request", b"7"), r#"{"user":55}"#);
        let push = Push::of(&friend::PresenceEvent { user, online: true }).unwrap();
        let event = ContentType::Postcard.encode(&Delivery::Event(push.clone())).unwrap();
        assert_eq!(
            decode("natter.deliver.user.3", &event),
            r#"{"event":"friend.presence","body":{"user":7,"online":true}}"#
        );
        let (version, joined_by, joined, left) = (5, 5, vec![user], vec![]);
        let delivery = Delivery::ToMembers { version, joined_by, joined, left, push: push.clone() };
        assert_eq!(
            decode("natter.deliver.group.3", &ContentType::Postcard.encode(&delivery).unwrap()),
            r#"{"version":5,"joined_by":5,"joined":[7],"left":[],"event":"friend.presence","body":{"user":7,"online":true}}"#
        );
        let delivery = Delivery::Join { group: GroupId::new(3).unwrap(), push };
        assert_eq!(
            decode("natter.deliver.user.7", &ContentType::Postcard.encode(&delivery).unwrap()),
            r#"{"join":3,"event":"friend.presence","body":{"user":7,"online":true}}"#
        );
        assert_eq!(decode("natter.client.friend.v1.request", br#"{"user":7}"#), r#"{"user":7}"#);
        assert_eq!(decode("elsewhere", &[0xff, 0xfe]), "(2 bytes of another shape)");
    }
}

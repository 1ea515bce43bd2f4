//! A message that is to be sent.

use broker_schemas::message::{Payload, Recipient, Send};
use broker_schemas::{Error, List, Seq, Text, UserId};
use uuid::Uuid;

use crate::CallError;

/// What a message says. A text becomes one by itself:
///
/// ```
/// # use natter_client::Draft;
/// let plain: Draft = "hello".into();
/// let answer = Draft::text("yes").quoting(broker_schemas::Seq::new(12)?);
/// # Ok::<(), broker_schemas::id::OutOfRange>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// At most 16 KiB; empty only beside a payload.
    pub text: String,
    /// The message of the same conversation that this answers.
    pub quote: Option<Seq>,
    /// Whom the text mentions; at most 64.
    pub mentions: Vec<UserId>,
    /// What an application sends: its kind, at most 128 bytes, and its data, at most 40 KiB.
    pub payload: Option<(String, String)>,
}

impl Draft {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The same, in answer to a message.
    #[must_use]
    pub fn quoting(self, quote: Seq) -> Self {
        Self { quote: Some(quote), ..self }
    }

    /// The same, mentioning these users too.
    #[must_use]
    pub fn mentioning(mut self, users: impl IntoIterator<Item = UserId>) -> Self {
        self.mentions.extend(users);
        self
    }

    /// The same, with something for applications.
    #[must_use]
    pub fn carrying(self, kind: impl Into<String>, data: impl Into<String>) -> Self {
        Self { payload: Some((kind.into(), data.into())), ..self }
    }

    /// The request that sends this.
    ///
    /// # Errors
    /// When something is longer than it may be; the server is not asked.
    pub(crate) fn request(self, to: Recipient, client_id: Uuid) -> Result<Send, CallError> {
        let unfit = |field: &'static str| {
            move |message: String| CallError::unfit(Error::invalid(format!("{field}: {message}")))
        };
        let payload = match self.payload {
            None => None,
            Some((kind, data)) => Some(Payload {
                kind: Text::new(kind).map_err(unfit("payload.kind"))?,
                data: Text::new(data).map_err(unfit("payload.data"))?,
            }),
        };
        let mentions = (!self.mentions.is_empty()).then(|| List::new(self.mentions)).transpose();
        Ok(Send {
            to,
            client_id,
            text: Text::new(self.text).map_err(unfit("text"))?,
            quote: self.quote,
            mentions: mentions.map_err(unfit("mentions"))?,
            payload,
        })
    }
}

impl From<&str> for Draft {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Draft {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&String> for Draft {
    fn from(text: &String) -> Self {
        Self::text(text)
    }
}

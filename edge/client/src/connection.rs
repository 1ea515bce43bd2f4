//! The task of one connection: writes what was called, reads what was answered and pushed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use natter_protocol::{ClientFrame, Encoding, ServerFrame};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::calls::Calls;
use crate::transport::{Reader, Writer};
use crate::{CallError, Closed, Event, Options, RawEvent};

/// How long to go on reading when writing failed: the edge's last frame, which says why, may still be on its way.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A frame to send.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: u64,
    pub(crate) frame: Bytes,
}

/// Serves one connection until it closes, and says why to every open call.
pub(crate) async fn run(
    reader: Reader,
    writer: Writer,
    calls: Arc<Calls>,
    outgoing: mpsc::Receiver<Outgoing>,
    pushed: mpsc::Sender<Event>,
    options: Options,
) {
    // One place: a question that is still on its way need not be asked again.
    let (question, questions) = mpsc::channel(1);
    let mut incoming = Incoming { calls: &calls, pushed, overflowed: false, encoding: options.encoding };
    // Both directions in one task, but independent: a full socket in one must not stop the other.
    let closed = tokio::select! {
        closed = incoming.read(reader, &options, question) => closed,
        closed = write(writer, &calls, outgoing, questions, options.encoding) => closed,
    };
    tracing::debug!(reason = %closed, "connection closed");
    calls.close(closed);
}

async fn write(
    mut writer: Writer,
    calls: &Calls,
    mut outgoing: mpsc::Receiver<Outgoing>,
    mut questions: mpsc::Receiver<()>,
    encoding: Encoding,
) -> Closed {
    let error = loop {
        let frame = tokio::select! {
            Some(Outgoing { id, frame }) = outgoing.recv() => {
                if !calls.send(id) {
                    continue;
                }
                Ok(frame)
            }
            Some(()) = questions.recv() => {
                ClientFrame::Ping { id: calls.skip_id() }.encode(encoding, writer.is_stream())
            }
            else => return Closed::broken("this client closed the connection"),
        };
        let written = match frame {
            Ok(frame) => writer.send(frame).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            break error;
        }
    };
    tokio::time::sleep(LAST_WORDS).await;
    Closed::broken(error)
}

struct Incoming<'a> {
    calls: &'a Calls,
    pushed: mpsc::Sender<Event>,
    /// Events were dropped, and the application was not told yet.
    overflowed: bool,
    encoding: Encoding,
}

impl Incoming<'_> {
    /// Reads until the connection closes. After a while without a frame it asks for a sign of life.
    async fn read(&mut self, mut reader: Reader, options: &Options, question: mpsc::Sender<()>) -> Closed {
        let pushed = self.pushed.clone();
        let mut asked = false;
        loop {
            let wait = if asked { options.patience } else { options.quiet };
            let frame = tokio::select! {
                room = pushed.reserve(), if self.overflowed => {
                    // No room ever again means that nobody listens, and then nobody misses anything.
                    if let Ok(room) = room {
                        room.send(Event::Resync);
                    }
                    self.overflowed = false;
                    continue;
                }
                frame = timeout(wait, reader.next()) => frame,
            };
            match frame {
                Ok(Ok(Some(frame))) => {
                    asked = false;
                    match self.take(&frame) {
                        Ok(()) => {}
                        Err(closed) => return closed,
                    }
                }
                Ok(Ok(None)) => return Closed::broken("the server closed the connection"),
                Ok(Err(error)) => return Closed::broken(error),
                Err(_) if asked => return Closed::broken("the server gives no sign of life"),
                Err(_) => {
                    asked = true;
                    let _ = question.try_send(());
                }
            }
        }
    }

    /// Acts on one frame.
    ///
    /// # Errors
    /// When it is the last one, why.
    fn take(&mut self, frame: &Bytes) -> Result<(), Closed> {
        match ServerFrame::decode(self.encoding, frame) {
            Ok(ServerFrame::Ok { id, body }) => self.calls.answer(id, Ok(frame.slice_ref(body))),
            Ok(ServerFrame::Pong { id }) => self.calls.answer(id, Ok(Bytes::new())),
            Ok(ServerFrame::Error { id, error }) => {
                if id == 0 {
                    tracing::warn!(code = error.code.name(), message = %error.message, "server refused a frame");
                }
                let outcome = error.outcome;
                self.calls.answer(id, Err(CallError::Refused { error: error.into(), outcome }));
            }
            Ok(ServerFrame::Event { event, body }) => {
                let body = frame.slice_ref(body);
                self.push(RawEvent { name: event.into_owned(), body, encoding: self.encoding }.into());
            }
            Ok(ServerFrame::Closing { code, message }) => {
                return Err(Closed { code: Some(code.into_owned()), message: message.into_owned() });
            }
            Err(error) => {
                return Err(Closed::broken(format!("the server sent no frame of this protocol: {error}")));
            }
        }
        Ok(())
    }

    /// Hands an event to the application, without waiting: answers come on the same connection, and an application that
    /// waits for one before it takes events must get it.
    fn push(&mut self, event: Event) {
        if self.overflowed {
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(_)) = self.pushed.try_send(event) {
            self.overflowed = true;
        }
    }
}

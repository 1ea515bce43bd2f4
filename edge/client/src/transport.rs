//! Frames over TCP or WebSocket, without knowing what they say.

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use natter_protocol::{BINARY_MAGIC, Encoding, MAX_SERVER_FRAME};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::codec::{AnyDelimiterCodec, FramedRead, LengthDelimitedCodec};

use crate::{Address, ConnectError};

type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens a connection and says, in its first bytes, how it is encoded.
pub(crate) async fn open(address: &Address, encoding: Encoding) -> Result<(Reader, Writer), ConnectError> {
    match address {
        Address::Tcp(place) => open_tcp(place, encoding).await,
        Address::WebSocket(url) => open_web_socket(url, encoding).await,
    }
}

async fn open_tcp(place: &str, encoding: Encoding) -> Result<(Reader, Writer), ConnectError> {
    let stream = TcpStream::connect(place).await?;
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let reader = match encoding {
        Encoding::Binary => {
            write.write_all(&BINARY_MAGIC).await?;
            let codec = LengthDelimitedCodec::builder().max_frame_length(MAX_SERVER_FRAME).new_codec();
            Reader::Binary(FramedRead::new(read, codec))
        }
        Encoding::Json => {
            let codec = AnyDelimiterCodec::new_with_max_length(b"\n".to_vec(), Vec::new(), MAX_SERVER_FRAME);
            Reader::Lines(FramedRead::new(read, codec))
        }
    };
    Ok((reader, Writer::Tcp(write)))
}

async fn open_web_socket(url: &str, encoding: Encoding) -> Result<(Reader, Writer), ConnectError> {
    // tungstenite's own buffers are 128 KiB each way: too much for thousands of clients in a process.
    const BUFFER: usize = 8 * 1024;
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * natter_protocol::MAX_CLIENT_FRAME)
        .max_message_size(Some(MAX_SERVER_FRAME))
        .max_frame_size(Some(MAX_SERVER_FRAME));
    let no_delay = true;
    match connect_async_with_config(url, Some(config), no_delay).await {
        Ok((socket, _)) => {
            let (write, read) = socket.split();
            Ok((Reader::WebSocket(read), Writer::WebSocket(write, encoding)))
        }
        Err(tokio_tungstenite::tungstenite::Error::Io(error)) => Err(ConnectError::Io(error)),
        Err(error) => Err(ConnectError::WebSocket(Box::new(error))),
    }
}

/// The half that receives.
pub(crate) enum Reader {
    Binary(FramedRead<OwnedReadHalf, LengthDelimitedCodec>),
    Lines(FramedRead<OwnedReadHalf, AnyDelimiterCodec>),
    WebSocket(SplitStream<WebSocket>),
}

impl Reader {
    /// The next frame, without line end or length; nothing when the other side is done. May be dropped at any time
    /// without losing a frame.
    ///
    /// # Errors
    /// Says why no further frame can be read.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Self::Binary(frames) => frames
                .next()
                .await
                .transpose()
                .map(|frame| frame.map(Into::into))
                .map_err(|error| error.to_string()),
            Self::Lines(lines) => lines.next().await.transpose().map_err(|error| error.to_string()),
            Self::WebSocket(messages) => loop {
                match messages.next().await.transpose().map_err(|error| error.to_string())? {
                    Some(Message::Text(text)) => return Ok(Some(text.into())),
                    Some(Message::Binary(bytes)) => return Ok(Some(bytes)),
                    Some(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                    Some(Message::Close(_)) | None => return Ok(None),
                }
            },
        }
    }
}

/// The half that sends.
pub(crate) enum Writer {
    Tcp(OwnedWriteHalf),
    WebSocket(SplitSink<WebSocket, Message>, Encoding),
}

impl Writer {
    /// Whether a frame needs its length or line end.
    pub(crate) const fn is_stream(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// Sends one frame, encoded for this kind of connection.
    ///
    /// # Errors
    /// Says why nothing more can be sent.
    pub(crate) async fn send(&mut self, frame: Bytes) -> Result<(), String> {
        match self {
            Self::Tcp(stream) => stream.write_all(&frame).await.map_err(|error| error.to_string()),
            Self::WebSocket(socket, encoding) => {
                let message = match encoding {
                    Encoding::Binary => Message::Binary(frame),
                    Encoding::Json => {
                        Message::Text(Utf8Bytes::try_from(frame).map_err(|error| error.to_string())?)
                    }
                };
                socket.send(message).await.map_err(|error| error.to_string())
            }
        }
    }
}

//! A raw socket, for what a well-behaved client doesn't do.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(15);

/// A raw socket that reads lines of JSON.
#[derive(Debug)]
pub struct Wire {
    socket: BufReader<TcpStream>,
}

impl Wire {
    /// Connects to `host:port`.
    pub async fn connect(address: &str) -> Self {
        Self { socket: BufReader::new(TcpStream::connect(address).await.unwrap()) }
    }

    /// Connects with a receive buffer that is as small as the system allows.
    pub async fn connect_slow(address: &str) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        Self { socket: BufReader::new(socket.connect(address.parse().unwrap()).await.unwrap()) }
    }

    /// The socket itself.
    pub fn socket(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }

    /// Writes bytes as they are. The other side may have closed: then they are lost, as on any network.
    pub async fn write(&mut self, bytes: &[u8]) {
        let _ = self.socket.get_mut().write_all(bytes).await;
    }

    /// Sends a frame.
    pub async fn say(&mut self, frame: Value) {
        self.write(format!("{frame}\n").as_bytes()).await;
    }

    /// Reads the next frame; `None` when the connection is closed.
    pub async fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.socket.read_line(&mut line))
            .await
            .expect("a frame or the end within 15 s");
        match read {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))),
        }
    }

    /// Calls a method, and returns its reply or error; events that come before are dropped.
    pub async fn call(&mut self, id: u64, method: &str, body: Value) -> Value {
        self.say(serde_json::json!({"id": id, "call": method, "body": body})).await;
        loop {
            let frame = self.hear().await.expect("an answer");
            if frame["id"] == id {
                return frame;
            }
        }
    }
}

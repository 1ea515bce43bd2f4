//! Asks a copy whether it does its work.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::recipe::Ready;

const WITHIN: Duration = Duration::from_millis(500);

/// Whether the copy that was started as number `generation` is ready.
pub(super) async fn is_ready(ready: &Ready, generation: usize) -> bool {
    let asked = async {
        match ready {
            Ready::Ours { address, ports } => {
                get(&format!("{address}:{}", ports[generation % ports.len()]), "/readyz").await
            }
            Ready::Http { address, path } => get(address, path).await,
            Ready::Accepts { address } => TcpStream::connect(address).await.map(|_| true),
        }
    };
    matches!(timeout(WITHIN, asked).await, Ok(Ok(true)))
}

/// Whether `path` at an address is answered with success, soon.
pub(crate) async fn answers(address: &str, path: &str) -> bool {
    matches!(timeout(WITHIN, get(address, path)).await, Ok(Ok(true)))
}

/// Whether `path` is answered with success. Only the status line is read.
async fn get(address: &str, path: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(status.starts_with(b"HTTP/1.") && status.ends_with(b" 200"))
}

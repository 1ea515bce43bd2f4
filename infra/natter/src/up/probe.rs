//! Asks a copy whether it does its work.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::recipe::Ready;

const WITHIN: Duration = Duration::from_millis(500);
/// Something is decided upon the answer.
const PATIENTLY: Duration = Duration::from_secs(2);
const PAGE_MAX: u64 = 1 << 20;

/// Whether the copy that was started as number `generation` is ready.
pub(super) async fn is_ready(ready: &Ready, generation: usize) -> bool {
    let asked = async {
        match ready {
            Ready::Ours { address, ports } => {
                get(&format!("{address}:{}", ports[generation % ports.len()]), "/readyz").await
            }
            Ready::Http { address, path } => get(address, path).await,
            // The file of one that was killed may say so, too.
            Ready::Postgres { address, status } => Ok(says_ready(status)? && lets_sign_in(address).await?),
        }
    };
    matches!(timeout(WITHIN, asked).await, Ok(Ok(true)))
}

/// Whether a process of ours, started as number `generation`, answers at all: nothing else is asked for.
pub(super) async fn answers_at_all(ready: &Ready, generation: usize) -> bool {
    let Some(health) = ready.health(generation) else { return true };
    matches!(timeout(PATIENTLY, get(&health, "/healthz")).await, Ok(Ok(true)))
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

/// Whether a PostgreSQL server has written that it is ready. One that still starts would log a fatal error for whoever asks.
fn says_ready(status: &Path) -> std::io::Result<bool> {
    // Where `pg_ctl` looks, too.
    const LINE: usize = 8;
    let text = std::fs::read_to_string(status)?;
    Ok(text.lines().nth(LINE - 1).is_some_and(|line| line.trim() == "ready"))
}

/// Whether a PostgreSQL server asks for a password. While it starts or stops it refuses at once.
async fn lets_sign_in(address: &str) -> std::io::Result<bool> {
    const PROTOCOL: [u8; 4] = [0, 3, 0, 0];
    let parameters = b"user\0natter\0database\0natter\0\0";
    let mut stream = TcpStream::connect(address).await?;
    stream.write_u32(8 + u32::try_from(parameters.len()).unwrap_or_default()).await?;
    stream.write_all(&PROTOCOL).await?;
    stream.write_all(parameters).await?;
    // An authentication request; an error would begin with `E`.
    Ok(stream.read_u8().await? == b'R')
}

/// The page at `path`; none when there is none soon.
pub(super) async fn page(address: &str, path: &str) -> Option<String> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        // HTTP 1.0: the page comes as it is, and the connection ends with it.
        stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.take(PAGE_MAX).read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(WITHIN, asked).await.ok()?.ok()?;
    answer.split_once("\r\n\r\n").map(|(_, page)| page.to_owned())
}

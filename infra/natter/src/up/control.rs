//! The socket on which `natter up` is asked and told: a line of JSON each way, then more lines until all is done.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_util::codec::{FramedRead, LinesCodec};

use super::slot::Shown;

const LINE_MAX: usize = 1 << 20;
const ASK_WITHIN: Duration = Duration::from_secs(5);

/// What can be asked and told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// Show all copies.
    Ps,
    /// Replace the processes of a copy, or of all copies of a process or part, one after the other.
    Restart {
        /// Such as `message`, or `message.1`.
        what: String,
    },
    /// Stop them.
    Stop {
        /// As above.
        what: String,
    },
    /// Start them.
    Start {
        /// As above.
        what: String,
    },
    /// Replace a credential of the bus.
    Rotate {
        /// Whose.
        holder: String,
        /// For how long both are accepted, in seconds.
        keep: u64,
    },
    /// Send a share of the calls to a copy that tries a new version.
    Canary {
        /// A part, or `part.method`.
        what: String,
        /// The share; 0 ends it.
        percent: u8,
        /// The program, when it is another than that of the other copies.
        program: Option<PathBuf>,
    },
    /// Make the standby of the database its primary.
    Promote {
        /// Without waiting for the primary to end in order.
        now: bool,
    },
    /// Take a host off the network.
    Cut {
        /// Named as the copy that runs on it.
        host: String,
    },
    /// Put it back.
    Heal {
        /// As above.
        host: String,
    },
    /// Read the topology again: what SIGHUP does.
    Reload,
}

/// One line of an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// The answer to [`Request::Ps`].
    Copies {
        /// The topology's name or file.
        topology: String,
        /// What `natter up` itself is.
        pid: u32,
        /// All copies, in the order in which they start.
        copies: Vec<Shown>,
    },
    /// Something was done.
    Did(String),
    /// The end: all was done.
    Ok,
    /// The end: something could not be done.
    Error(String),
}

/// Listens in the data directory, for its owner only.
pub(super) fn listen(socket: &Path) -> anyhow::Result<UnixListener> {
    // The lock is ours: nobody listens on a socket that is still there.
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket).with_context(|| format!("listen on {}", socket.display()))?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Reads the request of a connection.
pub(super) async fn request(stream: &mut UnixStream) -> anyhow::Result<Request> {
    let mut lines = FramedRead::new(stream, LinesCodec::new_with_max_length(LINE_MAX));
    let line = timeout(ASK_WITHIN, lines.next()).await?.context("no request")??;
    serde_json::from_str(&line).context("not a request")
}

/// Writes one line of an answer.
pub(super) async fn reply(stream: &mut UnixStream, reply: &Reply) -> anyhow::Result<()> {
    let line = serde_json::to_string(reply)? + "\n";
    timeout(ASK_WITHIN, stream.write_all(line.as_bytes())).await??;
    Ok(())
}

/// Asks the `natter up` of a data directory; hands each line of its answer to `heard` but the last.
pub(crate) async fn ask(data: &Path, request: &Request, mut heard: impl FnMut(Reply)) -> anyhow::Result<()> {
    let socket = super::data::control_socket(data);
    let mut stream = UnixStream::connect(&socket).await.with_context(|| {
        format!("no `natter up` runs on {}; --data names another directory", data.display())
    })?;
    stream.write_all((serde_json::to_string(request)? + "\n").as_bytes()).await?;
    let mut lines = FramedRead::new(stream, LinesCodec::new_with_max_length(LINE_MAX));
    while let Some(line) = lines.next().await {
        match serde_json::from_str(&line?)? {
            Reply::Ok => return Ok(()),
            Reply::Error(error) => return Err(anyhow!(error)),
            reply => heard(reply),
        }
    }
    Err(anyhow!("`natter up` ended before it was done"))
}

//! What the copies say: a file for each, and lines with its name on the terminal.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use futures_util::StreamExt;
use tokio::io::AsyncRead;
use tokio_util::codec::{FramedRead, LinesCodec};

/// A longer line is no line of a log.
const LINE_MAX: usize = 64 * 1024;
/// A file that grows past this becomes `….log.1`, and the one that was there is forgotten.
const FILE_MAX: u64 = 16 << 20;
/// Lines that wait for a slow terminal; past it they are only in the files.
const WAITING_MAX: usize = 1024;

/// The terminal, if lines shall be shown there. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Terminal {
    lines: Option<SyncSender<String>>,
}

impl Terminal {
    /// Shows lines unless `quiet`. A terminal that stands still must not make the supervisor stand still.
    pub(super) fn new(quiet: bool) -> Self {
        if quiet {
            return Self { lines: None };
        }
        let (lines, waiting) = sync_channel::<String>(WAITING_MAX);
        std::thread::spawn(move || {
            for line in waiting {
                let _ = writeln!(std::io::stdout().lock(), "{line}");
            }
        });
        Self { lines: Some(lines) }
    }

    pub(super) fn show(&self, line: impl Into<String>) {
        if let Some(lines) = &self.lines {
            // Full: the line is in the file.
            let _ = lines.try_send(line.into());
        }
    }

    /// Whether a person may be looking.
    pub(super) fn is_one() -> bool {
        std::io::stdout().is_terminal()
    }
}

/// The log of one copy, over all its restarts. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Log {
    name: String,
    path: PathBuf,
    file: Arc<Mutex<File>>,
    terminal: Terminal,
}

impl Log {
    pub(super) fn open(directory: &Path, name: &str, terminal: Terminal) -> anyhow::Result<Self> {
        let path = directory.join(format!("{name}.log"));
        let file = open(&path).with_context(|| format!("open {}", path.display()))?;
        Ok(Self { name: name.to_owned(), path, file: Arc::new(Mutex::new(file)), terminal })
    }

    /// Writes down what is said until nothing more comes.
    pub(super) async fn follow(self, said: impl AsyncRead + Unpin) {
        let mut lines = FramedRead::new(said, LinesCodec::new_with_max_length(LINE_MAX));
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => self.write(&line),
                Err(tokio_util::codec::LinesCodecError::MaxLineLengthExceeded) => {
                    self.write("(a line too long)")
                }
                Err(_) => return,
            }
        }
    }

    pub(super) fn write(&self, line: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.metadata().is_ok_and(|file| file.len() > FILE_MAX) {
            let before = self.path.with_added_extension("1");
            if let Ok(fresh) = std::fs::rename(&self.path, before).and_then(|()| open(&self.path)) {
                *file = fresh;
            }
        }
        // A disk that is full must not stop what runs.
        let _ = file.write_all(format!("{line}\n").as_bytes());
        drop(file);
        self.terminal.show(format!("{:<12} | {line}", self.name));
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

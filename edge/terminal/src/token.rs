//! Where the token of a session waits for the next start.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use natter_client::Address;

/// Where the tokens of this user of this machine are: `$XDG_STATE_HOME/natter`, or `~/.local/state/natter`; nowhere, when
/// the environment names neither.
pub(crate) fn directory() -> Option<PathBuf> {
    let absolute = |variable| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("natter"))
}

/// The file of one user on one server, readable by its owner only.
#[derive(Debug, Clone)]
pub(crate) struct TokenFile(PathBuf);

impl TokenFile {
    /// The file of user `name` on `server`, in `directory`.
    pub(crate) fn of(directory: &Path, server: &Address, name: &str) -> Self {
        let server = server.to_string();
        let server = server.split_once("://").map_or(server.as_str(), |(_, rest)| rest).replace(':', "_");
        Self(directory.join(format!("{}-{}", file_name(&server), file_name(name))))
    }

    /// The file of one of a tool's sessions of user `name`.
    pub(crate) fn of_tool(directory: &Path, server: &Address, name: &str, tool: &str) -> Self {
        let Self(mut path) = Self::of(directory, server, name);
        // In no user's name.
        path.as_mut_os_string().push(format!("+{tool}"));
        Self(path)
    }

    /// Keeps other processes from this session for as long as the file that comes back is open. Nothing comes back if one has it.
    ///
    /// # Errors
    /// When there is no such directory and none can be made.
    pub(crate) fn lock(&self) -> std::io::Result<Option<std::fs::File>> {
        if let Some(directory) = self.0.parent() {
            create_private_directory(directory)?;
        }
        let path = self.0.with_added_extension("lock");
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        Ok(file.try_lock().is_ok().then_some(file))
    }

    /// The token, if there is one.
    pub(crate) fn load(&self) -> Option<String> {
        let token = std::fs::read_to_string(&self.0).ok()?;
        let token = token.trim();
        (!token.is_empty()).then(|| token.to_owned())
    }

    /// Keeps `token`, whole or not at all.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn save(&self, token: &str) -> anyhow::Result<()> {
        let path = &self.0;
        let say = || format!("keeping the session in {}", path.display());
        if let Some(directory) = path.parent() {
            create_private_directory(directory).with_context(say)?;
        }
        let new = path.with_added_extension("new");
        let _ = std::fs::remove_file(&new);
        let mut file = create_private_file(&new).with_context(say)?;
        file.write_all(token.as_bytes()).with_context(say)?;
        std::fs::rename(&new, path).with_context(say)
    }

    /// Forgets the token.
    pub(crate) fn remove(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// `text` as a part of a file name: lower case, since names differ by more than case, and nothing but letters, digits and
/// `_`, `-`, `.` inside.
fn file_name(text: &str) -> String {
    let mut name = String::new();
    for byte in text.to_lowercase().bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            b'.' if !name.is_empty() => name.push('.'),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name
}

fn create_private_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn create_private_file(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(directory: &Path, server: &str, name: &str) -> TokenFile {
        TokenFile::of(directory, &server.parse().unwrap(), name)
    }

    #[test]
    fn a_token_is_kept_for_its_owner_only_until_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(&directory.path().join("natter"), "tcp://127.0.0.1:7667", "Alice");
        assert_eq!(file.load(), None);
        file.save("first").unwrap();
        file.save("second").unwrap();
        assert_eq!(file.load().as_deref(), Some("second"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
        }
        file.remove();
        assert_eq!(file.load(), None);
    }

    #[test]
    fn a_session_of_a_tool_is_one_processes_at_a_time_and_nobody_elses() {
        let directory = tempfile::tempdir().unwrap();
        let server: Address = "tcp://h:1".parse().unwrap();
        let tool = |name| TokenFile::of_tool(directory.path(), &server, "al", name);
        let held = tool("admin1").lock().unwrap();
        assert!(held.is_some());
        assert!(tool("admin1").lock().unwrap().is_none());
        assert!(tool("admin2").lock().unwrap().is_some());
        drop(held);
        assert!(tool("admin1").lock().unwrap().is_some());
        assert_ne!(tool("admin1").0, file(directory.path(), "tcp://h:1", "al+admin1").0);
    }

    #[test]
    fn no_name_leaves_the_directory_and_no_two_users_share_a_file() {
        let directory = Path::new("/state");
        for name in ["../../etc/passwd", "..", "a/b", "\0"] {
            let path = file(directory, "ws://h:1/ws", name).0;
            assert_eq!(path.parent(), Some(directory), "{name}");
        }
        let server = "tcp://h:1";
        assert_ne!(file(directory, server, "a/b").0, file(directory, server, "a%2fb").0);
        assert_eq!(file(directory, server, "Bob").0, file(directory, server, "bob").0);
    }
}

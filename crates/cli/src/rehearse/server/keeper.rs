//! The process beside us that owns the server: a shell that starts it, and that ends it when we are gone.
//!
//! It waits for the end of a pipe that only we hold open, which the system closes even on `kill -9`. It has a process
//! group of its own, so that Ctrl-C in our terminal is ours to answer.
//!
//! Absent: whether the server is ready.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::account::Account;
use super::folder::Folder;
use super::{Binaries, PAUSE, ServerError, StartOptions};

/// What it does, in the words of any POSIX shell.
const SCRIPT: &str = include_str!("keeper.sh");

/// The names that the script gives to what is in the server's folder.
pub(super) const DATA: &str = "data";
pub(super) const PASSWORD: &str = "password";
pub(super) const SETTINGS: &str = "postgresql.conf";

/// An immediate shutdown takes a moment, and then many files may have to be removed. Beyond that it ends without being
/// waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The shell, and our end of its pipe.
#[derive(Debug)]
pub(super) struct Keeper {
    shell: Child,
    lifeline: Option<ChildStdin>,
}

/// How the shell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// initdb failed.
    NoDataFolder,
    /// The server ran, or tried to.
    Over,
}

impl Keeper {
    /// Starts it on a folder that holds the password and the settings.
    pub(super) fn start(
        binaries: &Binaries,
        options: &StartOptions,
        account: Account,
        folder: &Folder,
    ) -> Result<Self, ServerError> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "django-migrate-rehearsal"])
            .arg(folder.path())
            .arg(&binaries.folder)
            .args(options.initdb_arguments());
        let log = || folder.log().map_err(ServerError::Spawn);
        command
            .stdin(Stdio::piped())
            .stdout(log()?)
            .stderr(log()?)
            .current_dir(folder.path())
            .process_group(0);
        environment(&mut command, binaries, folder);
        account.apply(&mut command);
        let mut shell = command.spawn().map_err(ServerError::Spawn)?;
        let lifeline = shell.stdin.take();
        Ok(Self { shell, lifeline })
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Option<End> {
        match self.shell.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) if status.code() == Some(3) => Some(End::NoDataFolder),
            Ok(Some(_)) | Err(_) => Some(End::Over),
        }
    }

    /// Lets the server end, and returns at once.
    pub(super) fn let_go(&mut self) {
        self.lifeline = None;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.let_go();
        let begun = Instant::now();
        while self.ended().is_none() && begun.elapsed() < PATIENCE {
            std::thread::sleep(PAUSE);
        }
    }
}

/// What is set for whoever typed the command (another server, a language, a home) is not this server's.
fn environment(command: &mut Command, binaries: &Binaries, folder: &Folder) {
    for (name, _) in std::env::vars_os() {
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(b"PG") || bytes.starts_with(b"LC_") {
            command.env_remove(name);
        }
    }
    command.env_remove("LANGUAGE").env_remove("LANG");
    // the log is read by people who read this program's English
    command.env("LC_ALL", "C").env("HOME", folder.path());
    if let Some(libraries) = &binaries.library_path {
        command.env("LD_LIBRARY_PATH", libraries);
    }
}

//! The folder of one server: its data, its socket and a lock that says whether its owner lives.

use std::fs::{File, TryLockError};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::Account;
use super::template::Template;
use crate::env::{enterable, ours, slot};

const OWNER: &str = "owner.lock";

/// Removed when dropped; what a killed owner left is removed by the next one to come.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) folder: PathBuf,
    _owner: File,
}

impl Cluster {
    /// A copy of the template in a folder with a short name, since a socket's path has at most 107 bytes.
    pub(super) fn copy_of(template: &Template) -> Result<Self> {
        let base = base()?;
        let turn = slot::lock(&base, "sweep")?;
        sweep(&base)?;
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let folder = base.join(format!(
            "{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        fs_err::create_dir(&folder)?;
        let owner = File::create(folder.join(OWNER))?;
        owner.lock()?;
        drop(turn);
        let cluster = Self {
            folder,
            _owner: owner,
        };
        let account = Account::of_servers()?;
        account.own(&cluster.folder)?;
        copy(&template.data, &cluster.data(), account)?;
        fs_err::write(cluster.log(), "")?;
        account.own(&cluster.log())?;
        Ok(cluster)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Puts a file into the data folder, readable by the server only.
    pub(super) fn put(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.data().join(name);
        fs_err::write(&path, content)?;
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Account::of_servers()?.own(&path)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // what cannot be removed now is swept by the next server to start
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The parent of all clusters of this user: the first folder for temporary files that the servers' uid may enter and
/// that leaves room for the socket's name.
fn base() -> Result<PathBuf> {
    let uid = rustix::process::getuid().as_raw();
    for parent in [std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()] {
        let base = parent.join(format!("django-migrate-{uid}"));
        if base.as_os_str().len() > 60 || std::fs::create_dir_all(&base).is_err() || !ours(&base) {
            continue;
        }
        let _ = std::fs::set_permissions(&base, std::fs::Permissions::from_mode(0o755));
        if enterable(&base) {
            return Ok(base);
        }
    }
    bail!("no folder for servers: neither TMPDIR, /tmp nor /var/tmp can be entered by their uid")
}

/// Ends the servers and removes the folders of owners that are dead: their locks are free.
fn sweep(base: &Path) -> Result<()> {
    for entry in fs_err::read_dir(base)? {
        let folder = entry?.path();
        let Ok(owner) = File::options().write(true).open(folder.join(OWNER)) else {
            continue;
        };
        match owner.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(why)) => {
                return Err(why).context("cannot tell whether a server's owner lives");
            }
        }
        if let Some(pid) = postmaster(&folder.join("data")) {
            end(pid);
        }
        let _ = std::fs::remove_dir_all(&folder);
    }
    Ok(())
}

/// The server of this data folder, by its own pid file: line 1 is the pid, line 2 the folder.
fn postmaster(data: &Path) -> Option<Pid> {
    let file = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let mut lines = file.lines();
    let pid = Pid::from_raw(lines.next()?.parse().ok()?)?;
    (Path::new(lines.next()?) == data && is_postgres(pid)).then_some(pid)
}

/// A pid is used again sooner or later; where there is a /proc, it says by whom.
fn is_postgres(pid: Pid) -> bool {
    match std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) {
        Ok(line) => String::from_utf8_lossy(&line)
            .split('\0')
            .next()
            .is_some_and(|program| program.ends_with("postgres")),
        Err(_) => !Path::new("/proc/self").exists(),
    }
}

fn end(pid: Pid) {
    let _ = kill_process(pid, Signal::QUIT);
    for _ in 0..100 {
        if test_kill_process(pid).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A data folder holds folders and files only; all become the account's.
fn copy(from: &Path, to: &Path, account: Account) -> Result<()> {
    fs_err::create_dir(to)?;
    fs_err::set_permissions(to, std::fs::Permissions::from_mode(0o700))?;
    account.own(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, account)?;
        } else {
            fs_err::copy(entry.path(), &target)?;
            account.own(&target)?;
        }
    }
    Ok(())
}

//! The script that pg_restore makes of an archive in one of pg_dump's own formats, on a pipe.
//!
//! Its exit code is believed, not its silence: the end of the script is the end only when pg_restore ended well.
//!
//! Absent: connections. pg_restore is asked for text, and is told of no server.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process_group};

use super::blocks::{Blocks, Giver, Progress, queue};
use super::header::Header;
use super::kind::Place;
use super::{BLOCK, file, folder};
use crate::compress::Digested;
use crate::error::VerifyError;
use crate::pg_dump::{PgRestore, Places, Said, libpq_beside};

/// The pg_restore for this archive.
pub(super) fn find_pg_restore(
    path: &Path,
    explicit: Option<&Path>,
    header: &Header,
) -> Result<PgRestore, VerifyError> {
    let found =
        Places::of_this_machine().find_pg_restore(explicit, header.pg_dump_version, |version| {
            header.is_read_by(version)
        });
    found.map_err(|missing| VerifyError::PgRestore {
        path: path.to_owned(),
        missing,
    })
}

/// Starts it.
pub(super) fn start(
    path: &Path,
    program: &PgRestore,
    place: Place,
    progress: &Arc<Progress>,
) -> Result<Blocks, VerifyError> {
    let cannot = |source| VerifyError::Read {
        path: path.to_owned(),
        source,
    };
    let running = Running::start(path, program).map_err(cannot)?;
    let (giver, blocks) = queue();
    let (path, progress) = (path.to_owned(), Arc::clone(progress));
    thread::Builder::new()
        .name("archive-script".into())
        .spawn(move || {
            let outcome = pass_on(&path, running, place, &giver, &progress);
            giver.end(outcome);
        })
        .map_err(cannot)?;
    Ok(blocks)
}

fn pass_on(
    path: &Path,
    mut running: Running,
    place: Place,
    giver: &Giver,
    progress: &Arc<Progress>,
) -> Result<(), VerifyError> {
    let unreadable = |source| VerifyError::Read {
        path: path.to_owned(),
        source,
    };
    let hashing = hash(path, place, Arc::clone(progress)).map_err(unreadable)?;
    let mut stdout = running.child.stdout.take();
    while let Some(stdout) = &mut stdout {
        let mut block = vec![0; BLOCK];
        let length = match stdout.read(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(unreadable)?,
        };
        if length == 0 {
            break;
        }
        block.truncate(length);
        if progress.is_stopped() || giver.give(block).is_err() {
            return Err(VerifyError::Interrupted);
        }
    }
    running.end(path)?;
    let hashed = hashing
        .join()
        .map_err(|_| unreadable(io::Error::other("the hashing thread panicked")))?;
    match hashed {
        Ok(digested) => {
            let _ = progress.digested.set(digested); // set here alone
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(VerifyError::Interrupted),
        Err(error) => Err(unreadable(error)),
    }
}

fn hash(
    path: &Path,
    place: Place,
    progress: Arc<Progress>,
) -> io::Result<JoinHandle<io::Result<Digested>>> {
    let path = path.to_owned();
    thread::Builder::new()
        .name("archive-hash".into())
        .spawn(move || match place {
            Place::File => file::digest(File::open(path)?, &progress, |_| true),
            Place::Folder => folder::digest(&path, &progress),
        })
}

/// pg_restore in a process group of its own, which is killed when this is dropped.
struct Running {
    child: Child,
    group: Option<Pid>,
    listening: Option<JoinHandle<Said>>,
}

impl Running {
    fn start(path: &Path, program: &PgRestore) -> io::Result<Self> {
        let mut command = Command::new(&program.path);
        // after `--` no name is taken for an option
        command.args(["--file=-", "--"]).arg(path);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C").env_remove("LANGUAGE");
        if let Some(value) = libpq_beside(&program.path) {
            command.env("LD_LIBRARY_PATH", value);
        }
        let mut child = command.spawn()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let stderr = child.stderr.take();
        let mut running = Self {
            child,
            group,
            listening: None,
        };
        running.listening = Some(
            thread::Builder::new()
                .name("archive-stderr".into())
                .spawn(move || listen(stderr))?,
        );
        Ok(running)
    }

    /// Its exit code, with its words where it is not 0.
    fn end(&mut self, path: &Path) -> Result<(), VerifyError> {
        let status = self.child.wait().map_err(|source| VerifyError::Read {
            path: path.to_owned(),
            source,
        })?;
        self.kill();
        self.group = None;
        let said = self.listening.take().and_then(|it| it.join().ok());
        if status.success() {
            return Ok(());
        }
        Err(VerifyError::Script {
            path: path.to_owned(),
            status,
            said: said.unwrap_or_default().text(),
        })
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL); // ESRCH: all gone
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        if self.group.is_some() {
            let _ = self.child.wait();
        }
    }
}

fn listen(stderr: Option<ChildStderr>) -> Said {
    let mut said = Said::default();
    let Some(mut stderr) = stderr else {
        return said;
    };
    let mut bytes = [0; 4096];
    loop {
        match stderr.read(&mut bytes) {
            Ok(0) => return said,
            Ok(length) => said.push(&bytes[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return said,
        }
    }
}

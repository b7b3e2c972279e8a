//! One child process with its own process group, its stderr, and its end.
//!
//! Dropped, it kills the group; [`Running::terminate`] lets pg_dump cancel its query first, so that its locks are gone
//! at once.
//!
//! Absent: signal handlers. Who wants to stop says so by dropping or by `terminate`.

use std::io;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::pg_dump::Said;

/// How long pg_dump may take to cancel its query on SIGTERM.
const PATIENCE: Duration = Duration::from_secs(2);

/// A started child.
pub(crate) struct Running {
    child: Child,
    group: Option<Pid>,
    said: Arc<Mutex<Said>>,
    listening: JoinHandle<()>,
}

impl Running {
    /// Starts the command, which has a piped stderr and a process group of its own.
    pub(crate) fn start(command: std::process::Command) -> io::Result<Self> {
        let mut child = Command::from(command).kill_on_drop(true).spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let said = Arc::new(Mutex::new(Said::default()));
        let stderr = child.stderr.take();
        let listening = tokio::spawn(listen(stderr, Arc::clone(&said)));
        Ok(Self {
            child,
            group,
            said,
            listening,
        })
    }

    /// The child's end. May be polled again after it was dropped.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends the group: asked first, then killed.
    pub(crate) async fn terminate(&mut self) {
        self.signal(Signal::TERM);
        let _ = timeout(PATIENCE, self.child.wait()).await;
        self.signal(Signal::KILL);
        let _ = self.child.wait().await;
        self.group = None;
    }

    /// What the child said, after its end. A grandchild that holds stderr open is not waited for.
    pub(crate) async fn said(&mut self) -> String {
        let _ = timeout(Duration::from_secs(1), &mut self.listening).await;
        self.said
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .text()
    }

    /// The child is gone and nothing of its group is wanted any more.
    pub(crate) fn leave(&mut self) {
        self.signal(Signal::KILL);
        self.group = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, signal); // ESRCH: all gone
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.listening.abort();
    }
}

async fn listen(stderr: Option<ChildStderr>, said: Arc<Mutex<Said>>) {
    let Some(mut stderr) = stderr else { return };
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = stderr.read(&mut bytes).await {
        said.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(&bytes[..length]);
    }
}

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
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::pg_dump::Said;

/// How long pg_dump may take to cancel its query on SIGTERM.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lines that wait to be told; who talks faster is heard at the end.
const LINES: usize = 64;
/// A line is told in pieces of this length at the most.
const LONGEST: usize = 4096;

/// A started child.
pub(crate) struct Running {
    child: Child,
    group: Option<Pid>,
    said: Arc<Mutex<Said>>,
    lines: mpsc::Receiver<String>,
    listening: JoinHandle<()>,
}

/// News of a child.
pub(crate) enum Heard {
    /// It has ended.
    End(io::Result<ExitStatus>),
    /// It said a line.
    Line(String),
}

impl Running {
    /// Starts the command, which has a piped stderr and a process group of its own.
    pub(crate) fn start(command: std::process::Command) -> io::Result<Self> {
        let mut child = Command::from(command).kill_on_drop(true).spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let said = Arc::new(Mutex::new(Said::default()));
        let stderr = child.stderr.take();
        let (tell, lines) = mpsc::channel(LINES);
        let listening = tokio::spawn(listen(stderr, Arc::clone(&said), tell));
        Ok(Self {
            child,
            group,
            said,
            lines,
            listening,
        })
    }

    /// The child's end. May be polled again after it was dropped.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// What comes first: the child's end, or a line that it said.
    pub(crate) async fn next(&mut self) -> Heard {
        tokio::select! {
            ended = self.child.wait() => Heard::End(ended),
            Some(line) = self.lines.recv() => Heard::Line(line),
        }
    }

    /// Lines that were said and not heard yet; after the child's end.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.lines.try_recv().ok()).collect()
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

async fn listen(stderr: Option<ChildStderr>, said: Arc<Mutex<Said>>, tell: mpsc::Sender<String>) {
    let Some(mut stderr) = stderr else { return };
    let mut bytes = [0; 4096];
    let mut begun = Vec::new();
    while let Ok(length @ 1..) = stderr.read(&mut bytes).await {
        let bytes = &bytes[..length];
        said.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(bytes);
        begun.extend_from_slice(bytes);
        while let Some(end) = line_end(&begun) {
            let line: Vec<u8> = begun.drain(..end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if !line.is_empty() {
                let _ = tell.try_send(line);
            }
        }
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    let newline = memchr::memchr(b'\n', bytes).map(|at| at + 1);
    newline.or((bytes.len() >= LONGEST).then_some(bytes.len()))
}

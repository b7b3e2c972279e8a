//! What every child process of ours needs: its lines as they come, and a group that can be told to stop as one.
//!
//! Absent here: what a line means, and how long a child may take.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::mpsc;

/// The group of a child that was started with `process_group(0)`: it and what it started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group(Option<Pid>);

impl Group {
    pub(crate) fn of(child: &Child) -> Self {
        Self(
            child
                .id()
                .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)),
        )
    }

    /// A group that is gone does not hear.
    pub(crate) fn signal(self, signal: Signal) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, signal);
        }
    }
}

/// Sends every line of the stream, without its end; bytes that are no UTF-8 are replaced.
pub(crate) fn forward<R, T>(stream: R, to: mpsc::Sender<T>, wrap: fn(String) -> T)
where
    R: AsyncRead + Unpin + Send + 'static,
    T: Send + 'static,
{
    tokio::spawn(async move {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            match reader.read_until(b'\n', &mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&bytes)
                .trim_end_matches(['\n', '\r'])
                .to_owned();
            if to.send(wrap(line)).await.is_err() {
                return;
            }
        }
    });
}

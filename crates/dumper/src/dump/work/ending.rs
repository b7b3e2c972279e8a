//! How a dump ends before its time, and what it says then.
//!
//! Absent: the end that was wished for.

use std::io;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;

use super::Job;
use super::output::Output;
use crate::dump::write_error;
use crate::error::{DumpError, VerifyError};
use crate::password::scrub;
use crate::pg_dump::classify;
use crate::space;

/// When the snapshot's session is lost, pg_dump's may be, too, and says more.
const SAME_FATE: Duration = Duration::from_secs(2);

impl Job<'_> {
    /// Ends pg_dump and waits until the partial file is gone.
    pub(super) async fn end(&mut self) {
        if let Output::Stream(stream) = &self.output {
            stream.give_up();
        }
        self.counting.abort_all();
        self.running.terminate().await;
        match &mut self.output {
            Output::Stream(stream) => {
                let _ = stream.done().await;
            }
            Output::Folder(partial) => *partial = None,
        }
    }

    pub(super) async fn died(&mut self, status: ExitStatus) -> DumpError {
        if let Output::Stream(stream) = &self.output {
            stream.give_up();
        }
        self.running.leave();
        let written = match &mut self.output {
            Output::Stream(stream) => stream.done().await.map(drop),
            Output::Folder(partial) => {
                *partial = None;
                Ok(())
            }
        };
        let said = self.said().await;
        match written {
            // killed by SIGPIPE because our side could not write, or did not want to
            Err(error) if space::is_out_of_space(&error) || is_damage(&error) => {
                self.write_error(error)
            }
            _ => self.classified(status, &said),
        }
    }

    pub(super) fn classified(&mut self, status: ExitStatus, said: &str) -> DumpError {
        match classify(self.request, status, said) {
            DumpError::LockTimeout {
                tables,
                waited,
                said,
                ..
            } => DumpError::LockTimeout {
                tables,
                waited,
                holders: self.waited.take().map(|it| it.holders).unwrap_or_default(),
                said,
            },
            DumpError::OutOfDisk { .. } => {
                let full = io::ErrorKind::StorageFull.into();
                self.write_error(full)
            }
            other => other,
        }
    }

    pub(super) async fn snapshot_lost(&mut self, reason: String) -> DumpError {
        if let Ok(Ok(ended)) = timeout(SAME_FATE, self.running.wait()).await
            && !ended.success()
        {
            return self.died(ended).await;
        }
        self.end().await;
        DumpError::SnapshotLost { reason }
    }

    pub(super) async fn said(&mut self) -> String {
        scrub(&self.running.said().await, self.request.password.as_ref())
    }

    pub(super) fn write_error(&self, source: io::Error) -> DumpError {
        let written = self.written();
        write_error(self.request, self.estimated, &self.name, written, source)
    }

    pub(super) fn written(&self) -> u64 {
        match &self.output {
            Output::Stream(stream) => stream.counters.written.load(Ordering::Relaxed),
            Output::Folder(_) => self.folder_bytes,
        }
    }
}

fn is_damage(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|it| it.is::<VerifyError>())
}

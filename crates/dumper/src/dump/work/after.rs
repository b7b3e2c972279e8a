//! What is left to do when pg_dump has ended well: its folder is made safe, and the rest of the rows is counted.
//!
//! Absent: comparing the counts.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pgdriver::QueryError;
use tokio::sync::oneshot;
use tokio::task::JoinError;

use super::Job;
use super::output::Output;
use crate::counts::Count;
use crate::dump::prove::Written;
use crate::dump::{beat, directory};
use crate::error::DumpError;
use crate::folder::Partial;
use crate::progress::Progress;

impl Job<'_> {
    /// The folder, private and on the disk.
    pub(super) async fn sealed<S: Future<Output = ()>>(
        &mut self,
        progress: &mut impl FnMut(Progress),
        mut stop: Pin<&mut S>,
    ) -> Result<(Partial, Written), DumpError> {
        let Output::Folder(partial) = &mut self.output else {
            return Err(DumpError::Interrupted);
        };
        let Some(partial) = partial.take() else {
            return Err(DumpError::Interrupted);
        };
        let path = partial.path().to_owned();
        let stopped = Arc::new(AtomicBool::new(false));
        let (tell, mut told) = oneshot::channel();
        let stop_it = Arc::clone(&stopped);
        std::thread::Builder::new()
            .name("dump-seal".into())
            .spawn(move || tell.send(directory::seal(&path, &stop_it)).is_ok())
            .map_err(|source| self.write_error(source))?;
        let mut beat = beat();
        loop {
            tokio::select! {
                () = stop.as_mut() => {
                    stopped.store(true, Ordering::Relaxed);
                    let _ = told.await;
                    return Err(DumpError::Interrupted);
                }
                sealed = &mut told => {
                    let sealed = sealed.unwrap_or_else(|_| Err(io::Error::other("the sealing thread panicked")));
                    let bytes = sealed.map_err(|source| self.write_error(source))?;
                    return Ok((partial, Written { bytes, sha256: None, scan: None, reread: None }));
                }
                _ = beat.tick() => progress(Progress::Dumping(self.dumping())),
            }
        }
    }

    /// What the server counted.
    pub(super) async fn counted<S: Future<Output = ()>>(
        &mut self,
        progress: &mut impl FnMut(Progress),
        mut stop: Pin<&mut S>,
    ) -> Result<Option<HashMap<u32, Count>>, DumpError> {
        let mut beat = beat();
        loop {
            tokio::select! {
                () = stop.as_mut() => return Err(DumpError::Interrupted),
                counted = self.counting.join_next() => {
                    let lost = |reason| DumpError::SnapshotLost { reason };
                    return counted.map(judge_count).transpose().map_err(lost);
                }
                _ = beat.tick() => progress(Progress::Counting {
                    tables: self.tally.done.load(Ordering::Relaxed),
                    total: self.tally.total.load(Ordering::Relaxed),
                }),
            }
        }
    }
}

type Counted = Result<Result<HashMap<u32, Count>, QueryError>, JoinError>;

pub(super) fn judge_count(counted: Counted) -> Result<HashMap<u32, Count>, String> {
    counted
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

//! How far a dump is, whom it waits for, and whether there is room for it.
//!
//! Absent: looking at the server (`watcher`).

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Job;
use super::output::Output;
use crate::archive::Format;
use crate::dump::directory;
use crate::error::DumpError;
use crate::folder;
use crate::progress::{Dumping, Progress};

/// How often the free space is looked at, and the size of a folder that is written.
const LOOK: Duration = Duration::from_secs(1);

impl Job<'_> {
    /// What the watcher saw goes to those who want it.
    pub(super) fn look(&mut self) {
        let seen = self.seen.borrow_and_update().clone();
        self.pace.copying(&seen.copies, self.began.elapsed());
        self.at.send_if_modified(|at| {
            let news = at.pids != seen.pids && !seen.pids.is_empty();
            if news {
                at.pids = seen.pids;
            }
            news
        });
        if seen.waiting.is_some() {
            self.waited = seen.waiting;
        }
    }

    pub(super) fn beat(&mut self) -> Progress {
        let waiting = self.seen.borrow().waiting.clone();
        match waiting {
            Some(waiting) => Progress::Waiting(waiting),
            None => Progress::Dumping(self.dumping()),
        }
    }

    pub(super) fn dumping(&mut self) -> Dumping {
        let elapsed = self.began.elapsed();
        let mut at = Dumping {
            tables_total: self.snapshot.as_ref().map(|_| self.pace.total()),
            bytes: self.written(),
            estimated_bytes: self.estimated,
            elapsed,
            ..Dumping::default()
        };
        if let Output::Stream(stream) = &self.output {
            at.raw_bytes = stream.counters.raw_bytes.load(Ordering::Relaxed);
        }
        match &self.output {
            Output::Stream(stream) if self.stored.format == Format::Plain => {
                at.table = stream.counters.table();
                at.tables = stream.counters.tables.load(Ordering::Relaxed);
                at.rows = stream.counters.rows.load(Ordering::Relaxed);
                if at.table != self.passing.0 {
                    self.passing = (at.table.clone(), at.raw_bytes);
                }
                if let (Some(table), before) = &self.passing {
                    self.pace.streaming(table, at.raw_bytes - before, elapsed);
                }
            }
            _ => {
                at.table = self.pace.table();
                at.tables = self.pace.tables();
            }
        }
        at.left = self.pace.left(elapsed);
        at
    }

    /// Ends the dump before the disk is full for others.
    pub(super) async fn watch_room(&mut self) -> Result<(), DumpError> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        if self.stored.format == Format::Directory {
            self.folder_bytes = directory::size(&folder::with_suffix(&self.name, ".partial"));
        }
        let Some(free) = self.reserve.touched(&self.request.directory) else {
            return Ok(());
        };
        let written = self.written();
        self.end().await;
        Err(DumpError::OutOfDisk {
            path: self.name.clone(),
            written,
            free: Some(free),
            estimated: self.estimated,
        })
    }
}

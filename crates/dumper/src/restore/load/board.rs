//! Where the load writes down how far it is, for whoever asks.
//!
//! Absent: how often anybody asks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::super::progress::{Loading, RestoreProgress};
use crate::read::Watch;

/// Shared by the thread that reads, the load, and its caller.
#[derive(Debug, Clone)]
pub(super) struct Board {
    begun: Instant,
    loading: Arc<Mutex<Loading>>,
    /// Bytes of SQL read.
    pub(super) raw: Arc<AtomicU64>,
    /// Bytes of the file read.
    pub(super) watch: Watch,
    said: UnboundedSender<RestoreProgress>,
}

impl Board {
    pub(super) fn new() -> (Self, UnboundedReceiver<RestoreProgress>) {
        let (said, heard) = unbounded_channel();
        let board = Self {
            begun: Instant::now(),
            loading: Arc::default(),
            raw: Arc::default(),
            watch: Watch::default(),
            said,
        };
        (board, heard)
    }

    pub(super) fn write(&self, change: impl FnOnce(&mut Loading)) {
        change(&mut self.loading.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Something that happens once.
    pub(super) fn say(&self, word: RestoreProgress) {
        let _ = self.said.send(word); // nobody listens any more
    }

    pub(super) fn shown(&self) -> Loading {
        let loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = loading.clone();
        shown.raw_bytes = self.raw.load(Ordering::Relaxed);
        shown.read = shown.bytes.map(|_| self.watch.read.load(Ordering::Relaxed));
        shown.elapsed = self.begun.elapsed();
        shown
    }
}

//! A bounded queue of blocks between two threads, whose end and whose errors are told apart.
//!
//! Absent: threads.

use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::Watch;
use crate::compress::Digested;
use crate::error::VerifyError;

/// Blocks under way at the most: 2 MB.
const BLOCKS: usize = 8;

/// What the threads have in common: who watches, and at the end what the file was.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) watch: Watch,
    pub(super) digested: OnceLock<Digested>,
}

impl Progress {
    pub(super) fn new(watch: &Watch) -> Self {
        Self {
            watch: watch.clone(),
            digested: OnceLock::new(),
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.watch.stop.load(Ordering::Relaxed)
    }
}

/// The giving side.
#[derive(Debug)]
pub(super) struct Giver(SyncSender<Result<Vec<u8>, VerifyError>>);

/// The taking side.
#[derive(Debug)]
pub(super) struct Blocks {
    receiver: Receiver<Result<Vec<u8>, VerifyError>>,
    ended: bool,
}

/// Nobody takes any more.
#[derive(Debug)]
pub(super) struct Unwanted;

pub(super) fn queue() -> (Giver, Blocks) {
    let (sender, receiver) = sync_channel(BLOCKS);
    let blocks = Blocks {
        receiver,
        ended: false,
    };
    (Giver(sender), blocks)
}

impl Giver {
    /// Waits until there is room.
    pub(super) fn give(&self, block: Vec<u8>) -> Result<(), Unwanted> {
        if block.is_empty() {
            return Ok(()); // it would look like the end
        }
        self.0.send(Ok(block)).map_err(|_| Unwanted)
    }

    /// That was all, or this is why there is no more.
    pub(super) fn end(self, outcome: Result<(), VerifyError>) {
        let _ = self.0.send(outcome.map(|()| Vec::new())); // nobody may want it
    }
}

impl Blocks {
    /// The next block; none at the end.
    pub(super) fn next(&mut self, path: &Path) -> Result<Option<Vec<u8>>, VerifyError> {
        if self.ended {
            return Ok(None);
        }
        match self.receiver.recv() {
            Ok(Ok(block)) if !block.is_empty() => Ok(Some(block)),
            Ok(Ok(_)) => {
                self.ended = true;
                Ok(None)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(VerifyError::Read {
                path: path.to_owned(),
                source: io::Error::other("a reading thread panicked"),
            }),
        }
    }
}

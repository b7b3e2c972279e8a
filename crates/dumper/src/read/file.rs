//! The thread that reads the file and hashes it.
//!
//! Absent: what is in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use sha2::{Digest, Sha256};

use super::BLOCK;
use super::blocks::{Blocks, Giver, Progress, queue};
use crate::compress::{Digested, hex};
use crate::error::VerifyError;

/// The file's blocks. Its hash is there when its end was taken.
pub(super) fn start(path: &Path, progress: &Arc<Progress>) -> io::Result<Blocks> {
    start_with(File::open(path)?, path, progress)
}

/// The blocks of what is, or is going to be, that file.
pub(super) fn start_with(
    file: impl Read + Send + 'static,
    path: &Path,
    progress: &Arc<Progress>,
) -> io::Result<Blocks> {
    let (giver, blocks) = queue();
    let (path, progress) = (path.to_owned(), Arc::clone(progress));
    thread::Builder::new()
        .name("archive-read".into())
        .spawn(move || {
            let outcome = read(file, &path, &giver, &progress);
            giver.end(outcome);
        })?;
    Ok(blocks)
}

fn read(
    file: impl Read,
    path: &Path,
    giver: &Giver,
    progress: &Progress,
) -> Result<(), VerifyError> {
    let digested = digest(file, progress, |block| giver.give(block).is_ok());
    match digested {
        Ok(digested) => {
            let _ = progress.digested.set(digested); // set here alone
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(VerifyError::Interrupted),
        Err(source) => Err(VerifyError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Reads to the end, and hands on each block. Where nobody wants it, or it is to stop, the error is `TimedOut`:
/// `Interrupted` would be tried again.
pub(super) fn digest(
    mut file: impl Read,
    progress: &Progress,
    mut hand_on: impl FnMut(Vec<u8>) -> bool,
) -> io::Result<Digested> {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    loop {
        let mut block = vec![0; BLOCK];
        let length = match file.read(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if length == 0 {
            return Ok(Digested {
                bytes,
                sha256: hex(&hash.finalize()),
            });
        }
        block.truncate(length);
        hash.update(&block);
        bytes += length as u64;
        progress
            .watch
            .read
            .fetch_add(length as u64, Ordering::Relaxed);
        if progress.is_stopped() || !hand_on(block) {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

//! The archive, read and cut into pieces on the feed's thread.
//!
//! Absent: queues and sessions.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::super::error::RestoreFailure;
use super::board::Board;
use super::feed::{Feed, Filler};
use crate::compress::Digested;
use crate::error::VerifyError;
use crate::read::{Reading, open_watched};
use crate::scan::{SplitError, Splitter};

/// The longest statement that a server takes in one message.
const STATEMENT: usize = 1024 * 1024 * 1024 - 1;

/// Begins to read. What the file must be at its end is what the manifest says of it, if there is one.
pub(super) fn start(
    archive: &Path,
    pg_restore: Option<PathBuf>,
    must_be: Option<Digested>,
    board: &Board,
) -> Result<Feed, RestoreFailure> {
    let path = archive.to_owned();
    let begun = board.clone();
    if let Ok(file) = std::fs::metadata(archive)
        && file.is_file()
    {
        board.write(|loading| loading.bytes = Some(file.len()));
    }
    let feed = Feed::start(move |filler| {
        // finding pg_restore runs programs, and takes its time
        let reading = open_watched(&path, pg_restore.as_deref(), &begun.watch)?;
        read(&path, reading, must_be.as_ref(), filler, &begun)
    });
    let unreadable = |source| VerifyError::Read {
        path: archive.to_owned(),
        source,
    };
    Ok(feed.map_err(unreadable)?)
}

fn read(
    path: &Path,
    mut reading: Reading,
    must_be: Option<&Digested>,
    filler: &Filler,
    board: &Board,
) -> Result<(), RestoreFailure> {
    let mut splitter = Splitter::new(STATEMENT);
    let refused = |error: SplitError| refused(path, &error);
    while filler.is_wanted() {
        let Some(block) = reading.block()? else {
            splitter.finish().map_err(refused)?;
            let found = reading.finish()?;
            return same(path, must_be, &found);
        };
        board.raw.fetch_add(block.len() as u64, Ordering::Relaxed);
        let mut give = |piece| {
            filler.give(piece);
        };
        splitter.feed(&block, &mut give).map_err(refused)?;
    }
    Ok(())
}

fn same(path: &Path, written: Option<&Digested>, found: &Digested) -> Result<(), RestoreFailure> {
    let Some(written) = written.filter(|written| *written != found) else {
        return Ok(());
    };
    let (what, written, found) = match written.bytes == found.bytes {
        true => ("sha256", written.sha256.clone(), found.sha256.clone()),
        false => ("size", written.bytes.to_string(), found.bytes.to_string()),
    };
    let (path, what) = (path.to_owned(), what.to_owned());
    Err(VerifyError::Differs {
        path,
        what,
        written,
        found,
    }
    .into())
}

fn refused(path: &Path, error: &SplitError) -> RestoreFailure {
    let reason = error.refusal.to_string();
    match error.line {
        Some(line) => RestoreFailure::Dump { line, reason },
        None => VerifyError::Incomplete {
            path: path.to_owned(),
            reason,
        }
        .into(),
    }
}

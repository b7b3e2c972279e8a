//! The archive, read and cut into pieces on the feed's thread.
//!
//! Absent: queues and sessions.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::super::error::RestoreFailure;
use super::board::Board;
use super::feed::{Feed, Filler};
use crate::error::VerifyError;
use crate::scan::{SplitError, Splitter};

const BLOCK: usize = 256 * 1024;
/// The longest statement that a server takes in one message.
const STATEMENT: usize = 1024 * 1024 * 1024 - 1;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Begins to read.
pub(super) fn start(
    archive: &Path,
    _pg_restore: Option<PathBuf>,
    board: &Board,
) -> Result<Feed, RestoreFailure> {
    let unreadable = |source| VerifyError::Read {
        path: archive.to_owned(),
        source,
    };
    let mut file = BufReader::with_capacity(BLOCK, File::open(archive).map_err(unreadable)?);
    let packed = file.fill_buf().map_err(unreadable)?.starts_with(GZIP_MAGIC);
    let path = archive.to_owned();
    let raw = Arc::clone(&board.raw);
    let feed = Feed::start(move |filler| match packed {
        true => read(&path, &mut MultiGzDecoder::new(file), filler, &raw),
        false => read(&path, &mut file, filler, &raw),
    });
    Ok(feed.map_err(unreadable)?)
}

fn read(
    path: &Path,
    input: &mut impl Read,
    filler: &Filler,
    raw: &AtomicU64,
) -> Result<(), RestoreFailure> {
    let mut splitter = Splitter::new(STATEMENT);
    let mut block = vec![0; BLOCK];
    let refused = |error| refused(path, error);
    while filler.is_wanted() {
        let length = match input.read(&mut block) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => {
                let path = path.to_owned();
                return Err(VerifyError::Read { path, source }.into());
            }
        };
        if length == 0 {
            return splitter.finish().map(drop).map_err(refused);
        }
        raw.fetch_add(length as u64, Ordering::Relaxed);
        let mut give = |piece| {
            filler.give(piece);
        };
        splitter
            .feed(&block[..length], &mut give)
            .map_err(refused)?;
    }
    Ok(())
}

fn refused(path: &Path, error: SplitError) -> RestoreFailure {
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

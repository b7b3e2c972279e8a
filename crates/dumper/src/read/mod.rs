//! Any archive as plain SQL: a stream of blocks, with the hash of the file.
//!
//! What a file is, its first bytes say, not its name. Plain SQL is read as it is, gzip and zstd are unpacked here, and
//! what pg_dump wrote in a format of its own (custom, directory, tar) pg_restore turns into a script. Reading with
//! hashing and unpacking have a thread each, so that whoever takes the blocks has one for what he does with them.
//!
//! Absent: what the SQL says (`scan`), and a server: pg_restore never connects.

mod blocks;
mod decode;
mod file;
mod folder;
mod header;
mod kind;
mod script;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use blocks::{Blocks, Progress};
use kind::Kind;

use crate::behind::Behind;
use crate::compress::Digested;
use crate::error::VerifyError;
use crate::request::Compression;

/// Of the plain SQL, at the most.
pub(crate) const BLOCK: usize = 256 * 1024;

/// An archive that is being read. Dropped, it ends its threads and its pg_restore.
#[derive(Debug)]
pub(crate) struct Reading {
    path: PathBuf,
    blocks: Blocks,
    progress: Arc<Progress>,
    /// What [`Read`] has not given out yet.
    rest: Vec<u8>,
    given: usize,
}

/// How far a reading is, and whether it is to go on. Clones are of the same reading.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    /// Bytes of the file. Of an archive that pg_restore reads it is how much was hashed.
    pub(crate) read: Arc<AtomicU64>,
    /// Set, it ends the reading with [`VerifyError::Interrupted`].
    pub(crate) stop: Arc<AtomicBool>,
}

/// Begins to read. `pg_restore` is the only one to be taken where it is given; it matters for archives in pg_dump's own
/// formats alone.
pub(crate) fn open_watched(
    path: &Path,
    pg_restore: Option<&Path>,
    watch: &Watch,
) -> Result<Reading, VerifyError> {
    let unreadable = |source| VerifyError::Read {
        path: path.to_owned(),
        source,
    };
    let progress = Arc::new(Progress::new(watch));
    let blocks =
        match kind::of(path)? {
            Kind::Plain => file::start(path, &progress),
            Kind::Gzip => file::start(path, &progress)
                .and_then(|packed| decode::gzip(path, packed, &progress)),
            Kind::Zstd => file::start(path, &progress)
                .and_then(|packed| decode::zstd(path, packed, &progress)),
            Kind::PgDump { header, place } => {
                let program = script::find_pg_restore(path, pg_restore, &header)?;
                return Ok(Reading::of(
                    path,
                    script::start(path, &program, place, &progress)?,
                    progress,
                ));
            }
        };
    Ok(Reading::of(path, blocks.map_err(unreadable)?, progress))
}

/// Reads a file of ours while it is written.
pub(crate) fn follow(
    path: &Path,
    behind: Behind,
    compression: Compression,
    watch: &Watch,
) -> io::Result<Reading> {
    let progress = Arc::new(Progress::new(watch));
    let stored = file::start_with(behind, path, &progress)?;
    let blocks = match compression {
        Compression::Gzip(_) => decode::gzip(path, stored, &progress)?,
        Compression::Zstd(_) => decode::zstd(path, stored, &progress)?,
        Compression::None => stored,
    };
    Ok(Reading::of(path, blocks, progress))
}

impl Reading {
    fn of(path: &Path, blocks: Blocks, progress: Arc<Progress>) -> Self {
        Self {
            path: path.to_owned(),
            blocks,
            progress,
            rest: Vec::new(),
            given: 0,
        }
    }

    /// The next of the plain SQL; none at the end, which is one only if nothing was wrong.
    pub(crate) fn block(&mut self) -> Result<Option<Vec<u8>>, VerifyError> {
        if self.given < self.rest.len() {
            let block = self.rest.split_off(self.given);
            self.given = 0;
            self.rest.clear();
            return Ok(Some(block));
        }
        self.blocks.next(&self.path)
    }

    /// Size and hash of the file, after its end; of a folder as the manifest tells them.
    pub(crate) fn finish(self) -> Result<Digested, VerifyError> {
        let digested = self.progress.digested.get().cloned();
        digested.ok_or_else(|| VerifyError::Read {
            path: self.path.clone(),
            source: io::Error::other("it was not read to its end"),
        })
    }
}

impl Read for Reading {
    /// An error of ours is inside of the [`io::Error`].
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.rest.len() {
            self.rest.clear();
            self.given = 0;
            match self.blocks.next(&self.path).map_err(io::Error::other)? {
                Some(block) => self.rest = block,
                None => return Ok(0),
            }
        }
        let left = &self.rest[self.given..];
        let length = left.len().min(buffer.len());
        buffer[..length].copy_from_slice(&left[..length]);
        self.given += length;
        Ok(length)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.progress.watch.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;

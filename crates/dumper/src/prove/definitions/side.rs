//! One side of the comparison: an archive or a script, read to its end, and its definitions handed on.
//!
//! Absent: which of the two it is.

use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::SyncSender;

use super::super::ProofFailure;
use super::part::{Part, part};
use crate::error::VerifyError;
use crate::read::{Watch, open_watched};
use crate::restore::Owners;
use crate::scan::{Piece, Scan, SplitError, Splitter, TocEntry};

/// The longest statement that a server takes in one message.
const STATEMENT: usize = 1024 * 1024 * 1024 - 1;

/// A statement of one side, without what depends on nothing but the run.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) line: u64,
    pub(super) text: Vec<u8>,
}

/// What a side was, once it is read.
pub(super) struct Whole {
    pub(super) scan: Scan,
    pub(super) sequences: Vec<String>,
}

pub(super) fn read_archive(
    path: &Path,
    pg_restore: Option<&Path>,
    watch: &Watch,
    owners: Owners,
    tell: &SyncSender<Told>,
) -> Result<Whole, ProofFailure> {
    let mut reading = open_watched(path, pg_restore, watch)?;
    let mut side = Side::new(owners, tell);
    while let Some(block) = reading.block()? {
        side.feed(&block).map_err(|error| refused(path, &error))?;
    }
    reading.finish()?;
    side.finish().map_err(|error| refused(path, &error))
}

fn refused(path: &Path, error: &SplitError) -> ProofFailure {
    let source = io::Error::other(error.refusal.to_string());
    let path = path.to_owned();
    VerifyError::Read { path, source }.into()
}

pub(super) fn read_script(
    mut stdout: impl Read,
    owners: Owners,
    tell: &SyncSender<Told>,
) -> Result<Whole, ProofFailure> {
    let failed = |error: SplitError| ProofFailure::PgDump(error.refusal.to_string());
    let mut side = Side::new(owners, tell);
    let mut block = vec![0; 64 * 1024];
    loop {
        match stdout.read(&mut block) {
            Ok(0) => return side.finish().map_err(failed),
            Ok(length) => side.feed(&block[..length]).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ProofFailure::PgDump(error.to_string())),
        }
    }
}

/// One side on its way into the comparison.
struct Side<'a> {
    splitter: Splitter,
    owners: Owners,
    entry: TocEntry,
    sequences: Vec<String>,
    tell: &'a SyncSender<Told>,
}

impl<'a> Side<'a> {
    fn new(owners: Owners, tell: &'a SyncSender<Told>) -> Self {
        Self {
            splitter: Splitter::new(STATEMENT),
            owners,
            entry: TocEntry::default(),
            sequences: Vec::new(),
            tell,
        }
    }

    fn feed(&mut self, block: &[u8]) -> Result<(), SplitError> {
        let Self {
            splitter,
            owners,
            entry,
            sequences,
            tell,
        } = self;
        splitter.feed(block, &mut |piece| match piece {
            Piece::Entry(now) => *entry = now,
            Piece::Statement(it) => match part(entry, &it.text, *owners) {
                Part::Definition => {
                    // who compares is gone where the other side failed; then this one is read for nothing
                    let _ = tell.send(Told {
                        line: it.line,
                        text: it.text,
                    });
                }
                Part::Sequence => {
                    sequences.push(String::from_utf8_lossy(&it.text).into_owned());
                }
                Part::LeftOut => {}
            },
            _ => {}
        })
    }

    fn finish(self) -> Result<Whole, SplitError> {
        Ok(Whole {
            scan: self.splitter.finish()?,
            sequences: self.sequences,
        })
    }
}

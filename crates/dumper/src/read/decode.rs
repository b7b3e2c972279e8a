//! The thread that unpacks gzip or zstd: all members and frames, their checksums, and nothing behind them.
//!
//! Absent: writing either.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use flate2::bufread::MultiGzDecoder;

use super::BLOCK;
use super::blocks::{Blocks, Giver, Progress, queue};
use crate::error::VerifyError;

/// Unpacks gzip.
pub(super) fn gzip(path: &Path, packed: Blocks, progress: &Arc<Progress>) -> io::Result<Blocks> {
    start(path, packed, progress, |input, giver| {
        unpack(&mut MultiGzDecoder::new(input), giver)
    })
}

/// Unpacks zstd.
pub(super) fn zstd(path: &Path, packed: Blocks, progress: &Arc<Progress>) -> io::Result<Blocks> {
    start(path, packed, progress, |input, giver| {
        unpack(
            &mut ::zstd::stream::read::Decoder::with_buffer(input)?,
            giver,
        )
    })
}

fn start(
    path: &Path,
    packed: Blocks,
    progress: &Arc<Progress>,
    unpack: fn(&mut Input, &Giver) -> io::Result<()>,
) -> io::Result<Blocks> {
    let (giver, blocks) = queue();
    let (path, progress) = (path.to_owned(), Arc::clone(progress));
    thread::Builder::new()
        .name("archive-unpack".into())
        .spawn(move || {
            let mut input = Input {
                path,
                packed,
                block: Vec::new(),
                used: 0,
                failed: None,
            };
            let outcome = unpack(&mut input, &giver);
            let stopped = progress.is_stopped();
            giver.end(input.judge(outcome, stopped));
        })?;
    Ok(blocks)
}

fn unpack(decoder: &mut impl Read, giver: &Giver) -> io::Result<()> {
    loop {
        let mut block = vec![0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match decoder.read(&mut block[filled..]) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // what came before it counts: the SQL may say better what is wrong
                    block.truncate(filled);
                    let _ = giver.give(block);
                    return Err(error);
                }
            }
        }
        block.truncate(filled);
        if giver.give(block).is_err() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if filled < BLOCK {
            return Ok(());
        }
    }
}

/// The packed bytes.
struct Input {
    path: PathBuf,
    packed: Blocks,
    block: Vec<u8>,
    used: usize,
    /// Why there are no more.
    failed: Option<VerifyError>,
}

impl Input {
    /// What the decoder's end means.
    fn judge(self, outcome: io::Result<()>, stopped: bool) -> Result<(), VerifyError> {
        if stopped {
            return Err(VerifyError::Interrupted);
        }
        if let Some(error) = self.failed {
            return Err(error);
        }
        let path = self.path;
        outcome.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => VerifyError::Interrupted,
            io::ErrorKind::UnexpectedEof => VerifyError::CutShort { path },
            _ => VerifyError::Damaged {
                path,
                reason: error.to_string(),
            },
        })
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.block.len() {
            self.used = 0;
            self.block.clear();
            match self.packed.next(&self.path) {
                Ok(block) => self.block = block.unwrap_or_default(),
                Err(error) => {
                    self.failed = Some(error);
                    return Err(io::Error::other("the file cannot be read"));
                }
            }
        }
        Ok(&self.block[self.used..])
    }

    fn consume(&mut self, length: usize) {
        self.used += length;
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

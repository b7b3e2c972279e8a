//! Reads plain SQL of pg_dump as it passes, in chunks cut anywhere.
//!
//! One lexer with psql's rules (`lexer`), two listeners: [`Scanner`] counts and judges, [`Splitter`] hands out the
//! pieces. The exit status tells whether pg_dump succeeded; only this tells whether all it wrote arrived.
//!
//! Absent: understanding statements, but for what they need of a server, and memory that grows with the data.

mod copy;
mod error;
mod lexer;
mod meta;
mod piece;
mod settings;
mod splitter;
mod sql;
mod statement;
mod tally;
mod toc;
mod words;

use lexer::Lexer;
use sql::Keep;
use tally::Tally;

pub(crate) use error::{SplitError, SplitRefusal};
pub use piece::TableName;
pub(crate) use piece::{Connect, CopyStart, Meta, Piece, Rows, Statement, TocEntry};
pub(crate) use splitter::Splitter;
pub(crate) use words::{Word, words};

use crate::archive::TableRows;
use crate::needs::Needs;

/// What may be remembered of a statement: a COPY with 1600 columns of 63 characters, quoted, is 110 kB.
const BEGINNING: usize = 1024 * 1024;

/// A reader of one dump that keeps nothing of it.
#[derive(Debug)]
pub(crate) struct Scanner {
    lexer: Lexer,
    tally: Tally,
}

/// What a whole dump holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) tables: Vec<TableRows>,
    pub(crate) rows: u64,
    pub(crate) raw_bytes: u64,
    pub(crate) needs: Needs,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            lexer: Lexer::new(Keep::Beginning(BEGINNING)),
            tally: Tally::default(),
        }
    }
}

impl Scanner {
    /// The next bytes of the dump. What is wrong with them is said at the end.
    pub(crate) fn feed(&mut self, chunk: &[u8]) {
        self.tally.raw_bytes += chunk.len() as u64;
        let _ = self.lexer.feed(chunk, &mut self.tally);
    }

    /// The table whose rows are passing.
    pub(crate) fn table(&self) -> Option<String> {
        self.lexer.copy().map(|(table, _)| table.to_string())
    }

    /// Rows so far, those of the open block included.
    pub(crate) fn rows(&self) -> u64 {
        self.tally.rows + self.lexer.copy().map_or(0, |(_, rows)| rows)
    }

    /// Bytes so far.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.tally.raw_bytes
    }

    /// Finished COPY blocks.
    pub(crate) fn tables(&self) -> usize {
        self.tally.tables.len()
    }

    /// The whole dump, or where it broke off or cannot be followed.
    pub(crate) fn finish(self) -> Result<Scan, SplitError> {
        self.lexer.finish()?;
        Ok(self.tally.finish())
    }
}

#[cfg(test)]
mod tests;

//! A dump in pieces, for a restore.
//!
//! Absent: running them.

use bytes::Bytes;

use super::copy::Data;
use super::error::SplitError;
use super::lexer::{Lexer, Listener};
use super::piece::{CopyStart, Meta, Piece, ROWS_LIMIT, Rows, Statement, TableName};
use super::sql::Keep;
use super::tally::Tally;
use super::{Scan, toc};

/// A reader of one dump that hands out all of it.
#[derive(Debug)]
pub(crate) struct Splitter {
    lexer: Lexer,
    tally: Tally,
    rows: Gathered,
}

impl Splitter {
    /// No statement may be longer than the limit.
    pub(crate) fn new(limit: usize) -> Self {
        Self::with_rows(limit, ROWS_LIMIT)
    }

    /// With pieces of rows of another length.
    pub(crate) fn with_rows(limit: usize, rows_limit: usize) -> Self {
        Self {
            lexer: Lexer::new(Keep::Whole(limit)),
            tally: Tally::default(),
            rows: Gathered {
                bytes: Vec::new(),
                limit: rows_limit,
            },
        }
    }

    /// The next bytes of the dump. The pieces depend on the dump alone, not on how it is cut into chunks. After an
    /// error nothing more is read.
    pub(crate) fn feed(
        &mut self,
        chunk: &[u8],
        out: &mut impl FnMut(Piece),
    ) -> Result<(), SplitError> {
        self.tally.raw_bytes += chunk.len() as u64;
        let Self { lexer, tally, rows } = self;
        lexer.feed(chunk, &mut Dealer { tally, rows, out })
    }

    /// What it all was, or why it is not whole: then what was handed out is only a part.
    pub(crate) fn finish(self) -> Result<Scan, SplitError> {
        self.lexer.finish()?;
        Ok(self.tally.finish())
    }
}

struct Dealer<'a, F> {
    tally: &'a mut Tally,
    rows: &'a mut Gathered,
    out: &'a mut F,
}

/// Rows that wait until there are enough of them.
#[derive(Debug)]
struct Gathered {
    bytes: Vec<u8>,
    limit: usize,
}

impl<F: FnMut(Piece)> Data for Dealer<'_, F> {
    fn data(&mut self, mut bytes: &[u8], rows: u64) {
        self.tally.data(bytes, rows);
        while !bytes.is_empty() {
            let room = self.rows.limit - self.rows.bytes.len();
            let (fitting, rest) = bytes.split_at(room.min(bytes.len()));
            self.rows.bytes.extend_from_slice(fitting);
            bytes = rest;
            if self.rows.bytes.len() == self.rows.limit {
                self.hand_out();
            }
        }
    }
}

impl<F: FnMut(Piece)> Dealer<'_, F> {
    /// The whole rows, or a part of one where there are none.
    fn hand_out(&mut self) {
        let mut bytes = std::mem::take(&mut self.rows.bytes);
        let end = memchr::memrchr(b'\n', &bytes);
        if let Some(end) = end {
            self.rows.bytes.reserve_exact(self.rows.limit);
            self.rows.bytes.extend_from_slice(&bytes[end + 1..]);
            bytes.truncate(end + 1);
        }
        if bytes.is_empty() {
            return;
        }
        let rows = memchr::memchr_iter(b'\n', &bytes).count() as u64;
        (self.out)(Piece::Rows(Rows {
            bytes: Bytes::from(bytes),
            rows,
            ends_row: end.is_some(),
        }));
    }
}

impl<F: FnMut(Piece)> Listener for Dealer<'_, F> {
    fn statement(&mut self, line: u64, text: &mut Vec<u8>) {
        self.tally.statement(line, text);
        let text = std::mem::take(text);
        (self.out)(Piece::Statement(Statement { line, text }));
    }

    fn copy(&mut self, line: u64, text: &mut Vec<u8>, table: &TableName) {
        self.tally.copy(line, text, table);
        (self.out)(Piece::Copy(CopyStart {
            line,
            statement: std::mem::take(text),
            table: table.clone(),
        }));
    }

    fn copy_end(&mut self, line: u64, rows: u64) {
        self.tally.copy_end(line, rows);
        self.hand_out();
        (self.out)(Piece::CopyEnd { line, rows });
    }

    fn meta(&mut self, meta: Meta) {
        self.tally.meta(meta.clone());
        (self.out)(Piece::Meta(meta));
    }

    fn comment(&mut self, line: u64, text: &[u8]) {
        self.tally.comment(line, text);
        if let Some(entry) = toc::entry(line, text) {
            (self.out)(Piece::Entry(entry));
        }
    }
}

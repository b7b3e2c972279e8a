//! Reads plain SQL of pg_dump as it passes, in chunks cut anywhere: COPY blocks with their rows, and the end marker.
//!
//! The exit status tells whether pg_dump succeeded; only this tells whether all it wrote arrived. Strings, dollar
//! quotes and comments are followed, so that a function's body that looks like a dump is not taken for one.
//!
//! Absent: understanding any other statement, and memory that grows with the data.

mod copy;
mod error;
mod piece;
mod sql;

use copy::CopyBlock;
pub(crate) use error::{SplitError, SplitRefusal};
pub use piece::TableName;
pub(crate) use piece::{Connect, CopyStart, Meta, Piece, ROWS_LIMIT, Rows, Statement, TocEntry};
use sql::{Sql, Step};

use crate::archive::TableRows;

/// A reader of one dump.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    sql: Sql,
    copy: Option<CopyBlock>,
    tables: Vec<TableRows>,
    rows: u64,
    bytes: u64,
}

/// What a whole dump holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    pub(crate) tables: Vec<TableRows>,
    pub(crate) rows: u64,
    pub(crate) raw_bytes: u64,
}

impl Scanner {
    /// The next bytes of the dump.
    pub(crate) fn feed(&mut self, mut chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        while !chunk.is_empty() {
            let used = match &mut self.copy {
                Some(copy) => {
                    let (used, ended) = copy.feed(chunk);
                    if ended {
                        self.end_copy();
                    }
                    used
                }
                None => {
                    let (used, step) = self.sql.feed(chunk);
                    if let Step::Copy { schema, name } = step {
                        self.copy = Some(CopyBlock::new(schema, name));
                    }
                    used
                }
            };
            chunk = &chunk[used..];
        }
    }

    fn end_copy(&mut self) {
        let Some(copy) = self.copy.take() else { return };
        let table = copy.finish();
        self.rows += table.rows;
        self.tables.push(table);
    }

    /// The table whose rows are passing.
    pub(crate) fn table(&self) -> Option<String> {
        self.copy.as_ref().map(CopyBlock::to_string)
    }

    /// Rows so far, those of the open block included.
    pub(crate) fn rows(&self) -> u64 {
        self.rows + self.copy.as_ref().map_or(0, CopyBlock::rows)
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Finished COPY blocks.
    pub(crate) fn tables(&self) -> usize {
        self.tables.len()
    }

    /// The whole dump, or where it broke off.
    pub(crate) fn finish(self) -> Result<Scan, String> {
        if let Some(copy) = &self.copy {
            return Err(format!(
                "it ends inside the rows of {copy}, after {} of them",
                copy.rows()
            ));
        }
        if !self.sql.is_complete() {
            return Err("it has no end marker (`-- PostgreSQL database dump complete`)".to_owned());
        }
        Ok(Scan {
            tables: self.tables,
            rows: self.rows,
            raw_bytes: self.bytes,
        })
    }
}

#[cfg(test)]
mod tests;

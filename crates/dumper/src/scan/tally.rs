//! What is counted while a dump passes.
//!
//! Absent: its data.

use super::Scan;
use super::copy::Data;
use super::lexer::Listener;
use super::piece::{Meta, TableName};
use super::toc::{self, Told};
use crate::archive::TableRows;
use crate::needs::Needs;

/// Everything that a [`Scan`] says, so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Finished COPY blocks.
    pub(super) tables: Vec<TableRows>,
    /// In finished blocks.
    pub(super) rows: u64,
    pub(super) raw_bytes: u64,
    pub(super) needs: Needs,
    table: TableName,
    /// Of the open block.
    bytes: u64,
}

impl Tally {
    pub(super) fn finish(self) -> Scan {
        Scan {
            tables: self.tables,
            rows: self.rows,
            raw_bytes: self.raw_bytes,
            needs: self.needs,
        }
    }
}

impl Data for Tally {
    fn data(&mut self, bytes: &[u8], _rows: u64) {
        self.bytes += bytes.len() as u64;
    }
}

impl Listener for Tally {
    fn statement(&mut self, _line: u64, text: &mut Vec<u8>) {
        self.needs.read(text);
    }

    fn copy(&mut self, _line: u64, _text: &mut Vec<u8>, table: &TableName) {
        self.table.clone_from(table);
        self.bytes = 0;
    }

    fn copy_end(&mut self, _line: u64, rows: u64) {
        let TableName { schema, name } = std::mem::take(&mut self.table);
        self.rows += rows;
        self.tables.push(TableRows {
            schema,
            name,
            rows,
            bytes: self.bytes,
        });
    }

    fn meta(&mut self, meta: Meta) {
        if let Meta::Connect(connect) = meta {
            self.needs.others.extend(connect.user.clone());
            self.needs.roles.extend(connect.user);
            self.needs.databases.extend(connect.database);
        }
    }

    fn comment(&mut self, _line: u64, text: &[u8]) {
        match toc::version(text) {
            Some(Told::Server(version)) => self.needs.server_version = Some(version),
            Some(Told::PgDump(version)) => self.needs.pg_dump_version = Some(version),
            None => {}
        }
    }
}

//! The rows of one COPY block, up to the line `\.`.
//!
//! COPY's text format escapes every backslash of the data, so no row can read `\.`.

use std::fmt;

use crate::archive::TableRows;

const END: &[u8] = b"\\.";

/// A COPY block that is passing.
#[derive(Debug)]
pub(super) struct CopyBlock {
    table: TableRows,
    /// The beginning of a line that the last chunk cut; longer than `END` means: an ordinary row.
    begun: Vec<u8>,
}

impl CopyBlock {
    pub(super) fn new(schema: String, name: String) -> Self {
        Self {
            table: TableRows {
                schema,
                name,
                rows: 0,
                bytes: 0,
            },
            begun: Vec::new(),
        }
    }

    pub(super) fn rows(&self) -> u64 {
        self.table.rows
    }

    /// How many bytes were used, and whether the block ended with them.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> (usize, bool) {
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', chunk) {
            let line = &chunk[start..newline];
            start = newline + 1;
            if self.is_end(line) {
                self.table.bytes += start as u64;
                self.table.bytes -= (END.len() + 1) as u64; // the end line is no data
                return (start, true);
            }
            self.table.rows += 1;
        }
        self.begin(&chunk[start..]);
        self.table.bytes += chunk.len() as u64;
        (chunk.len(), false)
    }

    /// Whether the line, with what the last chunk held of it, is the end line.
    fn is_end(&mut self, line: &[u8]) -> bool {
        if self.begun.is_empty() {
            return line == END;
        }
        let whole = self.begun.len() + line.len() == END.len();
        let end = whole && END.starts_with(&self.begun) && END.ends_with(line);
        self.begun.clear();
        end
    }

    /// Remembers the beginning of a line, no more of it than tells it from the end line.
    fn begin(&mut self, piece: &[u8]) {
        let room = (END.len() + 1).saturating_sub(self.begun.len());
        self.begun
            .extend_from_slice(&piece[..piece.len().min(room)]);
    }

    pub(super) fn finish(self) -> TableRows {
        self.table
    }
}

impl fmt::Display for CopyBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(f)
    }
}

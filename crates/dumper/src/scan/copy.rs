//! The rows of one COPY block, up to the line `\.`.
//!
//! COPY's text format escapes every backslash of the data, so no row can read `\.`; psql takes `\.` with a carriage
//! return for the end too, and so does this.
//!
//! Absent: columns. Rows are lines.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::piece::TableName;

/// The end line, as much of it as may be held back from the data until it is told from a row.
const END: &[u8] = b"\\.\r";
static LINE_OF_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n\\."));

/// Who hears the data.
pub(super) trait Data {
    /// Bytes of rows, cut anywhere, and how many line breaks are in them.
    fn data(&mut self, bytes: &[u8], rows: u64);
}

/// A COPY block that is passing.
#[derive(Debug)]
pub(super) struct CopyBlock {
    pub(super) table: TableName,
    pub(super) rows: u64,
    at: At,
    /// Bytes of `END` that the last chunk ended with.
    held: usize,
}

/// What of the line was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Backslash,
    Dot,
    Return,
    /// It is a row.
    Row,
}

impl CopyBlock {
    pub(super) fn new(table: TableName) -> Self {
        Self {
            table,
            rows: 0,
            at: At::Start,
            held: 0,
        }
    }

    /// How many bytes were used, and whether the block ended with them.
    pub(super) fn feed(&mut self, chunk: &[u8], listener: &mut impl Data) -> (usize, bool) {
        let mut at = 0;
        while at < chunk.len() {
            if self.at != At::Row {
                let seen = self.at;
                if self.is_end(chunk[at]) {
                    let of_end = seen.length() - self.held; // of it in this chunk
                    self.tell(&chunk[..at - of_end], listener);
                    return (at + 1, true);
                }
                if self.at == At::Row {
                    self.release(listener);
                } else {
                    at += 1;
                }
                continue;
            }
            match LINE_OF_END.find(&chunk[at..]) {
                Some(newline) => {
                    at += newline + 1;
                    self.at = At::Start;
                }
                None => {
                    let rest = &chunk[at..];
                    if rest.ends_with(b"\n") {
                        self.at = At::Start;
                    } else if rest.ends_with(b"\n\\") {
                        self.at = At::Backslash;
                    }
                    at = chunk.len();
                }
            }
        }
        let held = self.at.length();
        self.tell(&chunk[..chunk.len() - (held - self.held)], listener);
        self.held = held;
        (chunk.len(), false)
    }

    /// Follows a line that may be the end.
    fn is_end(&mut self, byte: u8) -> bool {
        self.at = match (self.at, byte) {
            (At::Dot | At::Return, b'\n') => return true,
            (At::Start, b'\\') => At::Backslash,
            (At::Backslash, b'.') => At::Dot,
            (At::Dot, b'\r') => At::Return,
            _ => At::Row,
        };
        false
    }

    /// What the last chunk held back was a row after all.
    fn release(&mut self, listener: &mut impl Data) {
        let held = std::mem::take(&mut self.held);
        self.tell(&END[..held], listener);
    }

    fn tell(&mut self, bytes: &[u8], listener: &mut impl Data) {
        if bytes.is_empty() {
            return;
        }
        let rows = memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.rows += rows;
        listener.data(bytes, rows);
    }
}

impl At {
    /// Bytes of `END`.
    fn length(self) -> usize {
        match self {
            Self::Start | Self::Row => 0,
            Self::Backslash => 1,
            Self::Dot => 2,
            Self::Return => 3,
        }
    }
}

//! Rows of a dump in PostgreSQL's binary format: what the server would read digit by digit it gets ready-made.
//!
//! Reading the text of rows is most of the work of the session that loads them, and it has one core; the reading here is
//! done on another. Only spellings that PostgreSQL itself writes are read. Everything else (an unknown type, another
//! spelling, bytes that are not what they should be) is left to the server, which gets the piece as text, as it stands in
//! the file, and has the last word on it.
//!
//! Absent: checks of lengths, encodings and constraints. The server makes them on either format.

mod array;
mod column;
mod field;
mod moment;
mod number;
mod scalar;
#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes, BytesMut};
use pgdriver::loading::LoadColumn;

use self::column::Column;
use self::field::Field;

/// Of the format: a signature, no flags, no extension of the header.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// Instead of a row's number of columns.
const TRAILER: &[u8] = &(-1_i16).to_be_bytes();
/// Instead of a value's length.
const NULL: i32 = -1;

/// The columns of a COPY, all of them of types that are known here.
#[derive(Debug)]
pub(super) struct Translator {
    columns: Vec<Column>,
    /// Of a row.
    count: i16,
}

impl Translator {
    /// For the columns that a COPY names, in that order. None: at least one of them has to go as text.
    pub(super) fn new(names: &[String], of_table: &[LoadColumn]) -> Option<Self> {
        let known = |name: &String| {
            let column = of_table.iter().find(|column| column.name == *name)?;
            Column::of(column)
        };
        let columns: Vec<Column> = names.iter().map(known).collect::<Option<_>>()?;
        let count = i16::try_from(columns.len()).ok()?;
        (count > 0).then_some(Self { columns, count })
    }

    /// What comes before the rows of a command.
    pub(super) fn header() -> Bytes {
        Bytes::from_static(HEADER)
    }

    /// What comes behind them.
    pub(super) fn trailer() -> Bytes {
        Bytes::from_static(TRAILER)
    }

    /// So many whole rows, each with its line end. None: they have to go as text.
    pub(super) fn translate(&self, text: &[u8], rows: u64) -> Option<Bytes> {
        // line ends of other systems, and bytes that no text may have: the server's business
        if memchr::memchr2(b'\r', 0, text).is_some() {
            return None;
        }
        let mut out = BytesMut::with_capacity(text.len() + text.len() / 4);
        let (mut rest, mut done) = (text, 0);
        let mut scratch = Vec::new();
        while !rest.is_empty() {
            rest = self.row(rest, &mut scratch, &mut out)?;
            done += 1;
        }
        (done == rows).then(|| out.freeze())
    }

    /// The first of these rows: those behind it.
    fn row<'a>(
        &self,
        mut rest: &'a [u8],
        scratch: &mut Vec<u8>,
        out: &mut BytesMut,
    ) -> Option<&'a [u8]> {
        out.put_i16(self.count);
        let last = self.columns.len() - 1;
        for (index, column) in self.columns.iter().enumerate() {
            let end = if index == last { b'\n' } else { b'\t' };
            let (field, behind) = Field::cut(rest, end)?;
            rest = behind;
            match field {
                Field::Null => out.put_i32(NULL),
                Field::Plain(text) => sized(out, |out| column.put(text, out))?,
                Field::Escaped(text) => {
                    field::unescape(text, scratch)?;
                    sized(out, |out| column.put(scratch, out))?;
                }
            }
        }
        Some(rest)
    }
}

/// A value behind its length.
fn sized(out: &mut BytesMut, put: impl FnOnce(&mut BytesMut) -> Option<()>) -> Option<()> {
    let at = out.len();
    out.put_i32(0);
    put(out)?;
    let length = i32::try_from(out.len() - at - 4).ok()?;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Some(())
}

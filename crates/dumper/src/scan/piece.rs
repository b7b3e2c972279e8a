//! What a dump is made of, in the order in which psql would meet it.
//!
//! Absent: what any statement means.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The longest piece of rows.
pub(crate) const ROWS_LIMIT: usize = 256 * 1024;

/// One piece of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// To be sent as it is.
    Statement(Statement),
    /// `COPY … FROM stdin`: rows follow up to [`Piece::CopyEnd`].
    Copy(CopyStart),
    /// Rows of the COPY block.
    Rows(Rows),
    /// The line `\.`
    CopyEnd {
        /// Where it stands.
        line: u64,
        /// In the whole block.
        rows: u64,
    },
    /// A line for psql.
    Meta(Meta),
    /// pg_dump's comment above an object or its data.
    Entry(TocEntry),
}

/// A statement without its semicolon, and without comments before its first word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Where its first word stands, from 1.
    pub(crate) line: u64,
    /// In the dump's encoding.
    pub(crate) text: Vec<u8>,
}

/// The beginning of a COPY block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyStart {
    /// Where the statement's first word stands.
    pub(crate) line: u64,
    /// `COPY public.shop_order (id, total) FROM stdin`
    pub(crate) statement: Vec<u8>,
    /// Its table.
    pub(crate) table: TableName,
}

/// Some rows: whole ones, or a part of one that is longer than [`ROWS_LIMIT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Not empty, with the line breaks.
    pub(crate) bytes: Bytes,
    /// Rows that end in it.
    pub(crate) rows: u64,
    /// Whether the next piece begins a row.
    pub(crate) ends_row: bool,
}

/// A table, unquoted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableName {
    /// Empty where the dump leaves it to the search path.
    pub schema: String,
    /// `shop_order`
    pub name: String,
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema.is_empty() {
            return f.write_str(&self.name);
        }
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// What pg_dump and pg_dumpall write for psql.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meta {
    /// `\connect`: what follows belongs into another database.
    Connect(Connect),
    /// `\restrict`: up to `\unrestrict` with the same key no other line is for psql.
    Restrict {
        /// The key.
        key: String,
        /// Where it stands.
        line: u64,
    },
    /// `\unrestrict`
    Unrestrict {
        /// The key, which is that of `\restrict`.
        key: String,
        /// Where it stands.
        line: u64,
    },
    /// `\encoding`
    Encoding {
        /// `UTF8`
        name: String,
        /// Where it stands.
        line: u64,
    },
}

/// Where a `\connect` goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Connect {
    /// Where it stands.
    pub(crate) line: u64,
    /// Unquoted; none where the line keeps the database (`\connect - user`).
    pub(crate) database: Option<String>,
    /// None where the line keeps it.
    pub(crate) user: Option<String>,
}

/// `-- Name: shop_order; Type: TABLE; Schema: public; Owner: shop`
///
/// What the names are is what pg_dump says of them, not quoted: good for telling a person what a statement is for, and
/// for nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TocEntry {
    /// Where the comment stands.
    pub(crate) line: u64,
    /// `shop_order`, `fn(integer)`, `shop_order shop_order_pkey`
    pub(crate) name: String,
    /// `TABLE`, `TABLE DATA`, `FK CONSTRAINT`
    pub(crate) kind: String,
    /// None where the object has none.
    pub(crate) schema: Option<String>,
    /// None where the object has none, or the dump was made without owners.
    pub(crate) owner: Option<String>,
    /// None is the database's default.
    pub(crate) tablespace: Option<String>,
}

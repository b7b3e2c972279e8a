//! The one reader of dumps: what stands in them is told to a listener, piece by piece.
//!
//! [`Scanner`](super::Scanner) and [`Splitter`](super::Splitter) are its two listeners, so that what is verified is
//! what is restored.
//!
//! Absent: memory for the data, and for statements beyond what [`Keep`] says.

use super::copy::{CopyBlock, Data};
use super::error::{SplitError, SplitRefusal};
use super::meta::Restriction;
use super::piece::{Meta, TableName};
use super::settings;
use super::sql::{Keep, Sql, Step};
use super::statement::copy_from_stdin;

/// As pg_dump writes it after `--`, from version 7 to 18.
const END_MARKER: &[u8] = b"PostgreSQL database dump complete";
/// As pg_dumpall does. Inside stands what pg_dump writes for each database, with its end markers.
const CLUSTER_MARKER: &[u8] = b"PostgreSQL database cluster dump";
const CLUSTER_END_MARKER: &[u8] = b"PostgreSQL database cluster dump complete";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Who hears what is in a dump. The data of COPY come through [`Data`].
pub(super) trait Listener: Data {
    /// `text` may be taken; it has no semicolon. Of a listener that keeps beginnings it may be cut.
    fn statement(&mut self, line: u64, text: &mut Vec<u8>);
    /// Data follow, up to `copy_end`.
    fn copy(&mut self, line: u64, text: &mut Vec<u8>, table: &TableName);
    /// Its end line, and how many rows there were.
    fn copy_end(&mut self, line: u64, rows: u64);
    /// A line for psql that may be followed.
    fn meta(&mut self, meta: Meta);
    /// What follows `--`, where no statement is open.
    fn comment(&mut self, line: u64, text: &[u8]);
}

#[derive(Debug)]
pub(super) struct Lexer {
    sql: Sql,
    state: State,
    restriction: Restriction,
    /// Bytes of a byte order mark that were seen, which psql too leaves out.
    mark: usize,
    /// What the end will look like.
    end_marker: &'static [u8],
    /// The end marker was the last thing of meaning.
    complete: bool,
    failed: Option<SplitError>,
}

#[derive(Debug)]
enum State {
    Sql,
    /// After `COPY … FROM stdin;`, up to the line's end.
    CopyLine(TableName),
    Copy(CopyBlock),
}

impl Lexer {
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            sql: Sql::new(keep),
            state: State::Sql,
            restriction: Restriction::default(),
            mark: 0,
            end_marker: END_MARKER,
            complete: false,
            failed: None,
        }
    }

    /// The next bytes. After an error there is nothing but this error.
    pub(super) fn feed(
        &mut self,
        mut chunk: &[u8],
        listener: &mut impl Listener,
    ) -> Result<(), SplitError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let fed = self.after_mark(&mut chunk).and_then(|no_mark| {
            self.read(no_mark, listener)?;
            self.read(chunk, listener)
        });
        if let Err(error) = &fed {
            self.failed = Some(error.clone());
        }
        fed
    }

    /// Leaves out the byte order mark, or gives back what looked like its beginning.
    fn after_mark(&mut self, chunk: &mut &[u8]) -> Result<&'static [u8], SplitError> {
        while self.mark < BYTE_ORDER_MARK.len() {
            match chunk.split_first() {
                None => break,
                Some((byte, rest)) if *byte == BYTE_ORDER_MARK[self.mark] => {
                    self.mark += 1;
                    *chunk = rest;
                }
                Some(_) => {
                    let seen = std::mem::replace(&mut self.mark, BYTE_ORDER_MARK.len());
                    return Ok(&BYTE_ORDER_MARK[..seen]);
                }
            }
        }
        Ok(&[])
    }

    fn read(&mut self, mut chunk: &[u8], listener: &mut impl Listener) -> Result<(), SplitError> {
        while !chunk.is_empty() {
            let used = match &mut self.state {
                State::Copy(block) => {
                    let (used, ended) = block.feed(chunk, listener);
                    if ended {
                        let (line, rows) = (self.sql.line + block.rows, block.rows);
                        self.sql.line = line + 1;
                        self.state = State::Sql;
                        listener.copy_end(line, rows);
                    }
                    used
                }
                State::CopyLine(table) => {
                    let table = std::mem::take(table);
                    self.copy_line(chunk[0], table)?;
                    1
                }
                State::Sql => {
                    let (used, step) = self.sql.feed(chunk)?;
                    self.step(step, listener)?;
                    used
                }
            };
            chunk = &chunk[used..];
        }
        Ok(())
    }

    fn copy_line(&mut self, byte: u8, table: TableName) -> Result<(), SplitError> {
        self.state = match byte {
            b'\n' => {
                self.sql.line += 1;
                State::Copy(CopyBlock::new(table))
            }
            b' ' | b'\t' | b'\r' => State::CopyLine(table),
            _ => {
                return Err(SplitError {
                    line: Some(self.sql.line),
                    refusal: SplitRefusal::Copy("after COPY … FROM stdin the line must end"),
                });
            }
        };
        Ok(())
    }

    fn step(&mut self, step: Step, listener: &mut impl Listener) -> Result<(), SplitError> {
        match step {
            Step::More => {}
            Step::Statement => self.statement(listener)?,
            Step::Comment => {
                let text = self.sql.word.trim_ascii();
                if text == CLUSTER_MARKER {
                    self.end_marker = CLUSTER_END_MARKER;
                    self.complete = false;
                }
                self.complete |= text == self.end_marker;
                listener.comment(self.sql.word_line, text);
            }
            Step::Meta => self.meta(listener)?,
        }
        Ok(())
    }

    fn statement(&mut self, listener: &mut impl Listener) -> Result<(), SplitError> {
        let (line, sql) = (self.sql.statement_line, &mut self.sql);
        if sql.statement.is_empty() {
            sql.next();
            return Ok(());
        }
        self.complete = false;
        if sql.is_cut && settings::matters(&sql.statement) {
            return Err(sql.too_long(sql.statement.len()));
        }
        let at = |refusal| SplitError {
            line: Some(line),
            refusal,
        };
        if let Some(table) = copy_from_stdin(&sql.statement) {
            let table = table.map_err(|reason| at(SplitRefusal::Copy(reason)))?;
            listener.copy(line, &mut sql.statement, &table);
            self.state = State::CopyLine(table);
        } else {
            if let Some(setting) = settings::of(&sql.statement) {
                setting.check().map_err(at)?;
                if let Some(escapes) = setting.escapes_everywhere() {
                    sql.escapes_everywhere = escapes;
                }
            }
            listener.statement(line, &mut sql.statement);
        }
        sql.next();
        Ok(())
    }

    fn meta(&mut self, listener: &mut impl Listener) -> Result<(), SplitError> {
        let line = self.sql.word_line;
        let at = |refusal| SplitError {
            line: Some(line),
            refusal,
        };
        let is_inside = !self.sql.statement.is_empty();
        let meta = Meta::read(line, &self.sql.word, is_inside).map_err(at)?;
        self.restriction.apply(&meta).map_err(at)?;
        if let Meta::Encoding { name, .. } = &meta {
            settings::check_encoding(name).map_err(at)?;
        }
        // since the releases of August 2025 this stands after the end marker
        self.complete &= matches!(meta, Meta::Unrestrict { .. });
        listener.meta(meta);
        Ok(())
    }

    /// The block whose rows are passing.
    pub(super) fn copy(&self) -> Option<(&TableName, u64)> {
        match &self.state {
            State::Copy(block) => Some((&block.table, block.rows)),
            State::CopyLine(table) => Some((table, 0)),
            State::Sql => None,
        }
    }

    /// Whether all of it came.
    pub(super) fn finish(&self) -> Result<(), SplitError> {
        let incomplete = |reason: String| {
            Err(SplitError {
                line: None,
                refusal: SplitRefusal::Incomplete(reason),
            })
        };
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if let Some((table, rows)) = self.copy() {
            return incomplete(format!(
                "it ends inside the rows of {table}, after {rows} of them"
            ));
        }
        if !self.sql.statement.is_empty() {
            return incomplete(format!(
                "it ends inside the statement that begins in line {}",
                self.sql.statement_line
            ));
        }
        if self.sql.is_in_meta() {
            return incomplete(format!("it ends inside line {}", self.sql.word_line));
        }
        if !self.complete || !self.sql.is_between_statements() {
            return incomplete(format!(
                "it has no end marker (`-- {}`)",
                String::from_utf8_lossy(self.end_marker)
            ));
        }
        match self.restriction.line() {
            Some(line) => incomplete(format!(
                "it has no `\\unrestrict` for the `\\restrict` of line {line}"
            )),
            None => Ok(()),
        }
    }
}

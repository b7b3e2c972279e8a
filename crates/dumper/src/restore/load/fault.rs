//! What went wrong, told in the lines of the file.
//!
//! Absent: what to do about it.

use pgdriver::QueryError;

use super::super::error::RestoreFailure;
use super::super::restored::{StatementError, StatementPlace};
use super::words::Words;

/// How much of a statement an error shows.
const SHOWN: usize = 160;
/// What follows these may be a password. pg_dump writes them for subscriptions, servers and user mappings.
const SECRETS: [&str; 3] = ["CONNECTION", "OPTIONS", "PASSWORD"];

/// A statement or row that failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server refused it; others may succeed.
    Refused(StatementError),
    /// The connection is gone, and the load with it.
    Lost(RestoreFailure),
}

impl Fault {
    /// Of a statement that stands at this line.
    pub(super) fn of_statement(error: &QueryError, line: u64, statement: &str) -> Self {
        let refused = |sqlstate: &str| {
            let place = error.position().map(|at| place(line, statement, at));
            refused(error, sqlstate, line, place, statement)
        };
        match error.sqlstate() {
            Some(sqlstate) if !error.is_connection_lost() => Self::Refused(refused(sqlstate)),
            _ => Self::lost(error, line),
        }
    }

    /// Of a COPY that stands at this line; `lines` knows where the rows of its data are.
    pub(super) fn of_rows(
        error: &QueryError,
        line: u64,
        statement: &str,
        table: &str,
        lines: &LineMap,
    ) -> Self {
        let row = error.context().and_then(|context| row_of(context, table));
        let line = row.and_then(|row| lines.line(row)).unwrap_or(line);
        match error.sqlstate() {
            Some(sqlstate) if !error.is_connection_lost() => {
                let mut refused = refused(error, sqlstate, line, None, statement);
                if let Some(column) = error
                    .context()
                    .and_then(|context| column_of(context, table))
                {
                    refused.message = format!("{} ({column})", refused.message);
                }
                Self::Refused(refused)
            }
            _ => Self::lost(error, line),
        }
    }

    fn lost(error: &QueryError, line: u64) -> Self {
        Self::Lost(RestoreFailure::ConnectionLost {
            line: Some(line),
            message: error.message(),
        })
    }

    /// The server broke a cycle of waits.
    pub(super) fn is_deadlock(&self) -> bool {
        matches!(self, Self::Refused(error) if error.sqlstate == "40P01")
    }
}

fn refused(
    error: &QueryError,
    sqlstate: &str,
    line: u64,
    place: Option<StatementPlace>,
    statement: &str,
) -> StatementError {
    let message = error.server_message().map(str::to_owned);
    StatementError {
        line,
        sqlstate: sqlstate.to_owned(),
        message: message.unwrap_or_else(|| error.message()),
        detail: error.detail().map(str::to_owned),
        hint: error.hint().map(str::to_owned),
        place,
        statement: shortened(statement),
    }
}

/// The file's place of a character, counted from 1, of a statement that begins at this line. Where the statement begins
/// in its line is not known, so in its first line the column is that of the statement.
fn place(line: u64, statement: &str, position: u32) -> StatementPlace {
    let mut place = StatementPlace { line, column: 1 };
    for character in statement.chars().take(position.saturating_sub(1) as usize) {
        match character {
            '\n' => {
                place.line += 1;
                place.column = 1;
            }
            _ => place.column += 1,
        }
    }
    place
}

/// In one line, cut, and without what may be a password.
pub(super) fn shortened(statement: &str) -> String {
    let mut shown = String::new();
    let mut words = Words::of(cut(statement, SHOWN * 4));
    let open = may_hold_secrets(statement).then(|| {
        SECRETS
            .iter()
            .filter_map(|word| {
                let mut behind = words.clone();
                behind.seek(word).then(|| behind.rest().len())
            })
            .max()
    });
    let whole = words.rest();
    let (text, secret) = match open.flatten() {
        Some(rest) => (&whole[..whole.len() - rest], true),
        None => (whole, false),
    };
    words = Words::of(text);
    for word in words.rest().split_whitespace() {
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown += word;
        if shown.len() > SHOWN {
            return cut(&shown, SHOWN).to_owned() + "…";
        }
    }
    if secret || text.len() < statement.trim_end().len() {
        shown += " …";
    }
    shown
}

/// At most so many bytes, and whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn may_hold_secrets(statement: &str) -> bool {
    let mut words = Words::of(statement);
    if !words.eat("CREATE") && !words.eat("ALTER") {
        return false;
    }
    ["SUBSCRIPTION", "SERVER", "USER", "ROLE", "FOREIGN"]
        .iter()
        .any(|word| words.clone().eat(word))
}

/// Where the rows of one COPY command stand in the file: it holds some of the block's rows, in their order.
#[derive(Debug, Default)]
pub(super) struct LineMap {
    /// The first row of each run, counted from 1 in this command, and its line.
    runs: Vec<(u64, u64)>,
    rows: u64,
}

impl LineMap {
    /// A piece with this many row ends, whose first row (or rest of a row) stands at this line.
    pub(super) fn add(&mut self, line: u64, rows: u64) {
        let first = self.rows + 1;
        let follows = self
            .runs
            .last()
            .is_some_and(|(row, at)| at + (first - row) == line);
        if !follows {
            self.runs.push((first, line));
        }
        self.rows += rows;
    }

    /// Of a row of this command.
    fn line(&self, row: u64) -> Option<u64> {
        let at = self.runs.partition_point(|(first, _)| *first <= row);
        let (first, line) = self.runs.get(at.checked_sub(1)?)?;
        Some(line + (row - first))
    }
}

/// `COPY shop_order, line 12, column total: "x"`, whatever the words are in the server's language.
fn row_of(context: &str, table: &str) -> Option<u64> {
    let rest = of_copy(context, table)?;
    let digits = rest.find(|c: char| c.is_ascii_digit())?;
    let rest = &rest[digits..];
    let end = rest.find(|c: char| !c.is_ascii_digit());
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

/// `column total`, or its like in the server's language. The value stays out: it may be anybody's secret.
fn column_of(context: &str, table: &str) -> Option<String> {
    let mut parts = of_copy(context, table)?.split(", ");
    parts.next()?; // the line
    let column = parts.next()?.split(": ").next()?.trim();
    (!column.is_empty()).then(|| column.to_owned())
}

fn of_copy<'a>(context: &'a str, table: &str) -> Option<&'a str> {
    let lines = context.lines();
    lines.into_iter().find_map(|line| {
        let rest = line.strip_prefix("COPY ")?.strip_prefix(table)?;
        rest.strip_prefix(", ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_command_find_their_lines() {
        let mut lines = LineMap::default();
        lines.add(100, 10); // rows 1 to 10
        lines.add(110, 5); // 11 to 15, right behind
        lines.add(200, 0); // the beginning of a long row: 16
        lines.add(200, 1); // its end
        lines.add(301, 4); // 17 to 20
        let cases = [
            (1, 100),
            (10, 109),
            (15, 114),
            (16, 200),
            (17, 301),
            (20, 304),
        ];
        for (row, line) in cases {
            assert_eq!(lines.line(row), Some(line), "{row}");
        }
        assert_eq!(lines.runs.len(), 3);
        assert_eq!(LineMap::default().line(1), None);
    }

    #[test]
    fn a_context_names_row_and_column() {
        let cases = [
            (
                "COPY t, line 12, column total: \"x\"",
                Some(12),
                Some("column total"),
            ),
            ("COPY t, line 7: \"1\tb\"", Some(7), None),
            (
                "COPY t, Zeile 9, Spalte a, null input",
                Some(9),
                Some("Spalte a"),
            ),
            (
                "PL/pgSQL function f() line 3\nCOPY t, line 4",
                Some(4),
                None,
            ),
            ("COPY t5, line 4", None, None),
            ("", None, None),
        ];
        for (context, row, column) in cases {
            assert_eq!(row_of(context, "t"), row, "{context}");
            assert_eq!(column_of(context, "t").as_deref(), column, "{context}");
        }
    }

    #[test]
    fn a_position_is_a_line_and_a_column() {
        let statement = "SELECT ü,\n  nix\nFROM t";
        let at = |line, column| StatementPlace { line, column };
        assert_eq!(place(7, statement, 1), at(7, 1));
        assert_eq!(place(7, statement, 8), at(7, 8));
        assert_eq!(place(7, statement, 13), at(8, 3));
    }

    #[test]
    fn a_shown_statement_is_short_and_holds_no_password() {
        let cases = [
            ("SELECT\n\n   1", "SELECT 1"),
            (
                "CREATE SUBSCRIPTION s CONNECTION 'host=x password=geheim' PUBLICATION p",
                "CREATE SUBSCRIPTION s CONNECTION …",
            ),
            (
                "CREATE USER MAPPING FOR a SERVER s OPTIONS (\n    password 'geheim'\n)",
                "CREATE USER MAPPING FOR a SERVER s OPTIONS …",
            ),
            (
                "ALTER ROLE a WITH LOGIN PASSWORD 'geheim'",
                "ALTER ROLE a WITH LOGIN PASSWORD …",
            ),
            (
                "CREATE TABLE t (options text)",
                "CREATE TABLE t (options text)",
            ),
        ];
        for (statement, shown) in cases {
            assert_eq!(shortened(statement), shown);
        }
        let long = format!("SELECT '{}'", "ü".repeat(5000));
        let shown = shortened(&long);
        assert!(shown.ends_with('…') && shown.len() < 200, "{shown}");
        let far = format!(
            "CREATE SERVER s{} OPTIONS (password 'geheim')",
            " ".repeat(900)
        );
        assert!(!shortened(&far).contains("geheim"));
    }
}

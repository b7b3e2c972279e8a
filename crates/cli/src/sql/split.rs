//! Cuts a script into its statements, with the line on which each begins.
//!
//! It knows just enough of PostgreSQL's lexer (`scan.l`) to find the semicolons that end a statement: quotes of every
//! kind, comments, parentheses, and the bodies of `BEGIN ATOMIC` functions; and of psql's what only files hold: its own
//! commands, and the data behind `COPY … FROM stdin`.
//! It understands no statement, and it never fails: what is left open runs to the end of the script.
//! Absent: `standard_conforming_strings = off`, which no supported server has by default; the reader asks about it.

use std::ops::Range;

mod shape;
#[cfg(test)]
mod tests;

use shape::Shape;

/// One piece of a script. All pieces of a script, joined, are the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Everything: COPY data of the statement before, space and comments, the statement, the semicolon.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) raw: &'a str,
    /// The statement alone, from its first to its last token; empty where the piece is only space and comments.
    pub(super) sql: &'a str,
    /// Where `sql` begins, counted from 1.
    pub(super) line: usize,
    /// The character of that line at which `sql` begins, from 1.
    pub(super) column: usize,
}

/// The statements of `script` in order; the last piece may hold nothing but space and comments.
pub(super) fn split(script: &str) -> impl Iterator<Item = Piece<'_>> {
    let bytes = script.as_bytes();
    let mut scanner = Scanner::of(script);
    let mut lines = Lines {
        bytes,
        at: 0,
        line: 1,
        column: 1,
    };
    std::iter::from_fn(move || {
        if scanner.at >= bytes.len() {
            return None;
        }
        #[cfg(any(test, feature = "fuzzing"))]
        let start = scanner.at;
        let extent = scanner.statement();
        Some(Piece {
            #[cfg(any(test, feature = "fuzzing"))]
            raw: &script[start..scanner.at],
            sql: &script[extent.first..extent.last],
            line: lines.line_of(extent.first),
            column: lines.column,
        })
    })
}

/// Where the tokens of a statement stand; of `E'…'` and `"a""b"` the whole, operators by their characters.
pub(super) fn tokens(sql: &str) -> Vec<Range<usize>> {
    let mut scanner = Scanner::of(sql);
    let mut tokens: Vec<Range<usize>> = Vec::new();
    while scanner.peek(0).is_some() {
        let start = scanner.at;
        if scanner.skip_blank() {
            continue;
        }
        scanner.token(&mut Shape::default());
        let quote = |at: usize| matches!(sql.as_bytes()[at], b'"' | b'\'');
        match tokens.last_mut() {
            // a doubled quote
            Some(last)
                if last.end == start
                    && quote(start)
                    && sql.as_bytes()[last.end - 1] == sql.as_bytes()[start] =>
            {
                last.end = scanner.at;
            }
            _ => tokens.push(start..scanner.at),
        }
    }
    tokens
}

/// From the first byte of a statement's first token to the end of its last.
#[derive(Clone, Copy)]
struct Extent {
    first: usize,
    last: usize,
}

/// Counts lines forward only, so that the whole script is counted once.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    column: usize,
}

impl Lines<'_> {
    fn line_of(&mut self, position: usize) -> usize {
        let passed = &self.bytes[self.at..position];
        let characters = |bytes: &[u8]| bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
        match passed.iter().rposition(|byte| *byte == b'\n') {
            None => self.column += characters(passed),
            Some(last) => {
                self.line += passed.iter().filter(|byte| **byte == b'\n').count();
                self.column = characters(&passed[last..]);
            }
        }
        self.at = position;
        self.line
    }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// How many COPY … FROM stdin wait for their data, which begin on the next line.
    blocks_of_data: usize,
    /// A line `\.` may still come.
    has_end_of_data: bool,
}

impl<'a> Scanner<'a> {
    fn of(script: &'a str) -> Self {
        Self {
            bytes: script.as_bytes(),
            at: 0,
            blocks_of_data: 0,
            has_end_of_data: true,
        }
    }

    /// Moves behind one statement and its semicolon.
    fn statement(&mut self) -> Extent {
        let start = self.at;
        let mut shape = Shape::default();
        let mut extent: Option<Extent> = None;
        while let Some(byte) = self.peek(0) {
            let first = self.at;
            let data_follow = self.blocks_of_data > 0 && extent.is_none();
            match byte {
                b'\n' if data_follow => {
                    self.skip_data();
                    continue;
                }
                _ if self.skip_blank() => continue,
                b';' if shape.is_closed() => {
                    self.at += 1;
                    break;
                }
                b'\\' if self.peek(1) == Some(b';') => {
                    self.at += 2;
                    break;
                }
                b'\\' => self.meta_command(),
                _ => self.token(&mut shape),
            }
            extent = Some(Extent {
                first: extent.map_or(first, |known| known.first),
                last: first + self.bytes[first..self.at].trim_ascii_end().len(),
            });
            if byte == b'\\' {
                break;
            }
        }
        self.blocks_of_data += usize::from(shape.is_copy_from_stdin());
        extent.unwrap_or(Extent {
            first: start,
            last: start,
        })
    }

    /// A command of psql's (`\connect`, `\gexec`, …), to the end of its line or to `\\`, behind which SQL goes on.
    fn meta_command(&mut self) {
        let start = self.at;
        self.at += 1;
        self.skip_while(|byte| !is_space(byte) && byte != b'\\');
        let name = &self.bytes[start + 1..self.at];
        let takes_the_line = matches!(name, b"copy" | b"!");
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => break,
                b'\\' if self.starts_with(b"\\\\") && !takes_the_line => {
                    self.at += 2;
                    break;
                }
                b'\'' if !takes_the_line => self.skip_argument(),
                _ => self.at += 1,
            }
        }
        if name == b"copy" {
            let mut words = self.bytes[start..self.at].split(|byte| is_space(*byte));
            let is_from = words.any(|word| word.eq_ignore_ascii_case(b"from"));
            let source = words.find(|word| !word.is_empty()).unwrap_or_default();
            self.blocks_of_data += usize::from(is_from && source.eq_ignore_ascii_case(b"stdin"));
        }
    }

    /// A quoted argument of psql's, which ends with the line at the latest.
    fn skip_argument(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' => return,
                b'\\' if self.peek(1) != Some(b'\n') => {
                    self.at = (self.at + 2).min(self.bytes.len());
                }
                _ => self.at += 1,
            }
            if byte == b'\'' {
                return;
            }
        }
    }

    /// White space up to a line end, the line end, or a comment; data may begin behind a line end.
    fn skip_blank(&mut self) -> bool {
        let start = self.at;
        self.skip_while(|byte| is_space(byte) && byte != b'\n');
        if self.at == start && self.peek(0) == Some(b'\n') {
            self.at += 1;
        } else if self.starts_with(b"--") {
            self.skip_while(|byte| !is_line_end(byte));
        } else if self.starts_with(b"/*") {
            self.skip_block_comment();
        }
        self.at > start
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            if self.starts_with(b"/*") {
                depth += 1;
                self.at += 2;
            } else if self.starts_with(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += 1;
            }
        }
    }

    fn token(&mut self, shape: &mut Shape) {
        let start = self.at;
        let byte = self.bytes[start];
        match byte {
            b'\'' => self.skip_quoted(b'\''),
            b'"' => self.skip_quoted(b'"'),
            b'$' if self.skip_dollar_quoted() => {}
            _ if is_word_start(byte) => {
                self.skip_while(is_word);
                let word = &self.bytes[start..self.at];
                if matches!(word, b"e" | b"E") && self.peek(0) == Some(b'\'') {
                    self.skip_escape_string();
                } else {
                    return shape.word(word);
                }
            }
            // also digits, so that the `e` of `1e'` cannot be taken for a prefix
            _ if byte.is_ascii_digit() => self.skip_while(is_word),
            _ => self.at += 1,
        }
        shape.other(byte);
    }

    /// `'…'` and `"…"`, where a doubled quote is a quote: it ends one string and begins the next.
    fn skip_quoted(&mut self, quote: u8) {
        self.at += 1;
        self.skip_while(|byte| byte != quote);
        self.at = (self.at + 1).min(self.bytes.len());
    }

    /// The quoted part of `E'…'`, and its continuations.
    fn skip_escape_string(&mut self) {
        loop {
            self.at += 1;
            while let Some(byte) = self.peek(0) {
                match byte {
                    b'\\' => self.at = (self.at + 2).min(self.bytes.len()),
                    b'\'' if self.peek(1) == Some(b'\'') => self.at += 2,
                    b'\'' => break,
                    _ => self.at += 1,
                }
            }
            self.at = (self.at + 1).min(self.bytes.len());
            if !self.skip_to_continuation() {
                return;
            }
        }
    }

    /// A string that follows behind a line end, comments from `--` on between them or not, is the same literal: scan.l's
    /// `quotecontinue`. False, and nothing skipped, where none follows.
    fn skip_to_continuation(&mut self) -> bool {
        let behind = self.at;
        let mut line_ended = false;
        while let Some(byte) = self.peek(0) {
            match byte {
                _ if is_space(byte) => {
                    line_ended |= is_line_end(byte);
                    self.at += 1;
                }
                b'-' if self.starts_with(b"--") => self.skip_while(|byte| !is_line_end(byte)),
                b'\'' if line_ended => return true,
                _ => break,
            }
        }
        self.at = behind;
        false
    }

    /// `$tag$…$tag$`; false, and nothing skipped, where the dollar begins something else (`$1`).
    fn skip_dollar_quoted(&mut self) -> bool {
        let rest = &self.bytes[self.at + 1..];
        let tag = rest
            .iter()
            .take_while(|byte| is_word(**byte) && **byte != b'$')
            .count();
        let is_tag = rest.get(tag) == Some(&b'$') && !rest[0].is_ascii_digit();
        if !is_tag {
            return false;
        }
        let delimiter = &self.bytes[self.at..self.at + tag + 2];
        self.at += delimiter.len();
        while self.at < self.bytes.len() {
            self.skip_while(|byte| byte != b'$');
            if self.starts_with(delimiter) {
                self.at += delimiter.len();
                return true;
            }
            self.at = (self.at + 1).min(self.bytes.len());
        }
        true
    }

    /// The data of each COPY … FROM stdin of the line that ends here.
    fn skip_data(&mut self) {
        for _ in 0..std::mem::take(&mut self.blocks_of_data) {
            self.skip_block_of_data();
        }
    }

    /// From the end of a line to the end of the line `\.`. Where there is none, psql takes all that follows for data, and
    /// a server has none at all: it is read as SQL, so that nothing is hidden.
    fn skip_block_of_data(&mut self) {
        let begin = self.at;
        while self.has_end_of_data && self.at < self.bytes.len() {
            self.at += 1;
            let start = self.at;
            self.skip_while(|byte| byte != b'\n');
            if matches!(&self.bytes[start..self.at], b"\\." | b"\\.\r") {
                return;
            }
        }
        self.has_end_of_data = false;
        self.at = begin;
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn starts_with(&self, prefix: &[u8]) -> bool {
        self.bytes[self.at..].starts_with(prefix)
    }

    fn skip_while(&mut self, matches: impl Fn(u8) -> bool) {
        self.at += self.bytes[self.at..]
            .iter()
            .take_while(|byte| matches(**byte))
            .count();
    }
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// Of the lexer: it takes a lone carriage return for a line end too.
fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

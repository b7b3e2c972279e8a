//! SQL's surface as psql reads it (src/fe_utils/psqlscan.l of PostgreSQL 15 to 18): where a statement begins and ends.
//!
//! One difference: a string that goes on behind a line break (`E'a'` newline `'b\''`) is one string of one kind, as the
//! server reads it. psql looks line by line, forgets that it was an E string, and cuts such a statement elsewhere than
//! the server does.
//!
//! Absent: what a statement means, psql's variables (none is set while a dump is restored, and then `:name` is text),
//! and COPY's rows.

use super::error::{SplitError, SplitRefusal};

/// A tag, a comment or a line for psql that is longer is not ours.
const WORD_LIMIT: usize = 64 * 1024;

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// All bytes were used.
    More,
    /// A statement ended; it is in [`Sql::statement`] up to [`Sql::next`].
    Statement,
    /// A comment at the beginning of a statement ended; it is in [`Sql::word`], as far as [`WORD_LIMIT`].
    Comment,
    /// A line for psql ended; it is in [`Sql::word`], without its backslash.
    Meta,
}

/// How much of a statement is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// All; one that is longer is refused.
    Whole(usize),
    /// No more than this of its beginning.
    Beginning(usize),
}

/// The state between chunks.
#[derive(Debug)]
pub(super) struct Sql {
    mode: Mode,
    keep: Keep,
    /// The statement so far, from its first word.
    pub(super) statement: Vec<u8>,
    /// Where its first word stands.
    pub(super) statement_line: u64,
    /// Whether something of it was not kept.
    pub(super) is_cut: bool,
    /// The comment, meta-command, identifier or dollar quote's tag so far.
    pub(super) word: Vec<u8>,
    /// Where the comment or the meta-command stands.
    pub(super) word_line: u64,
    /// The current line.
    pub(super) line: u64,
    /// `SET standard_conforming_strings = off` was seen: `\` escapes in every string.
    pub(super) escapes_everywhere: bool,
    /// The string that has just ended, and whether a line break followed: another quote goes on with it.
    ended: Option<(Quote, Newline)>,
    paren_depth: u32,
    block: Block,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    /// A `-` that may begin a comment.
    Dash,
    /// A `/` that may begin a comment.
    Slash,
    LineComment(Comment),
    BlockComment {
        depth: u32,
        last: u8,
    },
    Word,
    /// `u&`
    UnicodePrefix,
    Number {
        point: Point,
    },
    /// A `.` that may begin a number.
    Dot,
    /// The letters behind a number or a parameter.
    Junk,
    Parameter,
    String(Quote),
    /// After a backslash.
    Escaped,
    /// A quote that ends the string, unless another follows.
    StringEnd(Quote),
    /// `"…`
    Identifier,
    Dollar,
    /// `$tag`, not yet closed by its second `$`.
    DollarTag,
    /// In the body, with this much of `$tag$` matched.
    DollarBody {
        matched: usize,
    },
    Meta,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quote {
    Plain,
    Escapes,
    /// `b''`, `x''`: a doubled quote is not a quote in it.
    Bits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Newline {
    Awaited,
    Seen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    Awaited,
    Seen,
    /// It was the last byte.
    Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comment {
    Before,
    Inside,
}

/// Whether the byte is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Used {
    Yes,
    /// It begins the next token.
    No,
    /// Yes, and there is something to tell.
    Tell(Step),
}

/// The depth of BEGIN … END in what begins as CREATE FUNCTION or PROCEDURE, by psql's own heuristic.
#[derive(Debug, Default)]
struct Block {
    /// The first letters of the first words, where they are words of `CREATE OR REPLACE FUNCTION|PROCEDURE`.
    letters: [u8; 4],
    words: usize,
    depth: u32,
}

impl Sql {
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            mode: Mode::Plain,
            keep,
            statement: Vec::new(),
            statement_line: 0,
            is_cut: false,
            word: Vec::new(),
            word_line: 0,
            line: 1,
            escapes_everywhere: false,
            ended: None,
            paren_depth: 0,
            block: Block::default(),
        }
    }

    /// Uses bytes up to the first thing to tell, or all of them.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> Result<(usize, Step), SplitError> {
        let mut at = 0;
        while at < chunk.len() {
            at += self.skip(&chunk[at..])?;
            let Some(&byte) = chunk.get(at) else { break };
            match self.byte(byte)? {
                Used::No => {}
                Used::Yes => at += 1,
                Used::Tell(step) => return Ok((at + 1, step)),
            }
        }
        Ok((chunk.len(), Step::More))
    }

    /// The statement is dealt with.
    pub(super) fn next(&mut self) {
        self.statement.clear();
        self.is_cut = false;
        self.ended = None;
        self.paren_depth = 0;
        self.block = Block::default();
    }

    /// Whether nothing is open.
    pub(super) fn is_between_statements(&self) -> bool {
        self.mode == Mode::Plain && self.statement.is_empty()
    }

    /// Whether a line for psql has no end yet.
    pub(super) fn is_in_meta(&self) -> bool {
        self.mode == Mode::Meta
    }

    /// How many of the next bytes cannot change the mode; they are kept.
    fn skip(&mut self, rest: &[u8]) -> Result<usize, SplitError> {
        let next = match self.mode {
            Mode::String(Quote::Plain | Quote::Bits) => memchr::memchr(b'\'', rest),
            Mode::String(Quote::Escapes) => memchr::memchr2(b'\'', b'\\', rest),
            Mode::Identifier => memchr::memchr(b'"', rest),
            Mode::DollarBody { matched: 0 } => memchr::memchr(b'$', rest),
            Mode::LineComment(_) => memchr::memchr2(b'\n', b'\r', rest),
            Mode::BlockComment { .. } => memchr::memchr2(b'*', b'/', rest),
            Mode::Word | Mode::Junk => rest.iter().position(|&byte| !is_in_name(byte)),
            _ => return Ok(0),
        };
        let length = next.unwrap_or(rest.len());
        if length == 0 {
            return Ok(0);
        }
        let skipped = &rest[..length];
        match &mut self.mode {
            Mode::LineComment(Comment::Before) => {
                self.keep_word(skipped);
                return Ok(length);
            }
            Mode::BlockComment { last, .. } => *last = 0,
            Mode::Word => self.keep_word(skipped),
            _ => {}
        }
        if !self.statement.is_empty() {
            self.keep(skipped)?;
        }
        self.line += lines(skipped);
        Ok(length)
    }

    fn byte(&mut self, byte: u8) -> Result<Used, SplitError> {
        match self.mode {
            Mode::Plain => return self.plain(byte),
            Mode::Dash => return self.dash(byte),
            Mode::Slash => return self.slash(byte),
            Mode::LineComment(place) => return Ok(self.line_comment(place, byte)),
            Mode::BlockComment { depth, last } => self.mode = block_comment(depth, last, byte),
            Mode::Word => return self.word_end(byte),
            Mode::UnicodePrefix => {
                self.mode = match byte {
                    b'\'' => Mode::String(Quote::Plain),
                    b'"' => Mode::Identifier,
                    _ => return Ok(self.again()),
                }
            }
            Mode::Dot => match byte {
                b'0'..=b'9' => self.mode = Mode::Number { point: Point::Seen },
                b'.' => self.mode = Mode::Plain,
                _ => return Ok(self.again()),
            },
            Mode::Number { point } => match number(point, byte) {
                Some(mode) => self.mode = mode,
                None => return Ok(self.again()),
            },
            Mode::Parameter => match byte {
                b'0'..=b'9' => {}
                _ if begins_name(byte) => self.mode = Mode::Junk,
                _ => return Ok(self.again()),
            },
            Mode::Junk => return Ok(self.again()),
            Mode::String(quote) => {
                self.mode = if byte == b'\'' {
                    Mode::StringEnd(quote)
                } else {
                    Mode::Escaped // only there do other bytes come here
                }
            }
            Mode::Escaped => self.mode = Mode::String(Quote::Escapes),
            Mode::StringEnd(quote) => {
                if byte != b'\'' || quote == Quote::Bits {
                    self.ended = (byte != b'\'').then_some((quote, Newline::Awaited));
                    return Ok(self.again());
                }
                self.mode = Mode::String(quote);
            }
            Mode::Identifier => self.mode = Mode::Plain,
            Mode::Dollar => return self.dollar(byte),
            Mode::DollarTag => return self.dollar_tag(byte),
            Mode::DollarBody { matched } => self.mode = self.dollar_body(matched, byte),
            Mode::Meta => return self.meta(byte),
        }
        self.count(byte);
        if !self.statement.is_empty() {
            self.keep_byte(byte)?;
        }
        Ok(Used::Yes)
    }

    /// The token has ended before this byte.
    fn again(&mut self) -> Used {
        self.mode = Mode::Plain;
        Used::No
    }

    fn plain(&mut self, byte: u8) -> Result<Used, SplitError> {
        if is_space(byte) {
            if let Some((_, newline)) = &mut self.ended
                && matches!(byte, b'\n' | b'\r')
            {
                *newline = Newline::Seen;
            }
            self.count(byte);
            if !self.statement.is_empty() {
                self.keep_byte(byte)?;
            }
            return Ok(Used::Yes);
        }
        self.mode = match byte {
            b'-' => Mode::Dash,
            b'/' => Mode::Slash,
            b'\\' => {
                self.word.clear();
                self.word_line = self.line;
                Mode::Meta
            }
            b'\'' => Mode::String(self.quote()),
            b'"' => Mode::Identifier,
            b'$' => Mode::Dollar,
            b'0'..=b'9' => Mode::Number {
                point: Point::Awaited,
            },
            b'.' => Mode::Dot,
            _ if begins_name(byte) => {
                self.word.clear();
                self.word.push(byte);
                Mode::Word
            }
            _ => Mode::Plain,
        };
        if matches!(byte, b'-' | b'/' | b'\\') {
            return Ok(Used::Yes); // kept when it is known what they are
        }
        self.ended = None;
        match byte {
            b'(' => self.paren_depth += 1,
            b')' => self.paren_depth = self.paren_depth.saturating_sub(1),
            b';' if self.paren_depth == 0 && self.block.depth == 0 => {
                return Ok(Used::Tell(Step::Statement));
            }
            _ => {}
        }
        self.begin();
        self.keep_byte(byte)?;
        Ok(Used::Yes)
    }

    /// The kind of a string that begins, or goes on, with a bare quote.
    fn quote(&self) -> Quote {
        match self.ended {
            Some((quote, Newline::Seen)) => quote,
            _ if self.escapes_everywhere => Quote::Escapes,
            _ => Quote::Plain,
        }
    }

    fn dash(&mut self, byte: u8) -> Result<Used, SplitError> {
        if byte != b'-' {
            self.operator(b'-')?;
            return Ok(self.again());
        }
        if self.statement.is_empty() {
            self.word.clear();
            self.word_line = self.line;
            self.mode = Mode::LineComment(Comment::Before);
        } else {
            self.keep(b"--")?;
            self.mode = Mode::LineComment(Comment::Inside);
        }
        Ok(Used::Yes)
    }

    fn slash(&mut self, byte: u8) -> Result<Used, SplitError> {
        if byte != b'*' {
            self.operator(b'/')?;
            return Ok(self.again());
        }
        self.ended = None;
        if !self.statement.is_empty() {
            self.keep(b"/*")?;
        }
        self.mode = Mode::BlockComment { depth: 1, last: 0 };
        Ok(Used::Yes)
    }

    fn operator(&mut self, byte: u8) -> Result<(), SplitError> {
        self.ended = None;
        self.begin();
        self.keep_byte(byte)
    }

    /// At the line break, which in a statement may let a string go on.
    fn line_comment(&mut self, place: Comment, byte: u8) -> Used {
        self.mode = Mode::Plain;
        match place {
            Comment::Inside => Used::No,
            Comment::Before => {
                self.count(byte);
                Used::Tell(Step::Comment)
            }
        }
    }

    fn word_end(&mut self, byte: u8) -> Result<Used, SplitError> {
        let quote = match (self.word.as_slice(), byte) {
            (b"e" | b"E", b'\'') => Quote::Escapes,
            (b"b" | b"B" | b"x" | b"X", b'\'') => Quote::Bits,
            (b"n" | b"N", b'\'') => self.quote(),
            (b"u" | b"U", b'&') => {
                self.mode = Mode::UnicodePrefix;
                self.keep_byte(byte)?;
                return Ok(Used::Yes);
            }
            _ => {
                self.block.word(&self.word, self.paren_depth);
                return Ok(self.again());
            }
        };
        self.mode = Mode::String(quote);
        self.keep_byte(byte)?;
        Ok(Used::Yes)
    }

    fn dollar(&mut self, byte: u8) -> Result<Used, SplitError> {
        self.word.clear();
        self.word.extend_from_slice(&[b'$', byte]);
        self.mode = match byte {
            b'$' => Mode::DollarBody { matched: 0 },
            b'0'..=b'9' => Mode::Parameter,
            _ if begins_name(byte) => Mode::DollarTag,
            _ => return Ok(self.again()),
        };
        self.keep_byte(byte)?;
        Ok(Used::Yes)
    }

    fn dollar_tag(&mut self, byte: u8) -> Result<Used, SplitError> {
        if byte == b'$' {
            self.word.push(byte);
            self.mode = Mode::DollarBody { matched: 0 };
        } else if is_in_name(byte) {
            if self.word.len() >= WORD_LIMIT {
                return Err(self.too_long(WORD_LIMIT));
            }
            self.word.push(byte);
        } else {
            // no quote: a name stands behind a lone dollar
            self.word.remove(0);
            self.mode = Mode::Word;
            return Ok(Used::No);
        }
        self.keep_byte(byte)?;
        Ok(Used::Yes)
    }

    /// A `$` stands only at both ends of `$tag$`, so a mismatch starts again at 0 or 1.
    fn dollar_body(&self, matched: usize, byte: u8) -> Mode {
        let matched = match self.word.get(matched) {
            Some(&expected) if expected == byte => matched + 1,
            _ => usize::from(byte == b'$'),
        };
        if matched == self.word.len() {
            return Mode::Plain;
        }
        Mode::DollarBody { matched }
    }

    fn meta(&mut self, byte: u8) -> Result<Used, SplitError> {
        if byte == b'\n' {
            self.count(byte);
            self.mode = Mode::Plain;
            return Ok(Used::Tell(Step::Meta));
        }
        self.keep_word(&[byte]);
        Ok(Used::Yes)
    }

    /// The statement's first word may stand here.
    fn begin(&mut self) {
        if self.statement.is_empty() {
            self.statement_line = self.line;
        }
    }

    fn count(&mut self, byte: u8) {
        self.line += u64::from(byte == b'\n');
    }

    fn keep_byte(&mut self, byte: u8) -> Result<(), SplitError> {
        let (Keep::Whole(limit) | Keep::Beginning(limit)) = self.keep;
        if byte == 0 || self.statement.len() >= limit {
            return self.keep(&[byte]);
        }
        self.statement.push(byte);
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), SplitError> {
        let (limit, whole) = match self.keep {
            Keep::Whole(limit) => (limit, true),
            Keep::Beginning(limit) => (limit, false),
        };
        let room = bytes.len().min(limit - self.statement.len());
        // what comes first is told, wherever the chunks end
        let read = if whole { &bytes[..room] } else { bytes };
        if let Some(nul) = memchr::memchr(0, read) {
            return Err(SplitError {
                line: Some(self.line + lines(&bytes[..nul])),
                refusal: SplitRefusal::Nul,
            });
        }
        self.statement.extend_from_slice(&bytes[..room]);
        if room < bytes.len() {
            if whole {
                return Err(self.too_long(limit));
            }
            self.is_cut = true;
        }
        Ok(())
    }

    pub(super) fn too_long(&self, limit: usize) -> SplitError {
        SplitError {
            line: Some(self.statement_line),
            refusal: SplitRefusal::TooLong { limit },
        }
    }

    fn keep_word(&mut self, bytes: &[u8]) {
        let room = WORD_LIMIT.saturating_sub(self.word.len());
        self.word.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl Block {
    /// psqlscan.l's rule for an identifier.
    fn word(&mut self, word: &[u8], paren_depth: u32) {
        let is = |other: &str| word.eq_ignore_ascii_case(other.as_bytes());
        if self.words < self.letters.len()
            && ["create", "function", "procedure", "or", "replace"]
                .into_iter()
                .any(is)
        {
            self.letters[self.words] = word[0].to_ascii_lowercase();
        }
        self.words += 1;
        let routine = matches!(
            self.letters,
            [b'c', b'f' | b'p', ..] | [b'c', b'o', b'r', b'f' | b'p']
        );
        if !routine || paren_depth > 0 {
            return;
        }
        if is("begin") || (is("case") && self.depth > 0) {
            self.depth += 1;
        } else if is("end") {
            self.depth = self.depth.saturating_sub(1);
        }
    }
}

fn lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn block_comment(depth: u32, last: u8, byte: u8) -> Mode {
    match (last, byte) {
        (b'/', b'*') => Mode::BlockComment {
            depth: depth.saturating_add(1),
            last: 0,
        },
        (b'*', b'/') if depth == 1 => Mode::Plain,
        (b'*', b'/') => Mode::BlockComment {
            depth: depth - 1,
            last: 0,
        },
        _ => Mode::BlockComment { depth, last: byte },
    }
}

/// What follows in a number; none where it has ended.
fn number(point: Point, byte: u8) -> Option<Mode> {
    match (point, byte) {
        (Point::Awaited, b'0'..=b'9') => Some(Mode::Number { point }),
        (_, b'0'..=b'9') => Some(Mode::Number { point: Point::Seen }),
        (Point::Awaited, b'.') => Some(Mode::Number { point: Point::Last }),
        (Point::Last, b'.') => Some(Mode::Plain), // 1..10
        (_, byte) if begins_name(byte) => Some(Mode::Junk),
        _ => None,
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c')
}

fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_in_name(byte: u8) -> bool {
    begins_name(byte) || byte.is_ascii_digit() || byte == b'$'
}

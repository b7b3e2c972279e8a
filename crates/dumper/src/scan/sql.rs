//! Just enough of SQL's surface to know where a statement starts and ends.
//!
//! Absent: keywords other than COPY and one SET. Continued E'' strings (`E'a'` newline `'b'`) are not followed;
//! pg_dump never writes them.

/// What may be remembered of a statement: a COPY with 1600 columns of 63 characters, quoted, is 110 kB.
const STATEMENT_LIMIT: usize = 1024 * 1024;
/// Tags and comments longer than this are not ours.
const WORD_LIMIT: usize = 256;
/// As pg_dump writes it after `--`, from version 7 to 18.
const END_MARKER: &[u8] = b" PostgreSQL database dump complete";
/// Statements that are remembered beyond their beginning.
const REMEMBERED: [&[u8]; 2] = [b"COPY ", b"SET "];

/// The state between chunks.
#[derive(Debug, Default)]
pub(super) struct Sql {
    mode: Mode,
    /// The statement so far, without strings and comments; only its beginning unless it is one to remember.
    statement: Vec<u8>,
    /// The line comment, the dollar quote's tag or the meta-command so far.
    word: Vec<u8>,
    /// The last two bytes outside quotes.
    last: [u8; 2],
    /// `SET standard_conforming_strings = off` was seen: `\` escapes in every string.
    escapes_everywhere: bool,
    complete: bool,
}

/// What came at the end of the bytes that were used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All were used.
    More,
    /// Rows of this table follow.
    Copy { schema: String, name: String },
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    #[default]
    Plain,
    /// A `-` or `/` that may begin a comment.
    Perhaps(u8),
    LineComment,
    BlockComment {
        depth: u32,
        last: u8,
    },
    String {
        escapes: bool,
    },
    /// After a backslash.
    Escaped,
    /// A quote that ends the string, unless another follows.
    StringEnd {
        escapes: bool,
    },
    Identifier,
    /// `$tag`, not yet closed by its second `$`.
    DollarTag,
    /// In the body, with this much of `$tag$` matched.
    DollarBody {
        matched: usize,
    },
    /// `\restrict KEY` up to the line's end.
    Meta,
    /// After `COPY … FROM stdin;`, up to the line's end.
    CopyLine,
}

impl Sql {
    /// Whether the end marker was the last thing of meaning, and the line after it is whole.
    pub(super) fn is_complete(&self) -> bool {
        self.complete && self.mode == Mode::Plain
    }

    /// Uses bytes up to the first row of a COPY block, or all of them.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> (usize, Step) {
        let mut at = 0;
        while at < chunk.len() {
            at += self.skip(&chunk[at..]);
            let Some(&byte) = chunk.get(at) else { break };
            at += 1;
            if self.mode == Mode::CopyLine && byte == b'\n' {
                self.mode = Mode::Plain;
                let (schema, name) = table_of(&std::mem::take(&mut self.statement));
                return (at, Step::Copy { schema, name });
            }
            self.byte(byte);
        }
        (chunk.len(), Step::More)
    }

    /// How many of the next bytes cannot change the state.
    fn skip(&self, rest: &[u8]) -> usize {
        let next = match self.mode {
            Mode::String { escapes: false } => memchr::memchr(b'\'', rest),
            Mode::String { escapes: true } => memchr::memchr2(b'\'', b'\\', rest),
            Mode::DollarBody { matched: 0 } => memchr::memchr(b'$', rest),
            _ => return 0,
        };
        next.unwrap_or(rest.len())
    }

    fn byte(&mut self, byte: u8) {
        self.mode = match self.mode {
            Mode::Plain => self.plain(byte),
            Mode::Perhaps(first) => self.perhaps(first, byte),
            Mode::LineComment => self.line_comment(byte),
            Mode::BlockComment { depth, last } => block_comment(depth, last, byte),
            Mode::String { escapes } if byte == b'\'' => Mode::StringEnd { escapes },
            Mode::String { escapes: true } if byte == b'\\' => Mode::Escaped,
            string @ Mode::String { .. } => string,
            Mode::Escaped => Mode::String { escapes: true },
            Mode::StringEnd { escapes } if byte == b'\'' => Mode::String { escapes },
            Mode::StringEnd { .. } => self.plain(byte),
            Mode::Identifier => self.identifier(byte),
            Mode::DollarTag => self.dollar_tag(byte),
            Mode::DollarBody { matched } => self.dollar_body(matched, byte),
            Mode::Meta => self.meta(byte),
            Mode::CopyLine => Mode::CopyLine,
        };
    }

    fn plain(&mut self, byte: u8) -> Mode {
        let in_name = is_name(self.last[1]);
        match byte {
            b'-' | b'/' => return Mode::Perhaps(byte),
            b'\\' if self.statement.is_empty() => {
                self.word.clear();
                return Mode::Meta;
            }
            b'$' if !in_name => {
                self.word.clear();
                self.word.push(byte);
                return Mode::DollarTag;
            }
            b';' => return self.end_statement(),
            _ => {}
        }
        let escapes = self.escapes_everywhere
            || (matches!(self.last[1], b'e' | b'E') && !is_name(self.last[0]));
        self.keep(byte);
        match byte {
            b'\'' => Mode::String { escapes },
            b'"' => Mode::Identifier,
            _ => Mode::Plain,
        }
    }

    fn perhaps(&mut self, first: u8, byte: u8) -> Mode {
        match (first, byte) {
            (b'-', b'-') => {
                self.word.clear();
                Mode::LineComment
            }
            (b'/', b'*') => Mode::BlockComment { depth: 1, last: 0 },
            _ => {
                self.keep(first);
                self.plain(byte)
            }
        }
    }

    fn line_comment(&mut self, byte: u8) -> Mode {
        if byte != b'\n' {
            self.keep_word(byte);
            return Mode::LineComment;
        }
        if self.word == END_MARKER && self.statement.is_empty() {
            self.complete = true;
        }
        self.last = [0; 2];
        Mode::Plain
    }

    fn identifier(&mut self, byte: u8) -> Mode {
        self.keep(byte);
        if byte == b'"' {
            Mode::Plain
        } else {
            Mode::Identifier
        }
    }

    fn dollar_tag(&mut self, byte: u8) -> Mode {
        if byte == b'$' {
            self.word.push(byte);
            self.keep(byte);
            return Mode::DollarBody { matched: 0 };
        }
        let first = self.word.len() == 1;
        if is_name(byte) && !(first && byte.is_ascii_digit()) && self.word.len() < WORD_LIMIT {
            self.word.push(byte);
            return Mode::DollarTag;
        }
        // a parameter such as $1, or an operator
        self.keep(b'$');
        self.last = [0, *self.word.last().unwrap_or(&0)];
        self.plain(byte)
    }

    /// A `$` stands only at both ends of `$tag$`, so a mismatch starts again at 0 or 1.
    fn dollar_body(&mut self, matched: usize, byte: u8) -> Mode {
        let matched = match self.word.get(matched) {
            Some(&expected) if expected == byte => matched + 1,
            _ => usize::from(byte == b'$'),
        };
        if matched == self.word.len() {
            self.last = [0; 2];
            return Mode::Plain;
        }
        Mode::DollarBody { matched }
    }

    fn meta(&mut self, byte: u8) -> Mode {
        if byte != b'\n' {
            self.keep_word(byte);
            return Mode::Meta;
        }
        // since the releases of August 2025 this stands after the end marker
        if !self.word.starts_with(b"unrestrict ") {
            self.complete = false;
        }
        Mode::Plain
    }

    fn end_statement(&mut self) -> Mode {
        self.last = [0; 2];
        if self.statement.starts_with(b"COPY ") && self.statement.ends_with(b" FROM stdin") {
            return Mode::CopyLine;
        }
        if self.statement == b"SET standard_conforming_strings = off" {
            self.escapes_everywhere = true;
        }
        self.statement.clear();
        Mode::Plain
    }

    /// A byte of a statement, outside strings.
    fn keep(&mut self, byte: u8) {
        self.last = [self.last[1], byte];
        if self.statement.is_empty() && byte.is_ascii_whitespace() {
            return;
        }
        self.complete = false;
        let wanted = self.statement.len() < 5
            || REMEMBERED
                .iter()
                .any(|prefix| self.statement.starts_with(prefix));
        if wanted && self.statement.len() < STATEMENT_LIMIT {
            self.statement.push(byte);
        }
    }

    fn keep_word(&mut self, byte: u8) {
        if self.word.len() < WORD_LIMIT {
            self.word.push(byte);
        }
    }
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

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// `COPY public."Order" (id, "a b") FROM stdin` names `public` and `Order`.
fn table_of(statement: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(statement);
    let mut rest = text.strip_prefix("COPY ").unwrap_or(&text).trim_start();
    let mut parts = Vec::new();
    loop {
        let (part, after) = name(rest);
        parts.push(part);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None => break,
        }
    }
    let name = parts.pop().unwrap_or_default();
    (parts.pop().unwrap_or_default(), name)
}

/// The first, perhaps quoted, name and what follows it.
fn name(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['.', ' ', '(']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut name = String::new();
    let mut rest = quoted;
    while let Some((part, after)) = rest.split_once('"') {
        name += part;
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return (name, after),
        }
    }
    (name + rest, "")
}

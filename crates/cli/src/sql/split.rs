//! Cuts a script into its statements, with the line on which each begins.
//!
//! It knows just enough of PostgreSQL's lexer to find the semicolons that end a statement: quotes of every kind,
//! comments, parentheses, the bodies of `BEGIN ATOMIC` functions, and the data behind `COPY … FROM stdin`.
//! It understands no statement, and it never fails: what is left open runs to the end of the script.
//! Absent: `standard_conforming_strings = off`, which no supported server has by default.

/// One piece of a script. All pieces of a script, joined, are the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Everything, with leading space and comments, the semicolon, and COPY data.
    #[cfg(test)]
    pub(super) raw: &'a str,
    /// The statement alone, from its first to its last token; empty where the piece is only space and comments.
    pub(super) sql: &'a str,
    /// Where `sql` begins, counted from 1.
    pub(super) line: usize,
}

/// The statements of `script` in order; the last piece may hold nothing but space and comments.
pub(super) fn split(script: &str) -> Vec<Piece<'_>> {
    let mut scanner = Scanner {
        bytes: script.as_bytes(),
        at: 0,
    };
    let mut lines = Lines {
        bytes: script.as_bytes(),
        at: 0,
        line: 1,
    };
    let mut pieces = Vec::new();
    while scanner.at < script.len() {
        #[cfg(test)]
        let start = scanner.at;
        let extent = scanner.statement();
        pieces.push(Piece {
            #[cfg(test)]
            raw: &script[start..scanner.at],
            sql: &script[extent.first..extent.last],
            line: lines.line_of(extent.first),
        });
    }
    pieces
}

/// From the first byte of a statement's first token to the end of its last.
struct Extent {
    first: usize,
    last: usize,
}

/// Counts lines forward only, so that the whole script is counted once.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn line_of(&mut self, position: usize) -> usize {
        self.line += self.bytes[self.at..position]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        self.at = position;
        self.line
    }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    /// Moves behind one statement, its semicolon, and its COPY data.
    fn statement(&mut self) -> Extent {
        let start = self.at;
        let mut shape = Shape::default();
        let mut extent: Option<Extent> = None;
        while let Some(byte) = self.peek(0) {
            if self.skip_blank() {
                continue;
            }
            if byte == b'\\' && extent.is_none() {
                return self.meta_command();
            }
            if byte == b';' && shape.is_closed() {
                self.at += 1;
                break;
            }
            let first = self.at;
            self.token(&mut shape);
            extent = Some(Extent {
                first: extent.map_or(first, |known| known.first),
                last: self.at,
            });
        }
        if shape.is_copy_from_stdin() {
            self.skip_copy_data();
        }
        extent.unwrap_or(Extent {
            first: start,
            last: start,
        })
    }

    /// A line of psql's own (`\connect`, `\restrict`, …).
    fn meta_command(&mut self) -> Extent {
        let first = self.at;
        self.skip_while(|byte| byte != b'\n');
        Extent {
            first,
            last: self.at,
        }
    }

    /// White space and comments.
    fn skip_blank(&mut self) -> bool {
        let start = self.at;
        self.skip_while(|byte| byte.is_ascii_whitespace() || byte == 0x0b);
        if self.starts_with(b"--") {
            self.skip_while(|byte| byte != b'\n');
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
            b'(' | b')' => {
                self.at += 1;
                shape.parenthesis(byte);
            }
            _ if is_word_start(byte) => {
                self.skip_while(is_word);
                let word = &self.bytes[start..self.at];
                if word.eq_ignore_ascii_case(b"e") && self.peek(0) == Some(b'\'') {
                    self.skip_escape_string();
                } else {
                    shape.word(word);
                }
            }
            // also digits, so that the `e` of `1e'` cannot be taken for a prefix
            _ if byte.is_ascii_digit() => self.skip_while(is_word),
            _ => self.at += 1,
        }
    }

    /// `'…'` and `"…"`, where a doubled quote is a quote: it ends one string and begins the next.
    fn skip_quoted(&mut self, quote: u8) {
        self.at += 1;
        self.skip_while(|byte| byte != quote);
        self.at = (self.at + 1).min(self.bytes.len());
    }

    /// The quoted part of `E'…'`, and its continuations: strings that follow after a line end are the same literal.
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
            let behind = self.at;
            self.skip_while(|byte| byte.is_ascii_whitespace());
            let continued =
                self.bytes[behind..self.at].contains(&b'\n') && self.peek(0) == Some(b'\'');
            if !continued {
                self.at = behind;
                return;
            }
        }
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

    /// From the end of the line behind the command to the line `\.`.
    fn skip_copy_data(&mut self) {
        self.skip_while(|byte| byte != b'\n');
        while self.at < self.bytes.len() {
            self.at += 1;
            let start = self.at;
            self.skip_while(|byte| byte != b'\n');
            if self.bytes[start..self.at].trim_ascii_end() == b"\\." {
                return;
            }
        }
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

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// What is open inside a statement, as psql counts it (`psqlscan.l`): parentheses, and in `CREATE FUNCTION` and
/// `CREATE PROCEDURE` also BEGIN and CASE until their END.
#[derive(Default)]
struct Shape {
    parentheses: usize,
    blocks: usize,
    words: usize,
    head: Head,
    /// COPY: the words `FROM stdin` came, outside parentheses.
    from: bool,
    stdin: bool,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Head {
    #[default]
    Other,
    Create,
    Routine,
    Copy,
}

impl Shape {
    fn is_closed(&self) -> bool {
        self.parentheses == 0 && self.blocks == 0
    }

    fn is_copy_from_stdin(&self) -> bool {
        self.head == Head::Copy && self.stdin
    }

    fn parenthesis(&mut self, byte: u8) {
        self.parentheses = if byte == b'(' {
            self.parentheses + 1
        } else {
            self.parentheses.saturating_sub(1)
        };
    }

    fn word(&mut self, word: &[u8]) {
        self.words += 1;
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        match (self.head, self.words) {
            (_, 1) if is(b"create") => self.head = Head::Create,
            (_, 1) if is(b"copy") => self.head = Head::Copy,
            // CREATE [OR REPLACE] FUNCTION
            (Head::Create, 2..=4) if is(b"function") || is(b"procedure") => {
                self.head = Head::Routine;
            }
            _ => {}
        }
        if self.parentheses > 0 {
            return;
        }
        match self.head {
            Head::Routine if is(b"begin") || (self.blocks > 0 && is(b"case")) => self.blocks += 1,
            Head::Routine if is(b"end") => self.blocks = self.blocks.saturating_sub(1),
            Head::Copy => {
                self.stdin |= self.from && is(b"stdin");
                self.from = is(b"from");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(script: &str, expected: &[(usize, &str)]) {
        let pieces = split(script);
        let found: Vec<_> = pieces
            .iter()
            .filter(|piece| !piece.sql.is_empty())
            .map(|p| (p.line, p.sql))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(
            pieces.iter().map(|piece| piece.raw).collect::<String>(),
            script
        );
    }

    #[test]
    fn semicolons_end_statements() {
        check("", &[]);
        check("  \n-- only this\n", &[]);
        check("SELECT 1; SELECT 2", &[(1, "SELECT 1"), (1, "SELECT 2")]);
        check(
            "SELECT 1;;\n;SELECT 2;\n",
            &[(1, "SELECT 1"), (2, "SELECT 2")],
        );
    }

    #[test]
    fn lines_count_from_the_first_token() {
        check(
            "\n-- a; b\n/* c;\n /* d; */ */\nSELECT\n1;\nSELECT 2",
            &[(5, "SELECT\n1"), (7, "SELECT 2")],
        );
    }

    #[test]
    fn quotes_hide_semicolons() {
        check(
            "SELECT 'a;''b;', \"c;\"\"d;\"; x",
            &[(1, "SELECT 'a;''b;', \"c;\"\"d;\""), (1, "x")],
        );
        check(r"SELECT E'a\';b' ; x", &[(1, r"SELECT E'a\';b'"), (1, "x")]);
        check(r"SELECT 'a\'; x", &[(1, r"SELECT 'a\'"), (1, "x")]);
        check(
            "SELECT E'a'\n'b\\';c'; x",
            &[(1, "SELECT E'a'\n'b\\';c'"), (2, "x")],
        );
        check(r"SELECT some'a\'; x", &[(1, r"SELECT some'a\'"), (1, "x")]);
        check(
            "SELECT $$a;$b;$$ || $x$;$$;$y$;$x$; z",
            &[(1, "SELECT $$a;$b;$$ || $x$;$$;$y$;$x$"), (1, "z")],
        );
        check(
            "SELECT $1; SELECT a$b$; c$b$",
            &[(1, "SELECT $1"), (1, "SELECT a$b$"), (1, "c$b$")],
        );
    }

    #[test]
    fn an_open_quote_runs_to_the_end() {
        check("SELECT 'a; b", &[(1, "SELECT 'a; b")]);
        check("SELECT $$a; b", &[(1, "SELECT $$a; b")]);
        check("SELECT /* a; b", &[(1, "SELECT")]);
        check("SELECT 1 + $", &[(1, "SELECT 1 + $")]);
        check(r"SELECT E'\", &[(1, r"SELECT E'\")]);
    }

    #[test]
    fn parentheses_hide_semicolons() {
        check(
            "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b); x",
            &[
                (
                    1,
                    "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)",
                ),
                (1, "x"),
            ],
        );
    }

    #[test]
    fn atomic_bodies_stay_whole() {
        let function = "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 END;\n \
                        SELECT 2;\nEND";
        check(&format!("{function}; x"), &[(1, function), (4, "x")]);
        check(
            "BEGIN; SELECT 1; END; x",
            &[(1, "BEGIN"), (1, "SELECT 1"), (1, "END"), (1, "x")],
        );
    }

    #[test]
    fn copy_data_belongs_to_its_statement() {
        check(
            "COPY t (a) FROM stdin;\n1;2\n'\n\\.\nSELECT 1;",
            &[(1, "COPY t (a) FROM stdin"), (5, "SELECT 1")],
        );
        check(
            "COPY t TO stdout; SELECT 1",
            &[(1, "COPY t TO stdout"), (1, "SELECT 1")],
        );
    }

    #[test]
    fn lines_of_psql_stand_alone() {
        check(
            "\\connect shop\nSELECT 1;\n\\unrestrict x",
            &[
                (1, "\\connect shop"),
                (2, "SELECT 1"),
                (3, "\\unrestrict x"),
            ],
        );
    }

    /// Text made of the parts that matter to the splitter.
    fn script() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("'"),
            Just("\""),
            Just("$$"),
            Just("$a$"),
            Just("E'"),
            Just("\\"),
            Just("\\.\n"),
            Just("--"),
            Just("/*"),
            Just("*/"),
            Just(";"),
            Just("("),
            Just(")"),
            Just("\n"),
            Just(" "),
            Just("BEGIN "),
            Just("END "),
            Just("CASE "),
            Just("CREATE FUNCTION "),
            Just("COPY t FROM stdin"),
            Just("SELECT 1"),
            Just("é"),
            Just("$"),
            Just("1e"),
        ];
        proptest::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn nothing_is_lost(script in prop_oneof![script(), any::<String>()]) {
            let pieces = split(&script);
            prop_assert_eq!(pieces.iter().map(|piece| piece.raw).collect::<String>(), script.clone());
            for piece in &pieces {
                prop_assert!(piece.raw.contains(piece.sql));
                let before = piece.sql.as_ptr() as usize - script.as_ptr() as usize;
                prop_assert_eq!(piece.line, 1 + script[..before].matches('\n').count());
            }
        }
    }

    /// Counted rather than timed: each kind of opener, repeated, is passed over once.
    #[test]
    fn long_scripts_are_split_in_linear_time() {
        for part in [
            "$a",
            "/*",
            "'",
            "E'\n",
            "(",
            "$a$b",
            "COPY t FROM stdin;\n",
            "\\",
            "--\n",
            ";",
        ] {
            let script = part.repeat(400_000);
            let start = std::time::Instant::now();
            let pieces = split(&script);
            assert!(!pieces.is_empty());
            // quadratic time would be minutes; the bound only has to tell the two apart on a busy machine
            assert!(start.elapsed().as_secs() < 20, "{part:?}");
        }
    }
}

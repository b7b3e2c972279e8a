//! A query without its literals: strings, numbers and the values of SET become `?`, comments go.
//!
//! For queries that somebody else sent and that a screen shows. The server cuts long queries anywhere, so what is left
//! open at the end is a literal to its end, and no parser is asked. Absent here: shortening; and names, which stay.

/// Instead of a query that two sessions may read in two ways.
const HIDDEN: &str =
    "(query hidden: it has a backslash before a quote, which standard_conforming_strings decides)";

/// The query on one line, each literal a `?`.
pub(crate) fn masked(query: &str) -> String {
    let mut masker = Masker {
        rest: query,
        out: String::with_capacity(query.len()),
        words: 0,
        is_set: false,
        sets: false,
    };
    match masker.all() {
        Some(()) => lists(masker.out.trim()),
        None => HIDDEN.to_owned(),
    }
}

struct Masker<'a> {
    rest: &'a str,
    out: String,
    words: usize,
    /// The statement being read is a SET.
    is_set: bool,
    /// Behind `SET name =`, where a bare word is a value, too.
    sets: bool,
}

/// Where a quoted text ends.
#[derive(Clone, Copy)]
enum End {
    At(usize),
    /// The server cut it off.
    Open,
    /// Two sessions may see two ends.
    Ambiguous,
}

impl Masker<'_> {
    /// None where it cannot be told what is a literal.
    fn all(&mut self) -> Option<()> {
        while let Some(c) = self.rest.chars().next() {
            match c {
                c if c.is_whitespace() => self.blank(c.len_utf8()),
                '-' if self.rest.starts_with("--") => {
                    self.blank(self.rest.find('\n').unwrap_or(self.rest.len()));
                }
                '/' if self.rest.starts_with("/*") => self.blank(comment(self.rest)),
                '\'' => self.literal(0, plain(&self.rest[1..]))?,
                '"' => self.identifier(),
                '$' => self.dollar()?,
                '.' if self.number_follows() => self.number(),
                '0'..='9' => self.number(),
                c if is_word(c) => self.word()?,
                ';' => {
                    self.words = 0;
                    self.is_set = false;
                    self.sets = false;
                    self.keep(1);
                }
                '=' => {
                    self.sets |= self.is_set;
                    self.keep(1);
                }
                c => self.keep(c.len_utf8()),
            }
        }
        Some(())
    }

    fn keep(&mut self, bytes: usize) {
        let (head, rest) = self.rest.split_at(bytes);
        self.out.push_str(head);
        self.rest = rest;
    }

    fn blank(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
        if !self.out.ends_with(' ') {
            self.out.push(' ');
        }
    }

    fn drop_to(&mut self, bytes: usize) {
        self.out.push('?');
        self.rest = &self.rest[bytes..];
    }

    /// A quoted text: `prefix` bytes, the quote, and what was found behind it.
    fn literal(&mut self, prefix: usize, end: End) -> Option<()> {
        match end {
            End::At(length) => self.drop_to(prefix + 1 + length),
            End::Open => {
                self.out.push_str("?…");
                self.rest = "";
            }
            End::Ambiguous => return None,
        }
        Some(())
    }

    fn identifier(&mut self) {
        let end = self.rest[1..]
            .find('"')
            .map_or(self.rest.len(), |at| at + 2);
        if self.sets {
            return self.drop_to(end);
        }
        self.keep(end);
    }

    fn dollar(&mut self) -> Option<()> {
        let inner = &self.rest[1..];
        let length = inner
            .find(|c: char| !is_word(c) && !c.is_ascii_digit())
            .unwrap_or(inner.len());
        let tag = &inner[..length];
        if tag.starts_with(|c: char| c.is_ascii_digit()) {
            // a parameter
            self.keep(1 + length);
        } else if inner[length..].starts_with('$') {
            let quote = &self.rest[..length + 2];
            let end = self.rest[quote.len()..].find(quote);
            self.literal(
                0,
                end.map_or(End::Open, |at| End::At(at + 2 * quote.len() - 1)),
            )?;
        } else if length == inner.len() {
            self.literal(0, End::Open)?;
        } else {
            self.keep(1);
        }
        Some(())
    }

    fn number_follows(&self) -> bool {
        let digit = self.rest[1..].starts_with(|c: char| c.is_ascii_digit());
        digit && !self.out.ends_with(|c: char| is_word(c) || c == '"')
    }

    fn number(&mut self) {
        let mut before = ' ';
        let end = self.rest.find(|c: char| {
            let sign = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
            before = c;
            !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || sign)
        });
        self.drop_to(end.unwrap_or(self.rest.len()));
    }

    fn word(&mut self) -> Option<()> {
        let in_word = |c: char| is_word(c) || c.is_ascii_digit() || c == '$';
        let length = self.rest.find(|c| !in_word(c)).unwrap_or(self.rest.len());
        let (word, behind) = self.rest.split_at(length);
        let quoted = behind.strip_prefix('\'');
        match (word, quoted) {
            ("e" | "E", Some(text)) => return self.literal(1, escaped(text)),
            ("b" | "B" | "x" | "X" | "n" | "N", Some(text)) => return self.literal(1, plain(text)),
            ("u" | "U", None) if behind.starts_with("&'") => {
                return self.literal(2, plain(&behind[2..]));
            }
            _ => {}
        }
        let is_to = word.eq_ignore_ascii_case("to") && self.is_set;
        if self.words == 0 {
            self.is_set = word.eq_ignore_ascii_case("set");
        }
        self.words += 1;
        if self.sets {
            self.drop_to(length);
        } else {
            self.keep(length);
            self.sets = is_to;
        }
        Some(())
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

/// Behind the opening quote of a plain string: how far to behind its closing one.
fn plain(text: &str) -> End {
    let mut at = 0;
    while let Some(found) = text[at..].find('\'') {
        let quote = at + found;
        if text[..quote].ends_with('\\') {
            return End::Ambiguous;
        }
        if !text[quote + 1..].starts_with('\'') {
            return End::At(quote + 1);
        }
        at = quote + 2;
    }
    End::Open
}

/// The same for `E'…'`.
fn escaped(text: &str) -> End {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return End::At(at + 1),
            _ => at += 1,
        }
    }
    End::Open
}

/// The length of the comment at the front; comments nest.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// `?, ?, ?` says no more than `?, …`.
fn lists(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("?,") {
        out.push_str(&rest[..=at]);
        let mut behind = &rest[at + 1..];
        let mut more = 0;
        while let Some(next) = behind
            .strip_prefix(',')
            .map(str::trim_start)
            .and_then(|t| t.strip_prefix('?'))
        {
            behind = next;
            more += 1;
        }
        match more {
            0 => {}
            1 => out.push_str(", ?"),
            _ => out.push_str(", …"),
        }
        if more == 0 {
            out.push(',');
            behind = behind.strip_prefix(',').unwrap_or(behind);
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(query: &str, expected: &str) {
        assert_eq!(masked(query), expected, "{query}");
    }

    #[test]
    fn literals_of_every_kind_go() {
        check("SELECT 'it''s', 1.5e-3, .5, 0x1F, 1_000", "SELECT ?, …");
        check(
            "SELECT E'a\\'b' , B'01', x'ff', N'n', U&'d\\0061t'",
            "SELECT ? , ?, …",
        );
        check(
            "UPDATE t SET a = $$x'y$$, b=$tag$ $$ $tag$ WHERE id = $1",
            "UPDATE t SET a = ?, b=? WHERE id = $1",
        );
        check(
            "SELECT \"a1\".\"b 2\", t1.c2 FROM t1 WHERE x=-5",
            "SELECT \"a1\".\"b 2\", t1.c2 FROM t1 WHERE x=-?",
        );
        check(
            "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')",
            "INSERT INTO t (a, b) VALUES (?, ?), (?, ?)",
        );
        check(
            "SELECT * FROM t WHERE id IN (1,2,3,  4)",
            "SELECT * FROM t WHERE id IN (?, …)",
        );
        check("SELECT é1, a$1 FROM été", "SELECT é1, a$1 FROM été");
    }

    #[test]
    fn comments_may_say_anything() {
        check(
            "SELECT 1 /* user='eve' /* nested */ x */ -- tail\n + 2",
            "SELECT ? + ?",
        );
        check("SELECT 1 /* cut off", "SELECT ?");
    }

    #[test]
    fn what_the_server_cut_is_a_literal_to_its_end() {
        check("SELECT 'hunt", "SELECT ?…");
        check("SELECT E'hunt\\", "SELECT ?…");
        check("SELECT $body$ hunt", "SELECT ?…");
        check("SELECT $bo", "SELECT ?…");
        check("SELECT \"col", "SELECT \"col");
    }

    #[test]
    fn what_two_sessions_read_in_two_ways_is_hidden_whole() {
        check("SELECT 'it\\'s sesame' FROM t", HIDDEN);
        check("SELECT '\\' FROM t WHERE x = 'sesame'", HIDDEN);
    }

    #[test]
    fn values_of_set_are_literals_too() {
        check("SET app.token = sesame", "SET app.token = ?");
        check(
            "set local role to \"eve\"; SELECT name",
            "set local role to ?; SELECT name",
        );
        check("UPDATE t SET a = b", "UPDATE t SET a = b");
        check(
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        );
    }

    #[test]
    fn what_autovacuum_says_stays() {
        let said = "autovacuum: VACUUM public.item (to prevent wraparound)";
        check(said, said);
    }

    /// Counted rather than timed: quadratic time would be minutes, and the bound only has to tell the two apart.
    #[test]
    fn long_queries_are_masked_in_linear_time() {
        for part in [
            "a = 1, ",
            "SET x = y;",
            "'",
            "E'\\",
            "$a",
            "/*",
            "?, ",
            "\"",
            "to ",
        ] {
            let query = format!("SET {}", part.repeat(400_000));
            let start = std::time::Instant::now();
            assert!(!masked(&query).is_empty());
            assert!(start.elapsed().as_secs() < 20, "{part:?}");
        }
    }

    fn part() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            Just("'"),
            Just("''"),
            Just("\\"),
            Just("E'"),
            Just("$$"),
            Just("$a$"),
            Just("\""),
            Just("--"),
            Just("\n"),
            Just("/*"),
            Just("*/"),
            Just("SELECT "),
            Just("SET x ="),
            Just("1"),
            Just("e-"),
            Just("é"),
            Just(", "),
            Just("?"),
        ]
    }

    proptest! {
        #[test]
        fn it_never_fails_and_no_secret_passes(
            before in proptest::collection::vec(part(), 0..20), after in proptest::collection::vec(part(), 0..20),
        ) {
            // a complete string behind anything that leaves no quote open
            let before: String = before.concat().replace(['\'', '"', '$', '\\'], " ").replace("--", " ").replace("/*", " ");
            let shown = masked(&format!("{before} 'sesame' {}", after.concat()));
            prop_assert!(!shown.contains("sesame"), "{}", shown);
        }
    }
}

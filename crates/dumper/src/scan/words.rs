//! The words of one statement.
//!
//! Absent: values. A string is a string, whatever is in it.

/// One word of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// A keyword or a name without quotes, in lower case as the server folds it.
    Bare(String),
    /// A name that was quoted.
    Quoted(String),
    /// A string of any kind, without what it says unless it is a plain one.
    Literal(Option<String>),
    /// One byte of anything else.
    Other(u8),
}

impl Word {
    /// Whether it is this keyword.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Bare(word) if word == keyword)
    }

    /// The name, quoted or not.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Bare(name) | Self::Quoted(name) => Some(name),
            Self::Literal(_) | Self::Other(_) => None,
        }
    }

    /// The name or the plain string.
    pub(crate) fn value(&self) -> Option<&str> {
        match self {
            Self::Literal(value) => value.as_deref(),
            other => other.name(),
        }
    }
}

/// The words of a statement, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Words<'a> {
    rest: &'a [u8],
}

/// The words of this statement.
pub(crate) fn words(statement: &[u8]) -> Words<'_> {
    Words { rest: statement }
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        self.skip_space();
        let (&first, _) = self.rest.split_first()?;
        Some(match first {
            b'"' => Word::Quoted(self.quoted(b'"')),
            b'\'' => Word::Literal(Some(self.quoted(b'\''))),
            b'$' => self.dollar(),
            _ if is_in_name(first) => self.bare(),
            _ => {
                self.rest = &self.rest[1..];
                Word::Other(first)
            }
        })
    }
}

impl Words<'_> {
    fn skip_space(&mut self) {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if self.rest.starts_with(b"--") {
                let end = memchr::memchr2(b'\n', b'\r', self.rest);
                self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
            } else if self.rest.starts_with(b"/*") {
                self.rest = &self.rest[block_comment(self.rest)..];
            } else {
                return;
            }
        }
    }

    /// From one quote to the other; a doubled one stands for itself.
    fn quoted(&mut self, quote: u8) -> String {
        let mut text = Vec::new();
        let mut rest = &self.rest[1..];
        loop {
            let end = memchr::memchr(quote, rest).unwrap_or(rest.len());
            text.extend_from_slice(&rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
            if rest.first() != Some(&quote) {
                break;
            }
            text.push(quote);
            rest = &rest[1..];
        }
        self.rest = rest;
        String::from_utf8_lossy(&text).into_owned()
    }

    fn bare(&mut self) -> Word {
        let end = self.rest.iter().position(|&byte| !is_in_name(byte));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        match (word, rest.first()) {
            (b"e" | b"E", Some(b'\'')) => self.escaped(),
            (b"b" | b"B" | b"x" | b"X" | b"n" | b"N", Some(b'\'')) => {
                self.quoted(b'\'');
                Word::Literal(None)
            }
            (b"u" | b"U", Some(b'&')) if matches!(rest.get(1), Some(b'\'' | b'"')) => {
                let quote = rest[1];
                self.rest = &rest[1..];
                let text = self.quoted(quote);
                if quote == b'"' {
                    Word::Quoted(text)
                } else {
                    Word::Literal(None)
                }
            }
            _ => Word::Bare(String::from_utf8_lossy(word).to_ascii_lowercase()),
        }
    }

    fn escaped(&mut self) -> Word {
        let mut at = 1;
        while let Some(next) = memchr::memchr2(b'\'', b'\\', self.rest.get(at..).unwrap_or(b"")) {
            at += next + 1;
            if self.rest[at - 1] == b'\\' || self.rest.get(at) == Some(&b'\'') {
                at += 1;
            } else {
                self.rest = &self.rest[at..];
                return Word::Literal(None);
            }
        }
        self.rest = b"";
        Word::Literal(None)
    }

    fn dollar(&mut self) -> Word {
        let tag = self.rest[1..].iter().position(|&byte| byte == b'$');
        let tag = tag.map(|end| &self.rest[..end + 2]);
        let Some(tag) = tag.filter(|tag| is_tag(&tag[1..tag.len() - 1])) else {
            self.rest = &self.rest[1..];
            return Word::Other(b'$');
        };
        let body = &self.rest[tag.len()..];
        let end = memchr::memmem::find(body, tag).map(|end| end + tag.len());
        self.rest = &body[end.unwrap_or(body.len())..];
        Word::Literal(None)
    }
}

fn is_tag(tag: &[u8]) -> bool {
    tag.iter().all(|&byte| is_in_name(byte)) && !tag.first().is_some_and(u8::is_ascii_digit)
}

/// Its length.
fn block_comment(text: &[u8]) -> usize {
    let (mut at, mut depth) = (2, 1_u32);
    while depth > 0 {
        let Some(next) = memchr::memchr2(b'*', b'/', text.get(at..).unwrap_or(b"")) else {
            return text.len();
        };
        at += next;
        match &text[at..(at + 2).min(text.len())] {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    at
}

fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(statement: &str, expected: &[&str]) {
        let found: Vec<_> = words(statement.as_bytes())
            .map(|word| match word {
                Word::Bare(word) => word,
                Word::Quoted(name) => format!("\"{name}\""),
                Word::Literal(Some(value)) => format!("'{value}'"),
                Word::Literal(None) => "''".to_owned(),
                Word::Other(byte) => char::from(byte).to_string(),
            })
            .collect();
        assert_eq!(found, expected, "{statement}");
    }

    #[test]
    fn words_of_statements() {
        check("", &[]);
        check(
            "GRANT ALL ON s.\"T \"\"x\"\"\" TO a;",
            &[
                "grant",
                "all",
                "on",
                "s",
                ".",
                "\"T \"x\"\"",
                "to",
                "a",
                ";",
            ],
        );
        check(
            "SET x = 'it''s' -- 'no\n, E'\\'' \"a",
            &["set", "x", "=", "'it's'", ",", "''", "\"a\""],
        );
        check("/* a /* b */ c */ SELECT/**/1 /*", &["select", "1"]);
        check(
            "a $$ b $$ c $x$ $$ $x$ $1 $",
            &["a", "''", "c", "''", "$", "1", "$"],
        );
        check(
            "u&\"d\" U&'x' u & b'1' e'\\",
            &["\"d\"", "''", "u", "&", "''", "''"],
        );
    }
}

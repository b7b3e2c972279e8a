//! A statement, word by word.
//!
//! Absent: grammar. Numbers, operators and literals are told apart only as far as nobody takes them for a name.

use std::borrow::Cow;

use crate::scan::TableName;

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// An unquoted name or a key word, as written.
    Plain(&'a str),
    /// A quoted name, without its quotes.
    Quoted(Cow<'a, str>),
    /// A string of any sort.
    Literal(&'a str),
    /// Anything else, one character at a time.
    Symbol(char),
}

/// The words that are left of a statement.
#[derive(Debug, Clone)]
pub(super) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub(super) fn of(statement: &'a str) -> Self {
        Self { rest: statement }
    }

    /// Takes these key words if they come next, all of them or none.
    pub(super) fn eat(&mut self, keywords: &str) -> bool {
        let mut ahead = self.clone();
        for keyword in keywords.split(' ') {
            match ahead.next() {
                Some(Word::Plain(word)) if word.eq_ignore_ascii_case(keyword) => {}
                _ => return false,
            }
        }
        *self = ahead;
        true
    }

    /// Takes the symbol if it comes next.
    pub(super) fn eat_symbol(&mut self, symbol: char) -> bool {
        let mut ahead = self.clone();
        let there = ahead.next() == Some(Word::Symbol(symbol));
        if there {
            *self = ahead;
        }
        there
    }

    /// A name, folded as PostgreSQL folds it.
    pub(super) fn name(&mut self) -> Option<String> {
        match self.next()? {
            Word::Plain(word) => Some(word.to_ascii_lowercase()),
            Word::Quoted(word) => Some(word.into_owned()),
            _ => None,
        }
    }

    /// `schema.name`; a name without its schema is nobody's.
    pub(super) fn table(&mut self) -> Option<TableName> {
        let schema = self.name()?;
        if !self.eat_symbol('.') {
            return None;
        }
        let name = self.name()?;
        Some(TableName { schema, name })
    }

    /// Goes on behind these key words, wherever they come outside parentheses.
    pub(super) fn seek(&mut self, keywords: &str) -> bool {
        let mut depth = 0_u32;
        loop {
            if depth == 0 && self.eat(keywords) {
                return true;
            }
            match self.next() {
                None => return false,
                Some(Word::Symbol('(' | '[')) => depth += 1,
                Some(Word::Symbol(')' | ']')) => depth = depth.saturating_sub(1),
                Some(_) => {}
            }
        }
    }

    /// The words that are left, each as it is written, with nothing but a space between.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if let Some(comment) = self.rest.strip_prefix("--") {
                self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
            } else if self.rest.starts_with("/*") {
                self.rest = after_comment(self.rest);
            } else {
                return;
            }
        }
    }

    fn cut(&mut self, length: usize) -> &'a str {
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        word
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        self.skip_blank();
        let first = self.rest.chars().next()?;
        Some(match first {
            '"' => {
                let quoted = self.cut(end_of_quoted(self.rest, b'"'));
                Word::Quoted(unquoted(quoted))
            }
            '\'' => Word::Literal(self.cut(end_of_quoted(self.rest, b'\''))),
            '$' => match end_of_dollar_quoted(self.rest) {
                Some(end) => Word::Literal(self.cut(end)),
                None => {
                    self.cut(1);
                    Word::Symbol('$')
                }
            },
            first if is_name(first) => {
                let end = self.rest.find(|c| !is_name(c) && c != '$');
                let word = self.cut(end.unwrap_or(self.rest.len()));
                if self.rest.starts_with('\'') && matches!(word, "E" | "e") {
                    return Some(Word::Literal(self.cut(end_of_escaped(self.rest))));
                }
                Word::Plain(word)
            }
            symbol => {
                self.cut(symbol.len_utf8());
                Word::Symbol(symbol)
            }
        })
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// Behind the quote that closes, where two in a row are one of the text.
fn end_of_quoted(text: &str, quote: u8) -> usize {
    let mut at = 1;
    while let Some(found) = memchr::memchr(quote, &text.as_bytes()[at..]) {
        at += found + 1;
        if text.as_bytes().get(at) != Some(&quote) {
            return at;
        }
        at += 1;
    }
    text.len()
}

/// Behind the quote that closes a string in which a backslash takes the next character along.
fn end_of_escaped(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'\\', _) | (b'\'', Some(b'\'')) => at += 2,
            (b'\'', _) => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn end_of_dollar_quoted(text: &str) -> Option<usize> {
    let tag = text[1..].find('$')? + 2;
    let (tag, body) = text.split_at(tag);
    let inner = &tag[1..tag.len() - 1];
    if inner.starts_with(|c: char| c.is_ascii_digit()) || !inner.chars().all(is_name) {
        return None;
    }
    Some(
        body.find(tag)
            .map_or(text.len(), |at| tag.len() + at + tag.len()),
    )
}

fn unquoted(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.strip_prefix('"').unwrap_or(quoted);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    match inner.contains('"') {
        true => Cow::Owned(inner.replace("\"\"", "\"")),
        false => Cow::Borrowed(inner),
    }
}

fn after_comment(text: &str) -> &str {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_u32);
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return &text[at..];
                }
            }
            _ => at += 1,
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(statement: &str) -> String {
        let words = Words::of(statement).map(|word| match word {
            Word::Plain(word) => word.to_owned(),
            Word::Quoted(name) => format!("<{name}>"),
            Word::Literal(text) => format!("[{text}]"),
            Word::Symbol(symbol) => symbol.to_string(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn words_are_told_apart() {
        let cases = [
            ("ALTER  TABLE\n ONLY s.t", "ALTER TABLE ONLY s . t"),
            ("\"a\"\"b\".\"ü\"", "<a\"b> . <ü>"),
            ("-- x\n/* a /* b */ c */ SET x='it''s'", "SET x = ['it''s']"),
            ("E'a\\'b' 'c\\' d", "[E'a\\'b'] ['c\\'] d"),
            (
                "$$a;b$$ $f$x$$y$f$ $1 a$b",
                "[$$a;b$$] [$f$x$$y$f$] $ 1 a$b",
            ),
            ("naïve \"open", "naïve <open>"),
        ];
        for (statement, words) in cases {
            let expected = words.replace("[E'", "['");
            assert_eq!(
                shown(statement).replace("[E'", "['"),
                expected,
                "{statement}"
            );
        }
    }

    #[test]
    fn keywords_come_all_or_none() {
        let mut words = Words::of("alter table only \"S\".T add constraint");
        assert!(!words.eat("ALTER INDEX"));
        assert!(words.eat("ALTER TABLE"));
        assert!(words.eat("ONLY"));
        let table = words.table().unwrap();
        assert_eq!((table.schema.as_str(), table.name.as_str()), ("S", "t"));
        assert!(words.eat("ADD CONSTRAINT"));
        assert_eq!(words.next(), None);
        assert_eq!(Words::of("t").table(), None);
        assert!(!Words::of("\"SET\" x").eat("SET"));
    }

    #[test]
    fn what_stands_in_parentheses_is_passed_over() {
        let mut words = Words::of("CHECK ((a REFERENCES b)) 'REFERENCES' REFERENCES s.t(id)");
        assert!(words.seek("REFERENCES"));
        assert_eq!(words.table().unwrap().name, "t");
        assert!(!words.seek("REFERENCES"));
    }
}

//! The tokens of most statements, read in a third of the time that sqlparser's tokenizer takes: words, names in double
//! quotes, plain and dollar-quoted strings, numbers and single symbols, by the rules of PostgreSQL's `scan.l`.
//!
//! Absent: everything else (operators of several characters, strings with a prefix, parameters), which is sqlparser's
//! own; where a token stands; and keywords, which [`with_keywords`] adds for sqlparser's parser.

use sqlparser::ast::DollarQuotedString;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

/// Without blanks and comments; `None` where there is something that is no token.
pub(super) fn tokenised(sql: &str) -> Option<Vec<TokenWithSpan>> {
    quick(sql).or_else(|| thorough(sql))
}

fn thorough(sql: &str) -> Option<Vec<TokenWithSpan>> {
    let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
        .tokenize_with_location()
        .ok()?;
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
    Some(tokens)
}

/// As sqlparser's parser needs them.
pub(super) fn with_keywords(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let with_keyword = |token: &TokenWithSpan| match &token.token {
        Token::Word(word) if word.quote_style.is_none() => {
            TokenWithSpan::wrap(Token::make_word(&word.value, None))
        }
        _ => token.clone(),
    };
    tokens.iter().map(with_keyword).collect()
}

fn quick(sql: &str) -> Option<Vec<TokenWithSpan>> {
    let mut reader = Reader { sql, at: 0 };
    let mut tokens = Vec::with_capacity(sql.len() / 5 + 4);
    while reader.skip_blank()? {
        tokens.push(TokenWithSpan::wrap(reader.token()?));
    }
    Some(tokens)
}

struct Reader<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn byte(&self, ahead: usize) -> Option<u8> {
        self.sql.as_bytes().get(self.at + ahead).copied()
    }

    /// The bytes from here on for which it is true, moved over. Ends between characters where `is` tells no two bytes
    /// beyond ASCII apart.
    fn take(&mut self, is: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.sql[self.at..];
        let length = rest.bytes().position(|byte| !is(byte));
        let taken = &rest[..length.unwrap_or(rest.len())];
        self.at += taken.len();
        taken
    }

    /// False at the end.
    fn skip_blank(&mut self) -> Option<bool> {
        loop {
            self.take(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0c'));
            match (self.byte(0), self.byte(1)) {
                (None, _) => return Some(false),
                (Some(b'-'), Some(b'-')) => drop(self.take(|byte| !matches!(byte, b'\n' | b'\r'))),
                (Some(b'/'), Some(b'*')) => return None,
                _ => return Some(true),
            }
        }
    }

    fn token(&mut self) -> Option<Token> {
        match self.byte(0)? {
            b'"' => self.name(),
            b'\'' => self.string(),
            b'$' => self.dollar_quoted(),
            byte if is_word_start(byte) => self.word(),
            byte if byte.is_ascii_digit() => self.number(),
            byte => self.symbol(byte),
        }
    }

    fn word(&mut self) -> Option<Token> {
        let value = self.take(is_word);
        // E'…', B'…', U&"…" and their like; b"…" is two tokens here, and one to sqlparser
        let is_prefix = value.len() == 1 && matches!(self.byte(0), Some(b'\'' | b'&' | b'"'));
        (!is_prefix).then(|| {
            Token::Word(Word {
                value: value.to_owned(),
                quote_style: None,
                keyword: Keyword::NoKeyword,
            })
        })
    }

    fn name(&mut self) -> Option<Token> {
        let value = self.quoted(b'"')?;
        Some(Token::Word(Word {
            value,
            quote_style: Some('"'),
            keyword: Keyword::NoKeyword,
        }))
    }

    fn string(&mut self) -> Option<Token> {
        self.quoted(b'\'').map(Token::SingleQuotedString)
    }

    /// What stands between quotes; a doubled one stands for itself.
    fn quoted(&mut self, quote: u8) -> Option<String> {
        let mut value = String::new();
        loop {
            self.at += 1;
            value.push_str(self.take(|byte| byte != quote));
            self.byte(0)?;
            self.at += 1;
            if self.byte(0) != Some(quote) {
                return Some(value);
            }
            value.push(char::from(quote));
        }
    }

    fn dollar_quoted(&mut self) -> Option<Token> {
        self.at += 1;
        let tag = self.take(|byte| is_word(byte) && byte != b'$');
        if self.byte(0) != Some(b'$') || tag.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            return None;
        }
        let begin = self.at + 1;
        let delimiter = &self.sql[begin - tag.len() - 2..begin];
        let length = self.sql[begin..].find(delimiter)?;
        self.at = begin + length + delimiter.len();
        Some(Token::DollarQuotedString(DollarQuotedString {
            value: self.sql[begin..begin + length].to_owned(),
            tag: (!tag.is_empty()).then(|| tag.to_owned()),
        }))
    }

    fn number(&mut self) -> Option<Token> {
        let begin = self.at;
        self.take(|byte| byte.is_ascii_digit());
        if self.byte(0) == Some(b'.') {
            self.at += 1;
            self.take(|byte| byte.is_ascii_digit());
        }
        let is_whole = !self
            .byte(0)
            .is_some_and(|byte| is_word(byte) || byte == b'.');
        is_whole.then(|| Token::Number(self.sql[begin..self.at].to_owned(), false))
    }

    fn symbol(&mut self, byte: u8) -> Option<Token> {
        self.at += 1;
        let next = self.byte(0);
        let token = match byte {
            b'(' => Token::LParen,
            b')' => Token::RParen,
            b',' => Token::Comma,
            b';' => Token::SemiColon,
            b'[' => Token::LBracket,
            b']' => Token::RBracket,
            b'.' if !next.is_some_and(|next| next == b'.' || next.is_ascii_digit()) => {
                Token::Period
            }
            b':' if next == Some(b':') => {
                self.at += 1;
                Token::DoubleColon
            }
            _ if next.is_some_and(is_operator) => return None,
            b'=' => Token::Eq,
            b'*' => Token::Mul,
            b'+' => Token::Plus,
            b'-' => Token::Minus,
            b'<' => Token::Lt,
            b'>' => Token::Gt,
            _ => return None,
        };
        Some(token)
    }
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// Of scan.l's `op_chars`, and what sqlparser joins with one of them.
fn is_operator(byte: u8) -> bool {
    b"~!@#^&|`?+-*/%<>=:".contains(&byte)
}

/// # Panics
/// Where the quick way reads other tokens than sqlparser does.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn check_tokens(sql: &str) {
    // sqlparser takes some white space beyond ASCII for blanks, which PostgreSQL takes for letters
    if let (true, Some(quick)) = (sql.is_ascii(), quick(sql)) {
        let only = |tokens: Vec<TokenWithSpan>| -> Vec<Token> {
            tokens.into_iter().map(|token| token.token).collect()
        };
        // it refuses some of what a server reads, such as a name with an underscore behind a point that begins a statement
        if let Some(thorough) = thorough(sql) {
            assert_eq!(only(with_keywords(&quick)), only(thorough), "{sql:?}");
        }
    }
}

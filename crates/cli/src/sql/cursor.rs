//! Walks over the tokens of one statement. It compares words as PostgreSQL does: keywords and unquoted names in any
//! case, quoted names exactly.

use super::Relation;
use super::action::Descendants;
use super::tokens::tokenised;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The tokens of a statement without blanks and comments; `None` where it cannot be tokenised, or where parentheses are
/// left open: no statement is like that, and to look for their ends again and again would take quadratic time.
pub(super) fn tokens(sql: &str) -> Option<Vec<TokenWithSpan>> {
    let tokens = tokenised(sql)?;
    is_balanced(&tokens).then_some(tokens)
}

fn is_balanced(tokens: &[TokenWithSpan]) -> bool {
    let mut depth = 0_usize;
    for token in tokens {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return false,
            Token::RParen => depth -= 1,
            _ => {}
        }
    }
    depth == 0
}

#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [TokenWithSpan],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [TokenWithSpan]) -> Self {
        Self { rest: tokens }
    }

    pub(super) fn rest(&self) -> &'a [TokenWithSpan] {
        self.rest
    }

    pub(super) fn is_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// `Some` at the end of the tokens: what was read is all there is.
    pub(super) fn end(&self) -> Option<()> {
        self.is_end().then_some(())
    }

    fn token(&self, ahead: usize) -> Option<&'a Token> {
        self.rest.get(ahead).map(|token| &token.token)
    }

    pub(super) fn advance_one(&mut self) {
        self.advance(1);
    }

    fn advance(&mut self, count: usize) {
        self.rest = &self.rest[count.min(self.rest.len())..];
    }

    /// Leaves nothing: the rest says nothing that matters here.
    pub(super) fn skip_rest(&mut self) {
        self.rest = &[];
    }

    /// The next token is this unquoted word.
    pub(super) fn at(&self, word: &str) -> bool {
        self.rest
            .first()
            .is_some_and(|token| is_word(&token.token, word))
    }

    /// The next tokens are these unquoted words, parted by single spaces.
    pub(super) fn at_all(&self, words: &str) -> bool {
        // most that is asked for is not there: the first letter tells
        let first = |text: &str| text.as_bytes().first().map(u8::to_ascii_uppercase);
        match self.token(0) {
            Some(Token::Word(word)) if first(&word.value) == first(words) => {}
            _ => return false,
        }
        words
            .split(' ')
            .enumerate()
            .all(|(ahead, word)| self.token(ahead).is_some_and(|token| is_word(token, word)))
    }

    /// Moves behind the words if they are next.
    pub(super) fn take(&mut self, words: &str) -> bool {
        let found = self.at_all(words);
        if found {
            self.advance(words.split(' ').count());
        }
        found
    }

    pub(super) fn expect(&mut self, words: &str) -> Option<()> {
        self.take(words).then_some(())
    }

    /// A query or a statement that writes rows begins here, perhaps in parentheses.
    pub(super) fn at_query(&self) -> bool {
        const FIRST: [&str; 8] = [
            "SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "MERGE",
        ];
        let inside = self.rest.iter().find(|token| token.token != Token::LParen);
        inside.is_some_and(|token| FIRST.iter().any(|word| is_word(&token.token, word)))
    }

    /// The first of `choices` that is next.
    pub(super) fn take_any(&mut self, choices: &[&'static str]) -> Option<&'static str> {
        choices.iter().find(|words| self.take(words)).copied()
    }

    pub(super) fn is_symbol(&self, symbol: &Token) -> bool {
        self.token(0) == Some(symbol)
    }

    pub(super) fn take_symbol(&mut self, symbol: &Token) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance(1);
        }
        found
    }

    /// Any word, or a quoted name, as the catalog would have it.
    pub(super) fn name(&mut self) -> Option<String> {
        let name = name_of(self.token(0)?)?;
        self.advance(1);
        Some(name)
    }

    /// `name`, `schema.name` or `database.schema.name`.
    pub(super) fn relation(&mut self) -> Option<Relation> {
        Some(relation_of(self.dotted()?))
    }

    /// `relation.column`
    pub(super) fn column_of(&mut self) -> Option<(Relation, String)> {
        let mut parts = self.dotted()?;
        let column = parts.pop()?;
        (!parts.is_empty()).then(|| (relation_of(parts), column))
    }

    /// The relation of `relation.column`.
    pub(super) fn column_owner(&mut self) -> Option<Relation> {
        self.column_of().map(|(relation, _)| relation)
    }

    fn dotted(&mut self) -> Option<Vec<String>> {
        let mut parts = vec![self.name()?];
        while self.take_symbol(&Token::Period) {
            parts.push(self.name()?);
        }
        Some(parts)
    }

    /// `[ONLY] name [*]` or `ONLY (name)`, as FROM and ALTER TABLE take it.
    pub(super) fn table(&mut self) -> Option<Relation> {
        if self.take("ONLY")
            && let Some(mut inside) = self.parenthesised()
        {
            let table = inside.relation()?;
            return inside.end().map(|()| table);
        }
        let table = self.relation()?;
        self.take_symbol(&Token::Mul);
        Some(table)
    }

    /// [`Cursor::table`], and whether ONLY was said.
    pub(super) fn extent(&mut self) -> Option<(Relation, Descendants)> {
        let extent = match self.at("ONLY") {
            true => Descendants::Left,
            false => Descendants::Included,
        };
        Some((self.table()?, extent))
    }

    /// `a, b, c` read by `item`.
    pub(super) fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.take_symbol(&Token::Comma) {
            items.push(item(self)?);
        }
        Some(items)
    }

    /// What stands in the parentheses that begin here.
    pub(super) fn parenthesised(&mut self) -> Option<Cursor<'a>> {
        if self.token(0)? != &Token::LParen {
            return None;
        }
        let mut depth = 0_usize;
        for (index, token) in self.rest.iter().enumerate() {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inside = Cursor::new(&self.rest[1..index]);
                self.advance(index + 1);
                return Some(inside);
            }
        }
        None
    }

    /// Everything up to a token outside parentheses for which `stop` is true.
    pub(super) fn until(&mut self, mut stop: impl FnMut(&Cursor<'a>) -> bool) -> Cursor<'a> {
        let all = self.rest;
        while !self.is_end() && !stop(self) {
            if self.parenthesised().is_none() {
                self.advance(1);
            }
        }
        Cursor::new(&all[..all.len() - self.rest.len()])
    }

    /// Among options in parentheses, `name`, `name true` and their like: it is said, and switched on.
    pub(super) fn has_option(self, name: &str) -> bool {
        self.comma_parts().into_iter().any(|mut option| {
            let off = ["false", "off", "0"];
            option.take(name)
                && !off.contains(
                    &option
                        .text()
                        .trim_matches('\'')
                        .to_ascii_lowercase()
                        .as_str(),
                )
        })
    }

    /// The parts between commas outside parentheses.
    pub(super) fn comma_parts(mut self) -> Vec<Cursor<'a>> {
        let mut parts = Vec::new();
        loop {
            parts.push(self.until(|cursor| cursor.token(0) == Some(&Token::Comma)));
            if !self.take_symbol(&Token::Comma) {
                return parts;
            }
        }
    }

    /// Functions that are called here, in lower case: names before a parenthesis, type modifiers left out.
    pub(super) fn calls(&self) -> Vec<String> {
        let mut calls = Vec::new();
        for (index, token) in self.rest.iter().enumerate() {
            let called = self.token(index + 1) == Some(&Token::LParen);
            let is_type = index > 0
                && (self.rest[index - 1].token == Token::DoubleColon
                    || is_word(&self.rest[index - 1].token, "AS"));
            if let (true, false, Some(name)) = (called, is_type, name_of(&token.token)) {
                calls.push(name);
            }
        }
        calls
    }

    /// Words and quoted names as the catalog would have them, those that are called left out: what may be a column.
    pub(super) fn names(&self) -> Vec<String> {
        let called = |index: usize| self.token(index + 1) == Some(&Token::LParen);
        let names = self.rest.iter().enumerate();
        names
            .filter(|(index, _)| !called(*index))
            .filter_map(|(_, token)| name_of(&token.token))
            .collect()
    }

    /// The relations that `function('…')` names, with and without a cast.
    pub(super) fn named_by(&self, function: &str) -> Vec<Relation> {
        let mut found = Vec::new();
        for (index, token) in self.rest.iter().enumerate() {
            let is_call = name_of(&token.token).is_some_and(|name| name == function)
                && self.token(index + 1) == Some(&Token::LParen);
            if let (true, Some(Token::SingleQuotedString(name))) = (is_call, self.token(index + 2))
            {
                found.extend(relation_named(name));
            }
        }
        found
    }

    /// Unquoted words and names, in order; strings and symbols left out.
    pub(super) fn words(&self) -> impl Iterator<Item = String> + 'a {
        self.rest.iter().filter_map(|token| match &token.token {
            Token::Word(word) if word.quote_style.is_none() => {
                Some(word.value.to_ascii_lowercase())
            }
            _ => None,
        })
    }

    /// The text of a dollar-quoted or plain string that is next.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        let text = match self.token(0)? {
            Token::DollarQuotedString(string) => &string.value,
            Token::SingleQuotedString(string) | Token::EscapedStringLiteral(string) => string,
            _ => return None,
        };
        self.advance(1);
        Some(text)
    }

    /// The tokens as text: lower case, no spaces around punctuation.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for token in self.rest {
            let piece = token.token.to_string();
            let joins = |c: char| c.is_alphanumeric() || c == '"' || c == '_';
            if text.ends_with(|c: char| joins(c) || c == ')') && piece.starts_with(joins) {
                text.push(' ');
            }
            text.push_str(&if name_is_quoted(&token.token) {
                piece
            } else {
                piece.to_lowercase()
            });
        }
        text
    }
}

/// The relation that a string names, as regclass reads it.
pub(super) fn relation_named(text: &str) -> Option<Relation> {
    let tokens = tokens(text)?;
    let mut cursor = Cursor::new(&tokens);
    let relation = cursor.relation()?;
    cursor.end().map(|()| relation)
}

/// A name from its parts, the database left out.
pub(super) fn relation_of(mut parts: Vec<String>) -> Relation {
    let name = parts.pop().unwrap_or_default();
    match parts.pop() {
        Some(schema) => Relation::new(schema, name),
        None => Relation::unqualified(name),
    }
}

fn is_word(token: &Token, expected: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected))
}

fn name_is_quoted(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_some())
}

fn name_of(token: &Token) -> Option<String> {
    match token {
        Token::Word(word) if word.quote_style.is_some() => Some(word.value.clone()),
        // only ASCII is folded in a database with a multi-byte encoding
        Token::Word(word) => Some(word.value.to_ascii_lowercase()),
        _ => None,
    }
}

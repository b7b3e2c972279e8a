//! What sqlparser does not know of PostgreSQL's queries, said so that it does: the same tables, the same functions, with
//! WHERE or without. For queries that it refused; what it takes stays as it is.
//!
//! Absent: anything that the rewriting would change in what the query touches.

use crate::sql::cursor::Cursor;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The same query in the words that sqlparser knows.
pub(super) fn plainer(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut plain = Vec::with_capacity(tokens.len());
    let mut cursor = Cursor::new(tokens);
    let mut before = None;
    while let Some(token) = cursor.rest().first() {
        let written = rewritten(&mut cursor, before);
        match written {
            Some(words) => plain.extend(words.iter().map(|word| TokenWithSpan::wrap(word.clone()))),
            None => {
                plain.push(token.clone());
                cursor.advance_one();
            }
        }
        before = Some(&token.token);
    }
    plain
}

/// Moves behind what is said in other words, and says them; `None` where there is nothing of the kind.
fn rewritten(cursor: &mut Cursor<'_>, before: Option<&Token>) -> Option<Vec<Token>> {
    let word = Token::make_keyword;
    let is_before = |name: &str| matches!(before, Some(Token::Word(word)) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(name));
    // a reserved word, but for FETCH FIRST 5 ROWS ONLY
    if cursor.at("ONLY") && !is_before("ROW") && !is_before("ROWS") {
        cursor.advance_one();
        let table = cursor
            .parenthesised()
            .map(|inside| inside.rest().iter().map(|it| it.token.clone()));
        return Some(table.into_iter().flatten().collect());
    }
    if cursor.take("TABLE") {
        return Some(vec![word("SELECT"), Token::Mul, word("FROM")]);
    }
    if cursor.take("FOR NO KEY UPDATE") {
        return Some(vec![word("FOR"), word("UPDATE")]);
    }
    if cursor.take("FOR KEY SHARE") {
        return Some(vec![word("FOR"), word("SHARE")]);
    }
    if cursor
        .take_any(&[
            "OVERRIDING SYSTEM VALUE",
            "OVERRIDING USER VALUE",
            "CURRENT OF",
            "VARIADIC",
        ])
        .is_some()
    {
        return Some(Vec::new());
    }
    // of MERGE; INSERT INTO t DEFAULT VALUES is known
    if is_before("INSERT") && cursor.take("DEFAULT VALUES") {
        return Some(vec![
            word("VALUES"),
            Token::LParen,
            word("DEFAULT"),
            Token::RParen,
        ]);
    }
    if is_before("CONFLICT") && cursor.parenthesised().is_some() {
        cursor.until(|cursor| cursor.at("DO"));
        return Some(Vec::new());
    }
    // a[1] on the left side of SET; ARRAY[1] is a value
    if cursor.is_symbol(&Token::LBracket)
        && matches!(before, Some(Token::Word(_)))
        && !is_before("ARRAY")
    {
        let inside = cursor.until(|cursor| cursor.is_symbol(&Token::RBracket));
        let is_plain = inside.calls().is_empty() && !inside.words().any(|word| word == "select");
        return (is_plain && cursor.take_symbol(&Token::RBracket)).then(Vec::new);
    }
    None
}

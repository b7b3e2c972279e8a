//! Where words stand in a statement: what a reader is pointed at.
//!
//! Words are found outside of strings, quoted names and comments, by the lexer of `split`. Absent: what they mean.

use std::ops::Range;

use super::split::tokens;

/// Every place of the first of `phrases` that fits there, in order, none over another. In a phrase a word fits itself in
/// any case, `_` a name with its schema, `*` any one token.
pub(crate) fn phrases(sql: &str, phrases: &[&str]) -> Vec<Range<usize>> {
    let tokens = tokens(sql);
    let phrases: Vec<Vec<&str>> = phrases
        .iter()
        .map(|phrase| phrase.split(' ').collect())
        .collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let ends = phrases
            .iter()
            .find_map(|phrase| fits(sql, &tokens, at, phrase));
        match ends {
            Some(end) => {
                found.push(tokens[at].start..tokens[end - 1].end);
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

/// The words, strings and symbols of a statement: the same however it is laid out and commented.
pub(crate) fn words(sql: &str) -> Vec<&str> {
    tokens(sql).into_iter().map(|token| &sql[token]).collect()
}

/// The token behind the phrase that begins at `at`.
fn fits(sql: &str, tokens: &[Range<usize>], mut at: usize, phrase: &[&str]) -> Option<usize> {
    let text = |at: usize| tokens.get(at).map(|token| &sql[token.clone()]);
    for word in phrase {
        let found = text(at)?;
        match *word {
            "_" => {
                while text(at).is_some_and(is_name) && text(at + 1) == Some(".") {
                    at += 2;
                }
                text(at).filter(|last| is_name(last))?;
            }
            "*" => {}
            word if found.eq_ignore_ascii_case(word) => {}
            _ => return None,
        }
        at += 1;
    }
    Some(at)
}

/// Not one of the words that stand in the place of a name in ALTER TABLE and DROP.
fn is_name(token: &str) -> bool {
    const OTHERS: [&str; 9] = [
        "COLUMN",
        "CONSTRAINT",
        "DEFAULT",
        "EXPRESSION",
        "IDENTITY",
        "IF",
        "NOT",
        "ONLY",
        "TABLE",
    ];
    let begins = |c: char| c == '"' || c == '_' || c.is_alphabetic();
    token.starts_with(begins) && !OTHERS.iter().any(|word| token.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::{phrases, words};

    fn found<'a>(sql: &'a str, wanted: &[&str]) -> Vec<&'a str> {
        phrases(sql, wanted)
            .into_iter()
            .map(|at| &sql[at])
            .collect()
    }

    #[test]
    fn words_are_found_where_they_are_words() {
        let sql = "ALTER TABLE \"drop column x\" -- DROP COLUMN no\n drop  column \"a\"\"b\" CASCADE, DROP COLUMN public.c, \
                   ADD d text DEFAULT 'DROP COLUMN e'";
        let columns = found(sql, &["DROP COLUMN IF EXISTS _", "DROP COLUMN _"]);
        assert_eq!(columns, ["drop  column \"a\"\"b\"", "DROP COLUMN public.c"]);
        assert_eq!(found(sql, &["CASCADE"]), ["CASCADE"]);
        assert_eq!(found(sql, &["ADD _ *"]), ["ADD d text"]);
        assert_eq!(
            found("ALTER TABLE a DROP CONSTRAINT b, DROP c", &["DROP _"]),
            ["DROP c"]
        );
    }

    #[test]
    fn layout_and_comments_are_no_words() {
        let one = words("ALTER TABLE a\n  ADD b text /* why */ DEFAULT E'it''s  \\' so';");
        let same = words("ALTER TABLE a ADD b text\tDEFAULT E'it''s  \\' so' ; -- more");
        assert_eq!(one, same);
        assert_eq!(one[7..], ["E'it''s  \\' so'", ";"]);
        let other = words("ALTER TABLE a ADD b text DEFAULT E'it''s \\' so';");
        assert_ne!(one, other);
    }
}

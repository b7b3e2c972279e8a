//! `COPY … FROM stdin`, told from every other statement.
//!
//! Absent: columns, which the server knows.

use super::piece::TableName;
use super::words::{Word, words};

/// The table of a COPY whose rows follow in the dump; none where it is another statement.
pub(super) fn copy_from_stdin(statement: &[u8]) -> Option<Result<TableName, &'static str>> {
    if !begins_with(statement, b"copy") {
        return None;
    }
    let mut words = words(statement);
    if !words.next()?.is("copy") {
        return None;
    }
    let mut parts = vec![words.next()?.name()?.to_owned()];
    let mut word = words.next()?;
    while word == Word::Other(b'.') {
        parts.push(words.next()?.name()?.to_owned());
        word = words.next()?;
    }
    let mut depth = 0_u32;
    while depth > 0 || !word.is("from") {
        match word {
            Word::Other(b'(') => depth += 1,
            Word::Other(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        word = words.next()?;
    }
    if !words.next()?.is("stdin") {
        return None;
    }
    for word in words {
        if word.is("binary") {
            return Some(Err("COPY in binary format is not in lines"));
        }
        if word.is("csv") || word.is("header") {
            return Some(Err(
                "COPY in CSV format or with a header has rows that are no lines; pg_dump writes none",
            ));
        }
    }
    let name = parts.pop()?;
    let schema = parts.pop().unwrap_or_default();
    Some(Ok(TableName { schema, name }))
}

/// Whether the first word is this one, in any case.
pub(super) fn begins_with(statement: &[u8], word: &[u8]) -> bool {
    let (beginning, rest) = statement.split_at(word.len().min(statement.len()));
    beginning.eq_ignore_ascii_case(word)
        && !rest
            .first()
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(statement: &str, expected: Option<Result<&str, &str>>) {
        let found = copy_from_stdin(statement.as_bytes());
        let found = found.map(|table| table.map(|table| table.to_string()));
        let expected = expected.map(|table| table.map(str::to_owned).map_err(str::to_owned));
        let found = found.map(|table| table.map_err(str::to_owned));
        assert_eq!(found, expected, "{statement}");
    }

    #[test]
    fn copies_are_told_from_others() {
        check("COPY public.a (id, t) FROM stdin", Some(Ok("public.a")));
        check(
            "COPY public.nothing  FROM stdin",
            Some(Ok("public.nothing")),
        );
        check("copy a from STDIN", Some(Ok("a")));
        check("COPY\"A\"(\"from\")FROM/**/stdin", Some(Ok("A")));
        check(
            "COPY \"S 1\".\"a \"\"b\"\".c\" (x) FROM stdin",
            Some(Ok("S 1.a \"b\".c")),
        );
        check(
            "COPY a (header, csv) FROM stdin WITH NULL AS 'csv'",
            Some(Ok("a")),
        );
        for options in ["WITH (FORMAT csv)", "CSV", "WITH (HEADER true)"] {
            let refused = "COPY in CSV format or with a header has rows that are no lines; pg_dump writes none";
            check(&format!("COPY a FROM stdin {options}"), Some(Err(refused)));
        }
        check(
            "COPY a FROM stdin (FORMAT binary)",
            Some(Err("COPY in binary format is not in lines")),
        );
        check("COPY a TO stdout", None);
        check("COPY a FROM '/tmp/x'", None);
        check("COPY a FROM PROGRAM 'stdin'", None);
        check("COPY (SELECT a FROM stdin) TO stdout", None);
        check("COPY", None);
        check("copying a FROM stdin", None);
        check("SELECT 1", None);
    }
}

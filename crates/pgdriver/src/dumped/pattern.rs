//! Patterns of names as psql and pg_dump read them (`processSQLNamePattern` in `string_utils.c`): `*` and `?`, the rest a
//! regular expression, small letters outside of quotes, dots between database, schema and name.
//!
//! Absent: `$` as a variable's sign: it is literal, as there.

use super::oid;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const MATCHING: Sql = sql!(
    "look for tables by pattern",
    "dump_matching.sql",
    TEXT,
    TEXT
);

/// More than database, schema and name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("improper qualified name (too many dotted names): {0}")]
pub struct BadPattern(String);

/// The tables that a pattern names.
pub async fn matching(session: &Session, pattern: &str) -> Result<Vec<u32>, QueryError> {
    let Ok((schema, name)) = expressions(pattern) else {
        return Ok(Vec::new());
    };
    let rows = MATCHING.rows(session, &[&schema, &name]).await?;
    rows.iter().map(|row| oid(row, "oid")).collect()
}

/// A regular expression for the schema, if one was given, and one for the name.
fn expressions(pattern: &str) -> Result<(Option<String>, String), BadPattern> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        let part = parts.last_mut().expect("there is always one");
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '*' if !quoted => part.push_str(".*"),
            '?' if !quoted => part.push('.'),
            '.' if !quoted => parts.push(String::new()),
            '$' => part.push_str("\\$"),
            // no metacharacter inside quotes; outside, `[]` alone would be an error
            '[' if !quoted && letters.peek() == Some(&']') => part.push_str("\\["),
            _ if quoted && "|*+?()[]{}.^\\".contains(letter) => part.extend(['\\', letter]),
            _ if quoted => part.push(letter),
            _ => part.extend(letter.to_lowercase()),
        }
    }
    let anchored = |part: String| format!("^({part})$");
    let name = parts.pop().map(anchored).unwrap_or_default();
    let schema = parts.pop().map(anchored);
    match parts.len() {
        0 | 1 => Ok((schema, name)),
        _ => Err(BadPattern(pattern.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, schema: Option<&str>, name: &str) {
        let expected = (schema.map(str::to_owned), name.to_owned());
        assert_eq!(expressions(pattern), Ok(expected), "{pattern}");
    }

    #[test]
    fn patterns_are_those_of_psql() {
        check("Shop_*", None, "^(shop_.*)$");
        check("audit.log?", Some("^(audit)$"), "^(log.)$");
        check("db.audit.log", Some("^(audit)$"), "^(log)$");
        check("\"Odd.Name\"", None, "^(Odd\\.Name)$");
        check("\"a\"\"b\"", None, "^(a\"b)$");
        check("a|b", None, "^(a|b)$");
        check("x$1", None, "^(x\\$1)$");
        check("t[]", None, "^(t\\[])$");
        assert!(expressions("a.b.c.d").is_err());
    }
}

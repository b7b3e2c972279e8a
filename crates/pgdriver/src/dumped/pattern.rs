//! Patterns of names as psql and pg_dump read them (`processSQLNamePattern` in `string_utils.c`): `*` and `?`, the rest a
//! regular expression, small letters outside of quotes, dots between database, schema and name.
//!
//! Absent: `$` as a variable's sign: it is literal, as there.

use super::{oid, tentatively};
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const MATCHING: Sql = sql!(
    "look for tables by pattern",
    "dump_matching.sql",
    TEXT,
    TEXT
);

/// The tables that a pattern names, in the transaction of [`super::export_snapshot`]. One that is no pattern names none;
/// pg_dump refuses it.
pub async fn matching(session: &Session, pattern: &str) -> Result<Vec<u32>, QueryError> {
    let Some((schema, name)) = expressions(pattern) else {
        return Ok(Vec::new());
    };
    let rows = tentatively(session, MATCHING.rows(session, &[&schema, &name])).await?;
    rows.unwrap_or_default()
        .iter()
        .map(|row| oid(row, "oid"))
        .collect()
}

/// A regular expression for the schema, if one was given, and one for the name; none where there are more parts than
/// database, schema and name.
fn expressions(pattern: &str) -> Option<(Option<String>, String)> {
    let mut done: Vec<String> = Vec::new();
    let mut part = String::new();
    let mut quoted = false;
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                part.push('"');
            }
            '"' => quoted = !quoted,
            '*' if !quoted => part.push_str(".*"),
            '?' if !quoted => part.push('.'),
            '.' if !quoted => done.push(std::mem::take(&mut part)),
            '$' => part.push_str("\\$"),
            // no metacharacter inside quotes; outside, `[]` alone would be an error
            '[' if !quoted && letters.peek() == Some(&']') => part.push_str("\\["),
            _ if quoted && "|*+?()[]{}.^\\".contains(letter) => part.extend(['\\', letter]),
            _ if quoted => part.push(letter),
            _ => part.extend(letter.to_lowercase()),
        }
    }
    let anchored = |part: String| format!("^({part})$");
    let schema = done.pop().map(anchored);
    let name = anchored(part);
    (done.len() <= 1).then_some((schema, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, schema: Option<&str>, name: &str) {
        let expected = (schema.map(str::to_owned), name.to_owned());
        assert_eq!(expressions(pattern), Some(expected), "{pattern}");
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
        assert_eq!(expressions("a.b.c.d"), None);
    }
}

//! Statements that run code: DO, CALL, EXECUTE. What code does that cannot be read is only hinted at by its words.

use super::{drop, plain, plpgsql};
use crate::sql::StatementKind as Kind;
use crate::sql::action::{Action, Opaque};
use crate::sql::cursor::Cursor;

/// What destroys, as it is written.
const DESTROYS: [&str; 10] = [
    "DROP TABLE",
    "DROP COLUMN",
    "DROP SCHEMA",
    "DROP MATERIALIZED VIEW",
    "DROP OWNED",
    "DROP TYPE",
    "DROP DOMAIN",
    "DROP EXTENSION",
    "TRUNCATE",
    "DELETE FROM",
];

/// `whole` is the statement, `cursor` stands behind its first word.
pub(super) fn code(whole: Cursor<'_>, cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    if whole.at("DO") {
        return do_block(cursor);
    }
    Some(vec![Action::Opaque(call(whole, cursor)?)])
}

fn do_block(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let (mut text, mut language) = (None, "plpgsql".to_owned());
    while !cursor.is_end() {
        if cursor.take("LANGUAGE") {
            language = match cursor.string() {
                Some(name) => name.to_ascii_lowercase(),
                None => cursor.name()?,
            };
        } else {
            // a string that goes on in the next line comes in parts
            text.get_or_insert_with(String::new)
                .push_str(cursor.string()?);
        }
    }
    let text = text?;
    let body = match language.as_str() {
        "plpgsql" => plpgsql::body(&text),
        _ => plpgsql::Body::unknown(),
    };
    let mut read = match (body.unknown, body.branches && !body.actions.is_empty()) {
        (true, _) => vec![Action::Opaque(Opaque {
            kind: Kind::Do,
            locks: Vec::new(),
            unknown: "what the DO block executes, and which locks that takes".to_owned(),
            destroys: destroys(&text),
            loses: None,
        })],
        (false, true) => vec![Action::Branches],
        (false, false) => plain(Kind::Do, Vec::new()),
    };
    read.extend(body.actions);
    Some(read)
}

/// The destroying words of a body. Strings and comments in it count too: EXECUTE runs strings.
fn destroys(body: &str) -> Vec<String> {
    let words: Vec<_> = body
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let text = format!(" {} ", words.join(" ").to_ascii_uppercase());
    let found = DESTROYS
        .iter()
        .filter(|phrase| text.contains(&format!(" {phrase} ")));
    found.map(|phrase| (*phrase).to_owned()).collect()
}

fn call(whole: Cursor<'_>, cursor: &mut Cursor<'_>) -> Option<Opaque> {
    let kind = if whole.at("CALL") {
        Kind::Call
    } else {
        Kind::Prepare
    };
    let name = cursor.relation()?;
    cursor.skip_rest();
    Some(Opaque {
        kind,
        locks: Vec::new(),
        unknown: format!("what {} does", name.name()),
        destroys: Vec::new(),
        loses: None,
    })
}

/// Behind REASSIGN.
pub(super) fn reassign_owned(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.expect("OWNED")?;
    drop::owned(Kind::ReassignOwned, cursor)
}

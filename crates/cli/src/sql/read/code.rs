//! Statements that run code: DO, CALL, EXECUTE. What the code does is only hinted at by its words.

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
    let opaque = if whole.at("DO") {
        do_block(cursor)?
    } else {
        call(whole, cursor)?
    };
    Some(vec![Action::Opaque(opaque)])
}

fn do_block(cursor: &mut Cursor<'_>) -> Option<Opaque> {
    let mut body = None;
    while !cursor.is_end() {
        if cursor.take("LANGUAGE") {
            cursor.name()?;
        } else {
            body = Some(cursor.string()?);
        }
    }
    Some(Opaque {
        kind: Kind::Do,
        locks: Vec::new(),
        unknown: "what the DO block executes, and which locks that takes".to_owned(),
        destroys: destroys(body?),
        loses: None,
    })
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
    cursor.expect("OWNED BY")?;
    cursor.skip_rest();
    Some(vec![Action::Opaque(Opaque {
        kind: Kind::ReassignOwned,
        locks: Vec::new(),
        unknown: "which relations the role owns: each is locked ACCESS EXCLUSIVE".to_owned(),
        destroys: Vec::new(),
        loses: None,
    })])
}

//! Settings of a session that bound what it may do: its time-outs, and whether triggers and foreign keys fire. A run
//! stands on them, and a migration that changes them takes that away for itself and for all that follow.

use super::plain;
use crate::sql::StatementKind as Kind;
use crate::sql::action::Action;
use crate::sql::cursor::Cursor;
use sqlparser::tokenizer::Token;

/// `name`, in lower case, is such a setting.
pub(super) fn is_guard(name: &str) -> bool {
    matches!(
        name,
        "lock_timeout"
            | "statement_timeout"
            | "transaction_timeout"
            | "idle_in_transaction_session_timeout"
            | "idle_session_timeout"
            | "session_replication_role"
    ) || name.starts_with("default_transaction_")
}

/// Behind SET.
pub(super) fn set(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    if cursor.take("SESSION CHARACTERISTICS") {
        cursor.skip_rest();
        return Some(changed("default_transaction_*".to_owned()));
    }
    cursor.take_any(&["SESSION", "LOCAL"]);
    named(cursor)
}

/// Behind RESET.
pub(super) fn reset(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    if cursor.take("ALL") {
        return Some(changed("every setting".to_owned()));
    }
    named(cursor)
}

/// Behind DISCARD.
pub(super) fn discard(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    if cursor.take("ALL") {
        return Some(changed("every setting".to_owned()));
    }
    cursor.skip_rest();
    Some(plain(Kind::Set, Vec::new()))
}

fn named(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    // `SET TIME ZONE …`, `SET SESSION AUTHORIZATION …`, and names of extensions, which have a point
    let name = cursor.name()?.to_ascii_lowercase();
    let is_whole = !cursor.take_symbol(&Token::Period);
    // strings behind it would be other strings
    if name == "standard_conforming_strings" && !is_on(cursor) {
        return None;
    }
    cursor.skip_rest();
    Some(if is_whole && is_guard(&name) {
        changed(name)
    } else {
        plain(Kind::Set, Vec::new())
    })
}

/// Behind the name of a setting that is on by default.
fn is_on(value: &Cursor<'_>) -> bool {
    let text = value.text();
    let value = text.trim_start_matches(['=', ' ']).trim_start_matches("to");
    ["", "on", "true", "1", "default"].contains(&value.trim().trim_matches('\''))
}

fn changed(setting: String) -> Vec<Action> {
    vec![Action::SetGuard {
        settings: vec![setting],
    }]
}

//! Turns the text of one statement into [`Action`]s.
//!
//! Queries are parsed by sqlparser. The rest is read from sqlparser's tokens by a reader of our own, since its parser
//! refuses much that Django and DBAs write (ALTER SEQUENCE, REINDEX, DO, several actions in ALTER TABLE, …), and one
//! action that it does not know would hide the others. Absent: any judgement.

mod alter;
mod alter_table;
mod code;
mod column;
mod create;
mod drop;
mod guard;
mod maintenance;
mod plainer;
mod plpgsql;
mod psql;
mod query;

use super::action::Action;
use super::cursor::{Cursor, tokens};
use super::{LockMode, StatementKind as Kind};

/// What `sql` does. A statement that cannot be read is one [`Action::Unread`].
pub(super) fn read(sql: &str) -> Vec<Action> {
    if let Some(command) = sql.strip_prefix('\\') {
        return psql::command(command).unwrap_or_else(unread);
    }
    tokens(sql)
        .and_then(|tokens| actions(Cursor::new(&tokens)))
        .unwrap_or_else(unread)
}

fn unread() -> Vec<Action> {
    vec![Action::Unread {
        kind: Kind::Unknown,
        table: None,
    }]
}

fn actions(mut cursor: Cursor<'_>) -> Option<Vec<Action>> {
    let whole = cursor;
    if cursor.at_query() {
        return query::statement(whole);
    }
    let read = match cursor.name()?.as_str() {
        "create" => create::create(&mut cursor),
        "alter" => alter::alter(&mut cursor),
        "drop" => drop::drop(&mut cursor),
        "explain" => explain(&mut cursor),
        "copy" => query::copy(&mut cursor),
        "do" | "call" | "execute" => code::code(whole, &mut cursor),
        "truncate" | "lock" | "vacuum" | "analyze" | "analyse" | "cluster" | "reindex"
        | "refresh" => {
            cursor = whole;
            maintenance::maintenance(&mut cursor)
        }
        "comment" => comment(&mut cursor),
        "grant" => grant(Kind::Grant, &mut cursor),
        "revoke" => grant(Kind::Revoke, &mut cursor),
        "set" if cursor.take("CONSTRAINTS") => set_constraints(&mut cursor),
        "set" => guard::set(&mut cursor),
        "reset" => guard::reset(&mut cursor),
        "discard" => guard::discard(&mut cursor),
        "reassign" => code::reassign_owned(&mut cursor),
        "declare" => query::declare(&mut cursor),
        "import" => import(&mut cursor),
        word => plain_kind(word, &cursor).map(|kind| {
            cursor.skip_rest();
            plain(kind, Vec::new())
        }),
    }?;
    cursor.end()?;
    Some(read)
}

/// Statements that touch no relation.
fn plain_kind(word: &str, rest: &Cursor<'_>) -> Option<Kind> {
    Some(match word {
        "begin" | "start" => Kind::Begin,
        "prepare" if rest.at("TRANSACTION") => Kind::Commit,
        "commit" | "end" => Kind::Commit,
        "rollback" if rest.at("TO") || rest.at_all("TRANSACTION TO") || rest.at_all("WORK TO") => {
            Kind::Savepoint
        }
        "rollback" | "abort" => Kind::Rollback,
        "savepoint" | "release" => Kind::Savepoint,
        "fetch" | "move" | "close" => Kind::Cursor,
        "checkpoint" => Kind::Checkpoint,
        "load" => Kind::Set,
        "show" => Kind::Show,
        "prepare" | "deallocate" => Kind::Prepare,
        "listen" | "unlisten" | "notify" => Kind::Notify,
        "security" => Kind::SecurityLabel,
        _ => return None,
    })
}

fn plain(kind: Kind, locks: Vec<(super::Relation, LockMode)>) -> Vec<Action> {
    vec![Action::Plain { kind, locks }]
}

/// Only `EXPLAIN ANALYZE` runs what it explains.
fn explain(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let mut options = *cursor;
    let mut runs = false;
    if let Some(options) = options.parenthesised()
        && !options.at_query()
    {
        cursor.parenthesised();
        runs = options.has_option("ANALYZE") || options.has_option("ANALYSE");
    }
    while let Some(word) = cursor.take_any(&["ANALYZE", "ANALYSE", "VERBOSE"]) {
        runs |= word != "VERBOSE";
    }
    let explained = *cursor;
    cursor.skip_rest();
    // it explains no other EXPLAIN, however many there are
    if explained.at("EXPLAIN") {
        return None;
    }
    if runs {
        return actions(explained);
    }
    let actions = actions(explained)?;
    Some(match actions.as_slice() {
        [Action::Query(query)] => vec![Action::Explain(query.clone())],
        _ => plain(Kind::Show, Vec::new()),
    })
}

fn set_constraints(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let mut names = Vec::new();
    if !cursor.take("ALL") {
        names = cursor.list(|name| Some(name.relation()?.name().to_owned()))?;
    }
    cursor.take_any(&["IMMEDIATE", "DEFERRED"])?;
    Some(vec![Action::SetConstraints { names }])
}

/// IMPORT FOREIGN SCHEMA: tables that the other server has now.
fn import(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.expect("FOREIGN SCHEMA")?;
    cursor.skip_rest();
    Some(plain(Kind::ImportForeignSchema, Vec::new()))
}

/// `… ON [TABLE | SEQUENCE] relations …`; of roles, functions, schemas and whole schemas' relations no relation is locked.
fn grant(kind: Kind, cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    const OTHERS: [&str; 14] = [
        "ALL",
        "SCHEMA",
        "DATABASE",
        "FUNCTION",
        "PROCEDURE",
        "ROUTINE",
        "TYPE",
        "DOMAIN",
        "LANGUAGE",
        "LARGE OBJECT",
        "PARAMETER",
        "TABLESPACE",
        "FOREIGN",
        "OBJECT",
    ];
    cursor.until(|cursor| cursor.at("ON"));
    let mut on = Vec::new();
    if cursor.take("ON") && !OTHERS.iter().any(|words| cursor.at_all(words)) {
        cursor.take_any(&["TABLE", "SEQUENCE"]);
        on = cursor.list(Cursor::relation)?;
    }
    cursor.skip_rest();
    Some(vec![Action::Grant { kind, on }])
}

/// SHARE UPDATE EXCLUSIVE on what is a relation.
fn comment(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.expect("ON")?;
    let relation = match cursor.take_any(&[
        "TABLE",
        "FOREIGN TABLE",
        "VIEW",
        "MATERIALIZED VIEW",
        "INDEX",
        "SEQUENCE",
    ]) {
        Some(_) => Some(cursor.relation()?),
        None if cursor.take("COLUMN") => Some(cursor.column_owner()?),
        None if cursor
            .take_any(&["CONSTRAINT", "TRIGGER", "RULE", "POLICY"])
            .is_some() =>
        {
            return comment_on_part(cursor);
        }
        None => None,
    };
    cursor.skip_rest();
    let locks = relation
        .into_iter()
        .map(|relation| (relation, LockMode::ShareUpdateExclusive));
    Some(plain(Kind::Comment, locks.collect()))
}

/// `name ON [DOMAIN] table IS …`
fn comment_on_part(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.name()?;
    cursor.expect("ON")?;
    let locks = if cursor.at("DOMAIN") {
        Vec::new()
    } else {
        vec![(cursor.relation()?, LockMode::AccessShare)]
    };
    cursor.skip_rest();
    Some(plain(Kind::Comment, locks))
}

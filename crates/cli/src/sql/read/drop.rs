//! DROP of anything.

use super::alter_table::behavior;
use super::create::concurrently;
use crate::sql::action::{Action, Behavior, Drop, IfExists, Method};
use crate::sql::cursor::Cursor;
use crate::sql::{Relation, StatementKind as Kind};

/// Behind DROP.
pub(super) fn drop(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let kind = object(cursor)?;
    if kind == Kind::DropOwned {
        return owned(kind, cursor);
    }
    let method = if kind == Kind::DropIndex {
        concurrently(cursor)
    } else {
        Method::Plain
    };
    let existing = match cursor.take("IF EXISTS") {
        true => IfExists::Tolerated,
        false => IfExists::Fails,
    };
    if kind == Kind::DropObject {
        return unnamed(cursor);
    }
    let names = cursor.list(|name| {
        let relation = name.relation()?;
        // the arguments of a function
        name.parenthesised();
        Some(relation)
    })?;
    let table = if on_table(kind) && cursor.take("ON") {
        Some(cursor.relation()?)
    } else {
        None
    };
    if kind == Kind::DropDatabase {
        cursor.skip_rest();
    }
    let behavior = behavior(cursor);
    Some(
        names
            .into_iter()
            .map(|name| {
                Action::Drop(Drop {
                    kind,
                    existing,
                    name,
                    table: table.clone(),
                    behavior,
                    method,
                })
            })
            .collect(),
    )
}

/// Behind OWNED: `BY role, …`
pub(super) fn owned(kind: Kind, cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.expect("BY")?;
    let roles = cursor.list(Cursor::name)?;
    cursor.skip_rest();
    Some(vec![Action::Owned { kind, roles }])
}

fn on_table(kind: Kind) -> bool {
    matches!(kind, Kind::DropTrigger | Kind::DropRule | Kind::DropPolicy)
}

fn object(cursor: &mut Cursor<'_>) -> Option<Kind> {
    let objects = [
        "TABLE",
        "FOREIGN TABLE",
        "VIEW",
        "MATERIALIZED VIEW",
        "INDEX",
        "SEQUENCE",
        "SCHEMA",
        "TYPE",
        "DOMAIN",
        "FUNCTION",
        "PROCEDURE",
        "ROUTINE",
        "AGGREGATE",
        "TRIGGER",
        "RULE",
        "POLICY",
        "EXTENSION",
        "OWNED",
        "DATABASE",
        "TABLESPACE",
        "SUBSCRIPTION",
        "ROLE",
        "USER MAPPING",
        "USER",
        "GROUP",
        "COLLATION",
        "OPERATOR",
        "CAST",
        "TEXT SEARCH",
        "SERVER",
        "FOREIGN DATA WRAPPER",
        "EVENT TRIGGER",
        "CONVERSION",
        "LANGUAGE",
        "PROCEDURAL LANGUAGE",
        "STATISTICS",
        "PUBLICATION",
        "TRANSFORM",
        "ACCESS METHOD",
    ];
    Some(match cursor.take_any(&objects)? {
        "TABLE" | "FOREIGN TABLE" => Kind::DropTable,
        "VIEW" => Kind::DropView,
        "MATERIALIZED VIEW" => Kind::DropMaterializedView,
        "INDEX" => Kind::DropIndex,
        "SEQUENCE" => Kind::DropSequence,
        "SCHEMA" => Kind::DropSchema,
        "TYPE" => Kind::DropType,
        "DOMAIN" => Kind::DropDomain,
        "FUNCTION" | "PROCEDURE" | "ROUTINE" | "AGGREGATE" => Kind::DropFunction,
        "TRIGGER" => Kind::DropTrigger,
        "RULE" => Kind::DropRule,
        "POLICY" => Kind::DropPolicy,
        "EXTENSION" => Kind::DropExtension,
        "OWNED" => Kind::DropOwned,
        "STATISTICS" => Kind::DropStatistics,
        // none of them runs inside a transaction
        "DATABASE" | "TABLESPACE" | "SUBSCRIPTION" => Kind::DropDatabase,
        "ROLE" | "USER" | "GROUP" => Kind::DropRole,
        _ => Kind::DropObject,
    })
}

/// Operators, casts and their like, whose names have a grammar of their own: only CASCADE matters.
fn unnamed(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let text = cursor.text();
    let behavior = if cursor.words().last().is_some_and(|word| word == "cascade") {
        Behavior::Cascade
    } else {
        Behavior::Restrict
    };
    cursor.skip_rest();
    Some(vec![Action::Drop(Drop {
        kind: Kind::DropObject,
        existing: IfExists::Fails,
        name: Relation::unqualified(text),
        table: None,
        behavior,
        method: Method::Plain,
    })])
}

//! TRUNCATE, LOCK, VACUUM, ANALYZE, CLUSTER, REINDEX, REFRESH.

use super::alter_table::behavior;
use super::create::{concurrently, with_data};
use super::plain;
use crate::sql::action::{Action, Identity, Method, ReindexTarget};
use crate::sql::cursor::Cursor;
use crate::sql::{LockMode, StatementKind as Kind};

pub(super) fn maintenance(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    match cursor.name()?.as_str() {
        "truncate" => truncate(cursor),
        "lock" => lock(cursor),
        "vacuum" => vacuum(cursor),
        "cluster" => cluster(cursor),
        "reindex" => reindex(cursor),
        "refresh" => refresh(cursor),
        _ => analyze(cursor),
    }
}

fn truncate(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.take("TABLE");
    let tables = cursor.list(Cursor::extent)?;
    let identity = match cursor.take_any(&["RESTART IDENTITY", "CONTINUE IDENTITY"]) {
        Some("RESTART IDENTITY") => Identity::Restarted,
        _ => Identity::Continued,
    };
    let behavior = behavior(cursor);
    let truncate = |(table, extent)| Action::Truncate {
        table,
        extent,
        identity,
        behavior,
    };
    Some(tables.into_iter().map(truncate).collect())
}

fn lock(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.take("TABLE");
    let tables = cursor.list(Cursor::extent)?;
    let modes = [
        ("ACCESS SHARE", LockMode::AccessShare),
        ("ROW SHARE", LockMode::RowShare),
        ("ROW EXCLUSIVE", LockMode::RowExclusive),
        ("SHARE UPDATE EXCLUSIVE", LockMode::ShareUpdateExclusive),
        ("SHARE ROW EXCLUSIVE", LockMode::ShareRowExclusive),
        ("SHARE", LockMode::Share),
        ("EXCLUSIVE", LockMode::Exclusive),
        ("ACCESS EXCLUSIVE", LockMode::AccessExclusive),
    ];
    let mut mode = LockMode::AccessExclusive;
    if cursor.take("IN") {
        mode = modes.iter().find(|(words, _)| cursor.take(words))?.1;
        cursor.expect("MODE")?;
    }
    cursor.take("NOWAIT");
    Some(
        tables
            .into_iter()
            .map(|(table, extent)| Action::LockTable {
                table,
                extent,
                mode,
            })
            .collect(),
    )
}

fn vacuum(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let mut full = cursor
        .parenthesised()
        .is_some_and(|options| options.has_option("FULL"));
    while let Some(word) = cursor.take_any(&["FULL", "FREEZE", "VERBOSE", "ANALYZE", "ANALYSE"]) {
        full |= word == "FULL";
    }
    let tables = tables_with_columns(cursor)?;
    if !full {
        let locks = tables
            .into_iter()
            .map(|table| (table, LockMode::ShareUpdateExclusive));
        return Some(plain(Kind::Vacuum, locks.collect()));
    }
    if tables.is_empty() {
        return Some(vec![Action::Repack {
            kind: Kind::VacuumFull,
            table: None,
        }]);
    }
    Some(
        tables
            .into_iter()
            .map(|table| Action::Repack {
                kind: Kind::VacuumFull,
                table: Some(table),
            })
            .collect(),
    )
}

fn analyze(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.parenthesised();
    cursor.take("VERBOSE");
    let locks = tables_with_columns(cursor)?
        .into_iter()
        .map(|table| (table, LockMode::ShareUpdateExclusive));
    Some(plain(Kind::Analyze, locks.collect()))
}

fn tables_with_columns(cursor: &mut Cursor<'_>) -> Option<Vec<crate::sql::Relation>> {
    if cursor.is_end() {
        return Some(Vec::new());
    }
    cursor.list(|table| {
        let relation = table.table()?;
        table.parenthesised();
        Some(relation)
    })
}

fn cluster(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.parenthesised();
    cursor.take("VERBOSE");
    let mut table = match cursor.is_end() {
        true => None,
        false => Some(cursor.relation()?),
    };
    if cursor.take("USING") {
        cursor.name()?;
    } else if cursor.take("ON") {
        // CLUSTER index ON table, as it was before 8.3
        table = Some(cursor.relation()?);
    }
    Some(vec![Action::Repack {
        kind: Kind::Cluster,
        table,
    }])
}

fn reindex(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let options = cursor.parenthesised();
    let object = cursor.take_any(&["INDEX", "TABLE", "SCHEMA", "DATABASE", "SYSTEM"])?;
    let mut method = concurrently(cursor);
    if options.is_some_and(|options| options.has_option("CONCURRENTLY")) {
        method = Method::Concurrently;
    }
    let target = match object {
        "INDEX" => ReindexTarget::Index(cursor.relation()?),
        "TABLE" => ReindexTarget::Table(cursor.relation()?),
        "SCHEMA" => {
            cursor.name()?;
            ReindexTarget::Schema
        }
        _ => {
            cursor.name();
            ReindexTarget::Database
        }
    };
    Some(vec![Action::Reindex { target, method }])
}

fn refresh(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.expect("MATERIALIZED VIEW")?;
    let method = concurrently(cursor);
    let view = cursor.relation()?;
    let data = with_data(cursor);
    Some(vec![Action::Refresh { view, method, data }])
}

//! CREATE: tables, indexes, views, and everything else.

use super::column::{at_option, column, constraint};
use super::{plain, query};
use crate::sql::action::{Action, CreateIndex, CreateTable, IfExists, Method, Query, WithData};
use crate::sql::cursor::Cursor;
use crate::sql::split::split;
use crate::sql::{LockMode, Relation, StatementKind as Kind};

/// Behind CREATE.
pub(super) fn create(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let mut existing = IfExists::Fails;
    if cursor.take("OR REPLACE") {
        existing = IfExists::Tolerated;
    }
    while cursor
        .take_any(&[
            "GLOBAL",
            "LOCAL",
            "TEMPORARY",
            "TEMP",
            "UNLOGGED",
            "RECURSIVE",
        ])
        .is_some()
    {}
    let objects = [
        "TABLE",
        "FOREIGN TABLE",
        "UNIQUE INDEX",
        "INDEX",
        "VIEW",
        "MATERIALIZED VIEW",
        "SEQUENCE",
        "CONSTRAINT TRIGGER",
        "TRIGGER",
        "RULE",
        "POLICY",
        "STATISTICS",
        "PUBLICATION",
        "SCHEMA",
    ];
    if cursor.take("TYPE") {
        let name = cursor.relation()?;
        cursor.skip_rest();
        return Some(vec![Action::CreateType { name }]);
    }
    if cursor.take("DOMAIN") {
        return Some(vec![domain(cursor)?]);
    }
    let Some(object) = cursor.take_any(&objects) else {
        let kind = plain_object(cursor)?;
        let dropped_by = match kind {
            Kind::CreateFunction => Some(Kind::DropFunction),
            _ => None,
        };
        let locks = match kind {
            Kind::CreateFunction => body(*cursor),
            _ => Vec::new(),
        };
        let mut actions = plain(kind, locks);
        if let Some(dropped_by) = dropped_by
            && existing == IfExists::Fails
        {
            let name = cursor.relation()?;
            actions.push(Action::Created { dropped_by, name });
        }
        cursor.skip_rest();
        return Some(actions);
    };
    Some(match object {
        "TABLE" | "FOREIGN TABLE" => vec![Action::CreateTable(table(cursor)?)],
        "UNIQUE INDEX" => vec![index(true, cursor)?],
        "INDEX" => vec![index(false, cursor)?],
        "VIEW" => vec![view(Kind::CreateView, existing, cursor)?],
        "MATERIALIZED VIEW" => vec![view(Kind::CreateMaterializedView, existing, cursor)?],
        "SEQUENCE" => owned_sequence(cursor)?,
        "TRIGGER" | "CONSTRAINT TRIGGER" => trigger(cursor)?,
        "RULE" => rule(cursor)?,
        "POLICY" => on_table(Kind::CreatePolicy, LockMode::AccessExclusive, cursor)?,
        "STATISTICS" => statistics(cursor)?,
        "PUBLICATION" => publication(cursor),
        _ => schema(cursor)?,
    })
}

/// `DOMAIN name [AS] type [COLLATE …] [DEFAULT …] [constraint …]`
fn domain(cursor: &mut Cursor<'_>) -> Option<Action> {
    let name = cursor.relation()?;
    cursor.take("AS");
    let base = cursor.until(at_option).text();
    let checks = |cursor: &Cursor<'_>| cursor.at("CHECK") || cursor.at_all("NOT NULL");
    cursor.until(checks);
    let is_constrained = checks(cursor);
    cursor.skip_rest();
    (!base.is_empty()).then_some(Action::CreateDomain {
        name,
        base,
        is_constrained,
    })
}

fn plain_object(cursor: &mut Cursor<'_>) -> Option<Kind> {
    let objects = [
        "FUNCTION",
        "PROCEDURE",
        "AGGREGATE",
        "EXTENSION",
        "DATABASE",
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
        "TRUSTED",
        "PROCEDURAL",
        "TRANSFORM",
        "ACCESS METHOD",
        "DEFAULT CONVERSION",
        "TABLESPACE",
        "SUBSCRIPTION",
    ];
    Some(match cursor.take_any(&objects)? {
        "FUNCTION" | "PROCEDURE" | "AGGREGATE" => Kind::CreateFunction,
        "EXTENSION" => Kind::CreateExtension,
        // neither runs inside a transaction
        "DATABASE" | "TABLESPACE" | "SUBSCRIPTION" => Kind::CreateDatabase,
        "ROLE" | "USER" | "GROUP" => Kind::CreateRole,
        _ => Kind::CreateObject,
    })
}

fn if_not_exists(cursor: &mut Cursor<'_>) -> IfExists {
    if cursor.take("IF NOT EXISTS") {
        IfExists::Tolerated
    } else {
        IfExists::Fails
    }
}

fn table(cursor: &mut Cursor<'_>) -> Option<CreateTable> {
    let mut table = CreateTable {
        existing: if_not_exists(cursor),
        table: cursor.relation()?,
        columns: Vec::new(),
        constraints: Vec::new(),
        is_partitioned: false,
        partition_of: None,
        inherits: Vec::new(),
        like: Vec::new(),
        query: None,
        data: WithData::Yes,
    };
    if cursor.take("PARTITION OF") {
        table.partition_of = Some(cursor.relation()?);
    } else if let Some(elements) = cursor.parenthesised() {
        // a column list of CREATE TABLE AS holds names only
        let mut tail = *cursor;
        tail.until(|cursor| cursor.at("AS"));
        if !tail.at("AS") {
            elements_of(elements, &mut table)?;
        }
    }
    tail(cursor, &mut table)?;
    Some(table)
}

fn elements_of(elements: Cursor<'_>, table: &mut CreateTable) -> Option<()> {
    const CONSTRAINTS: [&str; 7] = [
        "CONSTRAINT",
        "CHECK",
        "UNIQUE",
        "PRIMARY KEY",
        "FOREIGN KEY",
        "EXCLUDE",
        "NOT NULL",
    ];
    if elements.is_end() {
        return Some(());
    }
    for mut element in elements.comma_parts() {
        if element.take("LIKE") {
            table.like.push(element.relation()?);
        } else if CONSTRAINTS.iter().any(|words| element.at_all(words)) {
            table.constraints.push(constraint(&mut element)?);
        } else {
            table.columns.push(column(&mut element)?);
        }
    }
    Some(())
}

/// INHERITS, PARTITION BY, WITH, …, and AS with its query.
fn tail(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> Option<()> {
    while !cursor.is_end() {
        if cursor.take("INHERITS") {
            table.inherits = cursor.parenthesised()?.list(Cursor::relation)?;
        } else if cursor.take("PARTITION BY") {
            table.is_partitioned = true;
        } else if cursor.take("AS") {
            (table.query, table.data) = as_query(cursor)?;
        } else if cursor.parenthesised().is_none() {
            cursor.advance_one();
        }
    }
    Some(())
}

/// Behind AS, to the end.
fn as_query(cursor: &mut Cursor<'_>) -> Option<(Option<Query>, WithData)> {
    let text = cursor.until(|cursor| cursor.at_all("WITH NO DATA") || cursor.at_all("WITH DATA"));
    let data = with_data(cursor);
    cursor.skip_rest();
    Some((Some(query::query(text)?), data))
}

/// `[WITH [NO] DATA]`
pub(super) fn with_data(cursor: &mut Cursor<'_>) -> WithData {
    match cursor.take_any(&["WITH NO DATA", "WITH DATA"]) {
        Some("WITH NO DATA") => WithData::No,
        _ => WithData::Yes,
    }
}

/// Behind INDEX.
fn index(is_unique: bool, cursor: &mut Cursor<'_>) -> Option<Action> {
    let method = concurrently(cursor);
    let existing = if_not_exists(cursor);
    let name = if cursor.at("ON") {
        None
    } else {
        Some(cursor.relation()?)
    };
    cursor.expect("ON")?;
    let (table, extent) = cursor.extent()?;
    let access_method = match cursor.take("USING") {
        true => cursor.name()?,
        false => "btree".to_owned(),
    };
    let keys = cursor.parenthesised()?;
    let mut words = keys.names();
    let keys = keys.comma_parts().into_iter().map(key).collect();
    cursor.until(|cursor| cursor.at("WHERE"));
    let is_partial = cursor.take("WHERE");
    words.extend(cursor.names());
    cursor.skip_rest();
    // an index lives in its table's schema
    let index = name.map(|name| table.sibling(name.name()));
    Some(Action::CreateIndex(CreateIndex {
        index,
        table,
        extent,
        method,
        existing,
        is_unique,
        access_method,
        keys,
        words,
        is_partial,
    }))
}

/// `column [COLLATE c] [opclass] [ASC] …`; none for an expression.
fn key(mut key: Cursor<'_>) -> Option<String> {
    let column = key.name()?;
    key.parenthesised().is_none().then_some(column)
}

pub(super) fn concurrently(cursor: &mut Cursor<'_>) -> Method {
    if cursor.take("CONCURRENTLY") {
        Method::Concurrently
    } else {
        Method::Plain
    }
}

fn view(kind: Kind, existing: IfExists, cursor: &mut Cursor<'_>) -> Option<Action> {
    let existing = if cursor.take("IF NOT EXISTS") {
        IfExists::Tolerated
    } else {
        existing
    };
    let view = cursor.relation()?;
    cursor.until(|cursor| cursor.at("AS"));
    cursor.expect("AS")?;
    let text = cursor.until(|cursor| {
        [
            "WITH NO DATA",
            "WITH DATA",
            "WITH CHECK OPTION",
            "WITH LOCAL CHECK",
            "WITH CASCADED CHECK",
        ]
        .iter()
        .any(|words| cursor.at_all(words))
    });
    let data = with_data(cursor);
    cursor.skip_rest();
    let mut query = query::query(text)?;
    // RECURSIVE
    query.reads.remove(&view);
    Some(Action::CreateView {
        kind,
        view,
        existing,
        data,
        query,
    })
}

/// A sequence that a column owns depends on the table; PostgreSQL looks it up under ACCESS SHARE.
fn owned_sequence(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let existing = if_not_exists(cursor);
    let name = cursor.relation()?;
    cursor.until(|cursor| cursor.at_all("OWNED BY"));
    let mut locks = Vec::new();
    if cursor.take("OWNED BY") && !cursor.take("NONE") {
        locks.push((cursor.column_owner()?, LockMode::AccessShare));
    }
    cursor.skip_rest();
    let mut actions = plain(Kind::CreateSequence, locks);
    if existing == IfExists::Fails {
        let dropped_by = Kind::DropSequence;
        actions.push(Action::Created { dropped_by, name });
    }
    Some(actions)
}

/// `name … ON table …`
fn on_table(kind: Kind, mode: LockMode, cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.name()?;
    cursor.until(|cursor| cursor.at("ON"));
    cursor.expect("ON")?;
    let table = cursor.relation()?;
    cursor.skip_rest();
    Some(plain(kind, vec![(table, mode)]))
}

/// `name … ON table [FROM referenced] …`
fn trigger(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.name()?;
    cursor.until(|cursor| cursor.at("ON"));
    cursor.expect("ON")?;
    let mut locks = vec![(cursor.relation()?, LockMode::ShareRowExclusive)];
    if cursor.take("FROM") {
        locks.push((cursor.relation()?, LockMode::AccessShare));
    }
    cursor.skip_rest();
    Some(plain(Kind::CreateTrigger, locks))
}

/// The relations that a body in SQL names: it is read when the function is made.
fn body(mut cursor: Cursor<'_>) -> Vec<(Relation, LockMode)> {
    let words: Vec<String> = cursor.words().collect();
    let is_sql = words
        .windows(2)
        .any(|pair| pair[0] == "language" && pair[1] == "sql");
    cursor.until(|cursor| cursor.at("AS"));
    let text = match cursor.take("AS") && is_sql {
        true => cursor.string().unwrap_or_default(),
        false => "",
    };
    let mut locks = Vec::new();
    for piece in split(text) {
        for action in super::read(piece.sql) {
            if let Action::Query(query) = action {
                locks.extend(
                    query
                        .reads
                        .into_iter()
                        .map(|table| (table, LockMode::AccessShare)),
                );
                let written = query.writes.into_iter().map(|write| write.table);
                locks.extend(written.map(|table| (table, LockMode::RowExclusive)));
            }
        }
    }
    locks
}

/// `name AS ON event TO table DO …`
fn rule(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.name()?;
    cursor.until(|cursor| cursor.at("TO"));
    cursor.expect("TO")?;
    let table = cursor.relation()?;
    cursor.skip_rest();
    Some(plain(
        Kind::CreateRule,
        vec![(table, LockMode::AccessExclusive)],
    ))
}

fn statistics(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.until(|cursor| cursor.at("FROM"));
    cursor.expect("FROM")?;
    let table = cursor.relation()?;
    Some(plain(
        Kind::CreateStatistics,
        vec![(table, LockMode::ShareUpdateExclusive)],
    ))
}

fn publication(cursor: &mut Cursor<'_>) -> Vec<Action> {
    let mut locks = Vec::new();
    cursor.until(|cursor| cursor.at_all("FOR TABLE"));
    if cursor.take("FOR TABLE") {
        for mut part in cursor.until(|cursor| cursor.at("WITH")).comma_parts() {
            part.take("TABLE");
            locks.extend(
                part.table()
                    .map(|table| (table, LockMode::ShareUpdateExclusive)),
            );
        }
    }
    cursor.skip_rest();
    plain(Kind::CreatePublication, locks)
}

/// `CREATE SCHEMA name CREATE TABLE …` is read no further.
fn schema(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.take("IF NOT EXISTS");
    if !cursor.at("AUTHORIZATION") {
        cursor.name()?;
    }
    if cursor.take("AUTHORIZATION") {
        cursor.name()?;
    }
    Some(plain(Kind::CreateSchema, Vec::new()))
}

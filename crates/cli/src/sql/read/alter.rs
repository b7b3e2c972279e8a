//! ALTER of everything but tables, which have a file of their own.

use super::alter_table::{alter_relation, alter_table};
use super::plain;
use crate::sql::action::{Action, Change, Opaque};
use crate::sql::cursor::Cursor;
use crate::sql::{LockMode, Relation, StatementKind as Kind};

/// Behind ALTER.
pub(super) fn alter(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let objects = [
        "TABLE",
        "FOREIGN TABLE",
        "INDEX",
        "SEQUENCE",
        "VIEW",
        "MATERIALIZED VIEW",
        "TYPE",
        "DOMAIN",
        "TRIGGER",
        "RULE",
        "POLICY",
        "PUBLICATION",
    ];
    match cursor.take_any(&objects) {
        Some("TABLE" | "FOREIGN TABLE") => alter_table(cursor),
        Some("INDEX") => index(cursor),
        Some("SEQUENCE") => sequence(cursor),
        Some("VIEW" | "MATERIALIZED VIEW") => view(cursor),
        Some("TYPE") => alter_type(cursor),
        Some("DOMAIN") => domain(cursor),
        Some("TRIGGER" | "RULE") => on_table(Kind::AlterObject, cursor),
        Some("POLICY") => on_table(Kind::AlterPolicy, cursor),
        Some(_) => Some(publication(cursor)),
        None => {
            let kind = plain_object(cursor)?;
            cursor.skip_rest();
            Some(plain(kind, Vec::new()))
        }
    }
}

fn plain_object(cursor: &mut Cursor<'_>) -> Option<Kind> {
    let objects = [
        "SCHEMA",
        "FUNCTION",
        "PROCEDURE",
        "ROUTINE",
        "AGGREGATE",
        "EXTENSION",
        "DEFAULT PRIVILEGES",
        "DATABASE",
        "ROLE",
        "USER MAPPING",
        "USER",
        "GROUP",
        "SYSTEM",
        "COLLATION",
        "OPERATOR",
        "TEXT SEARCH",
        "SERVER",
        "FOREIGN DATA WRAPPER",
        "EVENT TRIGGER",
        "CONVERSION",
        "LANGUAGE",
        "PROCEDURAL LANGUAGE",
        "STATISTICS",
        "SUBSCRIPTION",
        "TABLESPACE",
        "LARGE OBJECT",
    ];
    Some(match cursor.take_any(&objects)? {
        "SCHEMA" => Kind::AlterSchema,
        "FUNCTION" | "PROCEDURE" | "ROUTINE" | "AGGREGATE" => Kind::AlterFunction,
        "EXTENSION" => Kind::AlterExtension,
        "DEFAULT PRIVILEGES" => Kind::AlterDefaultPrivileges,
        "DATABASE" => Kind::AlterDatabase,
        "ROLE" | "USER" | "GROUP" => Kind::AlterRole,
        "SYSTEM" => Kind::AlterSystem,
        _ => Kind::AlterObject,
    })
}

fn index(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    if cursor.take("ALL IN TABLESPACE") {
        return Some(all_in_tablespace(cursor));
    }
    cursor.take("IF EXISTS");
    let index = cursor.relation()?;
    if cursor.take("RENAME TO") {
        let to = index.sibling(cursor.name()?);
        return Some(vec![Action::RenameIndex { index, to }]);
    }
    let choices = [
        "ATTACH PARTITION",
        "SET TABLESPACE",
        "SET",
        "RESET",
        "ALTER",
        "DEPENDS",
        "NO DEPENDS",
    ];
    let (kind, mode) = match cursor.take_any(&choices)? {
        "SET TABLESPACE" | "ATTACH PARTITION" | "DEPENDS" | "NO DEPENDS" => {
            (Kind::AlterIndex, LockMode::AccessExclusive)
        }
        _ => (Kind::AlterIndex, LockMode::ShareUpdateExclusive),
    };
    cursor.skip_rest();
    Some(plain(kind, vec![(index, mode)]))
}

fn sequence(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.take("IF EXISTS");
    let sequence = cursor.relation()?;
    let moves = cursor
        .take_any(&[
            "RENAME",
            "OWNER TO",
            "SET SCHEMA",
            "SET LOGGED",
            "SET UNLOGGED",
        ])
        .is_some();
    let owner = if cursor.take("OWNED BY") && !cursor.take("NONE") {
        Some(cursor.column_owner()?)
    } else {
        None
    };
    cursor.skip_rest();
    let mode = if moves {
        LockMode::AccessExclusive
    } else {
        LockMode::ShareRowExclusive
    };
    Some(vec![Action::AlterSequence {
        sequence,
        mode,
        owner,
    }])
}

/// Behind ALL IN TABLESPACE.
pub(super) fn all_in_tablespace(cursor: &mut Cursor<'_>) -> Vec<Action> {
    cursor.skip_rest();
    let unknown = "what the tablespace holds: each is locked ACCESS EXCLUSIVE and written anew";
    opaque(Kind::SetTablespace, Vec::new(), unknown.to_owned())
}

fn view(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    if cursor.take("ALL IN TABLESPACE") {
        return Some(all_in_tablespace(cursor));
    }
    cursor.take("IF EXISTS");
    let view = cursor.relation()?;
    let mut renamed = *cursor;
    if renamed.take("RENAME") && !renamed.at("TO") {
        return alter_relation(&view, cursor);
    }
    if cursor.take("RENAME TO") {
        let change = Change::RenameTable {
            to: view.sibling(cursor.name()?),
        };
        return Some(vec![Action::AlterTable {
            table: view,
            change,
        }]);
    }
    cursor.skip_rest();
    Some(plain(
        Kind::AlterView,
        vec![(view, LockMode::AccessExclusive)],
    ))
}

/// Enum values, names and owners lock no relation; attributes of a composite type are a relation of their own.
fn alter_type(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let name = cursor.relation()?;
    let attributes = ["ADD ATTRIBUTE", "DROP ATTRIBUTE", "ALTER ATTRIBUTE"];
    let mut rest = *cursor;
    let dropped = (rest.take("DROP ATTRIBUTE IF EXISTS") || rest.take("DROP ATTRIBUTE"))
        .then(|| rest.name())
        .flatten();
    let is_composite = attributes.iter().any(|words| cursor.at_all(words));
    cursor.skip_rest();
    if !is_composite {
        return Some(plain(Kind::AlterType, Vec::new()));
    }
    let unknown = format!("which tables use the type {name}");
    let loses = dropped.map(|attribute| {
        format!("attribute {attribute} of type {name}, and its values in every column of that type")
    });
    Some(vec![Action::Opaque(Opaque {
        kind: Kind::AlterType,
        locks: vec![(name, LockMode::AccessExclusive)],
        unknown,
        destroys: Vec::new(),
        loses,
    })])
}

fn domain(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let name = cursor.relation()?;
    let verifies = cursor.at("ADD") || cursor.at_all("SET NOT NULL") || cursor.at("VALIDATE");
    let not_valid = cursor
        .words()
        .collect::<Vec<_>>()
        .ends_with(&["not".to_owned(), "valid".to_owned()]);
    cursor.skip_rest();
    if !verifies || not_valid {
        return Some(plain(Kind::AlterDomain, Vec::new()));
    }
    let unknown = format!(
        "which tables have columns of the domain {name}: each is locked SHARE and read in full"
    );
    Some(opaque(Kind::AlterDomain, Vec::new(), unknown))
}

fn on_table(kind: Kind, cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.take("IF EXISTS");
    cursor.name()?;
    cursor.expect("ON")?;
    let table = cursor.relation()?;
    cursor.skip_rest();
    Some(plain(kind, vec![(table, LockMode::AccessExclusive)]))
}

fn publication(cursor: &mut Cursor<'_>) -> Vec<Action> {
    let mut locks = Vec::new();
    cursor.until(|cursor| cursor.at("TABLE"));
    if cursor.take("TABLE") {
        let tables = cursor
            .comma_parts()
            .into_iter()
            .filter_map(|mut part| part.table());
        locks.extend(tables.map(|table| (table, LockMode::ShareUpdateExclusive)));
    }
    cursor.skip_rest();
    plain(Kind::AlterObject, locks)
}

fn opaque(kind: Kind, locks: Vec<(Relation, LockMode)>, unknown: String) -> Vec<Action> {
    vec![Action::Opaque(Opaque {
        kind,
        locks,
        unknown,
        destroys: Vec::new(),
        loses: None,
    })]
}

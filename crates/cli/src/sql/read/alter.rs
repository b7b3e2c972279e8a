//! ALTER of everything but tables, which have a file of their own.

use super::alter_table::{alter_relation, alter_table};
use super::plain;
use crate::sql::action::{Action, Change, Descendants, Opaque, SequenceChange};
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
    let moves = cursor.take_any(&[
        "RENAME TO",
        "OWNER TO",
        "SET SCHEMA",
        "SET LOGGED",
        "SET UNLOGGED",
    ]);
    let change = match moves {
        Some("RENAME TO") => SequenceChange::Renamed(sequence.sibling(cursor.name()?)),
        Some("SET SCHEMA") => {
            SequenceChange::Renamed(Relation::new(cursor.name()?, sequence.name()))
        }
        Some(_) => SequenceChange::Other,
        None => {
            cursor.until(|cursor| cursor.at_all("OWNED BY"));
            match cursor.take("OWNED BY") {
                true if cursor.take("NONE") => SequenceChange::OwnedBy(None),
                true => SequenceChange::OwnedBy(Some(cursor.column_of()?)),
                false => SequenceChange::Other,
            }
        }
    };
    cursor.skip_rest();
    let mode = match moves {
        Some(_) => LockMode::AccessExclusive,
        None => LockMode::ShareRowExclusive,
    };
    Some(vec![Action::AlterSequence {
        sequence,
        mode,
        change,
    }])
}

/// Behind ALL IN TABLESPACE.
pub(super) fn all_in_tablespace(cursor: &mut Cursor<'_>) -> Vec<Action> {
    cursor.skip_rest();
    let unknown = "what the tablespace holds: each is locked ACCESS EXCLUSIVE and written anew";
    vec![Action::Opaque(Opaque {
        kind: Kind::SetTablespace,
        locks: Vec::new(),
        unknown: unknown.to_owned(),
        destroys: Vec::new(),
        loses: None,
    })]
}

fn view(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    if cursor.take("ALL IN TABLESPACE") {
        return Some(all_in_tablespace(cursor));
    }
    cursor.take("IF EXISTS");
    let view = cursor.relation()?;
    let mut renamed = *cursor;
    if renamed.take("RENAME") && !renamed.at("TO") {
        return alter_relation(&view, Descendants::Left, cursor);
    }
    if cursor.take("RENAME TO") {
        let change = Change::RenameTable {
            to: view.sibling(cursor.name()?),
        };
        return Some(vec![Action::AlterTable {
            table: view,
            extent: Descendants::Left,
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
    if cursor.take("ADD VALUE") {
        cursor.take("IF NOT EXISTS");
        let value = cursor.string()?.to_owned();
        cursor.skip_rest();
        return Some(vec![Action::AddEnumValue { name, value }]);
    }
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
    Some(vec![Action::AlterComposite { name, dropped }])
}

fn domain(cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    let name = cursor.relation()?;
    let adds = cursor.at("ADD") || cursor.at_all("SET NOT NULL");
    let verifies = adds || cursor.at("VALIDATE");
    let not_valid = cursor
        .words()
        .collect::<Vec<_>>()
        .ends_with(&["not".to_owned(), "valid".to_owned()]);
    cursor.skip_rest();
    Some(vec![Action::AlterDomain {
        domain: name,
        verifies: verifies && !not_valid,
        adds,
    }])
}

fn on_table(kind: Kind, cursor: &mut Cursor<'_>) -> Option<Vec<Action>> {
    cursor.take("IF EXISTS");
    cursor.name()?;
    cursor.expect("ON")?;
    let table = cursor.relation()?;
    let mode = match cursor.at("DEPENDS") || cursor.at("NO") {
        true => LockMode::AccessShare,
        false => LockMode::AccessExclusive,
    };
    cursor.skip_rest();
    Some(plain(kind, vec![(table, mode)]))
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

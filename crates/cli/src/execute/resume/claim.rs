//! What a statement says will be true in the catalog once it has run.
//!
//! Absent here: statements whose work is rows, or code: nothing in the catalog would prove them.

use std::fmt;

use crate::sql::{
    self, Action, Change, CreateIndex, Drop, Relation, Statement, StatementKind as Kind, Validity,
    World,
};

/// An object, and whether the statement makes it or takes it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) object: Object,
    pub(crate) asked: Asked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    There,
    Gone,
}

/// What the catalog can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Object {
    Table(Relation),
    Column {
        table: Relation,
        column: String,
    },
    /// Without a table where it is only taken away.
    Index {
        index: Relation,
        table: Option<Relation>,
    },
    /// NOT VALID or not.
    Constraint {
        table: Relation,
        name: String,
    },
    /// With each row checked.
    Validated {
        table: Relation,
        name: String,
    },
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table) => write!(f, "table {table}"),
            Self::Column { table, column } => write!(f, "column {column} of {table}"),
            Self::Index {
                index,
                table: Some(table),
            } => write!(f, "index {index} on {table}"),
            Self::Index { index, table: None } => write!(f, "index {index}"),
            Self::Constraint { table, name } => write!(f, "constraint {name} of {table}"),
            Self::Validated { table, name } => {
                write!(f, "constraint {name} of {table}, validated,")
            }
        }
    }
}

/// All that a text of one or more statements claims; none where a part of it cannot be asked for. No claims: it only reads
/// or sets.
pub(crate) fn claims(text: &str) -> Option<Vec<Claim>> {
    let mut claims = Vec::new();
    for action in actions(text) {
        claims.extend(of(&action)?);
    }
    Some(claims)
}

/// Those that can be asked for, whatever else the text does.
pub(super) fn some(text: &str) -> Vec<Claim> {
    actions(text).iter().filter_map(of).flatten().collect()
}

fn actions(text: &str) -> Vec<Action> {
    let known = World::unread();
    sql::read_script(text)
        .map(|reading| reading.forecast(None, &known))
        .flat_map(|statement: Statement| statement.actions)
        .collect()
}

fn of(action: &Action) -> Option<Vec<Claim>> {
    let there = |object| Some(vec![claim(object, Asked::There)]);
    match action {
        // SERIAL and its like make sequences beside their tables
        Action::SetConstraints { .. } | Action::SetGuard { .. } | Action::Created { .. } => {
            Some(Vec::new())
        }
        Action::LockTable { .. } => Some(Vec::new()),
        Action::Plain { kind, .. } if is_of_session(*kind) => Some(Vec::new()),
        Action::Query(query) if query.writes.is_empty() && query.calls.is_empty() => {
            Some(Vec::new())
        }
        Action::CreateTable(create) if create.query.is_none() => {
            there(Object::Table(create.table.clone()))
        }
        Action::CreateIndex(CreateIndex {
            index: Some(index),
            table,
            ..
        }) => there(Object::Index {
            index: index.clone(),
            table: Some(table.clone()),
        }),
        Action::AlterTable { table, change, .. } => alter(table, change),
        Action::Drop(dropped) => gone(dropped),
        _ => None,
    }
}

/// It is over with its session or its transaction.
fn is_of_session(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Begin
            | Kind::Commit
            | Kind::Rollback
            | Kind::Savepoint
            | Kind::Set
            | Kind::SetConstraints
            | Kind::Show
            | Kind::Prepare
            | Kind::Notify
    )
}

fn alter(table: &Relation, change: &Change) -> Option<Vec<Claim>> {
    let table = table.clone();
    let one = |object, asked| Some(vec![claim(object, asked)]);
    match change {
        Change::AddColumn(column) => one(
            Object::Column {
                table,
                column: column.name.clone(),
            },
            Asked::There,
        ),
        Change::DropColumn { column, .. } => one(
            Object::Column {
                table,
                column: column.clone(),
            },
            Asked::Gone,
        ),
        Change::AddConstraint(constraint) => {
            let name = constraint.name.clone()?;
            let object = match constraint.validity {
                Validity::Validated => Object::Validated { table, name },
                Validity::NotValid => Object::Constraint { table, name },
            };
            one(object, Asked::There)
        }
        Change::DropConstraint { name, .. } => one(
            Object::Constraint {
                table,
                name: name.clone(),
            },
            Asked::Gone,
        ),
        Change::ValidateConstraint { name } => one(
            Object::Validated {
                table,
                name: name.clone(),
            },
            Asked::There,
        ),
        _ => None,
    }
}

fn gone(dropped: &Drop) -> Option<Vec<Claim>> {
    let name = dropped.name.clone();
    let object = match dropped.kind {
        Kind::DropTable => Object::Table(name),
        Kind::DropIndex => Object::Index {
            index: name,
            table: None,
        },
        _ => return None,
    };
    Some(vec![claim(object, Asked::Gone)])
}

fn claim(object: Object, asked: Asked) -> Claim {
    Claim { object, asked }
}

//! What the rows themselves would refuse: which of them are to be looked for before a statement runs, and what is said of
//! those that are found. Pure; the looking is `database::at_odds`.
//!
//! Asked only of tables and columns that are now what they will be then: what the plan renames, retypes or fills before is
//! left out.

use std::collections::BTreeSet;

use pgdriver::catalog::{RelationName, RowCount};
use pgdriver::offenders::{Offence, Offenders};

use super::{Finding, Severity, beyond};
use crate::sql::{
    Action, Change, Column, Constraint, KeyKind, KeySource, Nullability, Object, Relation, Rule,
    Statement, StatementKind as Kind, Validity, Value, World,
};
use crate::ui::count;

/// Rows to be looked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub(crate) relation: Relation,
    pub(crate) offence: Offence,
    /// The columns of the primary key.
    pub(crate) key: Vec<String>,
    /// Code of an earlier step runs before, and may mend what is found.
    mended: bool,
}

/// Goes through a plan, statement by statement.
pub(crate) struct Data<'w> {
    /// As it is now.
    world: &'w World,
    /// Renamed, made or dropped by the plan.
    changed: BTreeSet<Relation>,
    /// Written or changed by the plan.
    filled: BTreeSet<(Relation, String)>,
    opaque: bool,
}

impl<'w> Data<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self {
            world,
            changed: BTreeSet::new(),
            filled: BTreeSet::new(),
            opaque: false,
        }
    }

    /// Something runs that nobody has read.
    pub(crate) fn opaque(&mut self) {
        self.opaque = true;
    }

    /// What is to be asked before the statement.
    pub(crate) fn questions(&mut self, statement: &Statement) -> Vec<Question> {
        let mut questions = Vec::new();
        for action in &statement.actions {
            if let Some((table, offences)) = self.offences(action) {
                questions.extend(
                    offences
                        .into_iter()
                        .filter_map(|offence| self.question(&table, offence)),
                );
            }
        }
        for action in &statement.actions {
            self.take_in(action);
        }
        questions
    }

    fn question(&self, table: &Relation, offence: Offence) -> Option<Question> {
        let object = self.world.facts(table)?;
        let same = |column: &String| {
            object.column(column).is_some()
                && !self.filled.contains(&(object.name.clone(), column.clone()))
        };
        let asked: Vec<&String> = match &offence {
            Offence::Null(columns)
            | Offence::Duplicate(columns)
            | Offence::Orphan { columns, .. } => columns.iter().collect(),
            Offence::LongerThan(column, _)
            | Offence::Outside(column, ..)
            | Offence::Precision(column, ..) => vec![column],
            Offence::Row => Vec::new(),
        };
        let is_there = !self.changed.contains(&object.name) && asked.into_iter().all(same);
        is_there.then(|| Question {
            relation: object.name.clone(),
            offence,
            key: key(self.world, object),
            mended: self.opaque,
        })
    }

    fn offences(&self, action: &Action) -> Option<(Relation, Vec<Offence>)> {
        match action {
            Action::AlterTable { table, change, .. } => {
                let offences = match change {
                    Change::SetNotNull { column } => {
                        self.nulls(table, std::slice::from_ref(column))
                    }
                    Change::AddColumn(column) => self.column(column),
                    Change::AddConstraint(constraint) => self.constraint(table, constraint),
                    Change::AlterType { column, to, .. } => self.retyped(table, column, to),
                    _ => Vec::new(),
                };
                Some((table.clone(), offences))
            }
            Action::CreateIndex(create) if create.is_unique && !create.is_partial => {
                let columns: Option<Vec<String>> = create.keys.iter().cloned().collect();
                Some((
                    create.table.clone(),
                    columns.map(Offence::Duplicate).into_iter().collect(),
                ))
            }
            _ => None,
        }
    }

    fn nulls(&self, table: &Relation, columns: &[String]) -> Vec<Offence> {
        let Some(object) = self.world.facts(table) else {
            return Vec::new();
        };
        let open = |column: &&String| object.column(column).is_some_and(|column| !column.not_null);
        let open: Vec<String> = columns.iter().filter(open).cloned().collect();
        match open.is_empty() {
            true => Vec::new(),
            false => vec![Offence::Null(open)],
        }
    }

    /// NOT NULL and nothing to put there.
    fn column(&self, column: &Column) -> Vec<Offence> {
        let empty = column.value == Value::Nothing && column.nullability == Nullability::NotNull;
        match empty {
            true => vec![Offence::Row],
            false => Vec::new(),
        }
    }

    fn constraint(&self, table: &Relation, constraint: &Constraint) -> Vec<Offence> {
        if constraint.validity == Validity::NotValid {
            return Vec::new();
        }
        match &constraint.rule {
            Rule::NotNull { column } => self.nulls(table, std::slice::from_ref(column)),
            Rule::Unique(KeySource::Columns(columns)) => vec![Offence::Duplicate(columns.clone())],
            Rule::PrimaryKey(KeySource::Columns(columns)) => {
                let mut offences = self.nulls(table, columns);
                offences.push(Offence::Duplicate(columns.clone()));
                offences
            }
            Rule::ForeignKey {
                columns,
                to,
                to_columns,
                ..
            } => self.orphans(columns, to, to_columns).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn orphans(&self, columns: &[String], to: &Relation, to_columns: &[String]) -> Option<Offence> {
        let parent = self
            .world
            .facts(to)
            .filter(|parent| !self.changed.contains(&parent.name))?;
        let to_columns = match to_columns {
            [] => key(self.world, parent),
            named => named.to_vec(),
        };
        let there = to_columns
            .iter()
            .all(|column| parent.column(column).is_some());
        (there && to_columns.len() == columns.len() && !columns.is_empty()).then(|| {
            Offence::Orphan {
                columns: columns.to_vec(),
                to: RelationName::new(parent.name.schema(), parent.name.name()),
                to_columns,
            }
        })
    }

    fn retyped(&self, table: &Relation, column: &str, to: &str) -> Vec<Offence> {
        let from = self
            .world
            .facts(table)
            .and_then(|object| object.column(column));
        let from = from.map(|column| self.world.base_type(&column.type_name));
        let bound = from.and_then(|from| crate::sql::bound(&from, &self.world.base_type(to)));
        let column = column.to_owned();
        bound
            .map(|bound| match bound {
                crate::sql::Bound::Length(length) => Offence::LongerThan(column, length),
                crate::sql::Bound::Range(least, most) => Offence::Outside(column, least, most),
                crate::sql::Bound::Digits(precision, scale) => {
                    Offence::Precision(column, precision, scale)
                }
            })
            .into_iter()
            .collect()
    }

    fn take_in(&mut self, action: &Action) {
        match action {
            Action::Opaque(_) | Action::Unread { .. } | Action::Branches => self.opaque = true,
            Action::CreateTable(create) => drop(self.changed.insert(create.table.clone())),
            Action::Drop(dropped) => drop(self.changed.insert(dropped.name.clone())),
            Action::Truncate { table, .. } => drop(self.changed.insert(table.clone())),
            Action::AlterTable { table, change, .. } => {
                let column = match change {
                    Change::RenameTable { to } | Change::SetSchema { to } => {
                        self.changed.extend([table.clone(), to.clone()]);
                        return;
                    }
                    Change::RenameColumn { column, to } => {
                        self.filled.insert((table.clone(), to.clone()));
                        column
                    }
                    Change::AddColumn(column) => &column.name,
                    Change::DropColumn { column, .. } | Change::AlterType { column, .. } => column,
                    _ => return,
                };
                self.filled.insert((table.clone(), column.clone()));
            }
            Action::Query(query) => {
                for write in &query.writes {
                    match (write.kind, write.columns.is_empty()) {
                        (Kind::Update, false) => {
                            let columns = write
                                .columns
                                .iter()
                                .map(|column| (write.table.clone(), column.clone()));
                            self.filled.extend(columns);
                        }
                        _ => drop(self.changed.insert(write.table.clone())),
                    }
                }
            }
            _ => {}
        }
    }
}

/// The columns of the primary key.
fn key(world: &World, object: &Object) -> Vec<String> {
    let primary = object.keys.iter().filter_map(|key| match key.kind {
        KeyKind::Index(Some(index)) => world
            .object(index)?
            .index
            .as_ref()
            .filter(|index| index.is_primary),
        _ => None,
    });
    primary
        .flat_map(|index| index.keys.iter().flatten().cloned())
        .collect()
}

/// What is said of what was found; nothing where nothing was.
pub(crate) fn finding(question: &Question, found: &Offenders) -> Option<Finding> {
    let (rows, more) = match found.rows {
        RowCount::Exactly(0) => return None,
        RowCount::Exactly(n) => (n, ""),
        RowCount::AtLeast(n) => (n, " or more"),
    };
    let table = &question.relation;
    let (code, said) = match &question.offence {
        Offence::Null(columns) => (
            "rows-with-null",
            format!(
                "{}{more} of {table} {} NULL in {}",
                count(rows, "row"),
                have(rows),
                columns.join(" or ")
            ),
        ),
        Offence::Duplicate(columns) => (
            "duplicate-rows",
            format!(
                "{}{more} of {} {} in more than one row of {table}",
                count(rows, "value"),
                columns.join(", "),
                match rows {
                    1 => "stands",
                    _ => "stand",
                }
            ),
        ),
        Offence::Orphan { columns, to, .. } => (
            "orphan-rows",
            format!(
                "{}{more} of {table} {} a {} that {to} has not",
                count(rows, "row"),
                have(rows),
                columns.join(", ")
            ),
        ),
        Offence::LongerThan(column, length) => (
            "values-too-long",
            format!(
                "{}{more} of {table} {} more than {length} characters in {column}",
                count(rows, "row"),
                have(rows)
            ),
        ),
        Offence::Outside(column, least, most) => (
            "values-out-of-range",
            format!(
                "{}{more} of {table} {} a {column} that is not from {least} to {most}",
                count(rows, "row"),
                have(rows)
            ),
        ),
        Offence::Precision(column, precision, scale) => (
            "values-out-of-range",
            format!(
                "{}{more} of {table} {} a {column} that numeric({precision}, {scale}) cannot hold",
                count(rows, "row"),
                have(rows)
            ),
        ),
        Offence::Row => (
            "rows-without-value",
            format!("{table} has rows, and the new column is NOT NULL without a value for them"),
        ),
    };
    let keys = match (found.keys.as_slice(), &question.offence) {
        ([], _) | (_, Offence::Row) => String::new(),
        (keys, _) => format!(
            " ({}{})",
            keys.join("; "),
            if rows > keys.len() as u64 {
                "; …"
            } else {
                ""
            }
        ),
    };
    let perhaps = match question.mended {
        true => "; code that runs before it may change that",
        false => "",
    };
    let mut finding = beyond::finding(code, format!("{said}{keys}: the statement fails{perhaps}"));
    finding.relation = Some(table.clone());
    // the code that may mend it asks already
    if question.mended {
        finding.severity = Severity::Note;
    }
    Some(finding)
}

fn have(rows: u64) -> &'static str {
    match rows {
        1 => "has",
        _ => "have",
    }
}

/// It took too long, or was not allowed.
pub(crate) fn not_looked(question: &Question, why: &str) -> Finding {
    let mut finding = beyond::finding(
        "rows-not-looked-at",
        format!(
            "whether the rows of {} allow it is not known: {why}",
            question.relation
        ),
    );
    finding.relation = Some(question.relation.clone());
    finding
}

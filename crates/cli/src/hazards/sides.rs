//! Whose code a statement breaks while old and new code run side by side.
//!
//! Old code fails once it is applied, new code until it is. Code is known only by what it must do: it reads and writes the
//! columns that it knows, and Django's INSERT names every one of them. Absent: when to apply a migration, which follows from
//! all of its statements (`preview/deploy`).

use super::scene::Scene;
use crate::sql::{
    Action, Change, Constraint, CreateIndex, KeySource, Nullability, Object, Relation, Rule,
    StatementKind as Kind, Value, bound, phrases, same_family,
};

/// What fails, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Side {
    pub(crate) code: Code,
    pub(crate) what: String,
    /// The constraint that comes or goes: one that goes and comes back changes nothing.
    pub(crate) constraint: Option<(Relation, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Code {
    /// It fails from the commit on.
    Old,
    /// It fails until the commit.
    New,
    /// Nobody knows.
    Unknown,
}

pub(super) fn sides(scene: &Scene<'_>) -> Vec<Side> {
    scene
        .actions()
        .flat_map(|action| of(action, scene))
        .collect()
}

fn old(what: impl Into<String>) -> Side {
    side(Code::Old, what)
}

fn new(what: impl Into<String>) -> Side {
    side(Code::New, what)
}

fn unknown(what: impl Into<String>) -> Side {
    side(Code::Unknown, what)
}

fn side(code: Code, what: impl Into<String>) -> Side {
    Side {
        code,
        what: what.into(),
        constraint: None,
    }
}

fn of(action: &Action, scene: &Scene<'_>) -> Vec<Side> {
    match action {
        Action::CreateTable(create) => vec![new(format!("{} is not there yet", create.table))],
        Action::CreateView { view, .. } => vec![new(format!("{view} is not there yet"))],
        Action::CreateType { name }
        | Action::CreateDomain { name, .. }
        | Action::Created { name, .. } => {
            vec![new(format!("{name} is not there yet"))]
        }
        Action::AlterTable { table, change, .. } => of_change(table, change, scene),
        Action::CreateIndex(create) if create.is_unique => unique_index(create, scene),
        Action::Drop(dropped) => match dropped.kind {
            Kind::DropIndex | Kind::DropStatistics => Vec::new(),
            _ => vec![old(format!("{} is gone", dropped.name))],
        },
        Action::AlterSequence { sequence, .. } if scene.statement.kind == Kind::RenameTable => {
            renamed(sequence)
        }
        Action::Query(query) => match query.writes.first() {
            // Django's own, before SET NOT NULL
            Some(_) if fills_nulls(&scene.statement.sql) => Vec::new(),
            Some(write) => vec![unknown(format!("rows of {} change", write.table))],
            None => Vec::new(),
        },
        Action::Truncate { table, .. } => vec![unknown(format!("rows of {table} are gone"))],
        Action::AlterComposite { name, .. } => vec![unknown(format!("type {name} changes"))],
        Action::AlterDomain {
            domain,
            verifies: true,
            ..
        } => {
            vec![old(format!("domain {domain} takes fewer values"))]
        }
        Action::Owned { .. } => vec![unknown("what roles own changes")],
        Action::Opaque(_) | Action::Branches => vec![unknown("code runs")],
        Action::Unread { .. } => vec![unknown("a statement cannot be read")],
        Action::Plain { kind, .. } => plain(*kind),
        Action::Grant {
            kind: Kind::Revoke, ..
        } => vec![old("rights are taken")],
        Action::AddEnumValue { name, value } => {
            vec![new(format!("{name} has no value '{value}' yet"))]
        }
        Action::CreateIndex(_)
        | Action::Reindex { .. }
        | Action::AlterSequence { .. }
        | Action::AlterDomain { .. }
        | Action::RenameIndex { .. }
        | Action::Explain(_)
        | Action::LockTable { .. }
        | Action::Grant { .. }
        | Action::Repack { .. }
        | Action::Refresh { .. }
        | Action::SetGuard { .. }
        | Action::SetConstraints { .. } => Vec::new(),
    }
}

/// Of a table that nobody has read only what the plan added to it.
fn met<'a>(table: &Relation, scene: &Scene<'a>) -> Option<&'a Object> {
    scene.known.object(scene.known.id(table)?)
}

/// Of statements that say no more than their kind.
fn plain(kind: Kind) -> Vec<Side> {
    match kind {
        Kind::CreateSequence
        | Kind::CreateSchema
        | Kind::CreateType
        | Kind::CreateDomain
        | Kind::CreateFunction
        | Kind::CreateExtension
        | Kind::CreateObject => vec![new("what is created is not there yet")],
        Kind::DropSchema
        | Kind::DropType
        | Kind::DropDomain
        | Kind::DropFunction
        | Kind::DropExtension
        | Kind::DropObject => vec![old("what is dropped is gone")],
        Kind::CreateTrigger
        | Kind::DropTrigger
        | Kind::CreateRule
        | Kind::DropRule
        | Kind::CreatePolicy
        | Kind::AlterPolicy
        | Kind::DropPolicy
        | Kind::AlterType
        | Kind::AlterView
        | Kind::AlterFunction
        | Kind::AlterSchema
        | Kind::AlterExtension
        | Kind::AlterObject => vec![unknown("what else the database does with rows changes")],
        _ => Vec::new(),
    }
}

/// `UPDATE … WHERE column IS NULL`
fn fills_nulls(sql: &str) -> bool {
    let sql = sql.trim_end();
    let last = phrases(sql, &["WHERE _ IS NULL"]).pop();
    phrases(sql, &["UPDATE _ SET"])
        .first()
        .is_some_and(|update| update.start == 0)
        && last.is_some_and(|last| last.end == sql.len())
}

fn renamed(name: &Relation) -> Vec<Side> {
    vec![
        old(format!("{name} has another name")),
        new(format!("{name} still has its old name")),
    ]
}

fn of_change(table: &Relation, change: &Change, scene: &Scene<'_>) -> Vec<Side> {
    let known = met(table, scene);
    let column = |name: &str| known.and_then(|object| object.column(name));
    let is_new = |name: &str| column(name).is_some_and(|column| column.is_new);
    let required = |name: &str| {
        old(format!(
            "its INSERTs do not name {name} of {table}, which has no default"
        ))
    };
    match change {
        Change::AddColumn(added) => {
            let needed = new(format!("column {} of {table} is not there yet", added.name));
            let is_required =
                added.nullability == Nullability::NotNull && added.value == Value::Nothing;
            std::iter::once(needed)
                .chain(is_required.then(|| required(&added.name)))
                .collect()
        }
        Change::DropColumn { column: name, .. } if is_new(name) => Vec::new(),
        Change::DropColumn { column: name, .. } => {
            let gone = old(format!("column {name} of {table} is gone"));
            let stands_in_the_way = column(name).is_some_and(|column| {
                column.not_null
                    && !column.has_default
                    && !column.is_identity
                    && !column.is_generated
            });
            let until = stands_in_the_way.then(|| {
                new(format!(
                    "its INSERTs do not name {name} of {table}, which is NOT NULL without a default"
                ))
            });
            std::iter::once(gone).chain(until).collect()
        }
        Change::RenameColumn { column, .. } => vec![
            old(format!("column {column} of {table} has another name")),
            new(format!("column {column} of {table} still has its old name")),
        ],
        Change::RenameTable { .. } | Change::SetSchema { .. } => renamed(table),
        Change::AlterType { column: name, .. } if is_new(name) => Vec::new(),
        Change::AlterType {
            column: name, to, ..
        } => {
            let from = column(name).map(|column| column.type_name.as_str());
            of_type(table, name, from, to)
        }
        Change::SetNotNull { column: name } => match column(name) {
            Some(column) if column.is_new && column.has_default => Vec::new(),
            Some(column) if column.is_new => vec![required(name)],
            Some(column) if column.not_null => Vec::new(),
            _ => vec![old(format!("it may write NULL into {name} of {table}"))],
        },
        Change::DropNotNull { column: name } if is_new(name) => Vec::new(),
        Change::DropNotNull { column: name } => {
            vec![new(format!("it may write NULL into {name} of {table}"))]
        }
        Change::DropDefault { column: name } => match column(name) {
            Some(column) if column.is_new && !column.not_null => Vec::new(),
            Some(column) if column.is_new => vec![required(name)],
            Some(column) if !column.has_default => Vec::new(),
            _ => vec![old(format!(
                "it may count on the default of {name} of {table}"
            ))],
        },
        Change::SetDefault { column: name } if is_new(name) => Vec::new(),
        Change::SetDefault { column: name } => {
            vec![new(format!(
                "it may count on the default of {name} of {table}"
            ))]
        }
        Change::AddConstraint(constraint) => comes(table, constraint, known),
        Change::DropConstraint { name, .. }
            if known
                .and_then(|object| object.key(name))
                .is_some_and(|key| {
                    !key.columns.is_empty() && key.columns.iter().all(|column| is_new(column))
                }) =>
        {
            Vec::new()
        }
        Change::DropConstraint { name, .. } => vec![Side {
            constraint: Some((table.clone(), name.clone())),
            ..new(format!("it may write what {name} of {table} forbids"))
        }],
        Change::SetExpression { column } | Change::DropExpression { column } => {
            vec![unknown(format!(
                "values of {column} of {table} come from elsewhere"
            ))]
        }
        Change::AttachPartition { .. }
        | Change::DetachPartition { .. }
        | Change::Inherit { .. } => {
            vec![unknown(format!("{table} has other rows"))]
        }
        Change::Other {
            kind: Kind::SetRowSecurity,
            ..
        } => {
            vec![unknown(format!("rows of {table} are hidden, or shown"))]
        }
        Change::Identity { .. }
        | Change::ValidateConstraint { .. }
        | Change::RenameConstraint { .. }
        | Change::Rewrite { .. }
        | Change::SetOwner { .. }
        | Change::UseIndex { .. }
        | Change::DisableTrigger { .. }
        | Change::Other { .. } => Vec::new(),
    }
}

/// A wider type serves the new code, a narrower one hinders the old; between families both may fail.
fn of_type(table: &Relation, column: &str, from: Option<&str>, to: &str) -> Vec<Side> {
    let late = || {
        old(format!(
            "it may write into {column} of {table} what {to} does not hold"
        ))
    };
    let early = || {
        let from = from.unwrap_or("the old type");
        new(format!(
            "it may write into {column} of {table} what {from} does not hold"
        ))
    };
    match from {
        Some(from) if from.eq_ignore_ascii_case(to) => Vec::new(),
        Some(from) if bound(from, to).is_some() => vec![late()],
        Some(from) if same_family(from, to) => vec![early()],
        _ => vec![late(), early()],
    }
}

/// Unless it is about columns that only the new code writes.
fn comes(table: &Relation, constraint: &Constraint, known: Option<&Object>) -> Vec<Side> {
    let is_new = |name: &String| {
        known
            .and_then(|object| object.column(name))
            .is_some_and(|c| c.is_new)
    };
    let all_new = |columns: &[String]| !columns.is_empty() && columns.iter().all(is_new);
    let concerns_new_only = match &constraint.rule {
        Rule::ForeignKey { columns, .. } => all_new(columns),
        Rule::Unique(KeySource::Columns(columns))
        | Rule::PrimaryKey(KeySource::Columns(columns)) => columns.iter().any(is_new),
        Rule::Check { words, .. } => {
            let is_column =
                |word: &&String| known.is_some_and(|object| object.column(word).is_some());
            let columns: Vec<String> = words.iter().filter(is_column).cloned().collect();
            all_new(&columns)
        }
        Rule::NotNull { column } => is_new(column),
        Rule::Unique(KeySource::Index(_))
        | Rule::PrimaryKey(KeySource::Index(_))
        | Rule::Exclude => false,
    };
    if concerns_new_only {
        return Vec::new();
    }
    let name = constraint.name.clone();
    let what = match &name {
        Some(name) => format!("it may write what {name} of {table} forbids"),
        None => format!("it may write what a new constraint of {table} forbids"),
    };
    vec![Side {
        constraint: name.map(|name| (table.clone(), name)),
        ..old(what)
    }]
}

fn unique_index(create: &CreateIndex, scene: &Scene<'_>) -> Vec<Side> {
    let known = met(&create.table, scene);
    let is_new = |name: &String| {
        known
            .and_then(|object| object.column(name))
            .is_some_and(|c| c.is_new)
    };
    match create.keys.iter().flatten().any(is_new) {
        true => Vec::new(),
        false => vec![old(format!(
            "it may write into {} what the unique index forbids",
            create.table
        ))],
    }
}

//! Which locks DDL would take: of tables that were named, of a plan's SQL, or, where nobody rendered it, of a plan's
//! operations. Pure, but for looking names up.
//!
//! Absent here: who has them.

use std::collections::{BTreeMap, BTreeSet};

use pgdriver::activity::locks::{LockMode, Wanted};
use pgdriver::catalog::{self, RelationName};
use pgdriver::tables::{self, Table};
use pgdriver::{QueryError, Session};

use super::readiness::WantedLock;
use crate::database::query_failure;
use crate::django::wire::Operation;
use crate::exit::Class;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::preview::Preview;

/// The mode below which nothing keeps others from reading and writing.
const STRONG: LockMode = LockMode::ShareUpdateExclusive;

/// A relation as somebody typed it, with the schema that the catalog has.
pub(crate) async fn resolve(session: &Session, name: &str) -> Result<RelationName, Failure> {
    let asked = RelationName::parse(name);
    let found = catalog::relations(session, std::slice::from_ref(&asked)).await;
    let found = found.map_err(|e| query_failure(&e))?;
    match found.into_iter().next() {
        Some((_, relation)) => Ok(relation.name),
        None => Err(Failure::new(Class::Usage, format!("no relation {name} in this database"))
            .hint("name it as the catalog does, without quotes: table or schema.table; without a schema the search_path decides")),
    }
}

/// The named tables in one mode, and the tables that their foreign keys refer to in the same.
pub(crate) async fn of_names(
    session: &Session,
    names: &[String],
    mode: LockMode,
) -> Result<Vec<WantedLock>, Failure> {
    let mut wanted = Vec::new();
    for name in names {
        let relation = resolve(session, name).await?;
        wanted.push(WantedLock {
            lock: Wanted { relation, mode },
            referenced_by: None,
        });
    }
    let tables = tables::tables(session)
        .await
        .map_err(|e| query_failure(&e))?;
    Ok(with_parents(wanted, &tables))
}

fn with_parents(mut wanted: Vec<WantedLock>, tables: &[Table]) -> Vec<WantedLock> {
    let mut known: BTreeSet<RelationName> =
        wanted.iter().map(|w| w.lock.relation.clone()).collect();
    for at in 0..wanted.len() {
        let Wanted { relation, mode } = wanted[at].lock.clone();
        let keys = tables
            .iter()
            .filter(|table| table.name == relation)
            .flat_map(|table| &table.foreign_keys);
        for key in keys {
            if known.insert(key.to.clone()) {
                wanted.push(WantedLock {
                    lock: Wanted {
                        relation: key.to.clone(),
                        mode,
                    },
                    referenced_by: Some(relation.to_string()),
                });
            }
        }
    }
    wanted
}

/// What the plan's statements lock, each relation in the strongest mode.
pub(crate) async fn of_preview(
    session: &Session,
    preview: &Preview,
) -> Result<Vec<WantedLock>, QueryError> {
    let statements = preview
        .migrations
        .iter()
        .flat_map(|migration| &migration.statements);
    let locks = statements
        .flat_map(|statement| &statement.locks)
        .filter_map(|lock| {
            let name = RelationName::new(lock.relation.schema(), lock.relation.name());
            Some((name, LockMode::from_sql(&lock.mode.to_string())?))
        });
    existing(session, strongest(locks)).await
}

/// What the plan's operations are bound to lock, as far as they name it: CREATE TABLE's foreign keys, RunSQL and
/// RunPython do not.
pub(crate) async fn of_operations(
    session: &Session,
    plan: &Plan,
) -> Result<Vec<WantedLock>, QueryError> {
    let operations: Vec<&Operation> = plan
        .steps
        .iter()
        .flat_map(|step| &step.operations)
        .collect();
    if operations.is_empty() {
        return Ok(Vec::new());
    }
    let tables = tables::tables(session).await?;
    existing(
        session,
        strongest(
            operations
                .into_iter()
                .flat_map(|operation| locked(operation, &tables)),
        ),
    )
    .await
}

/// Operations that send nothing for a table that is there.
const SILENT: [&str; 6] = [
    "CreateModel",
    "AlterModelOptions",
    "AlterModelManagers",
    "RunSQL",
    "RunPython",
    "SeparateDatabaseAndState",
];

fn locked(operation: &Operation, tables: &[Table]) -> Vec<(RelationName, LockMode)> {
    let base = operation.base.as_deref().unwrap_or_default();
    let nested = operation
        .database_operations
        .iter()
        .flat_map(|o| locked(o, tables));
    let mut locks: Vec<(RelationName, LockMode)> = nested.collect();
    let Some(table) = operation
        .table
        .as_deref()
        .filter(|_| operation.reduces_to_sql && !SILENT.contains(&base))
    else {
        return locks;
    };
    let mode = match base {
        "AddIndex" => LockMode::Share,
        "AddIndexConcurrently" | "RemoveIndexConcurrently" | "ValidateConstraint" => {
            LockMode::ShareUpdateExclusive
        }
        _ => LockMode::AccessExclusive,
    };
    let name = |table: &str| RelationName {
        schema: None,
        name: table.to_owned(),
    };
    locks.push((name(table), mode));
    let columns: Vec<&str> = [&operation.field_before, &operation.field_after]
        .into_iter()
        .flatten()
        .filter_map(|field| field.related.as_ref().and(field.column.as_deref()))
        .collect();
    let keys = tables
        .iter()
        .filter(|known| known.name.name == table)
        .flat_map(|known| &known.foreign_keys);
    // dropping a key locks the table that it refers to as strongly as its own
    let dropped = keys.filter(|key| {
        base == "DeleteModel" || key.columns.iter().any(|c| columns.contains(&c.as_str()))
    });
    locks.extend(dropped.map(|key| (key.to.clone(), LockMode::AccessExclusive)));
    // Django's own name for the model's table; where it has another, nothing is found
    let related = operation
        .field_after
        .as_ref()
        .and_then(|field| field.related.as_deref());
    locks.extend(related.map(|model| {
        (
            name(&model.replace('.', "_").to_lowercase()),
            LockMode::ShareRowExclusive,
        )
    }));
    locks
}

fn strongest(
    locks: impl Iterator<Item = (RelationName, LockMode)>,
) -> BTreeMap<RelationName, LockMode> {
    let mut modes = BTreeMap::new();
    for (relation, mode) in locks.filter(|(_, mode)| *mode >= STRONG) {
        let known = modes.entry(relation).or_insert(mode);
        *known = mode.max(*known);
    }
    modes
}

/// Those that are there, by their full names. What the plan itself makes is nobody's yet.
async fn existing(
    session: &Session,
    modes: BTreeMap<RelationName, LockMode>,
) -> Result<Vec<WantedLock>, QueryError> {
    // where no schema was written, `public` is only a guess: the search path knows better
    let asked: Vec<RelationName> = modes
        .keys()
        .map(|name| RelationName {
            schema: name.schema.clone().filter(|schema| schema != "public"),
            name: name.name.clone(),
        })
        .collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let found = catalog::relations(session, &asked).await?;
    let wide: Vec<LockMode> = modes.into_values().collect();
    let found = strongest(
        found
            .into_iter()
            .map(|(at, relation)| (relation.name, wide[at])),
    );
    let wanted = |(relation, mode)| WantedLock {
        lock: Wanted { relation, mode },
        referenced_by: None,
    };
    Ok(found.into_iter().map(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgdriver::tables::ForeignKey;

    fn table(name: &str, keys: &[(&str, &str)]) -> Table {
        let key = |(column, to): &(&str, &str)| ForeignKey {
            name: format!("{name}_{column}_fk"),
            columns: vec![(*column).to_owned()],
            to: RelationName::new("public", to),
        };
        Table {
            name: RelationName::new("public", name),
            estimated_rows: None,
            bytes: None,
            indexes: Vec::new(),
            foreign_keys: keys.iter().map(key).collect(),
        }
    }

    #[test]
    fn parents_come_with_their_children_once() {
        let tables = [
            table("line", &[("order_id", "order"), ("item_id", "item")]),
            table("order", &[]),
        ];
        let asked = |name: &str| WantedLock {
            lock: Wanted {
                relation: RelationName::new("public", name),
                mode: LockMode::Share,
            },
            referenced_by: None,
        };
        let wanted = with_parents(vec![asked("line"), asked("order")], &tables);
        let names: Vec<_> = wanted
            .iter()
            .map(|w| (w.lock.relation.name.as_str(), w.referenced_by.as_deref()))
            .collect();
        assert_eq!(
            names,
            [
                ("line", None),
                ("order", None),
                ("item", Some("public.line"))
            ]
        );
    }

    #[test]
    fn the_strongest_mode_counts_and_weak_ones_do_not() {
        let name = |name: &str| RelationName::new("public", name);
        let modes = strongest(
            [
                (name("a"), LockMode::Share),
                (name("a"), LockMode::AccessExclusive),
                (name("b"), LockMode::RowExclusive),
            ]
            .into_iter(),
        );
        assert_eq!(
            modes.into_iter().collect::<Vec<_>>(),
            [(name("a"), LockMode::AccessExclusive)]
        );
    }
}

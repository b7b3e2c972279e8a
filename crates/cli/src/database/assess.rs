//! What an assessment of SQL stands on: the live catalog, and how many rows are at stake.
//!
//! Absent here: the assessment (see [`crate::hazards`]).

use std::collections::{BTreeMap, BTreeSet};

use pgdriver::catalog::{self, RelationName, RowCount};
use pgdriver::{QueryError, Session, tables};

use super::query_failure;
use crate::failure::Failure;
use crate::hazards::Context;
use crate::preview::Stake;
use crate::sql::{Catalog, ForeignKey, Relation, TableFacts};
use crate::ui;

/// The live catalog as the assessment wants it: sizes, indexes and foreign keys of every table.
pub(crate) async fn context(session: &Session) -> Result<Context, Failure> {
    let failed = |e: QueryError| query_failure(&e);
    let tables = tables::tables(session).await.map_err(failed)?;
    let relation =
        |n: &RelationName| Relation::new(n.schema.clone().unwrap_or_default(), n.name.clone());
    let facts = tables.iter().map(|t| {
        let facts = TableFacts {
            rows: t.estimated_rows,
            bytes: t.bytes,
            indexes: t.indexes.iter().map(relation).collect(),
            foreign_keys: t
                .foreign_keys
                .iter()
                .map(|k| ForeignKey {
                    name: k.name.clone(),
                    columns: k.columns.clone(),
                    to: relation(&k.to),
                })
                .collect(),
        };
        (relation(&t.name), facts)
    });
    Ok(Context {
        catalog: Some(Catalog {
            tables: facts.collect(),
        }),
    })
}

/// How many rows are at stake in each table or column that a plan destroys: counted up to a million within the
/// observer's two seconds, else the planner's estimate. A table that is only planned has none.
pub(crate) async fn count_stakes(
    session: &Session,
    stakes: &BTreeSet<Stake>,
    known: &Context,
) -> BTreeMap<Stake, String> {
    const LIMIT: u64 = 1_000_000;
    let mut rows = BTreeMap::new();
    for stake in stakes {
        let (relation, column) = stake;
        let Some(facts) = known.catalog.as_ref().and_then(|c| c.tables.get(relation)) else {
            continue;
        };
        let name = RelationName::new(relation.schema(), relation.name());
        let counted = match column {
            Some(column) => catalog::count_values(session, &name, column, LIMIT).await,
            None => catalog::count_rows(session, &name, LIMIT).await,
        };
        let text = match counted {
            Ok(RowCount::Exactly(n)) => ui::count(n, "row"),
            Ok(RowCount::AtLeast(n)) => format!("{} or more", ui::count(n, "row")),
            // the planner's estimate is in the loss itself
            Err(_) if facts.rows.is_some() => continue,
            Err(e) if e.is_lock_timeout() => "rows not counted: the table is locked".to_owned(),
            Err(e) => format!("rows not counted: {}", e.message()),
        };
        rows.insert(stake.clone(), text);
    }
    rows
}

/// Whether the server has a database of that name.
pub(crate) async fn exists(session: &Session, database: &str) -> Result<bool, Failure> {
    tables::database_exists(session, database)
        .await
        .map_err(|e| query_failure(&e))
}

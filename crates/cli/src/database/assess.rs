//! What an assessment of SQL stands on: the live catalog, and how many rows are at stake.
//!
//! Absent here: the assessment (see [`crate::hazards`]).

use std::collections::{BTreeMap, BTreeSet};

use pgdriver::catalog::{self, RelationName, RowCount};
use pgdriver::{QueryError, Session, schema, tables};

use super::query_failure;
use crate::failure::Failure;
use crate::hazards::Context;
use crate::preview::Stake;
use crate::sql::World;
use crate::ui;

/// The live schema as the assessment wants it.
pub(crate) async fn context(session: &Session) -> Result<Context, Failure> {
    let schema = schema::schema(session).await;
    let schema = schema.map_err(|e: QueryError| query_failure(&e))?;
    Ok(Context {
        world: World::of(&schema),
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
        let Some(facts) = known.world.facts(relation) else {
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

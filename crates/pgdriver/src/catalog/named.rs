//! Indexes and constraints by name: whether what a statement would make is there, and whole.
//!
//! Absent: what else a table has (see [`super::relations`]).

use super::RelationName;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const INDEXES: Sql = sql!(
    "look up indexes",
    "indexes_named.sql",
    TEXT_ARRAY,
    TEXT_ARRAY
);
const CONSTRAINTS: Sql = sql!(
    "look up constraints",
    "constraints_named.sql",
    TEXT_ARRAY,
    TEXT_ARRAY,
    TEXT_ARRAY
);
const DEFINITION: Sql = sql!("read an index's definition", "index_definition.sql", INT8);

/// An index that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedIndex {
    /// Schema and name as they are.
    pub name: RelationName,
    /// Its table, with its schema.
    pub table: RelationName,
    /// Its oid.
    pub oid: u32,
    /// `indisvalid`: queries use it.
    pub is_valid: bool,
    /// `indisready` and `indislive`: every write goes into it.
    pub takes_writes: bool,
    /// A session builds it at this moment, as far as this role can see.
    pub in_progress: bool,
}

impl NamedIndex {
    /// It was built to its end.
    pub fn is_whole(&self) -> bool {
        self.is_valid && self.takes_writes
    }
}

/// A constraint that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedConstraint {
    /// Its table, with its schema.
    pub table: RelationName,
    /// Its name.
    pub name: String,
    /// `convalidated`: every row was checked.
    pub is_validated: bool,
}

/// Those of the indexes that exist, in the order asked, with the position of the name asked for.
pub async fn indexes_named(
    session: &Session,
    names: &[RelationName],
) -> Result<Vec<(usize, NamedIndex)>, QueryError> {
    let schemas: Vec<Option<&str>> = names.iter().map(|name| name.schema.as_deref()).collect();
    let plain: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
    let rows = INDEXES.rows(session, &[&schemas, &plain]).await?;
    rows.iter()
        .map(|row| {
            let index = NamedIndex {
                name: RelationName::new(row.get("schema")?, row.get("name")?),
                table: RelationName::new(row.get("table_schema")?, row.get("table")?),
                oid: u32::try_from(row.get::<i64>("oid")?).unwrap_or(0),
                is_valid: row.get("is_valid")?,
                takes_writes: row.get("takes_writes")?,
                in_progress: row.get("in_progress")?,
            };
            Ok((position(row.get("at")?), index))
        })
        .collect()
}

/// Those of the constraints, each by its table and its name, that exist, in the order asked, with the position.
pub async fn constraints_named(
    session: &Session,
    names: &[(RelationName, String)],
) -> Result<Vec<(usize, NamedConstraint)>, QueryError> {
    let schemas: Vec<Option<&str>> = names
        .iter()
        .map(|(table, _)| table.schema.as_deref())
        .collect();
    let tables: Vec<&str> = names.iter().map(|(table, _)| table.name.as_str()).collect();
    let plain: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
    let rows = CONSTRAINTS
        .rows(session, &[&schemas, &tables, &plain])
        .await?;
    rows.iter()
        .map(|row| {
            let constraint = NamedConstraint {
                table: RelationName::new(row.get("schema")?, row.get("table")?),
                name: row.get("name")?,
                is_validated: row.get("is_validated")?,
            };
            Ok((position(row.get("at")?), constraint))
        })
        .collect()
}

/// `CREATE INDEX … ON … USING btree (…)`, as the server writes it; none where it is gone. It waits for the table's
/// lock, as long as the session's lock_timeout allows.
pub async fn index_definition(
    session: &Session,
    index: &NamedIndex,
) -> Result<Option<String>, QueryError> {
    DEFINITION
        .row(session, &[&i64::from(index.oid)])
        .await?
        .get("definition")
}

/// Counted from 1 by the server.
fn position(at: i64) -> usize {
    usize::try_from(at).unwrap_or(1).saturating_sub(1)
}

//! Every table of the user schemas with its size, indexes and foreign keys: what an assessment of SQL stands on.
//!
//! Catalog reads only, in three queries whatever the number of tables. Absent: single relations in depth
//! (see [`crate::catalog`]).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::catalog::RelationName;
use crate::permitted::age;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const TABLES: Sql = sql!("list the tables", "tables.sql");
const INDEXES: Sql = sql!("list the indexes", "table_indexes.sql");
const FOREIGN_KEYS: Sql = sql!("list the foreign keys", "foreign_keys.sql");
const NOT_OWNED: Sql = sql!("look up owners", "not_owned.sql", TEXT_ARRAY);
const LARGEST: Sql = sql!("list the largest tables", "largest_tables.sql", INT8);
const DATABASE_EXISTS: Sql = sql!("look for a database", "database_exists.sql", TEXT);
const DATABASE_BYTES: Sql = sql!("read a database's size", "database_bytes.sql", TEXT);

/// A table, partitioned table, foreign table or materialized view.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// With its schema.
    pub name: RelationName,
    /// The planner's estimate; none where it was never analyzed.
    pub estimated_rows: Option<u64>,
    /// Of its own file, without indexes and TOAST, as of the last VACUUM or ANALYZE.
    pub bytes: Option<u64>,
    /// With their schemas.
    pub indexes: Vec<RelationName>,
    /// Those that it has, not those that point to it. One to a partitioned table is followed by one to each partition,
    /// as PostgreSQL records them: DDL on the key locks those too.
    pub foreign_keys: Vec<ForeignKey>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// Of the referencing table, in the key's order.
    pub columns: Vec<String>,
    /// The referenced table.
    pub to: RelationName,
}

/// All of them, in order of schema and name.
pub async fn tables(session: &Session) -> Result<Vec<Table>, QueryError> {
    let mut tables = BTreeMap::new();
    for row in TABLES.rows(session, &[]).await? {
        let name = RelationName::new(row.get("schema")?, row.get("name")?);
        let unsigned = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
        let table = Table {
            name: name.clone(),
            estimated_rows: unsigned(row.get("estimated_rows")?),
            bytes: unsigned(row.get("bytes")?),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
        };
        tables.insert(name, table);
    }
    for row in INDEXES.rows(session, &[]).await? {
        let table = RelationName::new(row.get("schema")?, row.get("table")?);
        if let Some(table) = tables.get_mut(&table) {
            table.indexes.push(RelationName::new(
                row.get("index_schema")?,
                row.get("index")?,
            ));
        }
    }
    for row in FOREIGN_KEYS.rows(session, &[]).await? {
        let table = RelationName::new(row.get("schema")?, row.get("table")?);
        if let Some(table) = tables.get_mut(&table) {
            table.foreign_keys.push(ForeignKey {
                name: row.get("name")?,
                columns: row.get("columns")?,
                to: RelationName::new(row.get("to_schema")?, row.get("to_table")?),
            });
        }
    }
    Ok(tables.into_values().collect())
}

/// A table that the role may not alter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotOwned {
    /// With its schema.
    pub name: RelationName,
    /// Who may.
    pub owner: String,
}

/// Of these tables (as the search path finds them) those that exist and that this role may not alter.
pub async fn not_owned(session: &Session, names: &[&str]) -> Result<Vec<NotOwned>, QueryError> {
    let rows = NOT_OWNED.rows(session, &[&names]).await?;
    rows.iter()
        .map(|row| {
            Ok(NotOwned {
                name: RelationName::new(row.get("schema")?, row.get("name")?),
                owner: row.get("owner")?,
            })
        })
        .collect()
}

/// Whether the cluster has a database of this name.
pub async fn database_exists(session: &Session, name: &str) -> Result<bool, QueryError> {
    DATABASE_EXISTS.row(session, &[&name]).await?.get("found")
}

/// What a database takes on disk; none where this role may not ask, or there is none of that name.
pub async fn database_bytes(session: &Session, name: &str) -> Result<Option<u64>, QueryError> {
    let rows = DATABASE_BYTES.rows(session, &[&name]).await?;
    let bytes: Option<i64> = rows
        .first()
        .map(|row| row.get("bytes"))
        .transpose()?
        .flatten();
    Ok(bytes.map(i64::unsigned_abs))
}

/// How large a table is, as far as that is known without waiting for its lock.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSize {
    /// With its schema. Partitions count by themselves.
    pub name: RelationName,
    /// The planner's estimate; none where it was never analyzed.
    pub estimated_rows: Option<u64>,
    /// As the statistics have counted since they were reset.
    pub live_rows: u64,
    /// Rows that VACUUM has still to remove.
    pub dead_rows: u64,
    /// Of the table's own file.
    pub heap_bytes: u64,
    /// Of its indexes and TOAST.
    pub other_bytes: u64,
    /// Since VACUUM or ANALYZE counted; none: never, and the bytes are those of an empty table.
    pub counted: Option<Duration>,
}

/// The largest tables, the largest first.
pub async fn largest(session: &Session, most: u32) -> Result<Vec<TableSize>, QueryError> {
    let rows = LARGEST.rows(session, &[&i64::from(most)]).await?;
    rows.iter().map(size).collect()
}

fn size(row: &Row) -> Result<TableSize, QueryError> {
    let number = |column| -> Result<Option<u64>, QueryError> {
        let value: Option<i64> = row.get(column)?;
        Ok(value.and_then(|value| u64::try_from(value).ok()))
    };
    Ok(TableSize {
        name: RelationName::new(row.get("schema")?, row.get("name")?),
        estimated_rows: number("estimated_rows")?,
        live_rows: number("live_rows")?.unwrap_or(0),
        dead_rows: number("dead_rows")?.unwrap_or(0),
        heap_bytes: number("heap_bytes")?.unwrap_or(0),
        other_bytes: number("other_bytes")?.unwrap_or(0),
        counted: age(row.get("counted")?),
    })
}

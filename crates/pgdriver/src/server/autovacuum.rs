//! Autovacuum at work: a worker gives way to DDL after deadlock_timeout, one that prevents wraparound never does.
//!
//! Absent: VACUUM that a person started; that is a session like any other ([`crate::activity`]).

use std::time::Duration;

use crate::catalog::RelationName;
use crate::permitted::{Permitted, age};
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const WORKERS: Sql = sql!("list autovacuum workers", "autovacuum_workers.sql");

/// An autovacuum worker.
#[derive(Debug, Clone, PartialEq)]
pub struct AutovacuumWorker {
    /// Its process.
    pub pid: i32,
    /// Where it works.
    pub database: Option<String>,
    /// What it has locked; none in another database, and between two tables.
    pub table: Option<RelationName>,
    /// What it does; hidden from roles without pg_monitor.
    pub detail: Permitted<AutovacuumDetail>,
}

/// What an autovacuum worker does.
#[derive(Debug, Clone, PartialEq)]
pub struct AutovacuumDetail {
    /// It does not give way.
    pub to_prevent_wraparound: bool,
    /// `VACUUM ANALYZE public.shop_item`
    pub work: String,
    /// Since it started with this table.
    pub age: Option<Duration>,
    /// `scanning heap`; none where it only analyzes.
    pub phase: Option<String>,
    /// How much of the table it has scanned, of 1.
    pub scanned: Option<f64>,
}

/// The workers of all databases.
pub async fn autovacuum_workers(session: &Session) -> Result<Vec<AutovacuumWorker>, QueryError> {
    let rows = WORKERS.rows(session, &[]).await?;
    rows.iter().map(worker).collect()
}

fn worker(row: &Row) -> Result<AutovacuumWorker, QueryError> {
    let schema: Option<String> = row.get("schema")?;
    let name: Option<String> = row.get("name")?;
    let detail = match row.get("visible")? {
        true => Permitted::Seen(detail(row)?),
        false => Permitted::NotPermitted,
    };
    Ok(AutovacuumWorker {
        pid: row.get("pid")?,
        database: row.text("database")?,
        table: schema
            .zip(name)
            .map(|(schema, name)| RelationName::new(&schema, &name)),
        detail,
    })
}

fn detail(row: &Row) -> Result<AutovacuumDetail, QueryError> {
    let query = row.text("query")?.unwrap_or_default();
    let work = query.strip_prefix("autovacuum: ").unwrap_or(&query);
    Ok(AutovacuumDetail {
        to_prevent_wraparound: row
            .get::<Option<bool>>("to_prevent_wraparound")?
            .unwrap_or(false),
        work: work.to_owned(),
        age: age(row.get("age")?),
        phase: row.get("phase")?,
        scanned: row.get("scanned")?,
    })
}

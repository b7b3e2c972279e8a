//! What a backup asks a server: a snapshot that pg_dump can take, the tables in it, their rows; and how pg_dump is getting
//! on, as others see it.
//!
//! Absent: pg_dump itself, and what a difference means.

mod checksum;
mod counting;
mod pattern;
mod watched;

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

pub use checksum::{Columns, columns};
pub use counting::{Counting, count};
pub use pattern::matching;
pub use watched::{Copying, backends, copies, locked, measured};

const SNAPSHOT: Sql = sql!("export a snapshot", "dump_snapshot.sql");
const WAL: Sql = sql!("ask where the log stands", "dump_wal_position.sql");
const TABLES: Sql = sql!("list the tables of a snapshot", "dump_tables.sql");
const DATABASE: Sql = sql!("ask how the database was made", "dump_database.sql", TEXT);
const SETTINGS: Sql = sql!("read the database's settings", "dump_database_settings.sql");

/// As pg_dump's own transaction. Limits of the role or the database are none of ours; but no lock is waited for: whoever
/// wants ACCESS EXCLUSIVE has a queue behind him already.
const BEGIN: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '200ms'; \
     SET row_security = off; SET max_parallel_workers_per_gather = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// PostgreSQL 17
const NO_TRANSACTION_TIMEOUT: &str = "SET transaction_timeout = 0";

/// A snapshot that others can take for as long as the transaction is open that exported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// For `SET TRANSACTION SNAPSHOT` and `pg_dump --snapshot`.
    pub id: String,
    /// RFC 3339, by the server's clock.
    pub taken_at: String,
    /// Where the log stood a moment later; none where the role may not ask.
    pub lsn: Option<String>,
    /// The server is in recovery.
    pub standby: bool,
}

/// A table of the snapshot whose rows a dump of the whole database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its oid.
    pub oid: u32,
    /// Unquoted.
    pub schema: String,
    /// Unquoted.
    pub name: String,
    /// The file that its rows are in; TRUNCATE and rewrites give it another.
    pub file_node: u32,
    /// pg_dump leaves its rows out on a standby.
    pub unlogged: bool,
    /// By the last VACUUM or ANALYZE.
    pub estimated_rows: Option<u64>,
    /// By the last VACUUM or ANALYZE, with TOAST and without indexes.
    pub estimated_bytes: u64,
    /// How many it has.
    pub indexes: u32,
    /// Of a partition: schema and name of the root, by which a dump may name its rows.
    pub root: Option<(String, String)>,
    /// Of a table that an extension configures: which rows are dumped (`WHERE …`, or nothing for all).
    pub condition: Option<String>,
    /// No extension's own: nothing but what was asked for keeps it out of a dump.
    pub ours: bool,
}

/// A database as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// `UTF8`
    pub encoding: String,
    /// LC_COLLATE
    pub collate: String,
    /// LC_CTYPE
    pub ctype: String,
    /// `libc`, `icu`, `builtin`
    pub provider: String,
    /// ICU's or the builtin provider's locale.
    pub locale: Option<String>,
    /// ICU_RULES
    pub icu_rules: Option<String>,
}

/// A setting that sessions of the database begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// For this role alone.
    pub role: Option<String>,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The server knows it; else it is an application's own, or a library's that is not loaded.
    pub known: bool,
}

/// Begins a transaction that sees one state of the database, and that no limit of the role ends.
pub async fn begin(session: &Session) -> Result<(), QueryError> {
    if session.show("transaction_timeout").await?.is_some() {
        session
            .batch("lift a limit", NO_TRANSACTION_TIMEOUT)
            .await?;
    }
    session.batch("begin a transaction", BEGIN).await
}

/// Begins a transaction in this session and exports its snapshot. The session stays in it.
pub async fn export_snapshot(session: &Session) -> Result<Exported, QueryError> {
    begin(session).await?;
    let row = SNAPSHOT.row(session, &[]).await?;
    let (id, taken_at, standby) = (row.get("id")?, row.get("taken_at")?, row.get("standby")?);
    let lsn = tentatively(session, WAL.row(session, &[])).await?;
    Ok(Exported {
        id,
        taken_at,
        lsn: match lsn {
            Some(row) => row.get("lsn")?,
            None => None,
        },
        standby,
    })
}

/// What the server refuses here leaves the transaction as it was.
async fn tentatively<T>(
    session: &Session,
    asked: impl Future<Output = Result<T, QueryError>>,
) -> Result<Option<T>, QueryError> {
    match aside(session, asked).await {
        Err(error) if error.sqlstate().is_none() => Err(error),
        other => Ok(other.ok()),
    }
}

/// Asks in a savepoint, whose locks are given back: those of the catalog count, too.
async fn aside<T>(
    session: &Session,
    asked: impl Future<Output = Result<T, QueryError>>,
) -> Result<T, QueryError> {
    session.batch("mark a place", "SAVEPOINT aside").await?;
    let answer = asked.await;
    session
        .batch("go back", "ROLLBACK TO aside; RELEASE aside")
        .await?;
    answer
}

/// The tables of the snapshot, by schema and name; in the transaction of [`export_snapshot`], as what follows.
pub async fn tables(session: &Session) -> Result<Vec<Table>, QueryError> {
    let rows = aside(session, TABLES.rows(session, &[])).await?;
    rows.iter().map(table).collect()
}

fn table(row: &Row) -> Result<Table, QueryError> {
    let root = row.text("root_schema")?.zip(row.text("root_name")?);
    Ok(Table {
        oid: oid(row, "oid")?,
        schema: row.text("schema")?.unwrap_or_default(),
        name: row.text("name")?.unwrap_or_default(),
        file_node: oid(row, "file_node")?,
        unlogged: row.get("unlogged")?,
        estimated_rows: row.get::<Option<i64>>("estimated_rows")?.map(number),
        estimated_bytes: number(row.get("estimated_bytes")?),
        indexes: u32::try_from(row.get::<i64>("indexes")?).unwrap_or(u32::MAX),
        root,
        condition: row.text("condition")?,
        ours: row.get("ours")?,
    })
}

/// How the session's database was made.
pub async fn database(session: &Session) -> Result<Database, QueryError> {
    let own: Option<&str> = None;
    let row = aside(session, DATABASE.row(session, &[&own])).await?;
    made(&row)
}

/// How another database of the server was made.
pub async fn database_named(session: &Session, name: &str) -> Result<Database, QueryError> {
    let row = DATABASE.row(session, &[&name]).await?;
    made(&row)
}

fn made(row: &Row) -> Result<Database, QueryError> {
    Ok(Database {
        encoding: row.get("encoding")?,
        collate: row.text("collate")?.unwrap_or_default(),
        ctype: row.text("ctype")?.unwrap_or_default(),
        provider: row.get("provider")?,
        locale: row.text("locale")?,
        icu_rules: row.text("icu_rules")?,
    })
}

/// What sessions of this database begin with.
pub async fn settings(session: &Session) -> Result<Vec<Setting>, QueryError> {
    let rows = aside(session, SETTINGS.rows(session, &[])).await?;
    rows.iter()
        .map(|row| {
            Ok(Setting {
                role: row.text("role")?,
                name: row.text("name")?.unwrap_or_default(),
                value: row.text("value")?.unwrap_or_default(),
                known: row.get("known")?,
            })
        })
        .collect()
}

fn oid(row: &Row, column: &str) -> Result<u32, QueryError> {
    Ok(u32::try_from(row.get::<i64>(column)?).unwrap_or(0))
}

fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

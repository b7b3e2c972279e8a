//! Who holds the locks that keep others from writing or changing, whether anybody waits for them or not.
//!
//! Absent: since when a lock is held, which the server does not keep: the age of its transaction is the most that it can be.

use crate::activity::prepared;
use crate::advisory::LockKey;
use crate::catalog::RelationName;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

use super::LockMode;

const STRONG: Sql = sql!(
    "look for strong locks",
    "strong_locks.sql",
    INT4,
    INT4,
    INT4
);

/// So many transactions are named at the most, those with the strongest locks first.
pub const MOST: u32 = 50;

/// Strong locks of a database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Strong {
    /// At most [`MOST`], the strongest lock first.
    pub holders: Vec<Holder>,
    /// How many transactions hold such locks.
    pub transactions: u64,
    /// The backends that hold the advisory lock that was asked about.
    pub advisory: Vec<i32>,
}

/// A transaction with its strong locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The server process; 0: a prepared transaction.
    pub pid: i32,
    /// A prepared transaction's name.
    pub prepared: Option<String>,
    /// `virtualtransaction`
    pub transaction: String,
    /// At most four, the strongest first, each relation once.
    pub locks: Vec<(RelationName, LockMode)>,
    /// How many relations it has such locks on.
    pub relations: u64,
}

/// Who holds locks of SHARE UPDATE EXCLUSIVE and stronger on users' relations of this database, and who holds `key`. What
/// a transaction has created itself has no name yet for others and is left out; so is our own session.
pub async fn strong(session: &Session, key: LockKey) -> Result<Strong, QueryError> {
    let (namespace, number) = key.parts();
    let rows = STRONG
        .rows(session, &[&MOST.cast_signed(), &namespace, &number])
        .await?;
    let mut strong = Strong::default();
    for row in &rows {
        read(row, &mut strong)?;
    }
    if strong.holders.iter().any(|holder| holder.pid == 0) {
        let all = prepared::all(session).await?;
        for holder in strong.holders.iter_mut().filter(|holder| holder.pid == 0) {
            let found = all.iter().find(|one| one.transaction == holder.transaction);
            holder.prepared = found.map(|one| one.gid.clone());
        }
    }
    Ok(strong)
}

fn read(row: &Row, strong: &mut Strong) -> Result<(), QueryError> {
    let pid = row.get::<Option<i32>>("pid")?.unwrap_or(0);
    let (Some(name), Some(mode)) = (
        row.get::<Option<&str>>("name")?,
        row.get::<Option<&str>>("mode")?,
    ) else {
        strong.advisory.push(pid);
        return Ok(());
    };
    let Some(mode) = LockMode::from_pg_locks(mode) else {
        return Ok(());
    };
    strong.transactions = row.get::<i64>("transactions")?.unsigned_abs();
    let lock = (RelationName::new(row.get("schema")?, name), mode);
    let transaction: &str = row.get("transaction")?;
    match strong.holders.last_mut() {
        Some(last) if last.pid == pid && last.transaction == transaction => last.locks.push(lock),
        _ => strong.holders.push(Holder {
            pid,
            prepared: None,
            transaction: transaction.to_owned(),
            locks: vec![lock],
            relations: row.get::<i64>("relations")?.unsigned_abs(),
        }),
    }
    Ok(())
}

//! The locks behind a wait: what somebody waits for, and what each blocker has on it.
//!
//! `pg_blocking_pids()` says who; this says how. Absent: any say in who blocks whom.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::builds::IndexBuild;
use super::locks::LockMode;
use super::target::{AdvisoryKey, Target};
use crate::permitted::age;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const AWAITED: Sql = sql!("look at awaited locks", "awaited_locks.sql", INT4_ARRAY);

/// A lock that a session stands in the queue of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockWait {
    /// Who waits.
    pub pid: i32,
    /// `relation`, `transactionid`, `advisory`, …
    pub lock_type: String,
    /// What it is on.
    pub target: Target,
    /// `schema.name`, unquoted; none for other kinds of lock, and in other databases.
    pub relation: Option<String>,
    /// Where the relation or the advisory lock is, also where it is not this database.
    pub database: Option<String>,
    /// The row, where it waits for one and took it to be the first to wait.
    pub row: Option<RowAwaited>,
    /// Where it waits for the end of another's transaction in order to build an index: which.
    pub build: Option<IndexBuild>,
    /// `AccessExclusiveLock`
    pub mode: String,
    /// Since it waits; none in the first instant.
    pub waited: Option<Duration>,
}

/// A row that a session has locked in order to wait for the transaction that changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowAwaited {
    /// `schema.name`, unquoted; none in other databases.
    pub relation: Option<String>,
    /// `ctid`'s page
    pub page: i32,
    /// and line.
    pub tuple: i16,
}

impl LockWait {
    /// The table that it is about: the relation itself, that of the row, or that of the index to be built.
    pub fn table(&self) -> Option<&str> {
        let row = self.row.as_ref().and_then(|row| row.relation.as_deref());
        let build = self.build.as_ref().and_then(|build| build.table.as_deref());
        self.relation.as_deref().or(row).or(build)
    }

    /// The mode in SQL's words; none for a kind that is not known here.
    pub fn lock_mode(&self) -> Option<LockMode> {
        LockMode::from_pg_locks(&self.mode)
    }
}

/// What a blocker has on that which its waiter awaits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It holds it in this mode: a hard block.
    Holds(LockMode),
    /// It waits for it, too, and stands before: a soft block, which goes with the blocker's own wait.
    Queued(LockMode),
    /// It was gone again when we looked.
    Unknown,
}

/// A row of `pg_locks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lock {
    /// 0: a prepared transaction.
    pub(super) pid: i32,
    pub(super) transaction: String,
    object: (String, i64, i64, Target),
    relation: Option<String>,
    database: Option<String>,
    mode: String,
    granted: bool,
    waited: Option<Duration>,
}

pub(super) async fn locks(session: &Session, pids: &[i32]) -> Result<Vec<Lock>, QueryError> {
    let rows = AWAITED.rows(session, &[&pids]).await?;
    rows.iter().map(lock).collect()
}

fn lock(row: &Row) -> Result<Lock, QueryError> {
    let kind: String = row.get("lock_type")?;
    let target = target(&kind, row)?;
    Ok(Lock {
        pid: row.get::<Option<i32>>("pid")?.unwrap_or(0),
        transaction: row.get("transaction")?,
        object: (
            kind,
            row.get("database_oid")?,
            row.get("relation_oid")?,
            target,
        ),
        relation: row.get("relation")?,
        database: row.text("database")?,
        mode: row.get("mode")?,
        granted: row.get("granted")?,
        waited: age(row.get("waited")?),
    })
}

fn target(kind: &str, row: &Row) -> Result<Target, QueryError> {
    let oid = |column: &str| -> Result<u32, QueryError> {
        Ok(u32::try_from(row.get::<i64>(column)?).unwrap_or(0))
    };
    Ok(match kind {
        "relation" => Target::Relation,
        "extend" => Target::Extend,
        "frozenid" => Target::FrozenIds,
        "page" => Target::Page(row.get("page")?),
        "tuple" => Target::Tuple {
            page: row.get("page")?,
            tuple: row.get("tuple")?,
        },
        "transactionid" => Target::Transaction {
            xid: row.get("xid")?,
        },
        "virtualxid" => Target::VirtualTransaction {
            id: row.get("virtualxid")?,
        },
        "spectoken" => Target::SpeculativeToken {
            xid: row.get("xid")?,
        },
        "object" => Target::Object {
            class: row.get::<Option<String>>("class")?.unwrap_or_default(),
            oid: oid("objid")?,
        },
        "advisory" => Target::Advisory(AdvisoryKey::from_pg_locks(
            oid("classid")?,
            oid("objid")?,
            row.get("objsubid")?,
        )),
        _ => Target::Other,
    })
}

/// What these sessions wait for.
pub(super) fn waits(locks: &[Lock], pids: &BTreeSet<i32>) -> Vec<LockWait> {
    locks
        .iter()
        .filter(|lock| !lock.granted && pids.contains(&lock.pid))
        .map(|lock| LockWait {
            pid: lock.pid,
            lock_type: lock.object.0.clone(),
            target: lock.object.3.clone(),
            relation: lock.relation.clone(),
            database: lock.database.clone(),
            row: row_awaited(locks, lock),
            build: None,
            mode: lock.mode.clone(),
            waited: lock.waited,
        })
        .collect()
}

/// Who waits for another's transaction because of a row has locked that row first. One that waits for the row itself
/// shows it.
fn row_awaited(locks: &[Lock], wait: &Lock) -> Option<RowAwaited> {
    let row = match wait.object.3 {
        Target::Tuple { .. } => wait,
        Target::Transaction { .. } => locks.iter().find(|lock| {
            lock.pid == wait.pid && lock.granted && matches!(lock.object.3, Target::Tuple { .. })
        })?,
        _ => return None,
    };
    match row.object.3 {
        Target::Tuple { page, tuple } => Some(RowAwaited {
            relation: row.relation.clone(),
            page,
            tuple,
        }),
        _ => None,
    }
}

/// The locks of each lock group: a session with its parallel workers. `group` gives a session's leader.
pub(super) fn by_group(locks: &[Lock], group: impl Fn(i32) -> i32) -> HashMap<i32, Vec<&Lock>> {
    let mut groups: HashMap<i32, Vec<&Lock>> = HashMap::new();
    for lock in locks {
        groups.entry(group(lock.pid)).or_default().push(lock);
    }
    groups
}

/// The locks of a blocker on what a waiter awaits, with how each stands in its way.
pub(super) fn in_the_way<'a>(waiter: &[&Lock], blocker: &[&'a Lock]) -> Vec<(&'a Lock, How)> {
    let mut found = Vec::new();
    for wait in waiter.iter().filter(|lock| !lock.granted) {
        let same = blocker.iter().filter(|lock| lock.object == wait.object);
        found.extend(same.filter_map(|lock| Some((*lock, how(wait, lock)?))));
    }
    found
}

fn how(wait: &Lock, other: &Lock) -> Option<How> {
    let (wanted, mode) = (
        LockMode::from_pg_locks(&wait.mode)?,
        LockMode::from_pg_locks(&other.mode)?,
    );
    wanted.conflicts_with(mode).then_some(match other.granted {
        true => How::Holds(mode),
        false => How::Queued(mode),
    })
}

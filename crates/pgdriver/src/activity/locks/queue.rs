//! Who stands behind a backend: what it costs the others that it waits or holds.
//!
//! Absent: the whole graph with its sessions, which [`crate::activity::blocked_by`] gives and which costs more.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::activity::graph::{self, Edge};
use crate::catalog::RelationName;
use crate::permitted::age;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const QUEUE: Sql = sql!("count the queue behind a backend", "queue.sql", INT4, INT8);

/// Those who would go on if a backend let go of everything: whoever waits for it, directly or through others, also
/// where it only stands before them in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    /// How many: at least so many, where the limit was met.
    pub waiting: u64,
    /// The longest wait among them; none where nobody waits.
    pub longest: Option<Duration>,
    /// Who they are; a parallel query by its leader, as far as this role may see that.
    pub pids: Vec<i32>,
    /// The same by what the backend keeps from them, directly or by keeping it from those before them. None: a row, or
    /// whatever else is no relation.
    pub by_relation: BTreeMap<Option<RelationName>, Waiters>,
}

/// Some of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiters {
    /// How many.
    pub waiting: u64,
    /// The longest wait among them.
    pub longest: Option<Duration>,
}

/// The queue behind `pid`, as `pg_blocking_pids()` sees it. At most `limit` waiters are looked at.
pub async fn queue_behind(session: &Session, pid: i32, limit: u32) -> Result<Queue, QueryError> {
    let rows = QUEUE.rows(session, &[&pid, &i64::from(limit)]).await?;
    let mut edges = Vec::new();
    let mut waits: HashMap<i32, Option<Duration>> = HashMap::new();
    let mut awaited: HashMap<i32, RelationName> = HashMap::new();
    for row in &rows {
        let process: i32 = row.get("pid")?;
        let waiter = row.get::<Option<i32>>("leader")?.unwrap_or(process);
        let blockers: Vec<i32> = row.get("blockers")?;
        edges.extend(blockers.into_iter().map(|blocker| Edge { waiter, blocker }));
        if let (Some(schema), Some(name)) = (row.get("schema")?, row.get("name")?) {
            awaited.insert(waiter, RelationName::new(schema, name));
        }
        let waited = age(row.get("waited")?);
        waits
            .entry(waiter)
            .and_modify(|longest| *longest = waited.max(*longest))
            .or_insert(waited);
    }
    let pids = graph::queued_behind(&edges, pid);
    let mut by_relation: BTreeMap<Option<RelationName>, Waiters> = BTreeMap::new();
    for (waiter, first) in graph::behind_whom(&edges, pid) {
        let some = by_relation.entry(awaited.get(&first).cloned());
        let some = some.or_default();
        some.waiting += 1;
        some.longest = some.longest.max(waits.get(&waiter).copied().flatten());
    }
    Ok(Queue {
        by_relation,
        waiting: pids.len() as u64,
        longest: pids.iter().filter_map(|pid| *waits.get(pid)?).max(),
        pids,
    })
}

//! Rows as the server counts them, in the snapshot that pg_dump dumps, while it does.
//!
//! TRUNCATE and rewrites of a table are not hidden by a snapshot. So a table is counted while pg_dump holds its lock on
//! it, before and after, when both see the same; or, where pg_dump was faster, after its end, and then the count is worth
//! something only where the table is still in the file that it had in the snapshot.
//!
//! Absent: a say in whether a difference matters, but for the rule in [`compare`].

mod compare;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) use compare::{Compared, Name, compare, name_in};
use pgdriver::dumped::{self, Columns, Counting, Table};
use pgdriver::{QueryError, Session};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::snapshot::{Expected, Rows};

/// A larger table is not counted: its estimate has to do.
const LARGEST: u64 = 1 << 30;
/// Tables between two looks at pg_dump's locks.
const ROUND: usize = 200;
/// How often to look for pg_dump's locks.
const PAUSE: Duration = Duration::from_millis(100);

/// What the server says about a table's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Count {
    /// It counted them, and the dump must have as many.
    Exact(u64),
    /// The table was truncated, rewritten or replaced between the snapshot and pg_dump's lock: the dump has it as it was
    /// then.
    Later(u64),
    /// It was too large to count.
    Estimate(Option<u64>),
    /// Why there is no number.
    Unknown(String),
}

/// Where pg_dump is, for the one who counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct At {
    /// Its sessions, as far as they were found.
    pub(crate) pids: Vec<i32>,
    /// It is gone.
    pub(crate) ended: bool,
}

/// Tables to count, and those that are.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) total: AtomicU64,
    pub(crate) done: AtomicU64,
    checksums: Mutex<HashMap<u32, u64>>,
}

impl Tally {
    /// Of the tables whose rows were summed up as the dump has them, by oid.
    pub(crate) fn checksums(&self) -> HashMap<u32, u64> {
        let checksums = self.checksums.lock();
        checksums.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sum(&self, oid: u32, checksum: u64) {
        let mut checksums = self
            .checksums
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        checksums.insert(oid, checksum);
    }
}

/// How closely rows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// How many there are, but for tables that are too large.
    Count,
    /// And what is in them, whatever it takes: a restored database is to be compared with it.
    Sum,
}

/// Counts by oid. An error is the end of the session.
pub(crate) async fn count(
    session: Arc<Session>,
    expected: Vec<Expected>,
    look: Look,
    mut at: watch::Receiver<At>,
    tally: Arc<Tally>,
) -> Result<HashMap<u32, Count>, QueryError> {
    let columns = match look {
        Look::Count => Columns::new(),
        Look::Sum => dumped::columns(&session).await?,
    };
    let mut counts = HashMap::new();
    let mut rest = Vec::new();
    for it in expected {
        if it.rows == Rows::Wanted && it.bytes > LARGEST && look == Look::Count {
            counts.insert(it.table.oid, Count::Estimate(it.table.estimated_rows));
        } else if it.rows == Rows::Wanted {
            rest.push(it.table);
        }
    }
    tally.total.store(rest.len() as u64, Ordering::Relaxed);
    let mut again = Vec::new();
    while !rest.is_empty() || !again.is_empty() {
        let now = at.borrow().clone();
        if now.ended {
            rest.append(&mut again);
        }
        let ready = ready(&session, &now, &mut rest).await?;
        if ready.is_empty() {
            // whichever comes first: news, or another look at the locks
            let _ = timeout(PAUSE, at.changed()).await;
            continue;
        }
        let tables = ready.iter().collect::<Vec<_>>();
        let counted = dumped::count(&session, &tables, &columns).await?;
        let held = match now.ended {
            true => HashSet::new(),
            false => dumped::locked(&session, &now.pids).await?,
        };
        for (table, counting) in ready.into_iter().zip(counted) {
            match judged(&counting, held.contains(&table.oid)) {
                // somebody waits for ACCESS EXCLUSIVE on it, and for pg_dump: later
                Count::Unknown(_) if !now.ended => again.push(table),
                count => {
                    if let (
                        Count::Exact(_) | Count::Later(_),
                        Counting::Rows {
                            checksum: Some(sum),
                            ..
                        },
                    ) = (&count, &counting)
                    {
                        tally.sum(table.oid, *sum);
                    }
                    counts.insert(table.oid, count);
                    tally.done.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
    Ok(counts)
}

/// Some of the tables that can be counted now.
async fn ready(
    session: &Session,
    now: &At,
    rest: &mut Vec<Table>,
) -> Result<Vec<Table>, QueryError> {
    let mut ready: Vec<Table> = if now.ended {
        std::mem::take(rest)
    } else if now.pids.is_empty() {
        Vec::new()
    } else {
        let locked = dumped::locked(session, &now.pids).await?;
        let (ready, others) = std::mem::take(rest)
            .into_iter()
            .partition(|table| locked.contains(&table.oid));
        *rest = others;
        ready
    };
    if ready.len() > ROUND {
        rest.extend(ready.split_off(ROUND));
    }
    Ok(ready)
}

/// `held`: pg_dump had its lock before and after.
fn judged(counting: &Counting, held: bool) -> Count {
    match counting {
        Counting::Rows {
            rows,
            same_file: true,
            ..
        } => Count::Exact(*rows),
        Counting::Rows { rows, .. } if held => Count::Later(*rows),
        Counting::Rows { .. } => {
            Count::Unknown("it was truncated, rewritten or replaced meanwhile".to_owned())
        }
        Counting::Refused(why) => Count::Unknown(why.clone()),
    }
}

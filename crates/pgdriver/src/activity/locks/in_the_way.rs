//! Who would have to let go, or go first, before a lock can be had.
//!
//! Absent: waiting for that, which is the caller's; and what a queue of weaker requests does once ours stands in it.

use std::collections::HashMap;
use std::time::Duration;

use super::LockMode;
use crate::activity::prepared;
use crate::activity::session_info::{self, SessionInfo};
use crate::catalog::RelationName;
use crate::permitted::age;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const IN_THE_WAY: Sql = sql!(
    "look for locks in the way",
    "locks_in_the_way.sql",
    TEXT_ARRAY,
    TEXT_ARRAY,
    TEXT_ARRAY,
    INT4_ARRAY
);

/// A lock to be had.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Without a schema: what the search path finds.
    pub relation: RelationName,
    /// How.
    pub mode: LockMode,
}

/// A lock of another that conflicts with one that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The relation that was asked for, or one of its partitions or children.
    pub relation: RelationName,
    /// The other's mode.
    pub mode: LockMode,
    /// False: it is awaited, and whoever comes later queues behind it.
    pub granted: bool,
    /// How long it has been awaited; none where it is granted, or in the first instant.
    pub waited: Option<Duration>,
    /// `virtualtransaction`: another one for each transaction of a session.
    pub transaction: String,
    /// The server process; a parallel query's leader; 0: a prepared transaction.
    pub pid: i32,
    /// A prepared transaction's name.
    pub prepared: Option<String>,
    /// None for a prepared transaction, and for a session that is gone by now.
    pub session: Option<SessionInfo>,
}

/// Locks of others, granted or awaited, that conflict with what is wanted, on the relations themselves, their partitions
/// and inheritance children. Never those of `except`, nor of this session. What does not exist is in nobody's way.
pub async fn in_the_way(
    session: &Session,
    wanted: &[Wanted],
    except: &[i32],
) -> Result<Vec<Held>, QueryError> {
    let (mut schemas, mut names, mut modes) = (Vec::new(), Vec::new(), Vec::new());
    for Wanted { relation, mode } in wanted {
        for other in LockMode::ALL {
            if other.conflicts_with(*mode) {
                schemas.push(relation.schema.as_deref());
                names.push(relation.name.as_str());
                modes.push(other.pg_locks());
            }
        }
    }
    let rows = IN_THE_WAY
        .rows(session, &[&schemas, &names, &modes, &except])
        .await?;
    let mut held = Vec::new();
    for row in &rows {
        held.extend(read(row)?);
    }
    describe(session, &mut held).await?;
    name_prepared(session, &mut held).await?;
    Ok(one_for_each_group(held, except))
}

fn read(row: &Row) -> Result<Option<Held>, QueryError> {
    let Some(mode) = LockMode::from_pg_locks(row.get("mode")?) else {
        return Ok(None);
    };
    Ok(Some(Held {
        relation: RelationName::new(row.get("schema")?, row.get("name")?),
        mode,
        granted: row.get("granted")?,
        waited: age(row.get("waited")?),
        transaction: row.get("transaction")?,
        pid: row.get::<Option<i32>>("pid")?.unwrap_or(0),
        prepared: None,
        session: None,
    }))
}

async fn describe(session: &Session, held: &mut [Held]) -> Result<(), QueryError> {
    let mut pids: Vec<i32> = held.iter().map(|held| held.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids.retain(|pid| *pid != 0);
    if pids.is_empty() {
        return Ok(());
    }
    let sessions: HashMap<i32, SessionInfo> = session_info::of(session, &pids)
        .await?
        .into_iter()
        .map(|session| (session.pid, session))
        .collect();
    for held in held {
        held.session = sessions.get(&held.pid).cloned();
    }
    Ok(())
}

async fn name_prepared(session: &Session, held: &mut [Held]) -> Result<(), QueryError> {
    if held.iter().all(|held| held.pid != 0) {
        return Ok(());
    }
    let all = prepared::all(session).await?;
    for held in held.iter_mut().filter(|held| held.pid == 0) {
        let found = all.iter().find(|one| one.transaction == held.transaction);
        held.prepared = found.map(|one| one.gid.clone());
    }
    Ok(())
}

/// A parallel worker takes the locks that its leader has, too: one transaction, which is the leader's.
fn one_for_each_group(held: Vec<Held>, except: &[i32]) -> Vec<Held> {
    let there: Vec<i32> = held.iter().map(|held| held.pid).collect();
    let superfluous = |held: &Held| {
        held.session
            .as_ref()
            .and_then(SessionInfo::leader)
            .is_some_and(|leader| there.contains(&leader) || except.contains(&leader))
    };
    held.into_iter().filter(|held| !superfluous(held)).collect()
}

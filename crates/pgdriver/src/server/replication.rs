//! Who receives this server's WAL, what is kept for them, and how far a standby has come itself.
//!
//! Absent: how much lag is too much.

use std::time::Duration;

use crate::permitted::{Permitted, age};
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const REPLICAS: Sql = sql!("list the replicas", "replicas.sql");
const SLOTS: Sql = sql!("list the replication slots", "replication_slots.sql");
const SYNCHRONOUS: Sql = sql!("ask whom a commit waits for", "synchronous.sql");
const STANDBY: Sql = sql!("ask how far the standby is", "standby.sql");

/// A receiver of WAL.
#[derive(Debug, Clone, PartialEq)]
pub struct Replica {
    /// The walsender.
    pub pid: i32,
    /// What it does; hidden from roles without pg_monitor.
    pub detail: Permitted<ReplicaDetail>,
}

/// What a walsender does.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaDetail {
    /// `application_name`, by which synchronous_standby_names knows it.
    pub application: String,
    /// Its address; none on a socket.
    pub client: Option<String>,
    /// `streaming`, `catchup`, …
    pub state: String,
    /// `async`, `sync`, `quorum`, `potential`
    pub sync_state: Option<String>,
    /// Bytes of WAL that it has not replayed.
    pub lag_bytes: Option<u64>,
    /// `replay_lag`
    pub lag: Option<Duration>,
}

/// A replication slot: WAL that is kept until somebody has read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// What reads from it.
    pub kind: SlotKind,
    /// The output plugin of a logical one.
    pub plugin: Option<String>,
    /// The database of a logical one.
    pub database: Option<String>,
    /// It goes with its session.
    pub is_temporary: bool,
    /// Who reads from it now; none: nobody.
    pub active_pid: Option<i32>,
    /// WAL that is kept for it; none where it keeps none (never used, or lost).
    pub retained_bytes: Option<u64>,
    /// `reserved`, `extended`, `unreserved`, `lost`
    pub wal_status: Option<String>,
    /// How much may be written until it is lost; none without max_slot_wal_keep_size.
    pub safe_bytes: Option<u64>,
    /// Transactions since the oldest whose dead rows VACUUM must leave for it.
    pub xmin_age: Option<u64>,
    /// Since nobody reads from it (PostgreSQL 17 and newer).
    pub inactive: Option<Duration>,
}

/// `slot_type`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotKind {
    /// A subscriber, or a tool that follows changes.
    Logical,
    /// A standby, or an archiver.
    Physical,
}

impl Slot {
    /// Nobody reads from it, so that what it keeps only grows.
    pub fn is_inactive(&self) -> bool {
        self.active_pid.is_none()
    }
}

/// Whether a commit waits for standbys.
#[derive(Debug, Clone, PartialEq)]
pub struct Synchronous {
    /// `synchronous_standby_names`; empty: it waits for none.
    pub wanted: String,
    /// `synchronous_commit`, as a new session of this role has it.
    pub commit: String,
    /// How many of those that it waits for are there.
    pub present: Permitted<u32>,
}

impl Synchronous {
    /// Every COMMIT hangs: it waits for a standby that is not there. None where this role may not see.
    pub fn hangs(&self) -> Option<bool> {
        if self.wanted.is_empty() || ["off", "local"].contains(&self.commit.as_str()) {
            return Some(false);
        }
        self.present.seen().map(|present| *present < self.needed())
    }

    /// How many standbys a commit waits for: `FIRST 2 (a, b)`, `ANY 2 (a, b)`, `2 (a, b)`; of a mere list, one.
    pub fn needed(&self) -> u32 {
        let wanted = self.wanted.trim();
        let method = ["first", "any"].into_iter().find_map(|method| {
            let head = wanted.get(..method.len())?;
            let rest = &wanted[method.len()..];
            let is_word = head.eq_ignore_ascii_case(method)
                && rest.starts_with(|c: char| c.is_ascii_whitespace());
            is_word.then_some(rest)
        });
        let counted = method.unwrap_or(wanted).trim_start();
        match counted.split_once('(') {
            Some((number, _)) => number.trim().parse().unwrap_or(1),
            None => 1,
        }
    }
}

/// A standby, as it sees itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Standby {
    /// A WAL receiver runs: it streams from somebody.
    pub is_streaming: bool,
    /// WAL that is received and not replayed.
    pub unreplayed_bytes: Option<u64>,
    /// Since the last transaction that it replayed was committed; on an idle primary this grows, too.
    pub replayed_age: Option<Duration>,
    /// Somebody paused the replay.
    pub is_paused: bool,
}

/// Standbys and other receivers of WAL.
pub async fn replicas(session: &Session) -> Result<Vec<Replica>, QueryError> {
    let rows = REPLICAS.rows(session, &[]).await?;
    rows.iter().map(replica).collect()
}

fn replica(row: &Row) -> Result<Replica, QueryError> {
    let detail = match row.get("visible")? {
        true => Permitted::Seen(ReplicaDetail {
            application: row.text("application")?.unwrap_or_default(),
            client: row.get("client")?,
            state: row.get("state")?,
            sync_state: row.get("sync_state")?,
            lag_bytes: unsigned(row, "lag_bytes")?,
            lag: age(row.get("lag_seconds")?),
        }),
        false => Permitted::NotPermitted,
    };
    Ok(Replica {
        pid: row.get("pid")?,
        detail,
    })
}

/// All slots of the cluster, in order of name.
pub async fn slots(session: &Session) -> Result<Vec<Slot>, QueryError> {
    let rows = SLOTS.rows(session, &[]).await?;
    rows.iter().map(slot).collect()
}

fn slot(row: &Row) -> Result<Slot, QueryError> {
    Ok(Slot {
        name: row.get("name")?,
        kind: match row.get("kind")? {
            "logical" => SlotKind::Logical,
            _ => SlotKind::Physical,
        },
        plugin: row.get("plugin")?,
        database: row.text("database")?,
        is_temporary: row.get("is_temporary")?,
        active_pid: row.get("active_pid")?,
        retained_bytes: unsigned(row, "retained_bytes")?,
        wal_status: row.get("wal_status")?,
        safe_bytes: unsigned(row, "safe_bytes")?,
        xmin_age: unsigned(row, "xmin_age")?,
        inactive: age(row.get("inactive")?),
    })
}

/// Whom a commit waits for.
pub async fn synchronous(session: &Session) -> Result<Synchronous, QueryError> {
    let row = SYNCHRONOUS.row(session, &[]).await?;
    let present: i32 = row.get("present")?;
    Ok(Synchronous {
        wanted: row.get("wanted")?,
        commit: row
            .get::<Option<String>>("synchronous_commit")?
            .unwrap_or_default(),
        present: match row.get("visible")? {
            true => Permitted::Seen(present.unsigned_abs()),
            false => Permitted::NotPermitted,
        },
    })
}

/// How far a standby has come; none on a primary.
pub async fn standby(session: &Session) -> Result<Option<Standby>, QueryError> {
    let row = STANDBY.row(session, &[]).await?;
    let Some(is_paused) = row.get("is_paused")? else {
        return Ok(None);
    };
    Ok(Some(Standby {
        is_streaming: row.get::<Option<i32>>("receiver")?.is_some(),
        unreplayed_bytes: unsigned(&row, "unreplayed_bytes")?,
        replayed_age: age(row.get("replayed_age")?),
        is_paused,
    }))
}

/// The server counts in signed numbers; what is below nothing is nothing.
fn unsigned(row: &Row, column: &str) -> Result<Option<u64>, QueryError> {
    let value: Option<i64> = row.get(column)?;
    Ok(value.map(|value| u64::try_from(value).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_waits_for_as_many_as_are_asked_for() {
        for (wanted, needed) in [
            ("s1", 1),
            ("s1, s2", 1),
            ("*", 1),
            ("FIRST 2 (s1,s2)", 2),
            ("any 3 (s1, s2, \"any 9\")", 3),
            (" 2(s1,s2)", 2),
            ("first, any", 1),
        ] {
            let synchronous = |present| Synchronous {
                wanted: wanted.to_owned(),
                commit: "on".to_owned(),
                present: Permitted::Seen(present),
            };
            assert_eq!(synchronous(0).needed(), needed, "{wanted}");
            assert_eq!(synchronous(needed - 1).hangs(), Some(true), "{wanted}");
            assert_eq!(synchronous(needed).hangs(), Some(false), "{wanted}");
        }
    }
}

//! Sequences near their end, with the column that each feeds: an int4 column on a bigint sequence ends first.
//!
//! Nothing here waits for a lock: a sequence that somebody has locked is left unread, and said to be. Absent: those
//! with CYCLE whose column has room for all their values, which have no end.

use crate::catalog::RelationName;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const LISTED: Sql = sql!("list sequences", "sequences_listed.sql");
const SEQUENCES: Sql = sql!(
    "look for sequences near their end",
    "sequences.sql",
    FLOAT8,
    OID_ARRAY
);

/// How many are read by one statement, which locks each of them until its end. The cluster's lock table has room for 64
/// times max_connections by default, and others need it, too.
const AT_ONCE: usize = 200;

/// A sequence and how much of it is used.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceUse {
    /// With its schema.
    pub name: RelationName,
    /// The column that it feeds: its owner, or one whose default it is; of several, the one that ends first.
    pub column: Option<FedColumn>,
    /// How far it is, or why that is not known.
    pub position: Result<Position, Unread>,
}

/// A column that takes its values from a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FedColumn {
    /// Its table.
    pub table: RelationName,
    /// Its name.
    pub name: String,
    /// `integer`
    pub type_name: String,
    /// Its type ends before the sequence does.
    pub ends_first: bool,
}

/// How far a sequence is.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// The last value given; none where it gave none yet.
    pub last: Option<i64>,
    /// The last that sequence and column allow.
    pub last_possible: i64,
    /// Of 1.
    pub used: f64,
    /// How many values are left.
    pub remaining: u64,
}

/// Why a sequence was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// Somebody has locked it, or waits to.
    Locked,
    /// The role has neither USAGE nor SELECT on it.
    NotPermitted,
    /// It is unlogged, and this is a standby.
    NotOnAStandby,
}

/// Sequences of the user schemas that have used up a share (of 1) of their values, the most used first; and those that
/// could not be read.
pub async fn sequences(session: &Session, share: f64) -> Result<Vec<SequenceUse>, QueryError> {
    let listed = LISTED.rows(session, &[]).await?;
    let oids: Vec<u32> = listed
        .iter()
        .map(|row| row.get("oid"))
        .collect::<Result<_, _>>()?;
    let mut found: Vec<SequenceUse> = Vec::new();
    for some in oids.chunks(AT_ONCE) {
        for row in &SEQUENCES.rows(session, &[&share, &some]).await? {
            found.push(sequence(row)?);
        }
    }
    let used = |found: &SequenceUse| found.position.as_ref().map_or(0.0, |p| p.used);
    found.sort_by(|one, other| {
        let by_use = used(other).total_cmp(&used(one));
        by_use.then_with(|| one.name.cmp(&other.name))
    });
    Ok(found)
}

fn sequence(row: &Row) -> Result<SequenceUse, QueryError> {
    let unread = match row.get::<Option<&str>>("unread")? {
        None => None,
        Some("locked") => Some(Unread::Locked),
        Some("not permitted") => Some(Unread::NotPermitted),
        Some(_) => Some(Unread::NotOnAStandby),
    };
    Ok(SequenceUse {
        name: RelationName::new(row.get("schema")?, row.get("name")?),
        column: column(row)?,
        position: match unread {
            Some(unread) => Err(unread),
            None => Ok(position(row)?),
        },
    })
}

fn column(row: &Row) -> Result<Option<FedColumn>, QueryError> {
    let Some(name) = row.get::<Option<String>>("column_name")? else {
        return Ok(None);
    };
    Ok(Some(FedColumn {
        table: RelationName::new(row.get("table_schema")?, row.get("table_name")?),
        name,
        type_name: row.get("column_type")?,
        ends_first: row.get("column_ends_first")?,
    }))
}

fn position(row: &Row) -> Result<Position, QueryError> {
    // a number of values may not fit a bigint, so it comes as text
    let remaining: String = row.get("remaining")?;
    Ok(Position {
        last: row.get("last")?,
        last_possible: row.get("last_possible")?,
        used: row.get("used")?,
        remaining: remaining.parse().unwrap_or(u64::MAX),
    })
}

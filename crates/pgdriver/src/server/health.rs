//! The state that the server and the database are in: everything that a migration may run into, in one look.
//!
//! Each fact is a query of its own, and one that fails leaves the others: what could not be read is unknown, with the
//! reason. Absent: judgement, and who is in a transaction ([`crate::activity::long_transactions`]).

use tokio::join;

use super::{
    AutovacuumWorker, DatabaseAge, RoleFacts, SessionCounts, Setting, Slot, Synchronous, TableAges,
    autovacuum_workers, database_ages, role, session_counts, slots, synchronous, table_ages,
    timeouts,
};
use crate::catalog::{
    InvalidIndex, UnvalidatedConstraint, invalid_indexes, unvalidated_constraints,
};
use crate::query_error::QueryError;
use crate::sequences::{SequenceUse, sequences};
use crate::session::Session;
use crate::tables::{TableSize, largest};

/// A fact, or why it is not known.
pub type Known<T> = Result<T, QueryError>;

/// From which share of its limit on a table's age is told.
pub const TOLD_AGE: f64 = 0.9;
/// From which share of its values on a sequence is told.
pub const TOLD_SEQUENCE: f64 = 0.75;
/// How many tables are told.
pub const TOLD_TABLES: u32 = 10;

/// What state the server and the database are in.
#[derive(Debug)]
pub struct Health {
    /// Who we are.
    pub role: Known<RoleFacts>,
    /// [`super::settings::TIMEOUTS`]
    pub timeouts: Known<Vec<Setting>>,
    /// Sessions of this database in numbers.
    pub sessions: Known<SessionCounts>,
    /// Whom a commit waits for.
    pub synchronous: Known<Synchronous>,
    /// Replication slots of the cluster.
    pub slots: Known<Vec<Slot>>,
    /// Autovacuum workers of the cluster.
    pub autovacuum: Known<Vec<AutovacuumWorker>>,
    /// Databases by age.
    pub databases: Known<Vec<DatabaseAge>>,
    /// Tables from [`TOLD_AGE`] on.
    pub tables: Known<TableAges>,
    /// Sequences from [`TOLD_SEQUENCE`] on, and those that could not be read.
    pub sequences: Known<Vec<SequenceUse>>,
    /// Left over, or being built.
    pub invalid_indexes: Known<Vec<InvalidIndex>>,
    /// Constraints that existing rows may break.
    pub unvalidated: Known<Vec<UnvalidatedConstraint>>,
    /// The [`TOLD_TABLES`] largest tables.
    pub largest: Known<Vec<TableSize>>,
}

/// Looks at everything. An error only where the session is gone.
pub async fn health(session: &Session) -> Result<Health, QueryError> {
    let (role, timeouts, sessions, synchronous, slots, autovacuum, databases) = join!(
        role(session),
        timeouts(session),
        session_counts(session),
        synchronous(session),
        slots(session),
        autovacuum_workers(session),
        database_ages(session),
    );
    let (tables, sequences, invalid_indexes, unvalidated, largest) = join!(
        table_ages(session, TOLD_AGE),
        sequences(session, TOLD_SEQUENCE),
        invalid_indexes(session),
        unvalidated_constraints(session),
        largest(session, TOLD_TABLES),
    );
    Ok(Health {
        role: known(role)?,
        timeouts: known(timeouts)?,
        sessions: known(sessions)?,
        synchronous: known(synchronous)?,
        slots: known(slots)?,
        autovacuum: known(autovacuum)?,
        databases: known(databases)?,
        tables: known(tables)?,
        sequences: known(sequences)?,
        invalid_indexes: known(invalid_indexes)?,
        unvalidated: known(unvalidated)?,
        largest: known(largest)?,
    })
}

/// An answer, or the reason why there is none; a session that is gone has no answer to anything.
fn known<T>(answer: Result<T, QueryError>) -> Result<Known<T>, QueryError> {
    match answer {
        Err(error) if error.is_connection_lost() => Err(error),
        answer => Ok(answer),
    }
}

impl Health {
    /// What could not be read, with the reason.
    pub fn unknown(&self) -> Vec<&QueryError> {
        fn reason<T>(fact: &Known<T>) -> Option<&QueryError> {
            fact.as_ref().err()
        }
        [
            reason(&self.role),
            reason(&self.timeouts),
            reason(&self.sessions),
            reason(&self.synchronous),
            reason(&self.slots),
            reason(&self.autovacuum),
            reason(&self.databases),
            reason(&self.tables),
            reason(&self.sequences),
            reason(&self.invalid_indexes),
            reason(&self.unvalidated),
            reason(&self.largest),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

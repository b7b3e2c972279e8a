//! What a version of PostgreSQL can do that matters to migrations.
//!
//! Absent: what all supported versions have, and what is only a setting.

use super::ServerFacts;

/// A feature with the version that brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// `client_connection_check_interval`: a backend notices that its client is gone.
    ConnectionCheck,
    /// `pg_locks.waitstart`: since when somebody waits for a lock.
    WaitStart,
    /// `ALTER TABLE … DETACH PARTITION … CONCURRENTLY`
    DetachConcurrently,
    /// `idle_session_timeout`
    IdleSessionTimeout,
    /// `UNIQUE NULLS NOT DISTINCT`
    NullsNotDistinct,
    /// `reserved_connections`, `pg_use_reserved_connections`
    ReservedConnections,
    /// `transaction_timeout`: it ends a migration in the middle of its work.
    TransactionTimeout,
    /// `MAINTAIN`, `pg_maintain`
    MaintainPrivilege,
    /// `ADD CONSTRAINT … NOT NULL … NOT VALID`: a NOT NULL without a scan under ACCESS EXCLUSIVE.
    NotNullNotValid,
    /// `ADD FOREIGN KEY … NOT VALID` on a partitioned table.
    NotValidOnPartitioned,
    /// Virtual generated columns: no rewrite.
    VirtualGenerated,
    /// `pg_signal_autovacuum_worker`
    SignalAutovacuum,
}

impl Feature {
    /// All of them, the oldest first.
    pub const ALL: [Self; 12] = [
        Self::ConnectionCheck,
        Self::WaitStart,
        Self::DetachConcurrently,
        Self::IdleSessionTimeout,
        Self::NullsNotDistinct,
        Self::ReservedConnections,
        Self::TransactionTimeout,
        Self::MaintainPrivilege,
        Self::NotNullNotValid,
        Self::NotValidOnPartitioned,
        Self::VirtualGenerated,
        Self::SignalAutovacuum,
    ];

    /// The major version that brought it.
    pub fn since(self) -> u32 {
        match self {
            Self::ConnectionCheck
            | Self::WaitStart
            | Self::DetachConcurrently
            | Self::IdleSessionTimeout => 14,
            Self::NullsNotDistinct => 15,
            Self::ReservedConnections => 16,
            Self::TransactionTimeout | Self::MaintainPrivilege => 17,
            Self::NotNullNotValid
            | Self::NotValidOnPartitioned
            | Self::VirtualGenerated
            | Self::SignalAutovacuum => 18,
        }
    }

    /// In PostgreSQL's words.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConnectionCheck => "client_connection_check_interval",
            Self::WaitStart => "pg_locks.waitstart",
            Self::DetachConcurrently => "DETACH PARTITION CONCURRENTLY",
            Self::IdleSessionTimeout => "idle_session_timeout",
            Self::NullsNotDistinct => "NULLS NOT DISTINCT",
            Self::ReservedConnections => "reserved_connections",
            Self::TransactionTimeout => "transaction_timeout",
            Self::MaintainPrivilege => "MAINTAIN",
            Self::NotNullNotValid => "NOT NULL … NOT VALID",
            Self::NotValidOnPartitioned => "FOREIGN KEY … NOT VALID on partitioned tables",
            Self::VirtualGenerated => "GENERATED … VIRTUAL",
            Self::SignalAutovacuum => "pg_signal_autovacuum_worker",
        }
    }
}

impl ServerFacts {
    /// The server has it.
    pub fn has(&self, feature: Feature) -> bool {
        self.major() >= feature.since()
    }

    /// All that it has.
    pub fn features(&self) -> Vec<Feature> {
        let all = Feature::ALL.into_iter();
        all.filter(|feature| self.has(*feature)).collect()
    }
}

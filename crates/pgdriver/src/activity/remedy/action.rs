//! What may help against a root, and what may keep a role from it.
//!
//! Absent: which of them it is in a case.

use std::time::Duration;

/// What helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It runs a query: a cancel ends the query and rolls its transaction back.
    CancelQuery {
        /// Whom.
        pid: i32,
    },
    /// It builds an index concurrently: a cancel works and leaves an INVALID index behind.
    CancelIndexBuild {
        /// Whom.
        pid: i32,
    },
    /// A cancel would do nothing: only the end of the session lets go.
    Terminate {
        /// Whom.
        pid: i32,
        /// Why not a cancel.
        because: Because,
    },
    /// This role may not see what it does: a cancel helps if it runs a query, the end of the session in any case.
    CancelOrTerminate {
        /// Whom.
        pid: i32,
    },
    /// A prepared transaction: COMMIT or ROLLBACK, as whoever prepared it decides.
    EndPrepared {
        /// Its name.
        gid: String,
        /// Where, if it is not the asking session's database.
        elsewhere: Option<String>,
    },
    /// A prepared transaction that was gone when its name was asked for, or several: look for it.
    FindPrepared,
    /// An ordinary autovacuum leaves by itself, once somebody has waited this long for it. A shorter lock_timeout never
    /// gets there.
    WaitForAutovacuum {
        /// Which.
        pid: i32,
        /// `deadlock_timeout`
        deadlock_timeout: Option<Duration>,
    },
    /// An autovacuum of which this role may not see whether it is to prevent wraparound.
    WaitForUnseenAutovacuum {
        /// Which.
        pid: i32,
        /// `deadlock_timeout`: if it is an ordinary one.
        deadlock_timeout: Option<Duration>,
    },
    /// An autovacuum to prevent wraparound must finish; cancelled, it comes back.
    LetVacuumFinish {
        /// Which.
        pid: i32,
    },
    /// A backup (pg_dump): ending it loses the backup.
    LetBackupFinish {
        /// Which.
        pid: i32,
    },
    /// It sends WAL: not to be ended from here.
    LetWalsenderBe {
        /// Which.
        pid: i32,
    },
    /// Another of the server's own processes.
    LetServerProcessFinish {
        /// Which.
        pid: i32,
        /// `logical replication apply worker`, …
        backend_type: Option<String>,
    },
    /// Sessions that wait for each other: the server ends one of them, this long after the last began to wait.
    WaitForDeadlockCheck {
        /// One of them; to cancel any one's query frees the others.
        pid: i32,
        /// `deadlock_timeout`
        deadlock_timeout: Option<Duration>,
    },
    /// It is gone by now.
    None,
}

/// Why a cancel would do nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// `idle in transaction`
    IdleInTransaction,
    /// Idle, without a transaction: it holds an advisory lock for as long as it is connected.
    SessionLock,
    /// Its query waits for its client to read or write, and sees a cancel only once the client has.
    WaitsForClient,
}

/// What keeps the asking role from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hindrance {
    /// To see what it does.
    NotPermittedToSee {
        /// The statement that would change that.
        grant: String,
    },
    /// To cancel or terminate.
    NotPermittedToSignal {
        /// The statement that would change that.
        grant: String,
    },
    /// A superuser's session: only a superuser may signal it.
    SuperuserOnly,
    /// Only the role that prepared it, or a superuser, may end it.
    OwnerOnly {
        /// Who.
        owner: String,
    },
}

impl Action {
    /// It would be more exact if more could be seen.
    pub(super) fn guesses(&self) -> bool {
        matches!(
            self,
            Self::CancelOrTerminate { .. } | Self::WaitForUnseenAutovacuum { .. }
        )
    }

    /// It signals a session.
    pub(super) fn signals(&self) -> bool {
        matches!(
            self,
            Self::CancelQuery { .. }
                | Self::CancelIndexBuild { .. }
                | Self::Terminate { .. }
                | Self::CancelOrTerminate { .. }
        )
    }
}

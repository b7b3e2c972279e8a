//! Remedies in words.
//!
//! Absent: the SQL, which stands on lines of its own.

use std::fmt;
use std::time::Duration;

use super::{Action, Because, Hindrance, Remedy};

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.action.fmt(f)?;
        for hindrance in &self.hindrances {
            write!(f, "; {hindrance}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CancelQuery { pid } => write!(f, "cancel the query of backend {pid}"),
            Self::CancelIndexBuild { pid } => write!(
                f,
                "wait for the index that backend {pid} builds concurrently, or cancel it, which leaves an INVALID index"
            ),
            Self::Terminate { pid, because } => write!(f, "terminate backend {pid}: {because}"),
            Self::CancelOrTerminate { pid } => write!(
                f,
                "cancel backend {pid} if it runs a query; if it is idle in transaction only terminating it helps"
            ),
            Self::EndPrepared { gid, elsewhere } => {
                write!(f, "end the prepared transaction {gid}")?;
                match elsewhere {
                    Some(database) => write!(f, ", in database {database}"),
                    None => Ok(()),
                }
            }
            Self::FindPrepared => f.write_str("find the prepared transaction and end it"),
            Self::WaitForAutovacuum {
                pid,
                deadlock_timeout,
            } => {
                write!(
                    f,
                    "autovacuum (backend {pid}) leaves by itself once somebody has waited "
                )?;
                longer_than(f, *deadlock_timeout)
            }
            Self::WaitForUnseenAutovacuum {
                pid,
                deadlock_timeout,
            } => {
                write!(
                    f,
                    "autovacuum (backend {pid}), unless it is to prevent wraparound, leaves by itself once somebody has waited "
                )?;
                longer_than(f, *deadlock_timeout)
            }
            Self::LetVacuumFinish { pid } => write!(
                f,
                "let autovacuum (backend {pid}) finish: it prevents wraparound, does not step aside, and would come back"
            ),
            Self::LetBackupFinish { pid } => write!(
                f,
                "let the backup (pg_dump, backend {pid}) finish, or stop it where it was started"
            ),
            Self::LetWalsenderBe { pid } => write!(
                f,
                "backend {pid} sends WAL: let it be, or look at the standby or subscriber that it serves"
            ),
            Self::LetServerProcessFinish { pid, backend_type } => write!(
                f,
                "let the server's own process {pid}{} finish",
                backend_type
                    .as_ref()
                    .map(|name| format!(" ({name})"))
                    .unwrap_or_default()
            ),
            Self::WaitForDeadlockCheck {
                deadlock_timeout, ..
            } => {
                f.write_str(
                    "they wait for each other: the server ends one of them once it has waited ",
                )?;
                longer_than(f, *deadlock_timeout)
            }
            Self::None => f.write_str("it is gone by now"),
        }
    }
}

fn longer_than(f: &mut fmt::Formatter<'_>, deadlock_timeout: Option<Duration>) -> fmt::Result {
    match deadlock_timeout {
        Some(timeout) => write!(
            f,
            "longer than deadlock_timeout ({} s)",
            timeout.as_secs_f64()
        ),
        None => f.write_str("longer than deadlock_timeout"),
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdleInTransaction => "it is idle in transaction and ignores a cancel",
            Self::SessionLock => {
                "it is idle and keeps an advisory lock for as long as it is connected"
            }
            Self::WaitsForClient => {
                "its query waits for its client and sees a cancel only once that one moves"
            }
        })
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermittedToSee { grant } => {
                write!(f, "this role may not see what it does ({grant} would help)")
            }
            Self::NotPermittedToSignal { grant } => {
                write!(f, "this role may not signal it ({grant} would help)")
            }
            Self::SuperuserOnly => {
                f.write_str("a superuser's session: only a superuser may signal it")
            }
            Self::OwnerOnly { owner } => {
                write!(
                    f,
                    "only {owner}, who prepared it, or a superuser may end it"
                )
            }
        }
    }
}

//! One runner at a time: the advisory lock of a database, and the witness that we hold it.
//!
//! It lives on a connection of its own and is held to the end of the run. Absent here: table locks.

use pgdriver::advisory::{self, AdvisoryLock, Attempt, Holder, LockKey};

use crate::database::{Reach, query_failure};
use crate::exit::Class;
use crate::failure::Failure;

/// Proof that no other run works on this database.
#[derive(Debug)]
pub(crate) struct MigrationLock {
    lock: AdvisoryLock,
    /// As a second run would see us.
    pub(crate) holder: String,
}

impl MigrationLock {
    /// Tries once; a second run does not wait.
    pub(crate) async fn take(reach: &Reach, run: &str, host: &str) -> Result<Self, Failure> {
        let session = reach.session().await?;
        let name = format!("django-migrate run {run} on {host}");
        match advisory::try_acquire(session, LockKey::MIGRATIONS, &name)
            .await
            .map_err(|e| query_failure(&e))?
        {
            Attempt::Acquired(lock) => {
                let holder = format!("backend {}", lock.pid());
                Ok(Self { lock, holder })
            }
            Attempt::Busy { holder, session } => {
                session.close().await;
                Err(busy(holder.as_ref(), reach))
            }
        }
    }

    /// Waits until the lock's connection is gone.
    pub(crate) async fn lost(&self) {
        self.lock.lost().await;
    }

    /// The server still says that it is ours.
    pub(crate) async fn still_held(&self) -> Result<(), Failure> {
        if self.lock.is_held().await.map_err(|e| query_failure(&e))? {
            return Ok(());
        }
        Err(Failure::new(
            Class::DatabaseError,
            "the advisory lock of this run was lost with its connection",
        )
        .hint("look at the server's log, then run again"))
    }

    /// Gives the lock back. Had it been lost before, there is nothing left to give.
    pub(crate) async fn release(self) {
        let _ = self.lock.release().await;
    }
}

fn busy(holder: Option<&Holder>, reach: &Reach) -> Failure {
    let failure = Failure::new(
        Class::AnotherRun,
        "another run of django-migrate is at work on this database",
    )
    .source("database", reach.describe());
    let failure = match holder {
        None => failure,
        Some(holder) => {
            let application = holder
                .application
                .as_deref()
                .unwrap_or("an unnamed session");
            let user = holder
                .user
                .as_deref()
                .unwrap_or("a role that we may not see");
            let from = holder
                .client
                .as_deref()
                .map(|c| format!(" from {c}"))
                .unwrap_or_default();
            let since = holder
                .since
                .map(|t| format!(" since {t:.0}"))
                .unwrap_or_default();
            failure.source(
                "held by",
                format!("{application}, {user}{from}, backend {}{since}", holder.pid),
            )
        }
    };
    failure
        .hint("wait for it to end; a run that was killed lets go as soon as its connection is gone")
}

//! The scratch database: made and filled by a restore like any other, and dropped.
//!
//! Absent: looking into it.

use pgdriver::ConnectOptions;

use super::{ProofFailure, ProofProgress, ProofRequest};
use crate::restore::{
    Analyze, Mode, OldSessions, OnError, Owners, Privileges, RestoreFailure, RestoreRequest,
    Restored, Stop, Target, Unfinished, beside, drop_whole, restore_until,
};

/// The name of a scratch database says what it is, of what and from when.
pub fn scratch_name(database: &str, timestamp: &str) -> String {
    beside(database, &format!("_proof_{timestamp}"))
}

/// A scratch database that holds all of the archive.
pub(super) struct Scratch {
    pub(super) options: ConnectOptions,
    connection: ConnectOptions,
    pub(super) restored: Restored,
    /// Whether owners and privileges are in it.
    pub(super) owners: Owners,
    pub(super) notes: Vec<String>,
}

impl Scratch {
    /// Restores the archive. Where it cannot be, nothing is left.
    pub(super) async fn fill(
        request: &ProofRequest,
        progress: &mut impl FnMut(ProofProgress),
        stop: &mut Stop<impl Future<Output = ()>>,
    ) -> Result<Self, ProofFailure> {
        let mut notes = Vec::new();
        let mut owners = Owners::Keep;
        let restored = loop {
            let asked = asked(request, owners);
            let hear = |heard| progress(ProofProgress::Restoring(heard));
            match restore_until(&asked, hear, stop).await {
                Ok(restored) => break restored,
                // roles are not in a dump, and another server need not have them
                Err(error) if owners == Owners::Keep => match error.failure() {
                    RestoreFailure::Missing { missing, .. } => {
                        notes.push(format!(
                            "owners and privileges were left out and not compared, for the scratch database's server lacks \
                             {}",
                            missing.join(", ")
                        ));
                        owners = Owners::Skip;
                    }
                    _ => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            }
        };
        notes.extend(restored.notes.iter().cloned());
        Ok(Self {
            options: request.connection.clone().with_database(&restored.database),
            connection: request.connection.clone(),
            restored,
            owners,
            notes,
        })
    }

    /// Over a new session: the one before may be what broke.
    pub(super) async fn drop_it(self) -> Result<(), String> {
        let session = pgdriver::connect(&self.connection).await;
        let session = session.map_err(|error| error.to_string())?;
        let dropped = drop_whole(&session, &self.options).await;
        session.close().await;
        dropped.map_err(|error| error.to_string())
    }
}

fn asked(request: &ProofRequest, owners: Owners) -> RestoreRequest {
    RestoreRequest {
        archive: request.archive.clone(),
        connection: request.connection.clone(),
        into: request.scratch.clone(),
        target: Target::New,
        sessions: OldSessions::Refuse,
        mode: Mode::Sessions(request.sessions),
        owners,
        privileges: match owners {
            Owners::Keep => Privileges::Keep,
            Owners::Skip => Privileges::Skip,
        },
        on_error: OnError::Stop,
        // nothing is planned in it but counting
        analyze: Analyze::No,
        unfinished: Unfinished::Drop,
        pg_restore: request.pg_restore(),
    }
}

//! The strongest proof of an archive: it is restored into a scratch database, which is then compared with what the archive
//! is of.
//!
//! Definitions are compared with the archive's own statements, as pg_dump writes them of the scratch database; rows with
//! the manifest, table by table; and their content with the checksums that were taken in the dumped snapshot. The scratch
//! database is dropped whatever comes of it.
//!
//! Absent: large objects, which are restored and not compared; statistics; and whether an application runs on it.

mod definitions;
mod rows;
mod scratch;
mod sequences;

use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Instant;

use pgdriver::{ConnectError, ConnectOptions, QueryError};

use crate::archive::TableProof;
use crate::error::VerifyError;
use crate::manifest::Manifest;
use crate::password::Password;
use crate::pg_dump::PgDump;
use crate::restore::{Difference, RestoreError, RestoreProgress, Restored, Stop};

use scratch::Scratch;
pub use scratch::scratch_name;

/// What is to be proven, and where.
#[derive(Debug, Clone)]
pub struct ProofRequest {
    /// The archive.
    pub archive: PathBuf,
    /// The server and the login for the scratch database: the archive's own server, or another one. Its own database is
    /// where the scratch database is made from.
    pub connection: ConnectOptions,
    /// The name of the scratch database: [`scratch_name`].
    pub scratch: String,
    /// Sessions that load and compare at once.
    pub sessions: NonZeroU8,
    /// The pg_dump that writes the definitions of the scratch database. None: they are not compared.
    pub pg_dump: Option<PgDump>,
    /// As in [`DumpRequest`](crate::DumpRequest), for the scratch database's server.
    pub environment: Vec<(String, String)>,
    /// And its password.
    pub password: Option<Password>,
    /// For archives of pg_dump's other formats; none is the one beside `pg_dump`, or any that fits.
    pub pg_restore: Option<PathBuf>,
}

impl ProofRequest {
    /// The one that came with pg_dump reads what that wrote.
    fn pg_restore(&self) -> Option<PathBuf> {
        let beside = || {
            let path = &self.pg_dump.as_ref()?.path;
            Some(path.with_file_name("pg_restore")).filter(|it| it.is_file())
        };
        self.pg_restore.clone().or_else(beside)
    }
}

/// What is heard meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub enum ProofProgress {
    /// Something the user should know now.
    Warning(String),
    /// The archive goes into the scratch database.
    Restoring(RestoreProgress),
    /// Its rows are counted and summed up.
    Rows {
        /// Tables that are done.
        tables: u64,
        /// All of them.
        total: u64,
    },
    /// Its definitions are compared.
    Definitions,
    /// It is dropped.
    Dropping {
        /// Its name.
        database: String,
    },
}

/// What was found. Without differences the archive is proven.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// Tables whose rows were counted.
    pub tables: u64,
    /// Rows in all of them.
    pub rows: u64,
    /// Tables whose content was compared with the snapshot's.
    pub checksums: u64,
    /// Definitions that are the same; none where they were not compared.
    pub definitions: Option<u64>,
    /// What is not as it was.
    pub differences: Vec<Difference>,
    /// What was not compared, and why.
    pub notes: Vec<String>,
    /// From the first look at the server to the dropped database.
    pub seconds: f64,
}

impl Proof {
    /// Everything that could be compared is the same.
    pub fn holds(&self) -> bool {
        self.differences.is_empty()
    }
}

/// No answer came of it.
#[derive(Debug, thiserror::Error)]
#[error("{failure}{}", left(.scratch))]
pub struct ProofError {
    failure: ProofFailure,
    /// The scratch database, where it could not be dropped, and why.
    scratch: Option<(String, String)>,
}

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum ProofFailure {
    /// The archive could not be restored: it is worth nothing as it is, or not on this server.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The archive could not be read.
    #[error(transparent)]
    Archive(#[from] VerifyError),
    /// No session could be opened on the scratch database.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A question to it failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// pg_dump failed on the scratch database.
    #[error("pg_dump failed on the scratch database: {0}")]
    PgDump(String),
    /// A thread of this program.
    #[error("a thread of the comparison failed: {0}")]
    Thread(String),
    /// The caller asked to stop.
    #[error("the proof was interrupted")]
    Interrupted,
    /// The comparison was whole, but the scratch database is still there.
    #[error("everything was compared")]
    NotDropped,
}

impl ProofError {
    fn of(failure: impl Into<ProofFailure>) -> Self {
        Self {
            failure: failure.into(),
            scratch: None,
        }
    }

    /// Why.
    pub fn failure(&self) -> &ProofFailure {
        &self.failure
    }

    /// The scratch database, where it is still there.
    pub fn left(&self) -> Option<&str> {
        self.scratch.as_ref().map(|(name, _)| name.as_str())
    }

    /// The caller asked to stop.
    pub fn is_interrupted(&self) -> bool {
        match &self.failure {
            ProofFailure::Interrupted => true,
            ProofFailure::Restore(error) => error.is_interrupted(),
            ProofFailure::Archive(error) => error.is_interrupted(),
            _ => false,
        }
    }

    /// A stable name for scripts.
    pub fn class(&self) -> &'static str {
        match &self.failure {
            ProofFailure::Restore(error) => error.class(),
            ProofFailure::Archive(error) => error.class(),
            ProofFailure::Connect(_) => "proof-unreachable",
            ProofFailure::Query(_) | ProofFailure::Thread(_) => "proof-failed",
            ProofFailure::PgDump(_) => "proof-pg-dump-failed",
            ProofFailure::Interrupted => "proof-interrupted",
            ProofFailure::NotDropped => "proof-scratch-left",
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        if let Some((name, _)) = &self.scratch {
            return Some(format!(
                "drop it yourself: DROP DATABASE {}",
                crate::swap::quoted(name)
            ));
        }
        match &self.failure {
            ProofFailure::Restore(error) => error.hint(),
            ProofFailure::Connect(error) => error.hint().map(str::to_owned),
            ProofFailure::Query(error) => error.hint().map(str::to_owned),
            _ => None,
        }
    }
}

fn left(scratch: &Option<(String, String)>) -> String {
    match scratch {
        Some((name, why)) => {
            format!("\n  the scratch database \"{name}\" could not be dropped: {why}")
        }
        None => String::new(),
    }
}

/// Restores the archive into a scratch database, compares the two, and drops it. Up to the comparison's end `stop` ends
/// it, and the scratch database is dropped all the same.
pub async fn restored(
    request: &ProofRequest,
    mut progress: impl FnMut(ProofProgress),
    stop: impl Future<Output = ()>,
) -> Result<Proof, ProofError> {
    let begun = Instant::now();
    let mut stop = Stop::new(stop);
    let manifest = Manifest::of(&request.archive).map_err(ProofError::of)?;
    progress(ProofProgress::Warning(room(request, manifest.as_ref())));
    let scratch = Scratch::fill(request, &mut progress, &mut stop)
        .await
        .map_err(ProofError::of)?;
    let compared = compared(
        request,
        manifest.as_ref(),
        &scratch,
        &mut progress,
        &mut stop,
    )
    .await;
    let database = request.scratch.clone();
    progress(ProofProgress::Dropping { database });
    let left = scratch.drop_it().await.err();
    let left = left.map(|why| (request.scratch.clone(), why));
    match (compared, left) {
        (Ok(mut proof), None) => {
            proof.seconds = begun.elapsed().as_secs_f64();
            Ok(proof)
        }
        (Ok(_), scratch) => Err(ProofError {
            failure: ProofFailure::NotDropped,
            scratch,
        }),
        (Err(failure), scratch) => Err(ProofError { failure, scratch }),
    }
}

/// How much room there is on a server, nobody can ask it.
fn room(request: &ProofRequest, manifest: Option<&Manifest>) -> String {
    let server = request.connection.describe();
    let size = manifest.map_or_else(String::new, |manifest| {
        format!(
            " of some {} MB and its indexes",
            (manifest.raw_bytes >> 20).max(1)
        )
    });
    format!(
        "a scratch database{size} is made on {server}; how much room is left there is not known"
    )
}

async fn compared(
    request: &ProofRequest,
    manifest: Option<&Manifest>,
    scratch: &Scratch,
    progress: &mut impl FnMut(ProofProgress),
    stop: &mut Stop<impl Future<Output = ()>>,
) -> Result<Proof, ProofFailure> {
    let expected = expected(manifest, &scratch.restored);
    let mut notes = scratch.notes.clone();
    let mut found = rows::compare(request, &scratch.options, &expected, progress, stop).await?;
    notes.append(&mut found.notes);
    let mut differences = found.differences;
    progress(ProofProgress::Definitions);
    let said = definitions::compare(request, manifest, scratch, stop).await?;
    notes.extend(said.note);
    differences.extend(said.differences);
    differences.extend(sequences::compare(&scratch.options, &said.sequences, stop).await?);
    if said.large_objects {
        notes.push("large objects were restored, and not compared".to_owned());
    }
    Ok(Proof {
        tables: found.tables,
        rows: found.rows,
        checksums: found.checksums,
        definitions: said.same,
        differences,
        notes,
        seconds: 0.0,
    })
}

/// Without a manifest the rows that the server took have to be there still.
fn expected(manifest: Option<&Manifest>, restored: &Restored) -> Vec<TableProof> {
    match manifest {
        Some(manifest) => manifest.tables.clone(),
        None => restored
            .tables
            .iter()
            .cloned()
            .map(TableProof::from)
            .collect(),
    }
}

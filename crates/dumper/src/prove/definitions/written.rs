//! pg_dump, which writes the definitions of the scratch database as it wrote the archive's.
//!
//! Absent: reading them.

use std::io;
use std::num::NonZeroU8;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, sync_channel};

use tokio::sync::oneshot;

use super::super::scratch::Scratch;
use super::super::{ProofFailure, ProofRequest};
use super::side::{Told, Whole, read_script};
use super::{WAITING, thread};
use crate::archive::{Format, Verified};
use crate::dump::Stored;
use crate::manifest::Manifest;
use crate::pg_dump::{PgDump, Start, command};
use crate::request::{Compression, DumpRequest, Selection};
use crate::running::Running;

/// pg_dump at work on the scratch database.
pub(super) struct Written {
    pub(super) running: Running,
    pub(super) statements: Receiver<Told>,
    pub(super) done: oneshot::Receiver<Result<Whole, ProofFailure>>,
}

impl Written {
    pub(super) fn start(
        request: &ProofRequest,
        pg_dump: &PgDump,
        manifest: Option<&Manifest>,
        scratch: &Scratch,
    ) -> Result<Self, ProofFailure> {
        let failed = |error: io::Error| ProofFailure::PgDump(error.to_string());
        let asked = asked(request, pg_dump, manifest, scratch);
        let start = Start {
            stored: Stored::of(&asked).map_err(|error| ProofFailure::PgDump(error.to_string()))?,
            application: "django-migrate proof",
            snapshot: None,
            folder: None,
        };
        let (stdout, theirs) = io::pipe().map_err(failed)?;
        let running =
            Running::start(command(&asked, &start, Stdio::from(theirs))).map_err(failed)?;
        let (tell, statements) = sync_channel(WAITING);
        let owners = scratch.owners;
        let done = thread("proof-pg-dump", move || read_script(stdout, owners, &tell))?;
        Ok(Self {
            running,
            statements,
            done,
        })
    }
}

/// The same selection as the archive's, without rows.
fn asked(
    request: &ProofRequest,
    pg_dump: &PgDump,
    manifest: Option<&Manifest>,
    scratch: &Scratch,
) -> DumpRequest {
    let tables = manifest.map_or_else(Vec::new, |manifest| manifest.selection.tables.clone());
    DumpRequest {
        pg_dump: pg_dump.clone(),
        environment: request.environment.clone(),
        password: request.password.clone(),
        database: scratch.options.database().to_owned(),
        connection: scratch.options.clone(),
        server_version_num: 0,
        system_identifier: None,
        directory: request.archive.clone(),
        timestamp: String::new(),
        created_at: String::new(),
        tool_version: String::new(),
        format: Format::Plain,
        compression: Some(Compression::None),
        jobs: NonZeroU8::MIN,
        selection: Selection {
            schema_only: true,
            tables,
            exclude_table_data: Vec::new(),
        },
        proof: Verified::Trailer,
        lock_wait_timeout: None,
        estimated_bytes: None,
    }
}

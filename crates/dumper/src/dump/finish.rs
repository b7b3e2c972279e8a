//! The manifest, the name, and the archive as a value.
//!
//! Absent: any doubt. What comes here is proven.

use std::path::Path;
use std::time::Instant;

use super::options::Stored;
use super::{Done, Warnings, estimated, write_error};
use crate::archive::{Archive, Format, TableProof, Verified};
use crate::error::DumpError;
use crate::folder::{self, Partial};
use crate::manifest::{MANIFEST_VERSION, Manifest};
use crate::pg_dump::Version;
use crate::request::DumpRequest;
use crate::snapshot::Held;

/// The manifest first: when the archive has its name, all else is done.
pub(super) fn keep(
    request: &DumpRequest,
    stored: Stored,
    held: Option<&Held>,
    done: Done,
    began: Instant,
    warnings: Warnings,
) -> Result<Archive, DumpError> {
    let seconds = began.elapsed().as_secs_f64();
    let bytes = done.content.bytes;
    let estimated = estimated(request, held);
    let fail = |path: &Path, source| write_error(request, estimated, path, bytes, source);
    let manifest = manifest(request, stored, held, &done, seconds);
    let mut warnings = warnings.0;
    warnings.extend(done.said.lines().map(str::to_owned));
    warnings.extend(done.compared.into_iter().flat_map(|it| it.notes));
    let partial = done.partial;
    let name = partial.name().to_owned();
    let manifest_path = Manifest::path_of(&name);
    let (manifest_partial, file) =
        Partial::create(&manifest_path).map_err(|source| fail(&manifest_path, source))?;
    manifest
        .write(&file)
        .map_err(|source| fail(&manifest_path, source))?;
    let manifest_path = manifest_partial
        .keep()
        .map_err(|source| fail(&manifest_path, source))?;
    let path = partial.keep().map_err(|source| {
        let _ = std::fs::remove_file(&manifest_path); // it would speak of no archive
        fail(&name, source)
    })?;
    folder::sync(&request.directory).map_err(|source| fail(&request.directory, source))?;
    Ok(Archive {
        path,
        manifest: manifest_path,
        format: manifest.format,
        compression: manifest.compression,
        bytes,
        raw_bytes: manifest.raw_bytes,
        sha256: manifest.sha256,
        tables: manifest.tables,
        rows: manifest.rows,
        seconds,
        pg_dump_version: request.pg_dump.version,
        verified: manifest.verified,
        warnings,
    })
}

fn manifest(
    request: &DumpRequest,
    stored: Stored,
    held: Option<&Held>,
    done: &Done,
    seconds: f64,
) -> Manifest {
    let name = done.partial.name().file_name().unwrap_or_default();
    let (tables, verified) = match &done.compared {
        Some(compared) => (compared.tables.clone(), Verified::Counts),
        None => {
            let tables = done.content.scan.tables.iter().cloned();
            (tables.map(TableProof::from).collect(), Verified::Trailer)
        }
    };
    Manifest {
        manifest_version: MANIFEST_VERSION,
        tool_version: request.tool_version.clone(),
        created_at: request.created_at.clone(),
        database: request.database.clone(),
        server_version: Version::from_num(request.server_version_num),
        refuted: None,
        system_identifier: request.system_identifier.clone(),
        pg_dump_version: request.pg_dump.version,
        file: name.to_string_lossy().into_owned(),
        format: stored.format,
        compression: stored.compression.to_string(),
        encoding: "UTF8".to_owned(),
        sha256: done.content.sha256.clone(),
        bytes: done.content.bytes,
        raw_bytes: done.content.scan.raw_bytes,
        rows: done.content.scan.rows,
        seconds,
        verified,
        tables,
        properties: held.map(|held| held.properties.clone()),
        snapshot: held.map(Held::snapshot),
        selection: request.selection.clone(),
        jobs: (stored.format == Format::Directory).then_some(request.jobs.get()),
        needs: Some(done.content.scan.needs.clone()),
    }
}

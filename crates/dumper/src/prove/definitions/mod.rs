//! The definitions of the scratch database, as pg_dump writes them, against the archive's own.
//!
//! Both are read as statements. Order does not count: pg_dump's depends on what an object's number is. Of the archive what
//! carries rows is left out, which a dump of definitions alone has not.
//!
//! Absent: what a statement means. Two versions of pg_dump write the same thing differently, so theirs are not compared.

mod matched;
mod part;
mod side;
mod written;

use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;

use tokio::sync::oneshot;

use super::scratch::Scratch;
use super::{ProofFailure, ProofRequest};
use crate::manifest::Manifest;
use crate::password::scrub;
use crate::read::Watch;
use crate::restore::{Difference, Stop};
use crate::scan::Scan;
use matched::{Matched, matched};
use side::read_archive;
use written::Written;

/// Statements that wait between a reader and the comparison.
const WAITING: usize = 64;
/// Differences that are told one by one.
const TOLD: usize = 20;

/// What became of the comparison.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// None where nothing was compared.
    pub(super) same: Option<u64>,
    pub(super) differences: Vec<Difference>,
    pub(super) note: Option<String>,
    /// The archive's `setval` statements.
    pub(super) sequences: Vec<String>,
    pub(super) large_objects: bool,
}

/// Reads both sides at once.
pub(super) async fn compare(
    request: &ProofRequest,
    manifest: Option<&Manifest>,
    scratch: &Scratch,
    stop: &mut Stop<impl Future<Output = ()>>,
) -> Result<Said, ProofFailure> {
    let watch = Watch::default();
    let (archive, from_archive) = sync_channel(WAITING);
    let (path, pg_restore, watched) =
        (request.archive.clone(), request.pg_restore(), watch.clone());
    let owners = scratch.owners;
    let reading = thread("proof-archive", move || {
        read_archive(&path, pg_restore.as_deref(), &watched, owners, &archive)
    })?;
    let written = match &request.pg_dump {
        Some(pg_dump) => Some(Written::start(request, pg_dump, manifest, scratch)?),
        None => None,
    };
    let (mut running, from_scratch, writing) = match written {
        Some(Written {
            running,
            statements,
            done,
        }) => (Some(running), Some(statements), Some(done)),
        None => (None, None, None),
    };
    let matching = thread("proof-compare", move || {
        matched(&from_archive, from_scratch)
    })?;
    let all = async {
        let matched = ended(matching).await?;
        let read = ended(reading).await??;
        let wrote = match (running.as_mut(), writing) {
            (Some(running), Some(writing)) => Some((running.wait().await, ended(writing).await?)),
            _ => None,
        };
        Ok::<_, ProofFailure>((matched, read, wrote))
    };
    let done = tokio::select! {
        biased;
        () = stop.future.as_mut() => None,
        done = all => Some(done),
    };
    let Some(done) = done else {
        watch.stop.store(true, Ordering::Relaxed);
        if let Some(mut running) = running {
            running.terminate().await;
        }
        return Err(ProofFailure::Interrupted);
    };
    let (matched, read, wrote) = done?;
    let mut said = Said {
        sequences: read.sequences,
        large_objects: read.scan.needs.large_objects,
        ..Said::default()
    };
    let Some((status, wrote)) = wrote else {
        said.note = Some("the definitions were not compared: there is no pg_dump".to_owned());
        return Ok(said);
    };
    let status = status.map_err(|error| ProofFailure::PgDump(error.to_string()))?;
    if !status.success() {
        let words = match running {
            Some(mut running) => running.said().await,
            None => String::new(),
        };
        return Err(ProofFailure::PgDump(scrub(
            &words,
            request.password.as_ref(),
        )));
    }
    let wrote = wrote?;
    judge(&mut said, matched, &read.scan, &wrote.scan);
    Ok(said)
}

fn judge(said: &mut Said, matched: Matched, archive: &Scan, scratch: &Scan) {
    let Matched {
        same,
        unmatched,
        overflown,
    } = matched;
    said.same = Some(same);
    if unmatched.is_empty() && !overflown {
        return;
    }
    let by = |scan: &Scan| {
        let major = |version: &Option<crate::pg_dump::Version>| version.map(|it| it.major);
        (
            major(&scan.needs.pg_dump_version),
            major(&scan.needs.server_version),
        )
    };
    if by(archive) != by(scratch) {
        let told = |(pg_dump, server): (Option<u32>, Option<u32>)| {
            let one =
                |it: Option<u32>| it.map_or_else(|| "unknown".to_owned(), |it| it.to_string());
            format!("pg_dump {} of PostgreSQL {}", one(pg_dump), one(server))
        };
        said.same = None;
        said.note = Some(format!(
            "the definitions were not compared: the archive's were written by {}, the scratch database's by {}, and they \
             do not write alike",
            told(by(archive)),
            told(by(scratch))
        ));
        return;
    }
    let more = unmatched.len().saturating_sub(TOLD);
    said.differences = unmatched.into_iter().take(TOLD).collect();
    if more > 0 || overflown {
        said.note = Some(match overflown {
            true => "the definitions differ in more than can be told".to_owned(),
            false => format!("{more} more definitions differ"),
        });
    }
}

fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, ProofFailure> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || tell.send(work()).is_ok())
        .map_err(|error| ProofFailure::Thread(error.to_string()))?;
    Ok(told)
}

async fn ended<T>(told: oneshot::Receiver<T>) -> Result<T, ProofFailure> {
    told.await
        .map_err(|_| ProofFailure::Thread("it panicked".to_owned()))
}

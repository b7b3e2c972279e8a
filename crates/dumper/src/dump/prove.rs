//! The written archive read back.
//!
//! What was plain SQL on its way was read back while it was written, and is compared with what was seen then. An
//! archive of pg_dump's own was not looked into: pg_restore writes its script, and that is looked at.
//!
//! Absent: the server's counts.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::beat;
use crate::behind;
use crate::error::{DumpError, VerifyError};
use crate::folder::Partial;
use crate::progress::Progress;
use crate::request::DumpRequest;
use crate::scan::Scan;
use crate::verify::{Content, Watch, read_back};

/// What is known of a file from writing it.
pub(super) struct Written {
    pub(super) bytes: u64,
    /// None where pg_dump wrote into a folder itself.
    pub(super) sha256: Option<String>,
    /// What was seen in plain SQL as it passed.
    pub(super) scan: Option<Scan>,
    /// What the disk gave back while the rest was written: then nothing needs to be read again.
    pub(super) reread: Option<Content>,
}

/// Reads the archive to its end and compares it with what was written.
pub(super) async fn prove<S: Future<Output = ()>>(
    request: &DumpRequest,
    partial: &Partial,
    written: Written,
    progress: &mut impl FnMut(Progress),
    stop: Pin<&mut S>,
) -> Result<Content, DumpError> {
    let found = match written.reread {
        Some(found) => found,
        None => read(request, partial, written.bytes, progress, stop).await?,
    };
    let content = Content {
        bytes: written.bytes,
        sha256: written.sha256.unwrap_or_else(|| found.sha256.clone()),
        scan: written.scan.unwrap_or_else(|| found.scan.clone()),
    };
    found.compare(partial.name(), &content)?;
    Ok(content)
}

async fn read<S: Future<Output = ()>>(
    request: &DumpRequest,
    partial: &Partial,
    bytes: u64,
    progress: &mut impl FnMut(Progress),
    mut stop: Pin<&mut S>,
) -> Result<Content, DumpError> {
    // files of a folder were forgotten when they were sealed
    if let Ok(file) = File::open(partial.path()) {
        behind::forget(&file);
    }
    let watch = Watch::default();
    let (tell, mut told) = oneshot::channel();
    let (path, watched) = (partial.path().to_owned(), watch.clone());
    // the one that came with pg_dump reads what it wrote; else the newest
    let beside = request.pg_dump.path.with_file_name("pg_restore");
    let pg_restore = beside.is_file().then_some(beside);
    let failed = |source| VerifyError::Read {
        path: partial.path().to_owned(),
        source,
    };
    std::thread::Builder::new()
        .name("dump-verify".into())
        .spawn(move || {
            tell.send(read_back(&path, pg_restore.as_deref(), &watched))
                .is_ok()
        })
        .map_err(failed)?;
    // once at least, however fast it is
    progress(Progress::Verifying { read: 0, bytes });
    let mut beat = beat();
    loop {
        tokio::select! {
            () = stop.as_mut() => {
                watch.stop.store(true, Ordering::Relaxed);
                return Err(DumpError::Interrupted);
            }
            found = &mut told => {
                let found = found.unwrap_or_else(|_| Err(failed(io::Error::other("the reading thread panicked"))));
                return Ok(found?);
            }
            _ = beat.tick() => {
                progress(Progress::Verifying { read: watch.read.load(Ordering::Relaxed), bytes });
            }
        }
    }
}

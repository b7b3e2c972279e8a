//! Reading an archive back: is it whole, is it what was written?
//!
//! Absent: a server. Whether the SQL restores is a stronger proof than this one.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::archive::{Format, TableRows};
use crate::compress::Digested;
use crate::error::VerifyError;
use crate::manifest::Manifest;
use crate::needs::Needs;
pub(crate) use crate::read::Watch;
use crate::read::{Reading, open_watched};
use crate::scan::{Scan, Scanner};

const TICK: Duration = Duration::from_millis(100);

/// What a whole archive holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The file.
    pub path: PathBuf,
    /// Size of the file.
    pub bytes: u64,
    /// Size of the plain SQL.
    pub raw_bytes: u64,
    /// Of the file.
    pub sha256: String,
    /// Every COPY block, in order.
    pub tables: Vec<TableRows>,
    /// Rows in all of them.
    pub rows: u64,
    /// What a restore of it expects of its server.
    pub needs: Needs,
    /// The manifest that it was compared with; without one only the file itself was checked.
    pub manifest: Option<Manifest>,
}

/// Reads the whole archive, our own or any pg_dump's, plain, gzip, zstd or in pg_dump's own formats: checksums,
/// pg_dump's end marker, and, where there is a manifest, SHA-256, size and the rows of each table.
pub fn verify(path: &Path) -> Result<Summary, VerifyError> {
    watched(path, None, &Watch::default())
}

/// [`verify`] where there is a pg_restore to use, and no other, for an archive in one of pg_dump's own formats: what
/// the archive holds, and what a restore of it expects of its server.
pub fn examine(path: &Path, pg_restore: Option<&Path>) -> Result<Summary, VerifyError> {
    watched(path, pg_restore, &Watch::default())
}

/// [`examine`] on a thread of its own, up to `stop`: then the error is [`VerifyError::Interrupted`]. `progress` hears
/// some ten times a second how many bytes of the file are read.
pub async fn verify_until(
    path: &Path,
    pg_restore: Option<&Path>,
    mut progress: impl FnMut(u64),
    stop: impl Future<Output = ()>,
) -> Result<Summary, VerifyError> {
    let failed = |source| VerifyError::Read {
        path: path.to_owned(),
        source,
    };
    let watch = Arc::new(Watch::default());
    let (tell, mut told) = oneshot::channel();
    let (file, program, watched_by) = (
        path.to_owned(),
        pg_restore.map(Path::to_owned),
        Arc::clone(&watch),
    );
    std::thread::Builder::new()
        .name("verify".into())
        .spawn(move || {
            tell.send(watched(&file, program.as_deref(), &watched_by))
                .is_ok()
        })
        .map_err(failed)?;
    let mut stop = pin!(stop);
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => {
                watch.stop.store(true, Ordering::Relaxed);
                return Err(VerifyError::Interrupted);
            }
            found = &mut told => {
                return found
                    .unwrap_or_else(|_| Err(failed(io::Error::other("the reading thread panicked"))));
            }
            _ = tick.tick() => progress(watch.read.load(Ordering::Relaxed)),
        }
    }
}

fn watched(path: &Path, pg_restore: Option<&Path>, watch: &Watch) -> Result<Summary, VerifyError> {
    let manifest = Manifest::of(path)?;
    let content = read_back(path, pg_restore, watch)?;
    if let Some(manifest) = &manifest {
        let scan = Scan {
            tables: manifest.table_rows(),
            rows: manifest.rows,
            // another pg_restore writes another script of the same archive
            raw_bytes: match manifest.format {
                Format::Plain => manifest.raw_bytes,
                Format::Custom | Format::Directory => content.scan.raw_bytes,
            },
            needs: Needs::default(), // not compared
        };
        content.compare(
            path,
            &Content {
                bytes: manifest.bytes,
                sha256: manifest.sha256.clone(),
                scan,
            },
        )?;
    }
    let Content {
        bytes,
        sha256,
        scan:
            Scan {
                tables,
                rows,
                raw_bytes,
                needs,
            },
    } = content;
    Ok(Summary {
        path: path.to_owned(),
        bytes,
        raw_bytes,
        sha256,
        tables,
        rows,
        needs,
        manifest,
    })
}

/// What a file holds, as read or as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) scan: Scan,
}

impl Content {
    /// The first difference, named.
    pub(crate) fn compare(&self, path: &Path, written: &Self) -> Result<(), VerifyError> {
        let differs = |what: &str, written: String, found: String| {
            Err(VerifyError::Differs {
                path: path.to_owned(),
                what: what.to_owned(),
                written,
                found,
            })
        };
        if self.bytes != written.bytes {
            return differs("size", written.bytes.to_string(), self.bytes.to_string());
        }
        if self.sha256 != written.sha256 {
            return differs("sha256", written.sha256.clone(), self.sha256.clone());
        }
        for (now, then) in self.scan.tables.iter().zip(&written.scan.tables) {
            if now != then {
                return differs(
                    &format!("rows of {then}"),
                    then.rows.to_string(),
                    now.rows.to_string(),
                );
            }
        }
        let (now, then) = (self.scan.tables.len(), written.scan.tables.len());
        if now != then {
            return differs("number of tables", then.to_string(), now.to_string());
        }
        if self.scan.raw_bytes != written.scan.raw_bytes {
            return differs(
                "size of the SQL",
                written.scan.raw_bytes.to_string(),
                self.scan.raw_bytes.to_string(),
            );
        }
        Ok(())
    }
}

/// Reads the file to its end, and says first what is wrong with the file, then with the SQL in it.
pub(crate) fn read_back(
    path: &Path,
    pg_restore: Option<&Path>,
    watch: &Watch,
) -> Result<Content, VerifyError> {
    read_through(path, open_watched(path, pg_restore, watch)?, watch)
}

/// [`read_back`] of what is being read already.
pub(crate) fn read_through(
    path: &Path,
    mut reading: Reading,
    watch: &Watch,
) -> Result<Content, VerifyError> {
    let mut scanner = Scanner::default();
    while let Some(block) = reading.block()? {
        if watch.stop.load(Ordering::Relaxed) {
            return Err(VerifyError::Interrupted);
        }
        scanner.feed(&block);
    }
    let Digested { bytes, sha256 } = reading.finish()?;
    if scanner.raw_bytes() == 0 {
        return Err(VerifyError::Empty {
            path: path.to_owned(),
        });
    }
    let scan = scanner
        .finish()
        .map_err(|error| VerifyError::of_text(path, error))?;
    Ok(Content {
        bytes,
        sha256,
        scan,
    })
}

#[cfg(test)]
mod tests;

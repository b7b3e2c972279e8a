//! Reading an archive back: is it whole, is it what was written?
//!
//! Absent: a server. Whether the SQL restores is a stronger proof than this one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::archive::TableRows;
use crate::compress::hex;
use crate::error::VerifyError;
use crate::manifest::Manifest;
use crate::needs::Needs;
use crate::scan::{Scan, Scanner};

const BLOCK: usize = 256 * 1024;
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

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

/// Reads the whole file, plain or gzip, its own or any pg_dump's: gzip's CRC, pg_dump's end marker, and, where there is
/// a manifest, SHA-256, size and the rows of each table.
pub fn verify(path: &Path) -> Result<Summary, VerifyError> {
    watched(path, &Watch::default())
}

/// [`verify`] on a thread of its own, up to `stop`: then the error is [`VerifyError::Interrupted`].
pub async fn verify_until(
    path: &Path,
    stop: impl Future<Output = ()>,
) -> Result<Summary, VerifyError> {
    let failed = |source| VerifyError::Read {
        path: path.to_owned(),
        source,
    };
    let watch = Arc::new(Watch::default());
    let (tell, told) = oneshot::channel();
    let (file, watched_by) = (path.to_owned(), Arc::clone(&watch));
    std::thread::Builder::new()
        .name("verify".into())
        .spawn(move || tell.send(watched(&file, &watched_by)).is_ok())
        .map_err(failed)?;
    tokio::select! {
        biased;
        () = stop => {
            watch.stop.store(true, Ordering::Relaxed);
            Err(VerifyError::Interrupted)
        }
        found = told => found
            .unwrap_or_else(|_| Err(failed(io::Error::other("the reading thread panicked")))),
    }
}

fn watched(path: &Path, watch: &Watch) -> Result<Summary, VerifyError> {
    let manifest = Manifest::of(path)?;
    let content = read_back(path, watch)?;
    if let Some(manifest) = &manifest {
        let scan = Scan {
            tables: manifest.table_rows(),
            rows: manifest.rows,
            raw_bytes: manifest.raw_bytes,
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

/// How far the reading is, and whether to go on.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) read: AtomicU64,
    pub(crate) stop: AtomicBool,
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

/// Reads the file to its end.
pub(crate) fn read_back(path: &Path, watch: &Watch) -> Result<Content, VerifyError> {
    let unreadable = |source| VerifyError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut input = BufReader::with_capacity(
        BLOCK,
        Hashing {
            file,
            hash: Sha256::new(),
            bytes: 0,
            watch,
        },
    );
    let beginning = input.fill_buf().map_err(|error| read_error(path, error))?;
    if beginning.is_empty() {
        return Err(VerifyError::Empty {
            path: path.to_owned(),
        });
    }
    let scanner =
        if beginning.starts_with(GZIP_MAGIC) || path.extension().is_some_and(|it| it == "gz") {
            scan(&mut MultiGzDecoder::new(&mut input))
        } else {
            scan(&mut input)
        };
    let scanner = scanner.map_err(|error| read_error(path, error))?;
    if scanner.bytes() == 0 {
        return Err(VerifyError::Empty {
            path: path.to_owned(),
        });
    }
    let scan = scanner
        .finish()
        .map_err(|error| VerifyError::of_text(path, error))?;
    let Hashing { hash, bytes, .. } = input.into_inner();
    Ok(Content {
        bytes,
        sha256: hex(&hash.finalize()),
        scan,
    })
}

fn scan(input: &mut impl Read) -> io::Result<Scanner> {
    let mut scanner = Scanner::default();
    let mut block = vec![0; BLOCK];
    loop {
        match input.read(&mut block) {
            Ok(0) => return Ok(scanner),
            Ok(length) => scanner.feed(&block[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The decoder's errors carry no number of the operating system's.
fn read_error(path: &Path, error: io::Error) -> VerifyError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::UnexpectedEof => VerifyError::CutShort { path },
        io::ErrorKind::TimedOut if error.raw_os_error().is_none() => VerifyError::Interrupted,
        _ if error.raw_os_error().is_none() => VerifyError::Damaged {
            path,
            reason: error.to_string(),
        },
        _ => VerifyError::Read {
            path,
            source: error,
        },
    }
}

/// A file that is hashed as it is read, and whose reading can be stopped.
struct Hashing<'a> {
    file: File,
    hash: Sha256,
    bytes: u64,
    watch: &'a Watch,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.watch.stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::TimedOut.into()); // not Interrupted: readers retry that
        }
        let length = self.file.read(buffer)?;
        self.hash.update(&buffer[..length]);
        self.bytes += length as u64;
        self.watch.read.store(self.bytes, Ordering::Relaxed);
        Ok(length)
    }
}

#[cfg(test)]
mod tests;

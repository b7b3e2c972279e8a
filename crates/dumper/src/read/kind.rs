//! What an archive is, by its first bytes.
//!
//! Absent: names, but for one: a file that is called `.gz` or `.zst` and does not begin so is damaged, not plain.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::header::{self, Header};
use crate::error::VerifyError;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// A tar's first block is about its first file, and pg_dump's first file is the table of contents.
const TAR_BLOCK: usize = 512;
const TAR_MAGIC: std::ops::Range<usize> = 257..262;
/// What a folder of `pg_dump -Fd` has.
const TOC: &str = "toc.dat";

/// How to read it.
#[derive(Debug)]
pub(super) enum Kind {
    Plain,
    Gzip,
    Zstd,
    /// By pg_restore.
    PgDump {
        header: Header,
        place: Place,
    },
}

/// What one of pg_dump's own formats is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    File,
    Folder,
}

pub(super) fn of(path: &Path) -> Result<Kind, VerifyError> {
    let unreadable = |source| VerifyError::Read {
        path: path.to_owned(),
        source,
    };
    if path.is_dir() {
        let toc = match beginning(&path.join(TOC)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(unreadable(io::ErrorKind::IsADirectory.into()));
            }
            other => other.map_err(unreadable)?,
        };
        return pg_dump(path, &toc, Place::Folder);
    }
    let beginning = beginning(path).map_err(unreadable)?;
    if beginning.is_empty() {
        return Err(VerifyError::Empty {
            path: path.to_owned(),
        });
    }
    let is_called = |extension: &str| path.extension().is_some_and(|it| it == extension);
    if beginning.starts_with(header::MAGIC) {
        return pg_dump(path, &beginning, Place::File);
    }
    if beginning.get(TAR_MAGIC) == Some(b"ustar") && beginning.starts_with(b"toc.dat\0") {
        return pg_dump(
            path,
            &beginning[TAR_BLOCK.min(beginning.len())..],
            Place::File,
        );
    }
    Ok(match () {
        () if beginning.starts_with(GZIP) => Kind::Gzip,
        () if beginning.starts_with(ZSTD) => Kind::Zstd,
        () if is_called("gz") => Kind::Gzip,
        () if is_called("zst") => Kind::Zstd,
        () => Kind::Plain,
    })
}

fn pg_dump(path: &Path, toc: &[u8], place: Place) -> Result<Kind, VerifyError> {
    let header = Header::read(toc).map_err(|reason| VerifyError::Damaged {
        path: path.to_owned(),
        reason: reason.to_owned(),
    })?;
    Ok(Kind::PgDump { header, place })
}

/// Enough for a tar's first block and the header behind it.
fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(4096).read_to_end(&mut bytes)?;
    Ok(bytes)
}

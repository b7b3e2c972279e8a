//! The hash of a folder that `pg_dump -Fd` wrote: that of the list which `sha256sum *` writes in it.
//!
//! Absent: folders inside of it, which pg_dump does not make.

use std::fs::File;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::blocks::Progress;
use super::file;
use crate::compress::{Digested, hex};

pub(super) fn digest(folder: &Path, progress: &Progress) -> io::Result<Digested> {
    let mut names: Vec<String> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.sort_unstable();
    let mut list = Sha256::new();
    let mut bytes = 0;
    for name in names {
        let digested = file::digest(File::open(folder.join(&name))?, progress, |_| true)?;
        bytes += digested.bytes;
        list.update(format!("{}  {name}\n", digested.sha256));
    }
    Ok(Digested {
        bytes,
        sha256: hex(&list.finalize()),
    })
}

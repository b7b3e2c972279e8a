//! A tar.gz that depends on nothing but what is put into it.

use std::io::Write as _;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};

/// One file of the archive.
pub(super) struct Entry {
    path: String,
    mode: u32,
    content: Vec<u8>,
}

impl Entry {
    /// A file to run.
    pub(super) fn program(path: &str, content: Vec<u8>) -> Self {
        Self {
            path: path.to_owned(),
            mode: 0o755,
            content,
        }
    }

    /// A file to read.
    pub(super) fn text(path: &str, content: Vec<u8>) -> Self {
        Self {
            path: path.to_owned(),
            mode: 0o644,
            content,
        }
    }
}

/// All entries under one folder, by name, with this time and no owner.
pub(super) fn tar_gz(folder: &str, epoch: u64, mut entries: Vec<Entry>) -> Result<Vec<u8>> {
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    let gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), Compression::new(9));
    let mut tar = tar::Builder::new(gzip);
    for Entry {
        path,
        mode,
        content,
    } in entries
    {
        let mut header = tar::Header::new_ustar();
        header.set_mode(mode);
        header.set_mtime(epoch);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(content.len().try_into()?);
        tar.append_data(&mut header, format!("{folder}/{path}"), &*content)?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    Ok(gzip.finish()?)
}

/// Lower-case hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_making_does_not_show() -> Result<()> {
        let entries = |names: [&str; 2]| {
            names
                .map(|name| Entry::text(name, name.into()))
                .into_iter()
                .collect()
        };
        let one = tar_gz("x-1", 1_700_000_000, entries(["b", "a"]))?;
        assert_eq!(one, tar_gz("x-1", 1_700_000_000, entries(["a", "b"]))?);

        let mut read = tar::Archive::new(flate2::read::GzDecoder::new(&*one));
        let mut seen = Vec::new();
        for entry in read.entries()? {
            let entry = entry?;
            let header = entry.header();
            seen.push((
                entry.path()?.display().to_string(),
                header.mtime()?,
                header.uid()?,
                header.mode()?,
            ));
        }
        let expected = ["x-1/a", "x-1/b"].map(|path| (path.to_owned(), 1_700_000_000, 0, 0o644));
        assert_eq!(seen, expected);
        Ok(())
    }
}

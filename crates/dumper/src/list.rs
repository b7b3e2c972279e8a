//! What a folder of archives holds.
//!
//! Absent: reading the archives. A manifest is believed here; `verify` does not believe it.

use std::io;
use std::path::{Path, PathBuf};

use crate::manifest::Manifest;

/// One archive in a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The file.
    pub path: PathBuf,
    /// Its size now.
    pub bytes: u64,
    /// Its manifest; `None` where there is none that can be read.
    pub manifest: Option<Manifest>,
}

/// The archives of a folder, the oldest first; a folder that does not exist holds none.
pub fn list(directory: &Path) -> io::Result<Vec<Listed>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut archives = Vec::new();
    for entry in entries {
        let entry = entry?;
        if !is_archive(&entry.file_name().to_string_lossy()) || !entry.file_type()?.is_file() {
            continue;
        }
        let path = entry.path();
        let manifest = Manifest::of(&path).ok().flatten();
        archives.push((
            entry.metadata()?.modified()?,
            Listed {
                bytes: entry.metadata()?.len(),
                path,
                manifest,
            },
        ));
    }
    archives.sort_by(|(a, left), (b, right)| a.cmp(b).then_with(|| left.path.cmp(&right.path)));
    Ok(archives.into_iter().map(|(_, listed)| listed).collect())
}

fn is_archive(name: &str) -> bool {
    name.starts_with("backup_") && (name.ends_with(".sql.gz") || name.ends_with(".sql"))
}

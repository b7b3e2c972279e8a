//! The folder that `pg_dump -Fd` wrote: private, and on the disk.
//!
//! Absent: reading what is in the files.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::folder;

/// Makes the files 0600, syncs them and says how large they are together.
pub(super) fn seal(folder: &Path, stop: &AtomicBool) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        if stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let path = entry?.path();
        // pg_dump makes them 0644, inside of a folder that nobody else may enter
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let file = File::open(&path)?;
        file.sync_all()?;
        bytes += file.metadata()?.len();
    }
    folder::sync(folder)?;
    Ok(bytes)
}

/// Bytes of the files so far.
pub(super) fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let length = |entry: io::Result<std::fs::DirEntry>| Some(entry.ok()?.metadata().ok()?.len());
    entries.filter_map(length).sum()
}

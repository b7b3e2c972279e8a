//! The folder that `pg_dump -Fd` wrote: private, and on the disk.
//!
//! Absent: reading what is in the files.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{behind, folder};

/// Makes the files 0600, syncs them, drops them from the page cache, so that whoever reads them back reads the disk, and
/// says how large they are together.
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
        behind::forget(&file);
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::IoSliceMut;

    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    use super::*;

    /// A reading that must not wait for the disk gets nothing of what is not in memory.
    fn is_in_memory(path: &Path) -> bool {
        let file = File::open(path).unwrap();
        let mut bytes = [0; 64];
        let mut into = [IoSliceMut::new(&mut bytes)];
        preadv2(&file, &mut into, 0, ReadWriteFlags::NOWAIT) != Err(Errno::AGAIN)
    }

    #[test]
    fn what_is_sealed_is_read_from_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let control = folder.path().join("control");
        std::fs::write(&control, vec![7; 1 << 20]).unwrap();
        let file = File::open(&control).unwrap();
        file.sync_all().unwrap();
        assert!(is_in_memory(&control));
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        if is_in_memory(&control) {
            return; // a file system that lives in memory
        }
        std::fs::write(folder.path().join("1.dat"), vec![7; 1 << 20]).unwrap();
        assert!(is_in_memory(&folder.path().join("1.dat")));
        assert_eq!(
            seal(folder.path(), &AtomicBool::new(false)).unwrap(),
            2 << 20
        );
        assert!(!is_in_memory(&folder.path().join("1.dat")));
    }
}

//! Free space in the archive's folder, before and after.
//!
//! A guess of the compressed size is too poor to refuse on: gzip makes 1:2 to 1:20 of real data, and the catalog counts
//! bloat. So little space is a warning, and only space that even the luckiest dump could not fit in is a refusal.
//!
//! Absent: watching the space while the dump runs. A full disk is noticed by the write that fails.

use std::io;
use std::path::Path;

use crate::error::size;

/// No archive with its manifest is smaller.
const LEAST: u64 = 16 * 1024;
/// gzip's luck with a bloated table of repeated text: below this part of the guess no dump can fit.
const HOPELESS: u64 = 100;
/// What gzip usually makes of table data.
const USUAL: u64 = 3;

/// What the free space is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Room {
    /// Enough, or unknown.
    Enough,
    /// It may not be enough: say so.
    Scarce(String),
    /// It cannot be enough.
    None,
}

/// Bytes that this user may still write in the folder; `None` where the file system does not say.
pub(crate) fn free(folder: &Path) -> Option<u64> {
    let stats = rustix::fs::statvfs(folder).ok()?;
    // a file system without a size (FUSE, some network mounts) reports zero blocks
    (stats.f_blocks > 0).then(|| stats.f_bavail.saturating_mul(stats.f_frsize))
}

/// Judges `free` bytes against a guess of the plain SQL's size.
pub(crate) fn judge(free: Option<u64>, estimated: Option<u64>) -> Room {
    let Some(free) = free else {
        return Room::Enough;
    };
    let estimated = estimated.unwrap_or(0);
    if free < LEAST.max(estimated / HOPELESS) {
        return Room::None;
    }
    if free < estimated / USUAL {
        let (free, estimated) = (size(free), size(estimated));
        return Room::Scarce(format!(
            "{free} free for a dump of about {estimated} before compression: it may not fit"
        ));
    }
    Room::Enough
}

/// Whether a write failed because there is no room: a full disk, a quota, a limit on the size of files.
pub(crate) fn is_out_of_space(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hopeless_space_is_refused() {
        const GB: u64 = 1_000_000_000;
        assert_eq!(judge(None, Some(GB)), Room::Enough);
        assert_eq!(judge(Some(0), None), Room::None);
        assert_eq!(judge(Some(GB), None), Room::Enough);
        assert_eq!(judge(Some(GB), Some(2 * GB)), Room::Enough);
        assert!(
            matches!(judge(Some(GB), Some(10 * GB)), Room::Scarce(text) if text.contains("1.0 GB free"))
        );
        assert_eq!(judge(Some(GB / 200), Some(GB)), Room::None);
    }

    #[test]
    fn a_real_folder_has_free_space() {
        assert!(free(Path::new("/")).is_some_and(|bytes| bytes > 0));
        assert_eq!(free(Path::new("/not/there")), None);
    }
}

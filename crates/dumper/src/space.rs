//! Free space in the archive's folder, before, while and after.
//!
//! A guess of the compressed size is too poor to refuse on: gzip makes 1:2 to 1:20 of real data, and the catalog counts
//! bloat. So little space is a warning, and only space that even the luckiest dump could not fit in is a refusal.
//!
//! While a dump runs it ends before the disk is full for everybody: others write there, too, a database perhaps.
//!
//! Absent: quotas, which only the write that fails can tell.

use std::io;
use std::path::Path;

use crate::error::size;

/// No archive with its manifest is smaller.
const LEAST: u64 = 16 * 1024;
/// gzip's luck with a bloated table of repeated text: below this part of the guess no dump can fit.
const HOPELESS: u64 = 100;
/// What gzip usually makes of table data.
const USUAL: u64 = 3;

/// A dump leaves the hundredth part of a disk to others, but no more than this, and no less than the next.
const RESERVE: u64 = 256 * 1024 * 1024;
const SMALLEST_RESERVE: u64 = 1024 * 1024;

/// What a dump leaves free for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reserve(u64);

impl Reserve {
    /// Of the folder's disk. Where there was little from the beginning half of it may be used.
    pub(crate) fn of(folder: &Path) -> Self {
        let all = rustix::fs::statvfs(folder)
            .map_or(0, |stats| stats.f_blocks.saturating_mul(stats.f_frsize));
        Self::part(all, free(folder).unwrap_or(0))
    }

    fn part(all: u64, free: u64) -> Self {
        Self((all / 100).clamp(SMALLEST_RESERVE, RESERVE).min(free / 2))
    }

    /// What is free, where that is less than the reserve.
    pub(crate) fn touched(self, folder: &Path) -> Option<u64> {
        free(folder).filter(|free| *free < self.0)
    }
}

/// The archive's size as far as it can be told: gzip and zstd make a third of usual data.
pub(crate) fn needed(estimated: u64, compressed: bool) -> u64 {
    match compressed {
        true => estimated / USUAL,
        false => estimated,
    }
}

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
pub fn free(folder: &Path) -> Option<u64> {
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
    fn a_reserve_is_small_but_there() {
        const GB: u64 = 1_000_000_000;
        const MIB: u64 = 1024 * 1024;
        assert_eq!(Reserve::part(10 * GB, 5 * GB), Reserve(GB / 10));
        assert_eq!(Reserve::part(1000 * GB, 500 * GB), Reserve(256 * MIB));
        assert_eq!(Reserve::part(1000 * GB, 100 * MIB), Reserve(50 * MIB));
        assert_eq!(Reserve::part(8 * MIB, 8 * MIB), Reserve(MIB));
        assert_eq!(Reserve(0).touched(Path::new("/")), None);
        assert!(Reserve(u64::MAX).touched(Path::new("/")).is_some());
    }

    #[test]
    fn a_real_folder_has_free_space() {
        assert!(free(Path::new("/")).is_some_and(|bytes| bytes > 0));
        assert_eq!(free(Path::new("/not/there")), None);
    }
}

//! What a folder of archives holds.
//!
//! Absent: reading the archives. A manifest is believed here; `verify` does not believe it.

use std::fs::{DirEntry, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;

use crate::archive::{Format, Verified};
use crate::folder;
use crate::manifest::Manifest;

/// One archive in a folder, finished or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The file, or the folder of [`Format::Directory`].
    pub path: PathBuf,
    /// Its size now; of a folder, of all its files.
    pub bytes: u64,
    /// When it was last written to.
    pub modified: SystemTime,
    /// How it stands.
    pub state: State,
    /// Its manifest; `None` where there is none that can be read.
    pub manifest: Option<Manifest>,
}

/// What can be said of an archive without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As large as its manifest says.
    Whole,
    /// Of another size than it was written with: cut, or changed.
    Resized {
        /// What the manifest says.
        written: u64,
    },
    /// Since it was written it was found to be no good.
    Refuted {
        /// By what.
        why: String,
    },
    /// It has no manifest: another tool's, or one whose manifest was removed.
    WithoutManifest,
    /// Its manifest cannot be read.
    UnreadManifest {
        /// Why.
        reason: String,
    },
    /// A `.partial`: no backup, or not yet.
    Unfinished(Writer),
}

/// Who writes a `.partial`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// A process that is at work.
    AtWork,
    /// Nobody any more: it was killed, or the machine went down.
    Gone,
    /// A file system without locks does not tell.
    Unknown,
}

impl Listed {
    /// What kind of dump it is: as its manifest says, else as its name does.
    pub fn format(&self) -> Option<Format> {
        let by_name =
            || Kind::of(&self.path.file_name()?.to_string_lossy()).map(|kind| kind.format);
        self.manifest.as_ref().map(|it| it.format).or_else(by_name)
    }

    /// When it was begun, as its manifest says; else when it was last written to.
    pub fn created(&self) -> Timestamp {
        let told = self
            .manifest
            .as_ref()
            .and_then(|it| it.created_at.parse().ok());
        told.or_else(|| Timestamp::try_from(self.modified).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// What was proven when it was written.
    pub fn verified(&self) -> Option<Verified> {
        self.manifest.as_ref().map(|it| it.verified)
    }

    /// It has a manifest and the size that it says, and nothing speaks against it.
    pub fn is_good(&self) -> bool {
        self.state == State::Whole
    }
}

/// The archives of a folder, the oldest first; a folder that does not exist holds none.
pub fn list(directory: &Path) -> io::Result<Vec<Listed>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut archives = Vec::new();
    for entry in entries {
        match look_at(&entry?) {
            // another process may remove or rename what was just listed
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => archives.extend(other?),
        }
    }
    archives.sort_by(|a, b| {
        a.created()
            .cmp(&b.created())
            .then_with(|| a.modified.cmp(&b.modified))
            .then_with(|| a.path.cmp(&b.path))
    });
    Ok(archives)
}

/// What an archive's name tells.
struct Kind {
    format: Format,
    partial: bool,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        const ENDS: &[(&str, Format)] = &[
            (".sql.gz", Format::Plain),
            (".sql.zst", Format::Plain),
            (".sql", Format::Plain),
            (".dump", Format::Custom),
            (".dir", Format::Directory),
        ];
        let whole = name.strip_suffix(".partial");
        let stem = whole.unwrap_or(name);
        let (_, format) = ENDS.iter().find(|(end, _)| stem.ends_with(end))?;
        name.starts_with("backup_").then_some(Self {
            format: *format,
            partial: whole.is_some(),
        })
    }
}

fn look_at(entry: &DirEntry) -> io::Result<Option<Listed>> {
    let Some(kind) = Kind::of(&entry.file_name().to_string_lossy()) else {
        return Ok(None);
    };
    let file_type = entry.file_type()?;
    let fits = match kind.format {
        Format::Directory => file_type.is_dir(),
        Format::Plain | Format::Custom => file_type.is_file(),
    };
    if !fits {
        return Ok(None);
    }
    let path = entry.path();
    let (bytes, modified) = extent(&path)?;
    let (state, manifest) = if kind.partial {
        (State::Unfinished(writer(&path)?), None)
    } else {
        judged(&path, bytes)
    };
    Ok(Some(Listed {
        path,
        bytes,
        modified,
        state,
        manifest,
    }))
}

fn judged(path: &Path, bytes: u64) -> (State, Option<Manifest>) {
    match Manifest::of(path) {
        Ok(None) => (State::WithoutManifest, None),
        Ok(Some(manifest)) if manifest.bytes != bytes => {
            let written = manifest.bytes;
            (State::Resized { written }, Some(manifest))
        }
        Ok(Some(manifest)) => {
            let refuted = manifest.refuted.as_ref();
            let why = refuted.map(|it| it.why.clone());
            let state = why.map_or(State::Whole, |why| State::Refuted { why });
            (state, Some(manifest))
        }
        Err(error) => {
            let reason = error.to_string();
            (State::UnreadManifest { reason }, None)
        }
    }
}

/// Size and last change of a file, or of all files of a folder.
fn extent(path: &Path) -> io::Result<(u64, SystemTime)> {
    let metadata = path.metadata()?;
    let mut modified = metadata.modified()?;
    if !metadata.is_dir() {
        return Ok((metadata.len(), modified));
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(path)? {
        let metadata = entry?.metadata()?;
        bytes += metadata.len();
        modified = modified.max(metadata.modified()?);
    }
    Ok((bytes, modified))
}

/// Whoever writes holds the lock until it ends, in whatever way.
fn writer(partial: &Path) -> io::Result<Writer> {
    let file = match File::open(partial) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Ok(Writer::Unknown);
        }
        other => other?,
    };
    Ok(match file.try_lock_shared() {
        Ok(()) => Writer::Gone,
        Err(TryLockError::WouldBlock) => Writer::AtWork,
        Err(TryLockError::Error(_)) => Writer::Unknown,
    })
}

/// The names that [`folder::stem`] makes for this database, with their number and ending.
pub(crate) fn is_of_database(name: &str, database: &str) -> bool {
    let digits = |text: &str, length| {
        text.len() >= length && text.bytes().take(length).all(|byte| byte.is_ascii_digit())
    };
    // YYYYmmdd_HHMMSS
    name.strip_prefix(folder::stem(database, "").as_str())
        .is_some_and(|rest| {
            digits(rest, 8)
                && rest.get(8..9) == Some("_")
                && rest.get(9..).is_some_and(|rest| digits(rest, 6))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Partial;

    #[track_caller]
    fn check(name: &str, expected: Option<(Format, bool)>) {
        let kind = Kind::of(name).map(|kind| (kind.format, kind.partial));
        assert_eq!(kind, expected, "{name}");
    }

    #[test]
    fn names_tell_what_is_an_archive() {
        check("backup_shop_1.sql.gz", Some((Format::Plain, false)));
        check("backup_shop_1.sql.zst", Some((Format::Plain, false)));
        check("backup_shop_1.sql", Some((Format::Plain, false)));
        check("backup_shop_1.dump", Some((Format::Custom, false)));
        check("backup_shop_1.dir.partial", Some((Format::Directory, true)));
        check("backup_shop_1.sql.gz.json", None);
        check("backup_shop_1.sql.gz.json.partial", None);
        check("shop.sql.gz", None);
        check(".gitignore", None);
    }

    #[test]
    fn a_name_belongs_to_one_database() {
        assert!(is_of_database("backup_shop_20261122_213000.sql.gz", "shop"));
        assert!(is_of_database(
            "backup_shop_20261122_213000-2.dir.partial",
            "shop"
        ));
        assert!(!is_of_database(
            "backup_shop_old_20261122_213000.sql.gz",
            "shop"
        ));
        assert!(!is_of_database("backup_shop_2026.sql", "shop"));
        assert!(!is_of_database("backup_shop_20261122", "shop"));
    }

    #[test]
    fn a_partial_file_tells_whether_somebody_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let (partial, file) = Partial::claim(folder.path(), "backup_x_1", ".sql.gz").unwrap();
        drop(file);
        fs_err::write(folder.path().join("backup_y_1.dump.partial"), "abc").unwrap();
        fs_err::create_dir(folder.path().join("backup_z_1.dir.partial")).unwrap();
        fs_err::write(folder.path().join("backup_z_1.dir.partial/toc.dat"), "abcd").unwrap();
        let mut seen: Vec<_> = list(folder.path())
            .unwrap()
            .into_iter()
            .map(|it| (it.format(), it.state.clone(), it.bytes))
            .collect();
        seen.sort_by_key(|(_, _, bytes)| *bytes);
        let unfinished = State::Unfinished;
        assert_eq!(
            seen,
            [
                (Some(Format::Plain), unfinished(Writer::AtWork), 0),
                (Some(Format::Custom), unfinished(Writer::Gone), 3),
                (Some(Format::Directory), unfinished(Writer::Gone), 4),
            ]
        );
        drop(partial);
        assert_eq!(list(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn what_has_no_manifest_is_said() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("backup_a.sql"), "x").unwrap();
        fs_err::write(folder.path().join("backup_b.sql"), "x").unwrap();
        fs_err::write(folder.path().join("backup_b.sql.json"), "{").unwrap();
        let states: Vec<_> = list(folder.path())
            .unwrap()
            .into_iter()
            .map(|it| it.state)
            .collect();
        assert!(states.contains(&State::WithoutManifest), "{states:?}");
        assert!(states.iter().any(
            |state| matches!(state, State::UnreadManifest { reason } if reason.contains("EOF"))
        ));
    }
}

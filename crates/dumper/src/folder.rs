//! The folder of archives, and the file that is being written in it.
//!
//! Absent: any file of a final name that is not whole. [`Partial`] is removed when dropped; only `keep` names it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a name may have of a database's name.
const NAME_LIMIT: usize = 100;

/// Makes the folder, 0700 and invisible to git. One that exists keeps its mode, and git's view of it unless it is
/// there for backups alone.
pub(crate) fn prepare(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    } else if !is_for_backups(folder) {
        return Ok(());
    }
    match private(&folder.join(".gitignore")) {
        Ok(mut ignore) => io::Write::write_all(&mut ignore, b"*\n"),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// It has the default's name and is no Python package, or holds archives and nothing else.
fn is_for_backups(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    let names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let by_name = folder.file_name().is_some_and(|name| name == "backups")
        && !names.iter().any(|name| name.ends_with(".py"));
    let by_content = !names.is_empty() && names.iter().all(|name| name.starts_with("backup_"));
    by_name || by_content
}

/// `backup_<database>_<timestamp>`, with what file systems and shells stumble over replaced by `_`.
pub(crate) fn stem(database: &str, timestamp: &str) -> String {
    let plain = |c: char| {
        if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') {
            c
        } else {
            '_'
        }
    };
    let mut name: String = database.chars().map(plain).collect();
    while name.len() > NAME_LIMIT {
        name.pop();
    }
    format!("backup_{name}_{timestamp}")
}

/// A file under its temporary name `<name>.partial`, 0600, or a folder, 0700. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Partial {
    partial: PathBuf,
    name: PathBuf,
    kept: bool,
    /// Locked for as long as this process lives, so that `list` can tell a leftover; `None` where the file system has
    /// no locks.
    _lock: Option<File>,
}

impl Partial {
    /// Claims the first free name of `<stem><extension>`, `<stem>-2<extension>` …
    pub(crate) fn claim(folder: &Path, stem: &str, extension: &str) -> io::Result<(Self, File)> {
        numbered(folder, stem, extension, Self::create)
    }

    /// [`Partial::claim`] for a folder: `<name>.partial/`, 0700 and empty.
    pub(crate) fn claim_folder(folder: &Path, stem: &str, extension: &str) -> io::Result<Self> {
        numbered(folder, stem, extension, |name| {
            let partial = with_suffix(name, ".partial");
            std::fs::DirBuilder::new().mode(0o700).create(&partial)?;
            let lock = File::open(&partial)?;
            Self::claimed(partial, name, lock)
        })
    }

    /// `AlreadyExists` where the name, or its partial file, is taken.
    pub(crate) fn create(name: &Path) -> io::Result<(Self, File)> {
        let partial = with_suffix(name, ".partial");
        let file = private(&partial)?;
        let this = Self::claimed(partial, name, file.try_clone()?)?;
        Ok((this, file))
    }

    /// The partial file is the claim, so the final name is looked at after it.
    fn claimed(partial: PathBuf, name: &Path, lock: File) -> io::Result<Self> {
        let this = Self {
            partial,
            name: name.to_owned(),
            kept: false,
            _lock: locked(lock),
        };
        if name.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(this)
    }

    /// Where the bytes are now.
    pub(crate) fn path(&self) -> &Path {
        &self.partial
    }

    /// Where they will be.
    pub(crate) fn name(&self) -> &Path {
        &self.name
    }

    /// Gives the file its name. The caller has written and synced it.
    pub(crate) fn keep(mut self) -> io::Result<PathBuf> {
        std::fs::rename(&self.partial, &self.name)?;
        self.kept = true;
        Ok(self.name.clone())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if std::fs::remove_file(&self.partial).is_err() && self.partial.is_dir() {
            remove_folder(&self.partial);
        }
    }
}

/// A pg_dump that was killed a moment ago may still be making a file in it.
fn remove_folder(folder: &Path) {
    for _ in 0..20 {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => return,
        }
    }
}

fn numbered<T>(
    folder: &Path,
    stem: &str,
    extension: &str,
    claim: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<T> {
    for number in 1.. {
        let suffix = match number {
            1 => String::new(),
            _ => format!("-{number}"),
        };
        match claim(&folder.join(format!("{stem}{suffix}{extension}"))) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {}
            other => return other,
        }
    }
    unreachable!("the loop returns")
}

/// Makes renames in the folder outlive a power cut.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // some network file systems cannot sync a folder
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        other => other,
    }
}

/// `a.sql.gz` and `.json` make `a.sql.gz.json`.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}

/// The lock ends with the last descriptor, however this process ends.
fn locked(file: File) -> Option<File> {
    file.try_lock().is_ok().then_some(file)
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_folder_is_private_and_an_old_one_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        prepare(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(
            fs_err::read_to_string(folder.join(".gitignore")).unwrap(),
            "*\n"
        );

        let old = parent.path().join("old");
        fs_err::create_dir(&old).unwrap();
        fs_err::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).unwrap();
        prepare(&old).unwrap();
        assert_eq!(mode(&old), 0o755);
        assert_eq!(fs_err::read_dir(&old).unwrap().count(), 0);
    }

    #[test]
    fn git_ignores_an_old_folder_that_is_there_for_backups_alone() {
        let ignored = |name: &str, files: &[&str]| {
            let parent = tempfile::tempdir().unwrap();
            let folder = parent.path().join(name);
            fs_err::create_dir(&folder).unwrap();
            for file in files {
                fs_err::write(folder.join(file), "its own\n").unwrap();
            }
            prepare(&folder).unwrap();
            fs_err::read_to_string(folder.join(".gitignore")).ok()
        };
        let all = Some("*\n".to_owned());
        assert_eq!(ignored("backups", &[]), all);
        assert_eq!(ignored("backups", &["notes.txt"]), all);
        assert_eq!(
            ignored(
                "archive",
                &["backup_shop_1.sql.gz", "backup_shop_1.sql.gz.json"]
            ),
            all
        );
        assert_eq!(
            ignored("archive", &["backup_shop_1.sql.gz", "manage.py"]),
            None
        );
        assert_eq!(ignored("backups", &["__init__.py"]), None);
        let own = Some("its own\n".to_owned());
        assert_eq!(ignored("backups", &[".gitignore"]), own);
    }

    #[test]
    fn names_are_safe_in_file_systems() {
        assert_eq!(
            stem("shop", "20261122_213000"),
            "backup_shop_20261122_213000"
        );
        assert_eq!(stem("../a b/ü$(x)", "t"), "backup_.._a_b_ü__x__t");
        assert!(stem(&"ü".repeat(200), "t").len() < 120);
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let name = |file: &Partial| {
            file.name()
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        let (first, _) = Partial::claim(folder.path(), "x", ".sql.gz").unwrap();
        let (second, _) = Partial::claim(folder.path(), "x", ".sql.gz").unwrap();
        assert_eq!(name(&second), "x-2.sql.gz");
        first.keep().unwrap();
        let (third, _) = Partial::claim(folder.path(), "x", ".sql.gz").unwrap();
        assert_eq!(name(&third), "x-3.sql.gz");
    }

    #[test]
    fn a_folder_is_claimed_kept_and_dropped_as_a_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let claim = || Partial::claim_folder(folder.path(), "x", ".dir").unwrap();
        let (first, second) = (claim(), claim());
        assert_eq!(mode(first.path()), 0o700);
        fs_err::write(first.path().join("toc.dat"), "").unwrap();
        fs_err::write(second.path().join("toc.dat"), "").unwrap();
        assert_eq!(first.keep().unwrap(), folder.path().join("x.dir"));
        drop(second);
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(claim().name(), folder.path().join("x-2.dir"));
    }

    #[test]
    fn a_dropped_file_is_gone_and_a_kept_one_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let (dropped, _) = Partial::claim(folder.path(), "x", ".sql").unwrap();
        assert!(dropped.path().exists());
        drop(dropped);
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
        let (kept, _) = Partial::claim(folder.path(), "x", ".sql").unwrap();
        let path = kept.keep().unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(path.file_name().unwrap(), "x.sql");
    }
}

//! The folder of archives, and the file that is being written in it.
//!
//! Absent: any file of a final name that is not whole. [`Partial`] is removed when dropped; only `keep` names it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a name may have of a database's name.
const NAME_LIMIT: usize = 100;

/// Makes the folder, 0700 and invisible to git, unless it exists; then it is left as it is.
pub(crate) fn prepare(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut ignore = private(&folder.join(".gitignore"))?;
    io::Write::write_all(&mut ignore, b"*\n")
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

/// A file under its temporary name `<name>.partial`, 0600. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct Partial {
    partial: PathBuf,
    name: PathBuf,
    kept: bool,
}

impl Partial {
    /// Claims the first free name of `<stem><extension>`, `<stem>-2<extension>` …
    pub(crate) fn claim(folder: &Path, stem: &str, extension: &str) -> io::Result<(Self, File)> {
        for number in 1.. {
            let suffix = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            let name = folder.join(format!("{stem}{suffix}{extension}"));
            match Self::create(&name) {
                Ok(claimed) => return Ok(claimed),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("the loop returns")
    }

    /// `AlreadyExists` where the name, or its partial file, is taken.
    pub(crate) fn create(name: &Path) -> io::Result<(Self, File)> {
        let partial = with_suffix(name, ".partial");
        // the partial file is the claim, so look at the final name after it
        let file = private(&partial)?;
        let this = Self {
            partial,
            name: name.to_owned(),
            kept: false,
        };
        if name.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok((this, file))
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
        if !self.kept {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
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

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

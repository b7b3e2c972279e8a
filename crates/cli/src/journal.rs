//! The journal of a run: one folder, one JSON line for each event, on disk before the act that it announces.
//!
//! Absent here: what the lines mean; see [`crate::report`].

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use fs_err as fs;
use jiff::Zoned;

use crate::event::{EventKind, Line};
use crate::exit::Class;
use crate::failure::Failure;

const FILE: &str = "journal.jsonl";

/// A folder of its own for one run: `.django-migrate/runs/20261122-093015-4711`.
#[derive(Debug, Clone)]
pub(crate) struct RunFolder {
    pub(crate) id: String,
    pub(crate) path: PathBuf,
}

impl RunFolder {
    /// Makes it, readable by its owner alone, under a parent that git ignores.
    pub(crate) fn create(runs: &Path) -> Result<Self, Failure> {
        let stamp = Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
        Self::create_named(runs, &format!("{stamp}-{}", std::process::id())).map_err(|e| {
            Failure::new(
                Class::JournalFailed,
                format!("the run folder cannot be made: {e}"),
            )
            .hint("nothing was changed; choose another folder with --run-dir")
        })
    }

    fn create_named(runs: &Path, id: &str) -> io::Result<Self> {
        let was_there = runs.is_dir();
        private_folder(runs)?;
        let ours = |folder: &&Path| folder.file_name().is_some_and(|n| n == ".django-migrate");
        match [Some(runs), runs.parent()].into_iter().flatten().find(ours) {
            Some(folder) => ignore_by_git(folder)?,
            // a folder of somebody else's, the project's own root perhaps, is not ours to hide from git
            None if was_there => {}
            None => ignore_by_git(runs)?,
        }
        for n in 0..100 {
            let id = if n == 0 {
                id.to_owned()
            } else {
                format!("{id}-{n}")
            };
            let path = runs.join(&id);
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { id, path }),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("{}/{id} and its like exist", runs.display()),
        ))
    }

    /// Finds `latest`, an id, or a folder.
    pub(crate) fn find(runs: &Path, run: &str) -> Result<Self, Failure> {
        if run == "latest" {
            return Self::latest(runs).ok_or_else(|| {
                Failure::new(Class::UnknownRun, format!("no run in {}", runs.display()))
                    .hint("`django-migrate run` makes one; --run-dir names another folder")
            });
        }
        let candidates = [runs.join(run), PathBuf::from(run)];
        match candidates.iter().find(|path| path.join(FILE).is_file()) {
            Some(path) => {
                let id = path
                    .file_name()
                    .unwrap_or(path.as_os_str())
                    .to_string_lossy()
                    .into_owned();
                Ok(Self {
                    id,
                    path: path.clone(),
                })
            }
            None => Err(Failure::new(
                Class::UnknownRun,
                format!("no run `{run}` in {}", runs.display()),
            )
            .hint("`latest` is the newest; --run-dir names another folder")),
        }
    }

    fn latest(runs: &Path) -> Option<Self> {
        let entries = std::fs::read_dir(runs).ok()?.flatten();
        let newest = entries
            .filter(|e| e.path().join(FILE).is_file())
            .max_by_key(|e| {
                let modified = e.metadata().and_then(|m| m.modified()).ok();
                (started_of(&e.path().join(FILE)), modified, e.file_name())
            })?;
        Some(Self {
            id: newest.file_name().to_string_lossy().into_owned(),
            path: newest.path(),
        })
    }

    /// Those with a journal, the newest first, at most so many.
    pub(crate) fn newest(runs: &Path, most: usize) -> Vec<Self> {
        let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
        let mut found: Vec<_> = entries
            .filter_map(|entry| {
                let path = entry.path();
                let started = started_of(&path.join(FILE))?;
                let id = entry.file_name().to_string_lossy().into_owned();
                Some((started, Self { id, path }))
            })
            .collect();
        found.sort_by(|a, b| (&b.0, &b.1.id).cmp(&(&a.0, &a.1.id)));
        found.truncate(most);
        found.into_iter().map(|(_, folder)| folder).collect()
    }

    /// The lines of its journal. A last line cut short by a crash is left out; any other broken line is an error.
    pub(crate) fn read(&self) -> Result<Vec<Line>, Failure> {
        let path = self.path.join(FILE);
        let text = fs::read_to_string(&path).map_err(|e| {
            Failure::new(
                Class::UnknownRun,
                format!("the journal cannot be read: {e}"),
            )
        })?;
        let whole = text.ends_with('\n');
        let count = text.lines().count();
        let mut lines = Vec::with_capacity(count);
        for (i, line) in text.lines().enumerate() {
            match serde_json::from_str(line) {
                Ok(line) => lines.push(line),
                Err(_) if i + 1 == count && !whole => {}
                Err(e) => {
                    return Err(Failure::new(
                        Class::UnknownRun,
                        format!("{} line {}: {e}", path.display(), i + 1),
                    )
                    .hint("the journal was written by another version, or changed by hand"));
                }
            }
        }
        Ok(lines)
    }
}

fn started_of(journal: &Path) -> Option<String> {
    let mut first = String::new();
    BufReader::new(File::open(journal).ok()?)
        .read_line(&mut first)
        .ok()?;
    serde_json::from_str::<Line>(&first)
        .ok()
        .map(|line| line.at)
}

/// The open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    pub(crate) fn create(folder: &RunFolder) -> Result<Self, Failure> {
        let open = || {
            let mut options = std::fs::OpenOptions::new();
            options.create_new(true).append(true).mode(0o600);
            let path = folder.path.join(FILE);
            let file = options
                .open(&path)
                .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
            file.sync_all()?;
            File::open(&folder.path)?.sync_all()?;
            Ok(Self { file })
        };
        open().map_err(|e: io::Error| {
            Failure::new(
                Class::JournalFailed,
                format!("the journal cannot be made: {e}"),
            )
        })
    }

    /// One line, whole. What announces or settles a change is synced at once; the rest with the next of those.
    pub(crate) fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let whole = self.file.metadata()?.len();
        if let Err(e) = self.file.write_all(&text) {
            // half a line would make the rest unreadable, should there be room again
            let _ = self.file.set_len(whole);
            return Err(e);
        }
        match line.kind {
            EventKind::MigrationStarted { .. }
            | EventKind::MigrationApplied { .. }
            | EventKind::MigrationUnapplied { .. }
            | EventKind::MigrationFailed(_)
            | EventKind::StepStarted { .. }
            | EventKind::RunFinished(_) => self.sync(),
            _ => Ok(()),
        }
    }

    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Makes `path` and its parents, 0700 where they are new.
pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

/// Puts a `.gitignore` of `*` into a folder that has none.
pub(crate) fn ignore_by_git(folder: &Path) -> io::Result<()> {
    let path = folder.join(".gitignore");
    match std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
    {
        Ok(mut file) => file.write_all(b"*\n"),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
    }
}

/// Writes a private file whole: `.partial`, synced, renamed, folder synced.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::SCHEMA_VERSION;

    fn line(message: &str) -> Line {
        let kind = EventKind::Note {
            level: crate::event::NoteLevel::Note,
            message: message.into(),
        };
        Line {
            schema_version: SCHEMA_VERSION,
            at: "2026-11-22T09:00:00Z".into(),
            elapsed_ms: 0,
            kind,
        }
    }

    #[test]
    fn a_journal_cut_in_its_last_line_reads_up_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&dir.path().join("runs")).unwrap();
        let mut journal = Journal::create(&folder).unwrap();
        journal.write(&line("one")).unwrap();
        journal.write(&line("two")).unwrap();
        drop(journal);
        let path = folder.path.join(FILE);
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 5]).unwrap();
        assert_eq!(folder.read().unwrap().len(), 1);
        std::fs::write(&path, b"{}\n{}\n").unwrap();
        assert!(folder.read().is_err());
    }

    #[test]
    fn latest_is_found_and_a_stranger_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(dir.path()).unwrap();
        Journal::create(&folder).unwrap();
        assert_eq!(RunFolder::find(dir.path(), "latest").unwrap().id, folder.id);
        assert_eq!(
            RunFolder::find(dir.path(), &folder.id).unwrap().path,
            folder.path
        );
        assert_eq!(
            RunFolder::find(dir.path(), "gone").unwrap_err().class,
            Class::UnknownRun
        );
    }

    #[test]
    fn the_newest_come_first_and_what_has_no_journal_is_no_run() {
        let dir = tempfile::tempdir().unwrap();
        let mut made = Vec::new();
        for (n, at) in [
            "2026-11-22T09:00:00Z",
            "2026-11-22T11:00:00Z",
            "2026-11-22T10:00:00Z",
        ]
        .into_iter()
        .enumerate()
        {
            let folder = RunFolder::create_named(dir.path(), &format!("run-{n}")).unwrap();
            let started = Line {
                at: at.into(),
                ..line("")
            };
            Journal::create(&folder).unwrap().write(&started).unwrap();
            made.push(folder.id);
        }
        RunFolder::create(dir.path()).unwrap();
        let ids = |most| -> Vec<String> {
            let found = RunFolder::newest(dir.path(), most);
            found.into_iter().map(|folder| folder.id).collect()
        };
        assert_eq!(ids(10), ["run-1", "run-2", "run-0"]);
        assert_eq!(ids(1), ["run-1"]);
        assert!(RunFolder::newest(&dir.path().join("none"), 10).is_empty());
    }

    #[test]
    fn only_folders_of_our_own_are_hidden_from_git() {
        let dir = tempfile::tempdir().unwrap();
        let ignored = |runs: &Path, ignored: &Path| {
            RunFolder::create(runs).unwrap();
            ignored.join(".gitignore").is_file()
        };
        let root = dir.path();
        assert!(!ignored(root, root), "`--run-dir .`");
        assert!(ignored(&root.join("new"), &root.join("new")));
        let ours = root.join(".django-migrate");
        fs::create_dir(&ours).unwrap();
        fs::create_dir(ours.join("runs")).unwrap();
        assert!(ignored(&ours.join("runs"), &ours));
        assert!(!root.join(".gitignore").exists());
    }

    #[test]
    fn files_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.md");
        write_whole(&path, b"x").unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

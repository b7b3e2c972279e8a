//! Which archives of a database may go, and their removal.
//!
//! An archive stays where either rule keeps it; the newest good one stays under any rule. Those of another selection
//! (definitions alone, some tables) are counted apart, so that they never push a whole one out, and so are those of another
//! cluster, whose database has the same name only; beside one that was just made only those of its own kind may go.
//!
//! Absent: archives of other databases, files without a manifest of ours, and the question when to prune.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use crate::folder;
use crate::list::{Listed, State, Writer, is_of_database, list};
use crate::manifest::Manifest;

/// A leftover of a dead process may go after this time: until then somebody may want to look at it.
const LEFTOVER: SignedDuration = SignedDuration::from_hours(24);

/// What is to stay. Without a rule everything does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// The newest so many good ones.
    pub count: Option<NonZeroUsize>,
    /// All that are no older than so many days.
    pub days: Option<u32>,
}

/// What pruning did.
#[derive(Debug, Default)]
pub struct Pruned {
    /// Archives that are gone, the oldest first.
    pub removed: Vec<Removed>,
    /// Archives of this database that stayed.
    pub kept: Vec<PathBuf>,
    /// What should have gone and could not be removed.
    pub failed: Vec<(PathBuf, io::Error)>,
}

/// An archive that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Where it was.
    pub path: PathBuf,
    /// What its removal freed.
    pub bytes: u64,
    /// It was the leftover of a dead process.
    pub unfinished: bool,
}

/// Removes what `keep` does not keep of the archives of this database. `just_made` stays, whatever its age.
pub fn prune(
    directory: &Path,
    database: &str,
    keep: Keep,
    just_made: Option<&Path>,
    now: Timestamp,
) -> io::Result<Pruned> {
    let archives = list(directory)?;
    let mut pruned = Pruned::default();
    for (archive, fate) in archives
        .iter()
        .zip(decide(&archives, database, keep, just_made, now))
    {
        match fate {
            Fate::None => {}
            Fate::Stays => pruned.kept.push(archive.path.clone()),
            Fate::Goes => match remove(archive) {
                Ok(removed) => pruned.removed.push(removed),
                Err(error) => pruned.failed.push((archive.path.clone(), error)),
            },
        }
    }
    if !pruned.removed.is_empty() {
        folder::sync(directory)?;
    }
    Ok(pruned)
}

/// Clocks of machines that write into one folder differ by less.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// What becomes of one archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is none of ours.
    None,
    Stays,
    Goes,
}

/// One fate for each of `archives`, which are sorted, the oldest first.
fn decide(
    archives: &[Listed],
    database: &str,
    keep: Keep,
    just_made: Option<&Path>,
    now: Timestamp,
) -> Vec<Fate> {
    let is_made = |archive: &Listed| just_made.is_some_and(|made| is_same(made, &archive.path));
    let concerned = archives
        .iter()
        .find(|archive| is_made(archive))
        .and_then(|made| made.manifest.as_ref().map(group));
    // of each selection: good ones that are newer than the one at hand
    let mut newer: BTreeMap<String, usize> = BTreeMap::new();
    let mut fates: Vec<Fate> = archives
        .iter()
        .rev()
        .map(|archive| {
            if is_leftover(archive, database, now) {
                return if keep == Keep::default() {
                    Fate::Stays
                } else {
                    Fate::Goes
                };
            }
            let Some(manifest) = archive
                .manifest
                .as_ref()
                .filter(|it| it.database == database)
            else {
                return Fate::None;
            };
            let group = group(manifest);
            if concerned
                .as_ref()
                .is_some_and(|concerned| *concerned != group)
            {
                return Fate::Stays;
            }
            // of a clock that was ahead: it takes nobody's place, and nobody knows when its own time is over
            if !is_made(archive) && now.duration_since(archive.created()) < -AHEAD {
                return Fate::Stays;
            }
            let before = newer.entry(group).or_default();
            let good = archive.is_good();
            let first_good = good && *before == 0;
            let kept =
                is_made(archive) || first_good || keep.keeps(*before, archive.created(), now);
            *before += usize::from(good);
            if kept { Fate::Stays } else { Fate::Goes }
        })
        .collect();
    fates.reverse();
    fates
}

impl Keep {
    fn keeps(self, newer: usize, created: Timestamp, now: Timestamp) -> bool {
        let by_count = self.count.map(|count| newer < count.get());
        let by_days = self.days.map(|days| {
            now.duration_since(created) <= SignedDuration::from_hours(24 * i64::from(days))
        });
        match (by_count, by_days) {
            (None, None) => true,
            (by_count, by_days) => by_count == Some(true) || by_days == Some(true),
        }
    }
}

/// What archives are counted together: those of one selection, from one cluster.
fn group(manifest: &Manifest) -> String {
    serde_json::to_string(&(&manifest.selection, &manifest.system_identifier)).unwrap_or_default()
}

fn is_leftover(archive: &Listed, database: &str, now: Timestamp) -> bool {
    let name = archive
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let age = Timestamp::try_from(archive.modified).map(|then| now.duration_since(then));
    archive.state == State::Unfinished(Writer::Gone)
        && is_of_database(&name, database)
        && age.is_ok_and(|age| age > LEFTOVER)
}

fn is_same(made: &Path, path: &Path) -> bool {
    made == path
        || made
            .canonicalize()
            .ok()
            .is_some_and(|made| path.canonicalize().is_ok_and(|path| made == path))
}

/// The archive before its manifest: what is left when this breaks off is still known for what it is.
fn remove(archive: &Listed) -> io::Result<Removed> {
    let path = &archive.path;
    if path.symlink_metadata()?.is_dir() {
        std::fs::remove_dir_all(path)?;
    } else {
        std::fs::remove_file(path)?;
    }
    match std::fs::remove_file(Manifest::path_of(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    Ok(Removed {
        path: path.clone(),
        bytes: archive.bytes,
        unfinished: matches!(archive.state, State::Unfinished(_)),
    })
}

#[cfg(test)]
mod tests;

//! Which of the candidates to use, as a pure function.
//!
//! Absent: the file system.

use std::path::PathBuf;

use super::{NoPgRestore, PgDump, PgRestore, Version};
use crate::error::{DumpError, Looked};

/// A program called pg_dump or pg_restore, and what it said.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    /// Debian's `pg_wrapper`, which picks a version itself each time it runs.
    pub(super) wrapper: bool,
    pub(super) version: Result<(Version, String), String>,
}

/// The newest that can dump the server; the first of equals, a wrapper only where nothing else is as new. A newer one
/// dumps every older server that it still knows, never the other way.
pub(super) fn choose(
    candidates: Vec<Candidate>,
    folders: &[PathBuf],
    needed: Version,
) -> Result<PgDump, DumpError> {
    let looked = looked(&candidates, folders);
    match newest(candidates) {
        None => Err(DumpError::PgDumpMissing { looked, needed }),
        Some((found, path, _)) if !found.can_dump(needed) => Err(DumpError::PgDumpTooOld {
            found,
            path,
            needed,
        }),
        Some((version, path, version_text)) => Ok(PgDump {
            path,
            version,
            version_text,
        }),
    }
}

/// The newest that can read what this pg_dump wrote.
pub(super) fn choose_pg_restore(
    candidates: Vec<Candidate>,
    folders: &[PathBuf],
    needed: Option<Version>,
    can_read: impl Fn(Version) -> bool,
) -> Result<PgRestore, NoPgRestore> {
    let looked = looked(&candidates, folders);
    match newest(candidates) {
        None => Err(NoPgRestore::Missing { looked, needed }),
        Some((found, path, _)) if !can_read(found) => Err(NoPgRestore::TooOld {
            found,
            path,
            needed,
        }),
        Some((version, path, _)) => Ok(PgRestore { path, version }),
    }
}

fn newest(candidates: Vec<Candidate>) -> Option<(Version, PathBuf, String)> {
    let newest = candidates
        .into_iter()
        .rev() // max_by_key takes the last of equals
        .filter_map(|at| {
            at.version
                .ok()
                .map(|(version, text)| (version, !at.wrapper, at.path, text))
        })
        .max_by_key(|(version, real, ..)| (*version, *real));
    newest.map(|(version, _, path, text)| (version, path, text))
}

fn looked(candidates: &[Candidate], folders: &[PathBuf]) -> Vec<Looked> {
    if candidates.is_empty() {
        return folders
            .iter()
            .map(|folder| Looked {
                path: folder.clone(),
                found: "not there".to_owned(),
            })
            .collect();
    }
    let words = |at: &Candidate| match &at.version {
        Ok((_, text)) => text.clone(),
        Err(why) => why.clone(),
    };
    candidates
        .iter()
        .map(|at| Looked {
            path: at.path.clone(),
            found: words(at),
        })
        .collect()
}

/// How to get a pg_restore for this archive.
pub(crate) fn install_pg_restore_hint(needed: Option<Version>) -> String {
    let major = needed.map_or_else(|| "N".to_owned(), |version| version.major.to_string());
    install(&major, "--pg-restore")
}

/// How to get a pg_dump for this server. Distributions carry one major each; PGDG carries all.
pub(crate) fn install_hint(needed: Version) -> String {
    install(&needed.major.to_string(), "--pg-dump")
}

fn install(major: &str, flag: &str) -> String {
    format!(
        "install the client programs of PostgreSQL {major} or newer, or name one with {flag}:\n  \
         Debian, Ubuntu: apt-get install postgresql-client-{major}   (where the release has none, first: apt-get install \
         postgresql-common && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh)\n  \
         Fedora, RHEL:   dnf install postgresql{major}   (with the repository of yum.postgresql.org, which has all versions)\n  \
         macOS:          brew install postgresql@{major}   (or libpq, which is the newest client alone)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(major: u32, minor: u32) -> Version {
        Version { major, minor }
    }

    fn found(path: &str, major: u32, minor: u32) -> Candidate {
        let text = format!("pg_dump (PostgreSQL) {major}.{minor}");
        Candidate {
            path: path.into(),
            wrapper: false,
            version: Ok((version(major, minor), text)),
        }
    }

    fn broken(path: &str) -> Candidate {
        Candidate {
            path: path.into(),
            wrapper: false,
            version: Err("cannot be run: libpq.so.5".to_owned()),
        }
    }

    fn wrapper(path: &str, major: u32, minor: u32) -> Candidate {
        Candidate {
            wrapper: true,
            ..found(path, major, minor)
        }
    }

    /// The chosen path, or the error's class.
    #[track_caller]
    fn check(candidates: &[Candidate], server_major: u32, expected: &str) {
        let answer = choose(
            candidates.to_vec(),
            &["/nowhere".into()],
            version(server_major, 2),
        );
        let answer = answer.map_or_else(
            |error| error.class().to_owned(),
            |it| it.path.display().to_string(),
        );
        assert_eq!(answer, expected);
    }

    #[test]
    fn the_newest_that_can_is_taken() {
        let all = [found("/a", 14, 9), found("/b", 18, 1), found("/c", 16, 4)];
        check(&all, 14, "/b");
        check(&all, 18, "/b");
        check(&all, 19, "pg-dump-too-old");
        check(&[found("/a", 15, 1)], 15, "/a"); // an older minor is no matter
    }

    #[test]
    fn among_equals_the_first_and_a_wrapper_last() {
        check(&[found("/a", 15, 3), found("/b", 15, 3)], 15, "/a");
        check(&[wrapper("/usr/bin", 15, 3), found("/b", 15, 3)], 15, "/b");
        check(
            &[wrapper("/usr/bin", 16, 3), found("/b", 15, 3)],
            15,
            "/usr/bin",
        );
    }

    #[test]
    fn broken_ones_do_not_count() {
        check(&[broken("/a"), found("/b", 15, 3)], 15, "/b");
        check(&[broken("/a")], 15, "pg-dump-missing");
        check(&[], 15, "pg-dump-missing");
    }

    #[test]
    fn a_missing_one_says_where_it_looked_and_what_to_install() {
        let error = choose(vec![broken("/a/pg_dump")], &[], version(16, 0)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("/a/pg_dump: cannot be run: libpq.so.5")
        );
        let hint = error.hint().unwrap();
        for text in [
            "apt-get install postgresql-client-16",
            "dnf install postgresql16",
            "brew install postgresql@16",
        ] {
            assert!(hint.contains(text), "{hint}");
        }
    }

    #[test]
    fn too_old_names_both_versions() {
        let error = choose(vec![found("/a", 13, 4)], &[], version(15, 18)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "pg_dump 13.4 at /a cannot dump a server of version 15.18"
        );
    }
}

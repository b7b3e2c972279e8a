//! The programs that a server is made with: found where they usually are, of exactly one major version.
//!
//! Only the same major will do: locks, rewrites and messages differ between majors, and a rehearsal on another would
//! foretell another server. Where to look is what `dumper` knows for pg_dump.
//!
//! Absent: installing any.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use dumper::{Places, Program, Version};

/// The folder of `postgres` and `initdb` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binaries {
    /// Where both are.
    pub(crate) folder: PathBuf,
    /// Of the server that they make.
    pub(crate) version: Version,
    /// Their `LD_LIBRARY_PATH`, where they stand in a tree with libraries of its own.
    pub(super) library_path: Option<OsString>,
}

/// Why there are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoBinaries {
    /// No server is installed.
    #[error(
        "PostgreSQL {wanted} is needed for a server of our own, and there is no `postgres` on PATH or in the usual folders"
    )]
    None {
        /// The major version.
        wanted: u32,
    },
    /// Servers are installed, of other versions.
    #[error("PostgreSQL {wanted} is needed for a server of our own, and only {} found", listed(.found))]
    OtherMajors {
        /// The major version.
        wanted: u32,
        /// What there is, ascending.
        found: Vec<u32>,
    },
    /// A server is there and cannot be used.
    #[error("PostgreSQL {wanted} is needed for a server of our own, and {} will not do: {why}", .path.display())]
    Unusable {
        /// The major version.
        wanted: u32,
        /// The program.
        path: PathBuf,
        /// What is the matter with it.
        why: String,
    },
    /// The folder that was named has no `postgres`.
    #[error("the folder {} has no program `postgres`", .folder.display())]
    NotInFolder {
        /// What was named.
        folder: PathBuf,
    },
    /// The folder that was named has another version.
    #[error("PostgreSQL {wanted} is needed for a server of our own, and the folder {} has {found}", .folder.display())]
    OtherInFolder {
        /// The major version.
        wanted: u32,
        /// What was named.
        folder: PathBuf,
        /// What is there.
        found: Version,
    },
}

impl Binaries {
    /// Looks in the one folder that was named, else on `PATH` and in the usual version folders.
    pub(crate) fn find(pg_bin: Option<&Path>, major: u32) -> Result<Self, NoBinaries> {
        match pg_bin {
            Some(folder) => Self::in_folder(folder, major),
            None => choose(Places::of_this_machine().every("postgres"), major, complete),
        }
    }

    fn in_folder(folder: &Path, major: u32) -> Result<Self, NoBinaries> {
        // the programs are started from another folder than ours
        let path = std::path::absolute(folder).map(|it| it.join("postgres"));
        let Some(path) = path.ok().filter(|it| it.exists()) else {
            return Err(NoBinaries::NotInFolder {
                folder: folder.to_owned(),
            });
        };
        let program = Program::ask(path, "postgres");
        match program.version {
            Ok(found) if found.major != major => Err(NoBinaries::OtherInFolder {
                wanted: major,
                folder: folder.to_owned(),
                found,
            }),
            _ => choose(vec![program], major, complete),
        }
    }
}

/// The newest minor of the major, the first of equals; else the best reason why there is none.
fn choose(
    programs: Vec<Program>,
    wanted: u32,
    complete: impl Fn(&Path) -> Option<PathBuf>,
) -> Result<Binaries, NoBinaries> {
    let mut best: Option<Binaries> = None;
    let (mut unusable, mut found) = (None, Vec::new());
    for program in programs {
        let why = match &program.version {
            Ok(version) if version.major != wanted => {
                found.push(version.major);
                continue;
            }
            Ok(version) => match complete(&program.path) {
                Some(folder) => {
                    if best.as_ref().is_none_or(|best| best.version < *version) {
                        best = Some(Binaries {
                            folder,
                            version: *version,
                            library_path: program.library_path(),
                        });
                    }
                    continue;
                }
                None => "there is no `initdb` beside it".to_owned(),
            },
            Err(why) => why.clone(),
        };
        unusable.get_or_insert((program.path, why));
    }
    found.sort_unstable();
    found.dedup();
    match (best, unusable) {
        (Some(best), _) => Ok(best),
        (None, Some((path, why))) => Err(NoBinaries::Unusable { wanted, path, why }),
        (None, None) if found.is_empty() => Err(NoBinaries::None { wanted }),
        (None, None) => Err(NoBinaries::OtherMajors { wanted, found }),
    }
}

/// The folder with `initdb` beside this `postgres`; on PATH it may be a link to where the others are.
fn complete(postgres: &Path) -> Option<PathBuf> {
    let real = postgres.canonicalize().ok()?;
    [postgres, &real]
        .iter()
        .filter_map(|program| program.parent())
        .find(|folder| is_program(&folder.join("initdb")))
        .map(Path::to_owned)
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// `15 and 17 are`.
fn listed(majors: &[u32]) -> String {
    let words: Vec<String> = majors.iter().map(u32::to_string).collect();
    match words.split_last() {
        Some((last, [])) => format!("{last} was"),
        Some((last, first)) => format!("{} and {last} were", first.join(", ")),
        None => "nothing was".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &str, version: Result<(u32, u32), &str>) -> Program {
        Program {
            path: path.into(),
            version: version
                .map(|(major, minor)| Version { major, minor })
                .map_err(str::to_owned),
        }
    }

    /// The folder that is taken for 16, or why there is none; `/half` has no initdb.
    #[track_caller]
    fn check(programs: &[Program], expected: &str) {
        let complete = |path: &Path| {
            let folder = path.parent()?.to_owned();
            (folder != Path::new("/half")).then_some(folder)
        };
        let answer = match choose(programs.to_vec(), 16, complete) {
            Ok(binaries) => binaries.folder.display().to_string(),
            Err(why) => why.to_string(),
        };
        assert_eq!(answer, expected);
    }

    #[test]
    fn the_newest_minor_of_the_major_is_taken_and_the_first_of_equals() {
        check(
            &[
                program("/new/postgres", Ok((18, 1))),
                program("/a/postgres", Ok((16, 2))),
                program("/b/postgres", Ok((16, 9))),
                program("/c/postgres", Ok((16, 9))),
                program("/broken/postgres", Err("is broken")),
            ],
            "/b",
        );
    }

    #[test]
    fn other_majors_are_named_once_each() {
        const NEEDED: &str = "PostgreSQL 16 is needed for a server of our own, and";
        check(
            &[program("/a/postgres", Ok((17, 1)))],
            &format!("{NEEDED} only 17 was found"),
        );
        check(
            &[
                program("/a/postgres", Ok((17, 1))),
                program("/b/postgres", Ok((15, 1))),
                program("/c/postgres", Ok((17, 2))),
            ],
            &format!("{NEEDED} only 15 and 17 were found"),
        );
        check(
            &[],
            &format!("{NEEDED} there is no `postgres` on PATH or in the usual folders"),
        );
    }

    #[test]
    fn what_could_have_been_the_one_says_what_is_the_matter_with_it() {
        const NEEDED: &str = "PostgreSQL 16 is needed for a server of our own, and";
        check(
            &[
                program("/a/postgres", Ok((17, 1))),
                program("/half/postgres", Ok((16, 1))),
            ],
            &format!("{NEEDED} /half/postgres will not do: there is no `initdb` beside it"),
        );
        check(
            &[program("/a/postgres", Err("does not answer `--version`"))],
            &format!("{NEEDED} /a/postgres will not do: does not answer `--version`"),
        );
    }
}

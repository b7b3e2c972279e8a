//! Where programs of PostgreSQL may be installed: the edge that lists them and asks each for its version.
//!
//! Absent: the choice between them (`search` for pg_dump and pg_restore; whoever looks for others has a choice of their
//! own).

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::search::{Candidate, choose, choose_pg_restore};
use super::{NoPgRestore, PgDump, PgRestore, Version, libpq_beside};
use crate::error::DumpError;

/// Version folders, `*` being the version.
const VERSION_FOLDERS: &[&str] = &[
    // Debian, Ubuntu, and PGDG there
    "/usr/lib/postgresql/*/bin",
    // PGDG on Fedora and RHEL
    "/usr/pgsql-*/bin",
    // SUSE
    "/usr/lib/postgresql*/bin",
    // Alpine
    "/usr/libexec/postgresql*",
    // Gentoo
    "/usr/lib64/postgresql-*/bin",
    // Homebrew on both Macs and on Linux: kegs that are not linked, and libpq, which is the client alone
    "/opt/homebrew/opt/postgresql@*/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/opt/libpq/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/libpq/bin",
    // Postgres.app
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    // EnterpriseDB's installer on macOS and Linux
    "/Library/PostgreSQL/*/bin",
    "/opt/PostgreSQL/*/bin",
    // MacPorts
    "/opt/local/lib/postgresql*/bin",
    // make install
    "/usr/local/pgsql/bin",
];

/// A program that does not answer `--version` by then is not pg_dump.
const PATIENCE: Duration = Duration::from_secs(5);

/// A program of PostgreSQL as it was found on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// The version that it says it is, or why it says none: `not there`.
    pub version: Result<Version, String>,
}

impl Program {
    /// Asks the program of this name at this path.
    pub fn ask(path: PathBuf, name: &str) -> Self {
        let version = ask_version(&path, name).map(|(version, _)| version);
        Self { path, version }
    }

    /// The `LD_LIBRARY_PATH` that it needs, where it stands in a tree that brings its own libraries.
    pub fn library_path(&self) -> Option<OsString> {
        libpq_beside(&self.path)
    }
}

/// Where programs of PostgreSQL are looked for.
#[derive(Debug, Clone)]
pub struct Places {
    /// The value of `PATH`.
    pub path: Option<OsString>,
    /// Folders, where one `*` in one component stands for any text.
    pub version_folders: Vec<PathBuf>,
}

impl Places {
    /// This process's `PATH` and the usual folders.
    pub fn of_this_machine() -> Self {
        Self {
            path: std::env::var_os("PATH"),
            version_folders: VERSION_FOLDERS.iter().map(PathBuf::from).collect(),
        }
    }

    /// [`find_pg_dump`](crate::find_pg_dump), looking here.
    pub fn find_pg_dump(
        &self,
        explicit: Option<&Path>,
        server_version_num: u32,
    ) -> Result<PgDump, DumpError> {
        choose(
            self.candidates("pg_dump", explicit),
            &self.folders(),
            Version::from_num(server_version_num),
        )
    }

    /// Every program of this name (`postgres`), in the order in which it was looked for; one file that is reached twice
    /// counts once.
    pub fn every(&self, name: &str) -> Vec<Program> {
        let paths = self.programs(name).into_iter();
        paths.map(|path| Program::ask(path, name)).collect()
    }

    /// The pg_restore to use for an archive that this pg_dump wrote: the newest, if it can read it.
    pub(crate) fn find_pg_restore(
        &self,
        explicit: Option<&Path>,
        wrote: Option<Version>,
        can_read: impl Fn(Version) -> bool,
    ) -> Result<PgRestore, NoPgRestore> {
        let candidates = self.candidates("pg_restore", explicit);
        choose_pg_restore(candidates, &self.folders(), wrote, can_read)
    }

    fn candidates(&self, name: &str, explicit: Option<&Path>) -> Vec<Candidate> {
        let paths = match explicit {
            Some(path) => vec![path.to_owned()],
            None => self.programs(name),
        };
        paths.into_iter().map(|path| look_at(path, name)).collect()
    }

    /// Every program of this name in the folders; one file that is reached twice counts once.
    fn programs(&self, name: &str) -> Vec<PathBuf> {
        let mut seen = Vec::new();
        let mut programs = Vec::new();
        for program in self.folders().iter().map(|folder| folder.join(name)) {
            let Ok(real) = program.canonicalize() else {
                continue;
            };
            // every tool of Debian's postgresql-common links to one pg_wrapper: never take two of them
            if !seen.contains(&real) {
                seen.push(real);
                programs.push(program);
            }
        }
        programs
    }

    fn folders(&self) -> Vec<PathBuf> {
        let on_path = self
            .path
            .iter()
            .flat_map(std::env::split_paths)
            .filter(|folder| folder.is_absolute());
        on_path
            .chain(
                self.version_folders
                    .iter()
                    .flat_map(|pattern| expand(pattern)),
            )
            .collect()
    }
}

/// The folders that a pattern names; itself where it has no `*`.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let Some(text) = pattern.to_str() else {
        return vec![pattern.to_owned()];
    };
    let Some((before, after)) = text.split_once('*') else {
        return vec![pattern.to_owned()];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let mut names: Vec<String> = std::fs::read_dir(if parent.is_empty() { "/" } else { parent })
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_unstable();
    names
        .into_iter()
        .map(|name| PathBuf::from(format!("{parent}/{name}{after}")))
        .collect()
}

fn look_at(path: PathBuf, name: &str) -> Candidate {
    let wrapper = path
        .canonicalize()
        .is_ok_and(|real| real.file_name().is_some_and(|name| name == "pg_wrapper"));
    let version = ask_version(&path, name);
    Candidate {
        path,
        wrapper,
        version,
    }
}

/// What the program says it is, or why it says nothing.
fn ask_version(path: &Path, name: &str) -> Result<(Version, String), String> {
    let metadata = std::fs::metadata(path).map_err(|_| "not there".to_owned())?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err("not a program".to_owned());
    }
    let text = run_version(path)?;
    let text = text.lines().next().unwrap_or_default().trim().to_owned();
    match Version::from_program(name, &text) {
        Some(version) => Ok((version, text)),
        None => Err(format!("is not {name}: `--version` said `{text}`")),
    }
}

fn run_version(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot be run: {error}");
    let mut command = Command::new(path);
    command
        .arg("--version")
        .env("LC_ALL", "C")
        // whatever is called so on PATH has no need of it
        .env_remove("PGPASSWORD")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(value) = libpq_beside(path) {
        command.env("LD_LIBRARY_PATH", value);
    }
    let mut child = command.spawn().map_err(cannot)?;
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().map_err(cannot)? {
            Some(status) => break status,
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                return Err("does not answer `--version`".to_owned());
            }
        }
    };
    if !status.success() {
        let words = read_some(child.stderr.take());
        return Err(format!(
            "cannot be run ({status}): {}",
            words.lines().last().unwrap_or_default()
        ));
    }
    Ok(read_some(child.stdout.take()))
}

/// At most a pipe's first 4 kB; more than that is not a version.
fn read_some(pipe: Option<impl Read>) -> String {
    let mut bytes = vec![0; 4096];
    let length = pipe
        .and_then(|mut pipe| pipe.read(&mut bytes).ok())
        .unwrap_or(0);
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

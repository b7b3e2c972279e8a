//! PgBouncer: the one that the machine has, else Debian's package, unpacked beside the servers without installing it.
//!
//! apt checks the package's signature, so that no hash is pinned. Absent here: machines without apt; there it is to be
//! installed, and tests that need it say so.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{Env, place, slot};
use crate::process;
use crate::servers::Account;

/// A PgBouncer that starts on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgBouncer {
    /// `1.18.0`.
    pub version: String,
    program: PathBuf,
    /// Where its shared libraries are found; none for one that the machine installed.
    libraries: Option<PathBuf>,
}

impl PgBouncer {
    /// The program with what it needs.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    /// The first line of `--version` is `PgBouncer 1.18.0`, as the uid that it will have.
    fn found(program: PathBuf, libraries: Option<PathBuf>) -> Result<Self> {
        let mut found = Self {
            version: String::new(),
            program,
            libraries,
        };
        let mut command = found.command();
        Account::of_servers()?.apply(command.arg("--version").current_dir("/"));
        let said = process::stdout(&mut command)?;
        let version = said.split_whitespace().nth(1);
        version
            .with_context(|| format!("no version in `{said}`"))?
            .clone_into(&mut found.version);
        Ok(found)
    }
}

/// One that is installed and starts, else Debian's package.
pub(super) fn get(env: &Env) -> Result<PgBouncer> {
    let installed = installed().into_iter();
    if let Some(found) = installed
        .filter_map(|program| PgBouncer::found(program, None).ok())
        .next()
    {
        return Ok(found);
    }
    let folder = slot::get_or_build(env.root(), "pgbouncer", "debian", from_debian)
        .context("PgBouncer is not installed, and its package cannot be had from apt")?;
    let libraries = library_folder(&folder)?;
    PgBouncer::found(folder.join("usr/sbin/pgbouncer"), Some(libraries))
}

fn installed() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")];
    folders.extend(
        std::env::var_os("PATH")
            .iter()
            .flat_map(std::env::split_paths),
    );
    folders.retain(|folder| folder.join("pgbouncer").is_file() && place::enterable(folder));
    folders
        .into_iter()
        .map(|folder| folder.join("pgbouncer"))
        .collect()
}

/// The package and those of its libraries that the machine lacks.
fn from_debian(folder: &Path) -> Result<()> {
    let mut packages = vec!["pgbouncer".to_owned()];
    packages.extend(lacking_libraries()?);
    let download = tempfile::tempdir_in(folder)?;
    process::run(
        Command::new("apt-get")
            .args(["download", "--quiet"])
            .args(&packages)
            .current_dir(download.path()),
    )?;
    for entry in fs_err::read_dir(download.path())? {
        process::run(
            Command::new("dpkg")
                .arg("-x")
                .arg(entry?.path())
                .arg(folder),
        )?;
    }
    Ok(())
}

/// Names differ from release to release, so the package says them itself.
fn lacking_libraries() -> Result<Vec<String>> {
    let listed = match depends() {
        Ok(listed) => listed,
        // a fresh machine has no lists yet
        Err(_) if rustix::process::getuid().is_root() => {
            process::run(Command::new("apt-get").args(["update", "-qq"]))?;
            depends()?
        }
        Err(why) => return Err(why),
    };
    let names = listed.lines().filter_map(|line| {
        line.trim()
            .trim_start_matches('|')
            .strip_prefix("Depends: ")
    });
    let libraries = names.filter(|name| name.starts_with("lib") && !is_installed(name));
    Ok(libraries.map(str::to_owned).collect())
}

fn depends() -> Result<String> {
    let listed = process::stdout(Command::new("apt-cache").args(["depends", "pgbouncer"]))?;
    if !listed.contains("Depends:") {
        bail!("apt knows no package pgbouncer");
    }
    Ok(listed)
}

fn is_installed(package: &str) -> bool {
    let status = process::stdout(Command::new("dpkg-query").args([
        "--show",
        "--showformat=${Status}",
        package,
    ]));
    status.is_ok_and(|status| status.ends_with("ok installed"))
}

/// `usr/lib/x86_64-linux-gnu`, whatever the machine is.
fn library_folder(folder: &Path) -> Result<PathBuf> {
    let libraries = folder.join("usr/lib");
    if let Ok(entries) = fs_err::read_dir(&libraries) {
        for entry in entries {
            let path = entry?.path();
            if path.to_string_lossy().ends_with("-linux-gnu") {
                return Ok(path);
            }
        }
    }
    Ok(libraries)
}

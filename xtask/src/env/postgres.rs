//! PostgreSQL servers: where each may come from, and the first that starts.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use flate2::read::GzDecoder;

use super::pins::{Layout, Pins, Wheel};
use super::{Env, fetch, pins, place, slot};
use crate::process;
use crate::servers::Account;

/// An installation of PostgreSQL that starts on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgInstall {
    /// `15`.
    pub major: u32,
    /// `15.19`.
    pub version: String,
    /// The folder of `postgres`, `initdb`, `pg_dump` and the rest.
    pub bin_dir: PathBuf,
    /// Where its shared libraries are found, in order; empty for one that the machine installed.
    pub library_path: Vec<PathBuf>,
    /// Where it comes from.
    pub source: Source,
}

/// Where an installation comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A wheel of this package.
    Wheel(String),
    /// It was on the machine.
    Installed,
}

impl fmt::Display for PgInstall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            bin_dir,
            source,
            library_path,
            ..
        } = self;
        let source = match source {
            Source::Wheel(package) if library_path.len() > 1 => {
                format!("{package}, with libraries that lack here")
            }
            Source::Wheel(package) => package.clone(),
            Source::Installed => "installed".to_owned(),
        };
        write!(f, "PostgreSQL {version} ({source}) {}", bin_dir.display())
    }
}

impl PgInstall {
    /// A program of this installation, with the environment that it needs.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin_dir.join(program));
        self.environment(&mut command);
        command
    }

    /// Sets what a program of this installation needs, where the caller starts it by another way.
    pub fn environment(&self, command: &mut Command) {
        if let Some((name, value)) = self.library_variable() {
            command.env(name, value);
        }
    }

    /// `LD_LIBRARY_PATH` (macOS: `DYLD_LIBRARY_PATH`) and its value, where one is needed.
    pub fn library_variable(&self) -> Option<(&'static str, String)> {
        let name = if cfg!(target_os = "macos") {
            "DYLD_LIBRARY_PATH"
        } else {
            "LD_LIBRARY_PATH"
        };
        let folders: Vec<String> = self
            .library_path
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        (!folders.is_empty()).then(|| (name, folders.join(":")))
    }

    /// The installation whose programs are in this folder, if its server starts as the uid that it will have.
    ///
    /// # Errors
    /// What `postgres --version` said.
    pub fn in_folder(bin_dir: &Path, library_path: Vec<PathBuf>, source: Source) -> Result<Self> {
        let mut install = Self {
            major: 0,
            version: String::new(),
            bin_dir: bin_dir.to_owned(),
            library_path,
            source,
        };
        for program in ["initdb", "pg_dump"] {
            if !bin_dir.join(program).exists() {
                bail!("{} has no {program}", bin_dir.display());
            }
        }
        let mut command = install.command("postgres");
        Account::of_servers()?.apply(command.arg("--version").current_dir("/"));
        let said = process::stdout(&mut command)?;
        let version = said
            .split_whitespace()
            .nth(2)
            .with_context(|| format!("no version in `{said}`"))?;
        install.major = version
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default()
            .parse()?;
        version.clone_into(&mut install.version);
        Ok(install)
    }
}

/// The first of the candidates that starts.
pub(super) fn get(env: &Env, major: u32) -> Result<PgInstall> {
    let pins = pins::read()?;
    let mut refused = Vec::new();
    for candidate in candidates(&pins, major) {
        match candidate.install(env, &pins) {
            Ok(install) if install.major == major => return Ok(install),
            Ok(install) => refused.push(format!("{candidate}: is {}", install.version)),
            Err(why) => refused.push(format!("{candidate}: {why:#}")),
        }
    }
    bail!(
        "no PostgreSQL {major} starts on this machine\n{}",
        refused.join("\n")
    )
}

/// Where a server may come from.
enum Candidate<'a> {
    Wheel(&'a Wheel),
    WheelWithLibraries(&'a Wheel),
    Installed(PathBuf),
}

/// The pinned builds with everything in them first, self-contained ones with less last.
fn candidates(pins: &Pins, major: u32) -> Vec<Candidate<'_>> {
    let target = pins::target();
    let of = |layout| {
        let fits = move |wheel: &&Wheel| wheel.layout == layout && wheel.major == major;
        let here = target.clone();
        pins.wheel
            .iter()
            .filter(fits)
            .filter(move |wheel| wheel.target == here)
    };
    let mut candidates = Vec::new();
    for wheel in of(Layout::Tarball) {
        candidates.extend([
            Candidate::Wheel(wheel),
            Candidate::WheelWithLibraries(wheel),
        ]);
    }
    candidates.extend(installed(major).into_iter().map(Candidate::Installed));
    candidates.extend(of(Layout::Tree).map(Candidate::Wheel));
    candidates
}

impl Candidate<'_> {
    fn install(&self, env: &Env, pins: &Pins) -> Result<PgInstall> {
        match self {
            Self::Wheel(wheel) => of_wheel(env, wheel),
            Self::WheelWithLibraries(wheel) => with_libraries(env, pins, wheel),
            Self::Installed(folder) => PgInstall::in_folder(folder, Vec::new(), Source::Installed),
        }
    }
}

impl fmt::Display for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wheel(wheel) => write!(f, "wheel {} {}", wheel.package, wheel.version),
            Self::WheelWithLibraries(wheel) => {
                write!(
                    f,
                    "wheel {} {} with bundled libraries",
                    wheel.package, wheel.version
                )
            }
            Self::Installed(folder) => write!(f, "{}", folder.display()),
        }
    }
}

fn of_wheel(env: &Env, wheel: &Wheel) -> Result<PgInstall> {
    let root = unpacked(env, wheel)?;
    PgInstall::in_folder(
        &root.join("bin"),
        vec![root.join("lib")],
        Source::Wheel(wheel.package.clone()),
    )
}

/// Its own libraries first, then those that the machine lacks, out of another wheel.
fn with_libraries(env: &Env, pins: &Pins, wheel: &Wheel) -> Result<PgInstall> {
    let target = pins::target();
    let of = |donor: &&Wheel| donor.package == pins.libraries.package && donor.target == target;
    let donor = pins
        .wheel
        .iter()
        .find(of)
        .context("no libraries are pinned for this platform")?;
    let root = unpacked(env, wheel)?;
    let donor = unpacked(env, donor)?;
    let libraries = slot::get_or_build(env.root(), "pg", "libraries", |folder| {
        for file in &pins.libraries.files {
            fs_err::copy(donor.join("lib").join(file), folder.join(file))?;
        }
        Ok(())
    })?;
    PgInstall::in_folder(
        &root.join("bin"),
        vec![root.join("lib"), libraries],
        Source::Wheel(wheel.package.clone()),
    )
}

/// The folder with bin, lib and share.
fn unpacked(env: &Env, wheel: &Wheel) -> Result<PathBuf> {
    let name = format!("{}-{}-{}", wheel.package, wheel.version, &wheel.sha256[..8]);
    let folder = slot::get_or_build(env.root(), "pg", &name, |folder| {
        fetch::wheel(env, wheel, folder)?;
        let package = folder.join(wheel.package.replace('-', "_"));
        match wheel.layout {
            Layout::Tarball => untar(&package, folder)?,
            Layout::Tree => fs_err::rename(package.join("pginstall"), folder.join("install"))?,
        }
        fs_err::remove_dir_all(&package)?;
        executable(&folder.join("install/bin"))
    })?;
    Ok(folder.join("install"))
}

fn untar(package: &Path, folder: &Path) -> Result<()> {
    let archive = first_entry(package, |path| path.to_string_lossy().ends_with(".tar.gz"))?;
    let inner = folder.join("inner");
    tar::Archive::new(GzDecoder::new(fs_err::File::open(&archive)?)).unpack(&inner)?;
    fs_err::rename(first_entry(&inner, Path::is_dir)?, folder.join("install"))?;
    Ok(fs_err::remove_dir_all(&inner)?)
}

fn first_entry(folder: &Path, fits: impl Fn(&Path) -> bool) -> Result<PathBuf> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if fits(&path) {
            return Ok(path);
        }
    }
    bail!("nothing that fits in {}", folder.display())
}

/// Python's zipfile drops the modes.
fn executable(bin: &Path) -> Result<()> {
    for entry in fs_err::read_dir(bin)? {
        fs_err::set_permissions(entry?.path(), std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Where distributions, Homebrew and the user's PATH have servers.
fn installed(major: u32) -> Vec<PathBuf> {
    let mut folders = vec![
        PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")),
        PathBuf::from(format!("/usr/pgsql-{major}/bin")),
        PathBuf::from(format!("/opt/homebrew/opt/postgresql@{major}/bin")),
        PathBuf::from(format!("/usr/local/opt/postgresql@{major}/bin")),
    ];
    folders.extend(
        std::env::var_os("PATH")
            .iter()
            .flat_map(std::env::split_paths),
    );
    folders.retain(|folder| folder.join("postgres").exists() && place::enterable(folder));
    folders
}

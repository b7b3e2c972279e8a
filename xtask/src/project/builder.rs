//! Writes a project's files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Project;
use crate::env::Venv;
use crate::servers::{Database, Server};

/// A project that is being described; [`Builder::write`] puts it on disk.
#[derive(Debug)]
pub struct Builder {
    venv: Venv,
    databases: Vec<Connection>,
    apps: Vec<String>,
    settings: String,
    files: BTreeMap<PathBuf, String>,
}

#[derive(Debug)]
struct Connection {
    alias: String,
    server: Server,
    database: String,
    user: String,
    password: String,
}

impl Builder {
    pub(super) fn new(venv: &Venv, database: &Database) -> Self {
        let builder = Self {
            venv: venv.clone(),
            databases: Vec::new(),
            apps: vec![
                "django.contrib.contenttypes".to_owned(),
                "django.contrib.auth".to_owned(),
            ],
            settings: String::new(),
            files: BTreeMap::new(),
        };
        builder
            .file("manage.py", MANAGE)
            .file("config/__init__.py", "")
            .database("default", database)
    }

    /// Another alias of `DATABASES`; `default` replaces the one given at first.
    #[must_use]
    pub fn database(mut self, alias: &str, database: &Database) -> Self {
        let server = database.server().clone();
        self.databases.retain(|known| known.alias != alias);
        self.databases.push(Connection {
            alias: alias.to_owned(),
            database: database.name().to_owned(),
            user: server.user().to_owned(),
            password: server.password().to_owned(),
            server,
        });
        self
    }

    /// Connects to every database as this role.
    #[must_use]
    pub fn login(mut self, user: &str, password: &str) -> Self {
        for connection in &mut self.databases {
            user.clone_into(&mut connection.user);
            password.clone_into(&mut connection.password);
        }
        self
    }

    /// An app of the project's own.
    #[must_use]
    pub fn app(mut self, label: &str, describe: impl FnOnce(App) -> App) -> Self {
        let app = describe(App::new(label));
        self.apps.push(label.to_owned());
        for (path, text) in app.files {
            self.files.insert(Path::new(label).join(path), text);
        }
        self
    }

    /// An installed app that the environment brings.
    #[must_use]
    pub fn installed_app(mut self, dotted: &str) -> Self {
        self.apps.push(dotted.to_owned());
        self
    }

    /// Python that stands at the end of the settings module.
    #[must_use]
    pub fn settings(mut self, python: &str) -> Self {
        self.settings.push_str(python);
        self.settings.push('\n');
        self
    }

    /// Any other file, or another text for one that is there already.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }

    /// Leaves a file out: `manage.py`, say.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        self.files.remove(Path::new(path));
        self
    }

    pub(super) fn has_pytest(&self) -> bool {
        self.venv.bin().join("pytest").exists()
    }

    /// Puts it into a temporary folder.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(self) -> Result<Project> {
        let temporary = tempfile::Builder::new().prefix("project-").tempdir()?;
        // on macOS the temporary folder is a link, and Python reports real paths
        let folder = fs_err::canonicalize(temporary.path())?;
        self.write_files(folder, Some(temporary))
    }

    /// Puts it into a folder that stays.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write_to(self, folder: &Path) -> Result<Project> {
        fs_err::create_dir_all(folder)?;
        let folder = fs_err::canonicalize(folder)?;
        self.write_files(folder, None)
    }

    fn write_files(
        mut self,
        folder: PathBuf,
        temporary: Option<tempfile::TempDir>,
    ) -> Result<Project> {
        let settings = self.settings_module();
        self.files
            .entry("config/settings.py".into())
            .or_insert(settings);
        for (path, text) in &self.files {
            write(&folder.join(path), text)?;
        }
        let default = self
            .databases
            .into_iter()
            .find(|connection| connection.alias == "default");
        let Connection {
            server, database, ..
        } = default.expect("`new` gives one, and nothing removes it for good");
        Ok(Project {
            folder,
            venv: self.venv,
            server,
            database,
            _temporary: temporary,
        })
    }

    fn settings_module(&self) -> String {
        let mut text = SETTINGS.to_owned();
        let _ = writeln!(text, "INSTALLED_APPS = {}", python_list(&self.apps));
        text.push_str("DATABASES = {\n");
        for Connection {
            alias,
            server,
            database,
            user,
            password,
        } in &self.databases
        {
            let (host, port) = (server.host(), server.port());
            let _ = writeln!(
                text,
                "    {alias:?}: {{\n        \"ENGINE\": \"django.db.backends.postgresql\",\n        \"NAME\": {database:?},\n        \
                 \"USER\": {user:?},\n        \"PASSWORD\": {password:?},\n        \"HOST\": {host:?},\n        \"PORT\": \"{port}\",\n    }},"
            );
        }
        text.push_str("}\n");
        text + &self.settings
    }
}

/// An app that is being described.
#[derive(Debug)]
pub struct App {
    label: String,
    last_migration: Option<String>,
    files: BTreeMap<PathBuf, String>,
}

impl App {
    fn new(label: &str) -> Self {
        let app = Self {
            label: label.to_owned(),
            last_migration: None,
            files: BTreeMap::new(),
        };
        app.file("__init__.py", "")
            .file("migrations/__init__.py", "")
    }

    /// `models.py`; the import of `models` stands above it where it has none.
    #[must_use]
    pub fn models(self, python: &str) -> Self {
        let import = if python.contains("import models") {
            ""
        } else {
            "from django.db import models\n\n\n"
        };
        self.file("models.py", &format!("{import}{python}"))
    }

    /// A migration's whole file.
    #[must_use]
    pub fn migration(mut self, name: &str, python: &str) -> Self {
        self.last_migration = Some(name.to_owned());
        self.file(&format!("migrations/{name}.py"), python)
    }

    /// A migration by its operations alone; it depends on the one described before it.
    #[must_use]
    pub fn operations(self, name: &str, operations: &str) -> Self {
        self.body(name, &format!("operations = [{operations}]"))
    }

    /// A migration by the body of its class (`atomic = False\noperations = […]`); it depends on the one described
    /// before it.
    #[must_use]
    pub fn body(self, name: &str, body: &str) -> Self {
        let dependencies = match &self.last_migration {
            Some(last) => format!("[({:?}, {last:?})]", self.label),
            None => "[]".to_owned(),
        };
        let body = body.replace('\n', "\n    ");
        let text = format!(
            "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    \
             dependencies = {dependencies}\n    {body}\n"
        );
        self.migration(name, &text)
    }

    /// Any other file of the app.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }
}

pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    Ok(fs_err::write(path, text)?)
}

/// Rust's and Python's quoted strings agree on what stands here.
fn python_list(items: &[String]) -> String {
    format!(
        "[{}]",
        items
            .iter()
            .map(|item| format!("{item:?}"))
            .collect::<Vec<_>>()
            .join(", ")
    )
}

/// What `django-admin startproject` writes.
const MANAGE: &str = r#"#!/usr/bin/env python
"""Django's command-line utility for administrative tasks."""
import os
import sys


def main():
    """Run administrative tasks."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as exc:
        raise ImportError(
            "Couldn't import Django. Are you sure it's installed and "
            "available on your PYTHONPATH environment variable? Did you "
            "forget to activate a virtual environment?"
        ) from exc
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
"#;

const SETTINGS: &str = r#"from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only for tests"
DEBUG = True
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"#;

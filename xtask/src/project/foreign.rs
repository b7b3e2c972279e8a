//! Projects that are not ours, as a newcomer to each makes them: `wagtail start`, django-oscar's "Building your own
//! shop", and Pulp, which runs on PostgreSQL only and uses it: domains, triggers, hstore, arrays, advisory locks.
//!
//! Absent here: their versions, which the environments pin.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::Project;
use super::builder::write;
use crate::env::{Env, Venv};
use crate::process;
use crate::servers::{Database, Server};

/// How many migrations at the end of its plan are pending in [`Foreign::late`].
pub const LATE: usize = 10;

/// A project of somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A fresh site of `wagtail start`.
    Wagtail,
    /// A shop of django-oscar with all of its apps.
    Oscar,
    /// A Pulp server with the plugins that come with pulpcore.
    Pulp,
}

impl Foreign {
    /// Its environment, which has its name in [`crate::env::VENVS`] too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wagtail => "wagtail",
            Self::Oscar => "oscar",
            Self::Pulp => "pulp",
        }
    }

    /// The project on this database, which stays as it is.
    ///
    /// # Errors
    /// When its environment cannot be made, or its own generator fails.
    pub fn project(self, database: &Database) -> Result<Project> {
        let venv = Env::open()?.venv(self.name())?;
        let temporary = tempfile::Builder::new().prefix("project-").tempdir()?;
        // on macOS the temporary folder is a link, and Python reports real paths
        let folder = fs_err::canonicalize(temporary.path())?;
        match self {
            Self::Wagtail => wagtail(&venv, database, &folder)?,
            Self::Oscar => oscar(&venv, database, &folder)?,
            Self::Pulp => pulp(database, &folder)?,
        }
        Ok(Project {
            folder,
            venv,
            server: database.server().clone(),
            database: database.name().to_owned(),
            _temporary: Some(temporary),
        })
    }

    /// A database that Django's own `migrate` has brought from nothing to the end of the plan.
    ///
    /// # Errors
    /// When Django or the server fails.
    pub fn migrated(self, server: &Server) -> Result<Database> {
        server.database_with(&self.key("migrated")?, |database| {
            migrate(&self.project(database)?)
        })
    }

    /// A database in which all of the plan is applied but its last [`LATE`] migrations.
    ///
    /// # Errors
    /// When Django or the server fails.
    pub fn late(self, server: &Server) -> Result<Database> {
        server.database_with(&self.key("late")?, |database| {
            let project = self.project(database)?;
            let plan = plan(&project)?;
            let kept = plan.len().checked_sub(LATE).context("a longer plan")?;
            project.manage(&["shell", "-c", &migrate_to(&plan[..kept])])?;
            Ok(())
        })
    }

    /// Other pins are another state.
    fn key(self, state: &str) -> Result<String> {
        let venv = Env::open()?.venv(self.name())?;
        let folder = venv.folder.file_name().context("a name")?;
        Ok(format!("{}_{state}", folder.display()))
    }
}

/// Django's own `migrate`, to the end.
///
/// # Errors
/// When Django fails.
pub fn migrate(project: &Project) -> Result<()> {
    let mut command = project.manage_command(&["migrate"]);
    process::run(command.env(HASH_SEED.0, HASH_SEED.1))?;
    Ok(())
}

/// Django reads an app's migrations into a set, and records the squashes of one app in the order of that set: without
/// this variable two runs of `migrate` differ.
pub const HASH_SEED: (&str, &str) = ("PYTHONHASHSEED", "0");

/// `(app, name)` of all migrations in the order in which Django would apply them to an empty database.
///
/// # Errors
/// When Django fails.
pub fn plan(project: &Project) -> Result<Vec<(String, String)>> {
    let said = project.manage(&["showmigrations", "--plan"])?;
    let one = |line: &str| {
        let name = line.split_once(']')?.1.split_whitespace().next()?;
        let (app, name) = name.split_once('.')?;
        Some((app.to_owned(), name.to_owned()))
    };
    said.lines()
        .map(|line| one(line).with_context(|| format!("no migration: {line}")))
        .collect()
}

/// Python that says `migrate APP NAME` to each app's last migration of a plan's beginning, in one process: a target
/// that came with another one's is skipped.
fn migrate_to(plan: &[(String, String)]) -> String {
    let last = |at: usize| !plan[at + 1..].iter().any(|(app, _)| *app == plan[at].0);
    let targets: Vec<String> = (0..plan.len())
        .rev()
        .filter(|at| last(*at))
        .map(|at| format!("({:?}, {:?})", plan[at].0, plan[at].1))
        .collect();
    format!(
        "from django.core.management import call_command\n\
         from django.db import connection\n\
         from django.db.migrations.recorder import MigrationRecorder\n\
         for target in [{}]:\n    \
             if target not in MigrationRecorder(connection).applied_migrations():\n        \
                 call_command('migrate', *target, verbosity=0)\n",
        targets.join(", ")
    )
}

/// The site's `dev.py` imports a `local.py` where there is one: the place for a machine's own database.
fn wagtail(venv: &Venv, database: &Database, folder: &Path) -> Result<()> {
    generate(venv, "wagtail", &["start", "mysite", "."], folder)?;
    write(
        &folder.join("mysite/settings/local.py"),
        &databases(database, ""),
    )
}

fn oscar(venv: &Venv, database: &Database, folder: &Path) -> Result<()> {
    generate(
        venv,
        "django-admin",
        &["startproject", "frobshop", "."],
        folder,
    )?;
    let path = folder.join("frobshop/settings.py");
    let generated = fs_err::read_to_string(&path)?;
    let databases = databases(database, "\"ATOMIC_REQUESTS\": True, ");
    write(
        &path,
        &format!("{OSCAR_DEFAULTS}{generated}{OSCAR_SETTINGS}{databases}"),
    )?;
    write(&folder.join("frobshop/urls.py"), OSCAR_URLS)
}

/// Its settings are in the package; what a machine adds is a file that a variable names.
fn pulp(database: &Database, folder: &Path) -> Result<()> {
    for place in ["tmp", "media"] {
        fs_err::create_dir(folder.join(place))?;
    }
    write(&folder.join("manage.py"), PULP_MANAGE)?;
    write(&folder.join("database_fields.key"), PULP_KEY)?;
    let databases = databases(database, "");
    write(
        &folder.join("pulp_settings.py"),
        &format!("{PULP_SETTINGS}{databases}"),
    )
}

fn generate(venv: &Venv, program: &str, arguments: &[&str], folder: &Path) -> Result<()> {
    let mut command = Command::new(venv.python());
    command
        .arg(venv.bin().join(program))
        .args(arguments)
        .current_dir(folder);
    command
        .env_remove("DJANGO_SETTINGS_MODULE")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    process::run(&mut command)?;
    Ok(())
}

fn databases(database: &Database, more: &str) -> String {
    let server = database.server();
    format!(
        "DATABASES = {{\"default\": {{\"ENGINE\": \"django.db.backends.postgresql\", {more}\"NAME\": {:?}, \"USER\": {:?}, \
         \"PASSWORD\": {:?}, \"HOST\": {:?}, \"PORT\": \"{}\"}}}}\n",
        database.name(),
        server.user(),
        server.password(),
        server.host(),
        server.port()
    )
}

/// The project's own settings win over Oscar's.
const OSCAR_DEFAULTS: &str = "import oscar\nfrom oscar.defaults import *\n";

/// What the documentation says to change; `oscar.INSTALLED_APPS` is the list that it spells out.
const OSCAR_SETTINGS: &str = r#"
INSTALLED_APPS = oscar.INSTALLED_APPS
SITE_ID = 1
MIDDLEWARE += [
    "oscar.apps.basket.middleware.BasketMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]
TEMPLATES[0]["OPTIONS"]["context_processors"] += [
    "oscar.apps.search.context_processors.search_form",
    "oscar.apps.checkout.context_processors.checkout",
    "oscar.apps.communication.notifications.context_processors.notifications",
    "oscar.core.context_processors.metadata",
]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}
"#;

const OSCAR_URLS: &str = r#"from django.apps import apps
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", admin.site.urls),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
"#;

const PULP_MANAGE: &str = r#"#!/usr/bin/env python3
import os
from pathlib import Path

os.environ.setdefault("PULP_SETTINGS", str(Path(__file__).resolve().parent / "pulp_settings.py"))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pulpcore.app.settings")

if __name__ == "__main__":
    from pulpcore.app.manage import manage

    manage()
"#;

/// Fernet's: 32 bytes, of a server that nobody keeps anything in.
const PULP_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

const PULP_SETTINGS: &str = r#"from pathlib import Path

HERE = Path(__file__).resolve().parent
CONTENT_ORIGIN = "http://localhost"
SECRET_KEY = "of a server that nobody keeps anything in"
DB_ENCRYPTION_KEY = str(HERE / "database_fields.key")
DEPLOY_ROOT = str(HERE)
MEDIA_ROOT = str(HERE / "media")
WORKING_DIRECTORY = FILE_UPLOAD_TEMP_DIR = str(HERE / "tmp")
CACHE_ENABLED = False
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_app_is_a_target_once_with_its_last_migration_of_the_beginning() {
        let plan = [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1")];
        let plan = plan.map(|(app, name)| (app.to_owned(), name.to_owned()));
        let python = migrate_to(&plan[..3]);
        assert!(
            python.contains(r#"in [("a", "2"), ("b", "1")]:"#),
            "{python}"
        );
    }
}

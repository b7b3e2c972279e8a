//! The project that is measured: the site that `wagtail start` makes, on databases where the last few migrations of the
//! whole plan are pending, as after an upgrade.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use xtask::env::{Env, Venv};
use xtask::process;
use xtask::servers::TempServer;

/// Applies all of the plan but its last few; prints how many migrations the project has.
const APPLY_ALL_BUT: &str = r#"
import sys
import django
django.setup()
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
executor = MigrationExecutor(connection)
leaves = executor.loader.graph.leaf_nodes()
plan = executor.migration_plan(leaves)
executor.migrate(leaves, plan=plan[:len(plan) - int(sys.argv[1])])
print(len(executor.loader.graph.nodes))
"#;

/// What stands in the table's caption.
const VERSIONS: &str = "import platform, django, wagtail, psycopg; print(f'Python {platform.python_version()}, Django \
{django.__version__}, Wagtail {wagtail.__version__}, psycopg {psycopg.__version__}')";

/// The project and its server, gone when dropped.
pub(super) struct Site {
    folder: tempfile::TempDir,
    venv: Venv,
    server: TempServer,
    /// There is a database for each of these counts.
    pending: Vec<usize>,
    /// How many migrations it has.
    pub(super) migrations: usize,
    /// What it runs on, for the reader.
    pub(super) versions: String,
}

impl Site {
    /// Makes the project and a database for each count of pending migrations.
    pub(super) fn new(pending: &[usize]) -> Result<Self> {
        let env = Env::open()?;
        let (venv, install) = (env.venv("wagtail")?, env.postgres(17)?);
        let server = TempServer::start(&install)?;
        let folder = tempfile::Builder::new().prefix("bench-").tempdir()?;
        process::run(
            Command::new(venv.bin().join("wagtail"))
                .args(["start", "bakery"])
                .arg(folder.path()),
        )?;
        let versions = format!(
            "PostgreSQL {}, {}",
            install.version,
            process::stdout(Command::new(venv.python()).args(["-c", VERSIONS]))?
        );
        let mut site = Self {
            folder,
            venv,
            server,
            pending: Vec::new(),
            migrations: 0,
            versions,
        };
        site.write_settings()?;
        let mut pending = pending.to_vec();
        pending.sort_unstable_by(|a, b| b.cmp(a));
        pending.dedup();
        for count in pending {
            site.add_database(count)?;
        }
        Ok(site)
    }

    /// The project's settings module ends with an import of this one.
    fn write_settings(&self) -> Result<()> {
        let server = &self.server;
        let text = format!(
            "import os\n\nDATABASES = {{\"default\": {{\n    \"ENGINE\": \"django.db.backends.postgresql\",\n    \
             \"NAME\": os.environ[\"BENCH_DATABASE\"],\n    \"HOST\": {:?},\n    \"PORT\": \"{}\",\n    \
             \"USER\": {:?},\n    \"PASSWORD\": {:?},\n}}}}\n",
            server.host(),
            server.port(),
            server.user(),
            server.password(),
        );
        Ok(fs_err::write(
            self.folder.path().join("bakery/settings/local.py"),
            text,
        )?)
    }

    /// Goes on from the one before, which has more pending.
    fn add_database(&mut self, pending: usize) -> Result<()> {
        let name = database(pending);
        match self.pending.last() {
            Some(before) => self
                .server
                .create_database_from(&name, &database(*before))?,
            None => self.server.create_database(&name)?,
        }
        let said = process::stdout(
            self.command(&self.venv.python(), &name)
                .args(["-c", APPLY_ALL_BUT, &pending.to_string()])
                .env("DJANGO_SETTINGS_MODULE", "bakery.settings.dev"),
        )?;
        let last = said.lines().last().context("the project said nothing")?;
        self.migrations = last.trim().parse().with_context(|| said.clone())?;
        ensure!(
            pending <= self.migrations,
            "the project has only {} migrations",
            self.migrations
        );
        self.pending.push(pending);
        Ok(())
    }

    /// A program in the project, on the database with so many pending; everybody gets the same environment.
    pub(super) fn with_pending(&self, program: &Path, pending: usize) -> Result<Command> {
        ensure!(
            self.pending.contains(&pending),
            "no database with {pending} pending"
        );
        Ok(self.command(program, &database(pending)))
    }

    /// Its interpreter.
    pub(super) fn python(&self) -> PathBuf {
        self.venv.python()
    }

    fn command(&self, program: &Path, database: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/local/bin:/usr/bin:/bin", self.venv.bin().display()),
            )
            .env("VIRTUAL_ENV", &self.venv.folder)
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8")
            .env(
                "DJANGO_MIGRATE_PG_DUMP",
                self.server.bin_dir().join("pg_dump"),
            )
            .env("BENCH_DATABASE", database);
        command
    }
}

fn database(pending: usize) -> String {
    format!("late_{pending}")
}

//! The server, a shop's database to copy, and the two ways to migrate it.
//!
//! Absent here: clients, and whoever holds a lock.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use xtask::env::{Env, Venv};
use xtask::harness::TestCli;
use xtask::process;
use xtask::project::{App, Project};
use xtask::servers::{Database, Options, TempServer};

const MODELS: &str = "class Item(models.Model):\n    title = models.CharField(max_length=80)\n    stock = models.IntegerField(default=0)\n";
const INITIAL: &str = "migrations.CreateModel('Item', [('id', models.BigAutoField(primary_key=True)), \
                       ('title', models.CharField(max_length=80)), ('stock', models.IntegerField(default=0))])";
const ROWS: &str = "INSERT INTO shop_item (title, stock) SELECT 'Item ' || n, n % 100 FROM generate_series(1, 1000) n";
const VERSIONS: &str = "import platform, django; print(f'Python {platform.python_version()}, Django {django.__version__}')";

/// The migration that every scenario has pending.
pub(super) const PENDING: &str = "0002_change";

/// Who migrates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// `manage.py migrate`
    Plain,
    /// `django-migrate run --apply`
    Guard,
}

pub(super) struct Stage {
    program: PathBuf,
    venv: Venv,
    server: TempServer,
    /// What all of it runs on, for the reader.
    pub(super) versions: String,
}

/// A project on a database of its own.
pub(super) struct Site {
    pub(super) project: Project,
    pub(super) database: Database,
    program: PathBuf,
}

impl Stage {
    pub(super) fn new(program: PathBuf, major: u32) -> Result<Self> {
        let env = Env::open()?;
        let (venv, install) = (env.django("5.2")?, env.postgres(major)?);
        let options = Options {
            settings: [
                ("max_connections", "1100"),
                ("shared_buffers", "128MB"),
                ("autovacuum_naptime", "1"),
                // no bench suffers from the checkpoint of another's rewrite
                ("max_wal_size", "8GB"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            // a thousand clients shall not each prove a password
            hba: Some("local all all trust\nhost all all all trust\n".to_owned()),
            files: Vec::new(),
        };
        let versions = format!(
            "PostgreSQL {}, {}",
            install.version,
            process::stdout(Command::new(venv.python()).args(["-c", VERSIONS]))?
        );
        Ok(Self {
            program,
            server: TempServer::start_with(&install, options)?,
            venv,
            versions,
        })
    }

    /// A thousand items, and one pending migration with these operations.
    pub(super) fn site(&self, operations: &str) -> Result<Site> {
        self.site_with("shop", |database| database.execute(ROWS), operations)
    }

    /// The same with other rows, which are made once for each key.
    pub(super) fn site_with(
        &self,
        key: &str,
        fill: impl FnOnce(&Database) -> Result<()> + Send,
        operations: &str,
    ) -> Result<Site> {
        let initial = |app: App| app.models(MODELS).operations("0001_initial", INITIAL);
        let database = self.server.database_with(key, |database| {
            let project = Project::new(&self.venv, database)
                .app("shop", initial)
                .write()?;
            project.manage(&["migrate"])?;
            fill(database)?;
            database.execute("VACUUM ANALYZE")
        })?;
        let project = Project::new(&self.venv, &database)
            .app("shop", |app| initial(app).operations(PENDING, operations))
            .write()?;
        Ok(Site {
            project,
            database,
            program: self.program.clone(),
        })
    }
}

impl Site {
    /// Schema and history, and the file that the table lies in: none of it differs after what was rolled back.
    pub(super) fn state(&self) -> Result<String> {
        let mut dump = self.database.server().install().command("pg_dump");
        dump.args(["--schema-only", "--no-sync", "-w"]);
        self.database.environment(&mut dump);
        let schema = process::stdout(&mut dump)?;
        // newer versions draw a key for each dump
        let schema: Vec<&str> = schema
            .lines()
            .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
            .collect();
        let rest = self.database.query(
            "SELECT app, name, pg_relation_filenode('shop_item')::text FROM django_migrations ORDER BY id",
        )?;
        Ok(format!("{}\n{rest:?}", schema.join("\n")))
    }

    /// What a person would type; the guard's flags are added to it.
    pub(super) fn command(&self, side: Side, flags: &[&str]) -> Command {
        match side {
            Side::Plain => self.project.manage_command(&["migrate"]),
            Side::Guard => TestCli::in_project(&self.program, &self.project)
                .args([
                    "run",
                    "--apply",
                    "--yes",
                    "--no-backup",
                    "--acknowledge-no-backup",
                    "--skip-tests",
                    "--format",
                    "json",
                ])
                .args(flags)
                .command(),
        }
    }
}

//! A server with one database of much data, and a project on it: what `bench dump` saves and `bench restore` brings
//! back.
//!
//! Absent here: what is measured on it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use xtask::env::Env;
use xtask::harness::TestCli;
use xtask::process;
use xtask::project::Project;
use xtask::servers::{Database, Options, TempServer};

const DATA: &str = include_str!("data.sql");
const VERSIONS: &str = "import platform, django; print(f'Python {platform.python_version()}, Django {django.__version__}')";

/// All of it, gone when dropped.
pub(super) struct Bulk {
    program: PathBuf,
    full: Site,
    empty: Site,
    folder: tempfile::TempDir,
    /// What stands in the table's caption.
    pub(super) versions: String,
    // dropped after its databases
    server: TempServer,
}

/// A database, and a project of Django's own apps on it.
struct Site {
    project: Project,
    database: Database,
}

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The one with the data.
    Data,
    /// One without: what everything costs that has nothing to do with data.
    Nothing,
}

impl Bulk {
    /// Makes about so many megabytes of plain SQL.
    pub(super) fn new(program: PathBuf, major: u32, size: u32) -> Result<Self> {
        let env = Env::open()?;
        let (venv, install) = (env.django("5.2")?, env.postgres(major)?);
        let settings = [
            ("shared_buffers", "512MB"),
            ("max_wal_size", "8GB"),
            ("autovacuum", "off"),
            ("maintenance_work_mem", "128MB"),
        ];
        let options = Options {
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            ..Options::default()
        };
        let server = TempServer::start_with(&install, options)?;
        let site = |name: &str| -> Result<Site> {
            let database = server.named_database(name)?;
            let project = Project::new(&venv, &database).write()?;
            Ok(Site { project, database })
        };
        let (full, empty) = (site("bulk")?, site("nothing")?);
        let sql = DATA.replace("{size}", &size.to_string());
        fill(&full.database, &sql)?;
        let versions = format!(
            "PostgreSQL {}, {}",
            install.version,
            process::stdout(Command::new(venv.python()).args(["-c", VERSIONS]))?
        );
        let folder = tempfile::Builder::new().prefix("bench-").tempdir()?;
        Ok(Self {
            program,
            full,
            empty,
            folder,
            versions,
            server,
        })
    }

    /// A place for files.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server of all databases.
    pub(super) fn server(&self) -> &TempServer {
        &self.server
    }

    /// The name of that database.
    pub(super) fn database(&self, of: Of) -> &str {
        self.site(of).database.name()
    }

    /// A program of the server's installation, with the variables to connect to that database.
    pub(super) fn theirs(&self, program: &str, of: Of) -> Command {
        let mut command = self.server.install().command(program);
        self.site(of).database.environment(&mut command);
        command
    }

    /// Ours in that database's project.
    pub(super) fn ours(&self, of: Of, arguments: &[&str]) -> Command {
        TestCli::in_project(&self.program, &self.site(of).project)
            .args(arguments)
            .command()
    }

    fn site(&self, of: Of) -> &Site {
        match of {
            Of::Data => &self.full,
            Of::Nothing => &self.empty,
        }
    }
}

/// One statement after the other: VACUUM wants no transaction around it.
fn fill(database: &Database, sql: &str) -> Result<()> {
    database.server().with_client(database.name(), |client| {
        for statement in statements(sql) {
            client
                .batch_execute(statement)
                .with_context(|| statement.to_owned())?;
        }
        Ok(())
    })
}

/// Our own file ends a statement at the end of a line, and nothing else there.
fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(";\n").filter(|text| !text.trim().is_empty())
}

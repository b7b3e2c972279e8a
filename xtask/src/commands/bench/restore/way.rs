//! The ways to bring a database back, or to see whether a file is whole, each run to its end.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use xtask::process;

use super::super::bulk::{Bulk, Of};
use super::super::measure::{Cost, measure, measure_pipe, measure_with_peak};

/// The same data twice: ours, with its manifest, and pg_dump's own.
pub(super) struct Archives {
    gzip: PathBuf,
    custom: PathBuf,
    /// Bytes of the SQL, and of the file.
    pub(super) plain: u64,
    pub(super) packed: u64,
    rows: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Psql,
    PgRestore,
    /// `django-migrate restore --jobs 2`
    TwoSessions,
    /// `django-migrate restore --single-transaction`
    OneTransaction,
    GzipTest,
    /// `django-migrate backup verify`
    Verify,
}

/// One run.
pub(super) struct Taken {
    pub(super) cost: Cost,
    /// The most memory that ours had at once.
    pub(super) memory: Option<u64>,
}

const INTO: &str = "restored";
const ROWS: &str = "SELECT (SELECT count(*) FROM shop.event) + (SELECT count(*) FROM shop.order_line) + \
                    (SELECT count(*) FROM shop.reading) + (SELECT count(*) FROM shop.attachment)";

impl Archives {
    pub(super) fn new(bulk: &Bulk) -> Result<Self> {
        let folder = bulk.folder().join("archives");
        let folder = folder.to_str().context("a folder's name")?;
        let backup = ["backup", "--backup-dir", folder, "--format", "json"];
        let said = process::stdout(&mut bulk.ours(Of::Data, &backup))?;
        let document: serde_json::Value = serde_json::from_str(&said)?;
        let gzip = PathBuf::from(document["file"].as_str().context("backup named no file")?);
        let custom = bulk.folder().join("custom");
        process::run(
            bulk.theirs("pg_dump", Of::Data)
                .args(["-Fc", "-w", "-f"])
                .arg(&custom),
        )?;
        let manifest = fs_err::read(gzip.with_extension("gz.json"))?;
        let manifest: serde_json::Value = serde_json::from_slice(&manifest)?;
        Ok(Self {
            packed: fs_err::metadata(&gzip)?.len(),
            plain: manifest["raw_bytes"].as_u64().context("no raw_bytes")?,
            gzip,
            custom,
            rows: bulk.server().scalar(bulk.database(Of::Data), ROWS)?,
        })
    }
}

impl Way {
    pub(super) const ALL: [Self; 6] = [
        Self::Psql,
        Self::TwoSessions,
        Self::PgRestore,
        Self::OneTransaction,
        Self::GzipTest,
        Self::Verify,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Psql => "`gunzip -c \\| psql -1`",
            Self::PgRestore => "`pg_restore -j2`",
            Self::TwoSessions => "`django-migrate restore --jobs 2`",
            Self::OneTransaction => "`django-migrate restore --single-transaction`",
            Self::GzipTest => "`gzip -t`",
            Self::Verify => "`django-migrate backup verify`",
        }
    }

    /// Does it once. Nothing of it stays.
    pub(super) fn take(self, bulk: &Bulk, archives: &Archives) -> Result<Taken> {
        match self {
            Self::GzipTest => {
                let (cost, output) = measure(Command::new("gzip").arg("-t").arg(&archives.gzip))?;
                ensure!(output.status.success(), "gzip -t: {}", output.status);
                Ok(theirs(cost))
            }
            Self::Verify => ours(bulk, archives, &["backup", "verify"], &[]),
            _ => self.restored(bulk, archives),
        }
    }

    fn restored(self, bulk: &Bulk, archives: &Archives) -> Result<Taken> {
        let server = bulk.server();
        // nobody pays for what the one before wrote
        server.execute("postgres", "CHECKPOINT")?;
        let by_ours = matches!(self, Self::TwoSessions | Self::OneTransaction);
        if !by_ours {
            server.execute(
                "postgres",
                &format!("CREATE DATABASE {INTO} TEMPLATE template0"),
            )?;
        }
        // the password stands in the environment, where no process list shows it
        let (user, host, port) = (server.user(), server.host(), server.port());
        let dsn = format!("postgresql://{user}@{host}:{port}/postgres");
        let common = ["--into", INTO, "--no-analyze", "--dsn", &dsn];
        let taken = match self {
            Self::TwoSessions => ours(
                bulk,
                archives,
                &["restore"],
                &[&common[..], &["--jobs", "2"]].concat(),
            ),
            Self::OneTransaction => ours(
                bulk,
                archives,
                &["restore"],
                &[&common[..], &["--single-transaction"]].concat(),
            ),
            Self::PgRestore => pg_restore(bulk, archives),
            _ => psql(bulk, archives),
        }?;
        let rows = server.scalar(INTO, ROWS)?;
        ensure!(
            rows == archives.rows,
            "{} left {rows} rows of {}",
            self.name(),
            archives.rows
        );
        server.drop_database(INTO)?;
        Ok(taken)
    }
}

fn theirs(cost: Cost) -> Taken {
    Taken { cost, memory: None }
}

fn psql(bulk: &Bulk, archives: &Archives) -> Result<Taken> {
    let mut unpacking = Command::new("gunzip");
    unpacking.arg("-c").arg(&archives.gzip);
    let mut psql = bulk.theirs("psql", Of::Data);
    psql.args(["-X", "-q", "-1", "-w", "-v", "ON_ERROR_STOP=1", "-d", INTO])
        .stdout(Stdio::null());
    Ok(theirs(measure_pipe(unpacking, &mut psql)?))
}

fn pg_restore(bulk: &Bulk, archives: &Archives) -> Result<Taken> {
    let mut command = bulk.theirs("pg_restore", Of::Data);
    command
        .args(["-j2", "-w", "-e", "-d", INTO])
        .arg(&archives.custom);
    let (cost, output) = measure(&mut command)?;
    ensure!(
        output.status.success(),
        "pg_restore ended with {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(theirs(cost))
}

fn ours(bulk: &Bulk, archives: &Archives, command: &[&str], flags: &[&str]) -> Result<Taken> {
    let file = archives.gzip.to_str().context("a file's name")?;
    let arguments = [command, &[file], flags].concat();
    let mut command_line = bulk.ours(Of::Data, &arguments);
    command_line.env("PGPASSWORD", bulk.server().password());
    let (cost, output, memory) = measure_with_peak(&mut command_line)?;
    ensure!(
        output.status.success(),
        "{} ended with {}\n{}",
        command.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Taken { cost, memory })
}

//! The ways to save a database, each run to its end.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::super::bulk::{Bulk, Of};
use super::super::measure::{Cost, measure, measure_pipe, measure_with_peak};

/// How a database is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Into nowhere.
    Floor,
    /// `django-migrate backup`
    Ours,
    /// `django-migrate backup --compress zstd`
    OursZstd,
    Gzip,
    Pigz,
    Custom,
}

/// One run.
pub(super) struct Taken {
    pub(super) cost: Cost,
    /// Bytes of the file.
    pub(super) file: u64,
    /// The most memory that ours had at once.
    pub(super) memory: Option<u64>,
    /// What ours says it has proven.
    pub(super) grade: Option<String>,
}

/// The server's cache and the disk's are in the same state for the first as for the others.
pub(super) fn warm(bulk: &Bulk) -> Result<()> {
    for _ in 0..2 {
        Way::Floor.take(bulk, Of::Data)?;
    }
    Ok(())
}

impl Way {
    pub(super) const ALL: [Self; 6] = [
        Self::Floor,
        Self::Ours,
        Self::OursZstd,
        Self::Gzip,
        Self::Pigz,
        Self::Custom,
    ];

    pub(super) fn name(self) -> String {
        match self {
            Self::Floor => "`pg_dump -Fp > /dev/null`, the floor".to_owned(),
            Self::Ours => "`django-migrate backup`".to_owned(),
            Self::OursZstd => "`django-migrate backup --compress zstd`".to_owned(),
            Self::Gzip => "`pg_dump -Fp \\| gzip -6`".to_owned(),
            Self::Pigz => format!("`pg_dump -Fp \\| pigz -p {} -6`", cores()),
            Self::Custom => "`pg_dump -Fc`".to_owned(),
        }
    }

    pub(super) fn is_ours(self) -> bool {
        matches!(self, Self::Ours | Self::OursZstd)
    }

    pub(super) fn is_there(self) -> bool {
        let program = match self {
            Self::Pigz => "pigz",
            Self::Gzip => "gzip",
            _ => return true,
        };
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Saves it once. Nothing of it stays.
    pub(super) fn take(self, bulk: &Bulk, of: Of) -> Result<Taken> {
        let folder = tempfile::tempdir_in(bulk.folder())?;
        let file = folder.path().join("dump");
        let mut plain = bulk.theirs("pg_dump", of);
        plain.args(["-Fp", "-w"]);
        match self {
            Self::Floor => {
                let (cost, output) = measure(plain.stdout(Stdio::null()))?;
                ensure!(output.status.success(), "pg_dump: {}", output.status);
                Ok(theirs(cost, 0))
            }
            Self::Ours => ours(bulk, of, folder.path(), &[]),
            Self::OursZstd => ours(bulk, of, folder.path(), &["--compress", "zstd"]),
            Self::Gzip => piped(plain, Command::new("gzip").arg("-6"), &file),
            Self::Pigz => piped(
                plain,
                Command::new("pigz").args(["-p", &cores().to_string(), "-6"]),
                &file,
            ),
            Self::Custom => {
                let mut custom = bulk.theirs("pg_dump", of);
                let (cost, output) = measure(custom.args(["-Fc", "-w", "-f"]).arg(&file))?;
                ensure!(output.status.success(), "pg_dump -Fc: {}", output.status);
                Ok(theirs(cost, fs_err::metadata(&file)?.len()))
            }
        }
    }
}

fn theirs(cost: Cost, file: u64) -> Taken {
    Taken {
        cost,
        file,
        memory: None,
        grade: None,
    }
}

fn piped(plain: Command, packing: &mut Command, file: &Path) -> Result<Taken> {
    let cost = measure_pipe(plain, packing.stdout(File::create(file)?))?;
    Ok(theirs(cost, fs_err::metadata(file)?.len()))
}

fn ours(bulk: &Bulk, of: Of, folder: &Path, flags: &[&str]) -> Result<Taken> {
    let folder = folder.to_str().context("a folder's name")?;
    let mut arguments = vec!["backup", "--backup-dir", folder, "--format", "json"];
    arguments.extend(flags);
    let (cost, output, memory) = measure_with_peak(&mut bulk.ours(of, &arguments))?;
    ensure!(
        output.status.success(),
        "backup ended with {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let document: serde_json::Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("backup said {}", String::from_utf8_lossy(&output.stdout)))?;
    let path = document["file"].as_str().context("backup named no file")?;
    Ok(Taken {
        cost,
        file: fs_err::metadata(path)?.len(),
        memory,
        grade: document["verified"].as_str().map(str::to_owned),
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

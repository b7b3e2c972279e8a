//! `cargo xtask dist`: one archive to hand out, the same bytes whenever and wherever it is made from one commit.
//!
//! For that the time of every entry is SOURCE_DATE_EPOCH or the commit's, the owner is 0, the order is by name, and the
//! compiler is told to forget where the sources lie.

mod archive;
mod sbom;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use xtask::process::{self, cargo};

use self::archive::Entry;

/// Build the release archive: program, completions, man page, LICENSE, README, SBOM, and its sha256
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Build a second time from scratch and compare the bytes
    #[arg(long)]
    verify: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = xtask::workspace().join("target/dist");
    let release = Release::new()?;
    let (name, bytes) = (
        release.archive_name(),
        release.build(&folder.join("build"))?,
    );
    if args.verify {
        let again = folder.join("build-again");
        if again.exists() {
            fs_err::remove_dir_all(&again)?;
        }
        if release.build(&again)? != bytes {
            bail!(
                "a second build gave other bytes: compare {0}/build with {0}/build-again",
                folder.display()
            );
        }
        fs_err::remove_dir_all(&again)?;
        println!("a second build from scratch gave the same bytes");
    }
    let sum = archive::sha256(&bytes);
    fs_err::write(folder.join(&name), &bytes)?;
    fs_err::write(
        folder.join(format!("{name}.sha256")),
        format!("{sum}  {name}\n"),
    )?;
    println!(
        "{}\nsha256 {sum}, {} bytes",
        folder.join(&name).display(),
        bytes.len()
    );
    Ok(())
}

/// What names a release.
struct Release {
    version: String,
    triple: String,
    epoch: u64,
}

impl Release {
    fn new() -> Result<Self> {
        let said = process::stdout(Command::new(rustc()).arg("-vV"))?;
        let triple = said
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("rustc names no host")?;
        Ok(Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            triple: triple.to_owned(),
            epoch: epoch()?,
        })
    }

    fn stem(&self) -> String {
        format!("django-migrate-{}-{}", self.version, self.triple)
    }

    fn archive_name(&self) -> String {
        format!("{}.tar.gz", self.stem())
    }

    /// The archive's bytes, compiled in this folder.
    fn build(&self, target: &Path) -> Result<Vec<u8>> {
        let program = self.compile(target)?;
        let mut entries = vec![
            Entry::program("django-migrate", fs_err::read(&program)?),
            Entry::text("LICENSE", fs_err::read(xtask::workspace().join("LICENSE"))?),
            Entry::text(
                "README.md",
                fs_err::read(xtask::workspace().join("README.md"))?,
            ),
            Entry::text(
                "sbom.cdx.json",
                sbom::of(&self.triple, self.epoch)?.into_bytes(),
            ),
            Entry::text("man/man1/django-migrate.1", said_by(&program, &["man"])?),
        ];
        for (shell, file) in [
            ("bash", "django-migrate.bash"),
            ("zsh", "_django-migrate"),
            ("fish", "django-migrate.fish"),
        ] {
            entries.push(Entry::text(
                &format!("completions/{file}"),
                said_by(&program, &["completions", shell])?,
            ));
        }
        archive::tar_gz(&self.stem(), self.epoch, entries)
    }

    fn compile(&self, target: &Path) -> Result<PathBuf> {
        let mut build = cargo();
        build
            .args([
                "build",
                "--release",
                "--locked",
                "--package",
                "django-migrate",
                "--target-dir",
            ])
            .arg(target);
        build
            .env("CARGO_ENCODED_RUSTFLAGS", rustflags()?)
            .env("SOURCE_DATE_EPOCH", self.epoch.to_string());
        process::show(&mut build)?;
        Ok(target.join("release/django-migrate"))
    }
}

/// The user's flags, and prefixes of paths replaced; the more special prefix is the later one, which wins.
fn rustflags() -> Result<OsString> {
    let mut flags: Vec<String> = match std::env::var("CARGO_ENCODED_RUSTFLAGS") {
        Ok(flags) => flags
            .split('\x1f')
            .filter(|flag| !flag.is_empty())
            .map(str::to_owned)
            .collect(),
        Err(_) => std::env::var("RUSTFLAGS")
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    };
    let home = std::env::var("HOME").map(|home| format!("{home}/.cargo"));
    let prefixes = [
        std::env::var("CARGO_HOME")
            .or(home)
            .map(|from| (from, "/cargo"))
            .ok(),
        Some((xtask::workspace().display().to_string(), "/django-migrate")),
    ];
    flags.extend(
        prefixes
            .into_iter()
            .flatten()
            .map(|(from, to)| format!("--remap-path-prefix={from}={to}")),
    );
    Ok(flags.join("\x1f").into())
}

/// SOURCE_DATE_EPOCH, else when the commit was made.
fn epoch() -> Result<u64> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        return epoch
            .parse()
            .context("SOURCE_DATE_EPOCH is a number of seconds");
    }
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"])
        .current_dir(xtask::workspace());
    let said = process::stdout(&mut git)
        .context("no commit to take the time from; set SOURCE_DATE_EPOCH")?;
    said.parse().context("git's time of the commit")
}

fn said_by(program: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let said = process::run(Command::new(program).args(arguments))?.stdout;
    if said.is_empty() {
        bail!("`django-migrate {}` printed nothing", arguments.join(" "));
    }
    Ok(said)
}

fn rustc() -> OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

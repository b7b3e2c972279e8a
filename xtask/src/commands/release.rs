//! `cargo xtask release`: a version, from a clean tree to a tag. Pushing stays with the person.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use xtask::process::{self, cargo};

use super::ci;

/// Make a release: clean tree, ci, version, changelog, commit, tag
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The new version; the next patch version otherwise
    version: Option<String>,
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let current = Version::parse(env!("CARGO_PKG_VERSION"))?;
    let next = match &args.version {
        Some(version) => Version::parse(version)?,
        None => current.next_patch(),
    };
    let tag = format!("v{next}");
    if next <= current && tag_exists(&format!("v{current}"))? {
        bail!("{next} is not newer than {current}, which is tagged already");
    }
    if tag_exists(&tag)? {
        bail!("the tag {tag} exists already");
    }
    let dirty = git(&["status", "--porcelain"])?;
    let section = section(&next, &today(), &commits()?);
    if args.dry_run {
        println!("version:   {current} -> {next}");
        println!(
            "tree:      {}",
            if dirty.is_empty() {
                "clean"
            } else {
                "NOT CLEAN: a release would stop here"
            }
        );
        println!("checks:    cargo xtask ci");
        println!("commit:    Release {next}");
        println!(
            "tag:       {tag}, {}",
            if signs()? {
                "signed"
            } else {
                "annotated (user.signingkey is not set)"
            }
        );
        println!("changelog: {}\n\n{section}", changelog().display());
        return Ok(());
    }
    if !dirty.is_empty() {
        bail!("the tree is not clean:\n{dirty}");
    }
    ci::run(&ci::Args::default())?;
    write_version(&current, &next)?;
    write_changelog(&section)?;
    git(&[
        "add",
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "crates/cli/CHANGELOG.md",
    ])?;
    git(&["commit", "--quiet", "--message", &format!("Release {next}")])?;
    git(&[
        "tag",
        if signs()? { "--sign" } else { "--annotate" },
        // `#` begins a heading here, not a comment
        "--cleanup=whitespace",
        &tag,
        "--message",
        &section,
    ])?;
    println!("{tag} is made. To publish it: git push --follow-tags");
    Ok(())
}

/// `major.minor.patch`; pre-releases are not made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u64, u64, u64);

impl Version {
    fn parse(text: &str) -> Result<Self> {
        let numbers: Option<Vec<u64>> = text
            .trim_start_matches('v')
            .split('.')
            .map(|number| number.parse().ok())
            .collect();
        match numbers.as_deref() {
            Some(&[major, minor, patch]) => Ok(Self(major, minor, patch)),
            _ => bail!("`{text}` is not a version like 1.2.3"),
        }
    }

    fn next_patch(self) -> Self {
        Self(self.0, self.1, self.2 + 1)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The workspace's manifest, the lock file that follows from it, and the README where it names an archive or a tag.
fn write_version(current: &Version, next: &Version) -> Result<()> {
    let manifest = xtask::workspace().join("Cargo.toml");
    let text = fs_err::read_to_string(&manifest)?;
    let (old, new) = (
        format!("version = \"{current}\""),
        format!("version = \"{next}\""),
    );
    let (before, after) = text
        .split_once(&old)
        .context("the workspace's version is not where it was")?;
    fs_err::write(&manifest, format!("{before}{new}{after}"))?;
    process::run(cargo().args(["metadata", "--offline", "--format-version", "1"]))?;
    let readme = xtask::workspace().join("README.md");
    let text = fs_err::read_to_string(&readme)?;
    let text = text.replace(
        &format!("django-migrate-{current}"),
        &format!("django-migrate-{next}"),
    );
    Ok(fs_err::write(
        &readme,
        text.replace(&format!("v{current}"), &format!("v{next}")),
    )?)
}

fn write_changelog(section: &str) -> Result<()> {
    const TITLE: &str = "# Changelog\n";
    let old = fs_err::read_to_string(changelog()).unwrap_or_else(|_| TITLE.to_owned());
    let sections = old.strip_prefix(TITLE).unwrap_or(&old).trim_start();
    Ok(fs_err::write(
        changelog(),
        format!("{TITLE}\n{section}\n{sections}"),
    )?)
}

fn changelog() -> PathBuf {
    xtask::workspace().join("crates/cli/CHANGELOG.md")
}

fn section(version: &Version, date: &str, commits: &[String]) -> String {
    let lines: String = commits
        .iter()
        .map(|commit| format!("- {commit}\n"))
        .collect();
    format!("## {version} - {date}\n\n{lines}")
}

/// Subjects since the last tag, or of all commits where there is none.
fn commits() -> Result<Vec<String>> {
    let range = match git(&["describe", "--tags", "--abbrev=0"]) {
        Ok(last) => format!("{last}..HEAD"),
        Err(_) => "HEAD".to_owned(),
    };
    let said = git(&["log", "--no-merges", "--format=%s", &range])?;
    Ok(said
        .lines()
        .filter(|line| !line.starts_with("Release "))
        .map(str::to_owned)
        .collect())
}

fn today() -> String {
    jiff::Zoned::now().date().to_string()
}

fn tag_exists(tag: &str) -> Result<bool> {
    Ok(!git(&["tag", "--list", tag])?.is_empty())
}

fn signs() -> Result<bool> {
    let mut command = Command::new("git");
    command
        .args(["config", "--get", "user.signingkey"])
        .current_dir(xtask::workspace());
    Ok(command.output()?.status.success())
}

fn git(arguments: &[&str]) -> Result<String> {
    process::stdout(
        Command::new("git")
            .args(arguments)
            .current_dir(xtask::workspace()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_numbers_in_order() -> Result<()> {
        assert_eq!(Version::parse("v1.2.3")?, Version(1, 2, 3));
        assert_eq!(Version::parse("0.9.9")?.next_patch().to_string(), "0.9.10");
        assert!(Version::parse("0.10.0")? > Version::parse("0.9.10")?);
        for wrong in ["1.2", "1.2.3.4", "1.2.x", "", "1.2.3-rc1"] {
            assert!(Version::parse(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }

    #[test]
    fn a_section_names_version_date_and_each_commit() {
        let commits = ["One".to_owned(), "Two".to_owned()];
        assert_eq!(
            section(&Version(1, 0, 0), "2026-11-22", &commits),
            "## 1.0.0 - 2026-11-22\n\n- One\n- Two\n"
        );
    }
}

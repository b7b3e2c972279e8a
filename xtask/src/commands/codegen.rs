//! `cargo xtask codegen`: the reference documents, which the program itself writes out of its tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use xtask::process::{self, cargo};

/// Write the reference documents (exit codes, flags, environment, hazards) out of the program's own tables
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail where a document is not what the tables say
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.check {
        return check();
    }
    let (folder, fresh) = (folder(), generated()?);
    for old in documents(&folder)?
        .keys()
        .filter(|old| !fresh.contains_key(*old))
    {
        fs_err::remove_file(folder.join(old))?;
        println!("removed {}", folder.join(old).display());
    }
    for (name, text) in &fresh {
        let path = folder.join(name);
        if fs_err::read(&path).ok().as_ref() != Some(text) {
            fs_err::create_dir_all(path.parent().unwrap_or(&folder))?;
            fs_err::write(&path, text)?;
            println!("wrote {}", path.display());
        }
    }
    Ok(())
}

/// Compares what is there with what the tables say now.
pub(crate) fn check() -> Result<()> {
    let differences = differences(&documents(&folder())?, &generated()?);
    if differences.is_empty() {
        return Ok(());
    }
    bail!(
        "reference documents are not what the tables say:\n  {}\nhint: cargo xtask codegen",
        differences.join("\n  ")
    );
}

type Documents = BTreeMap<PathBuf, Vec<u8>>;

fn differences(kept: &Documents, fresh: &Documents) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in fresh {
        match kept.get(name) {
            Some(old) if old == text => {}
            Some(old) => found.push(format!(
                "{}: line {} differs",
                name.display(),
                first_difference(old, text)
            )),
            None => found.push(format!("{}: is missing", name.display())),
        }
    }
    let extra = kept.keys().filter(|name| !fresh.contains_key(*name));
    found.extend(extra.map(|name| format!("{}: is no longer generated", name.display())));
    found
}

fn first_difference(old: &[u8], new: &[u8]) -> usize {
    let (old, new) = (
        old.split(|byte| *byte == b'\n'),
        new.split(|byte| *byte == b'\n'),
    );
    1 + old.zip(new).take_while(|(old, new)| old == new).count()
}

fn folder() -> PathBuf {
    xtask::workspace().join("crates/cli/docs/reference")
}

fn generated() -> Result<Documents> {
    let fresh = tempfile::tempdir()?;
    let mut command = cargo();
    command
        .args([
            "run",
            "--quiet",
            "--package",
            "django-migrate",
            "--",
            "reference",
            "--dir",
        ])
        .arg(fresh.path());
    process::run(&mut command)?;
    let mut documents = documents(fresh.path())?;
    let Some(codes) = documents.get(Path::new("exit-codes.md")) else {
        bail!("`django-migrate reference` wrote no exit-codes.md");
    };
    let workspace = xtask::workspace();
    let folders = [workspace.join("tests"), workspace.join("crates/cli/src")];
    let halts = super::halts::page(
        &String::from_utf8_lossy(codes),
        &folders.each_ref().map(PathBuf::as_path),
    )?;
    documents.insert(PathBuf::from("halts.md"), halts.into_bytes());
    Ok(documents)
}

fn documents(folder: &Path) -> Result<Documents> {
    let mut found = Documents::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        if !next.exists() {
            continue;
        }
        for entry in fs_err::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.insert(path.strip_prefix(folder)?.to_owned(), fs_err::read(&path)?);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_changed_and_stale_documents_are_named() {
        let of = |list: &[(&str, &str)]| -> Documents {
            list.iter()
                .map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec()))
                .collect()
        };
        let kept = of(&[
            ("same.md", "a"),
            ("changed.md", "a\nb\nc"),
            ("stale.md", ""),
        ]);
        let fresh = of(&[("same.md", "a"), ("changed.md", "a\nB\nc"), ("new.md", "")]);
        assert_eq!(
            differences(&kept, &fresh),
            [
                "changed.md: line 2 differs",
                "new.md: is missing",
                "stale.md: is no longer generated"
            ]
        );
        assert!(differences(&kept, &kept).is_empty());
    }
}

//! What the server did with each form, and which of them are hazards. No tool's opinion is known here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use xtask::process;
use xtask::servers::{TempServer, variable};

use super::MAJOR;

/// A statement, or several in one transaction, with what was measured; by relation that existed before.
#[derive(Debug, Deserialize)]
pub(super) struct Form {
    pub(super) sql: String,
    locks: BTreeMap<String, String>,
    rewrites: BTreeSet<String>,
    scans: BTreeMap<String, BTreeSet<String>>,
    gone: BTreeSet<String>,
    /// It refuses to run in a transaction.
    pub(super) outside: bool,
}

#[derive(Deserialize)]
struct Record {
    major: u32,
    indexes: BTreeSet<String>,
    forms: Vec<Form>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// Others are kept waiting for as long as a table is rewritten, read in full, or an index built.
    Hazard,
    /// None of this, but something that queries name, or rows, are gone: a warning is in place, of whatever.
    Gone,
    /// Others are kept from reading or writing for a moment.
    Brief,
    /// Nobody waits who only reads or writes.
    Free,
}

/// Modes that keep INSERT, or SELECT as well, waiting.
const BLOCKING: [&str; 4] = [
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
];

impl Form {
    pub(super) fn group(&self) -> Group {
        let blocks = self
            .locks
            .values()
            .any(|mode| BLOCKING.contains(&mode.as_str()));
        let works = !self.rewrites.is_empty() || !self.scans.is_empty();
        match (blocks, works) {
            (true, true) => Group::Hazard,
            _ if !self.gone.is_empty() => Group::Gone,
            (true, false) => Group::Brief,
            (false, _) => Group::Free,
        }
    }

    /// What was measured, in a line.
    pub(super) fn measured(&self) -> String {
        let locks = self
            .locks
            .iter()
            .filter(|(_, mode)| BLOCKING.contains(&mode.as_str()));
        let locks: Vec<String> = locks
            .map(|(name, mode)| format!("{mode} on {name}"))
            .collect();
        let scans = self
            .scans
            .iter()
            .flat_map(|(name, why)| why.iter().map(move |why| format!("{why} of {name}")));
        let mut all = locks;
        all.extend(scans);
        all.join(", ")
    }
}

/// The truth suite's own test writes what it measures.
pub(super) fn measure(server: &TempServer) -> Result<Vec<Form>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("truth.json");
    let mut test = process::cargo();
    test.args(["nextest", "run", "--package", "django-migrate", "-E"])
        .arg(format!("test(=truth::what_is_foreseen_happens_on_{MAJOR})"))
        .env("TRUTH_JSON", &path)
        .env(variable(MAJOR), server.dsn("postgres"));
    process::run(&mut test)
        .context("the truth suite has to hold before anybody is judged by it")?;
    read(&path)
}

fn read(path: &Path) -> Result<Vec<Form>> {
    let mut record: Record = serde_json::from_slice(&fs_err::read(path)?)?;
    anyhow::ensure!(record.major == MAJOR, "measured on {}", record.major);
    for form in &mut record.forms {
        // an index is locked with its table, or when nobody uses it any more
        form.locks.retain(|name, _| !record.indexes.contains(name));
    }
    Ok(record.forms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(locks: &[(&str, &str)], scans: &[&str], gone: &[&str]) -> Form {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<BTreeSet<_>>()
        };
        Form {
            sql: String::new(),
            locks: locks
                .iter()
                .map(|(name, mode)| ((*name).to_owned(), (*mode).to_owned()))
                .collect(),
            rewrites: BTreeSet::new(),
            scans: scans
                .iter()
                .map(|name| ((*name).to_owned(), owned(&["verify"])))
                .collect(),
            gone: owned(gone),
            outside: false,
        }
    }

    #[test]
    fn only_a_blocking_lock_with_work_is_a_hazard() {
        let strong = [("public.item", "ShareRowExclusiveLock")];
        let weak = [("public.item", "ShareUpdateExclusiveLock")];
        assert_eq!(form(&strong, &["public.item"], &[]).group(), Group::Hazard);
        assert_eq!(form(&weak, &["public.item"], &[]).group(), Group::Free);
        assert_eq!(form(&strong, &[], &[]).group(), Group::Brief);
        assert_eq!(
            form(&strong, &[], &["public.item.note"]).group(),
            Group::Gone
        );
        assert_eq!(
            form(&strong, &["public.item"], &["public.item.note"]).group(),
            Group::Hazard
        );
    }
}

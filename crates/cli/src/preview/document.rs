//! `preview --format json`, as cli.md promises it, and that of `rollback`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use super::locks::{self, Locked};
use super::{Breaks, Deploy, Missing, Preview, PreviewMigration, Verdict};
use crate::hazards::{self, Finding, Severity};
use crate::policy;
use crate::sql::Statement;

/// The database of the document.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Described {
    pub(crate) alias: String,
    pub(crate) name: String,
    pub(crate) server_version: u32,
}

#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    command: &'static str,
    database: Described,
    plan_fingerprint: &'a str,
    migrations: Vec<Migration<'a>>,
    verdict: Verdict,
    findings: Vec<&'a Finding>,
}

#[derive(Debug, Serialize)]
struct Migration<'a> {
    app: &'a str,
    name: &'a str,
    atomic: bool,
    reversible: bool,
    complete: bool,
    missing: &'a [Missing],
    sql_source: &'static str,
    deploy: Deploy,
    breaks: &'a Breaks,
    statements: &'a [Statement],
    reverse_statements: &'a [Statement],
    locks: Vec<Locked>,
    /// By code: what a waiver of it in this migration names as `sql`.
    waiver_hashes: BTreeMap<&'static str, String>,
    findings: &'a [Finding],
}

pub(crate) fn document(preview: &Preview, database: Described) -> Document<'_> {
    Document {
        schema_version: 1,
        command: "preview",
        database,
        plan_fingerprint: &preview.fingerprint,
        migrations: preview.migrations.iter().map(migration).collect(),
        verdict: preview.verdict(),
        findings: preview
            .migrations
            .iter()
            .flat_map(PreviewMigration::all_findings)
            .collect(),
    }
}

/// The same for a plan that goes back: `rollback --format json`.
pub(crate) fn back_document(preview: &Preview, database: &Described) -> Value {
    let migrations = preview.migrations.iter().map(|m| {
        json!({
            "app": m.id.app,
            "name": m.id.name,
            "atomic": m.atomic,
            "reversible": m.reversible(),
            "irreversible": m.irreversible,
            "complete": m.complete(),
            "missing": m.missing,
            "sql_source": source(m),
            "statements": m.statements,
            "findings": m.findings,
            "destroys": m.destroys(),
            "not_brought_back": m.not_brought_back,
        })
    });
    let findings = preview
        .migrations
        .iter()
        .flat_map(PreviewMigration::all_findings);
    json!({
        "schema_version": 1,
        "command": "rollback",
        "database": database,
        "plan_fingerprint": preview.fingerprint,
        "migrations": migrations.collect::<Vec<_>>(),
        "verdict": preview.verdict(),
        "findings": findings.collect::<Vec<_>>(),
    })
}

fn source(m: &PreviewMigration) -> &'static str {
    match m.statements.is_empty() && !m.complete() {
        true => "unavailable",
        false => "collected",
    }
}

fn waiver_hashes(m: &PreviewMigration) -> BTreeMap<&'static str, String> {
    let asks = m
        .all_findings()
        .filter(|f| f.severity >= Severity::Ask && hazards::least(f.code) != Some(Severity::Stop));
    let codes: BTreeSet<&'static str> = asks.map(|finding| finding.code).collect();
    let hashes = codes.into_iter();
    hashes
        .filter_map(|code| Some((code, policy::hash_of(m, code)?)))
        .collect()
}

fn migration(m: &PreviewMigration) -> Migration<'_> {
    Migration {
        app: &m.id.app.0,
        name: &m.id.name.0,
        atomic: m.atomic,
        reversible: m.reversible(),
        complete: m.complete(),
        missing: &m.missing,
        sql_source: source(m),
        deploy: m.deploy,
        breaks: &m.breaks,
        statements: &m.statements,
        reverse_statements: &m.reverse,
        locks: locks::of_migration(m),
        waiver_hashes: waiver_hashes(m),
        findings: &m.findings,
    }
}

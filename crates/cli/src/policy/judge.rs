//! Rules and waivers, put to the findings of a plan or of a script.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::sql_hash::{hash, sql_hash};
use super::{Policy, Scope, Waived, Waiver};
use crate::hazards::{Finding, beyond};
use crate::preview::{Preview, PreviewMigration};
use crate::sql::Statement;

impl Policy {
    /// The findings of a plan. What comes back is told: waivers that fit nothing here.
    pub(crate) fn judge_plan(&self, preview: &mut Preview, today: Date) -> Vec<String> {
        let mut used = BTreeSet::new();
        for m in &mut preview.migrations {
            let app = m.id.app.clone();
            m.each_finding(|finding| self.weigh(finding, Some(&app)));
            for waiver in &self.waivers {
                let notes = waive_in(waiver, m, today);
                if let Some(notes) = notes {
                    used.insert(waiver.place.as_str());
                    m.findings.extend(notes);
                }
            }
        }
        let unused = self
            .waivers
            .iter()
            .filter(|w| !used.contains(w.place.as_str()));
        unused
            .map(|w| format!("{} ({}) fits nothing in this plan", w.place, w.code))
            .collect()
    }

    /// The findings of one statement of a script, which is of no app and of no migration.
    pub(crate) fn judge_statement(&self, statement: &mut Statement, today: Date) {
        for finding in &mut statement.findings {
            self.weigh(finding, None);
        }
        if self.waivers.is_empty() || statement.findings.is_empty() {
            return;
        }
        let is_it = sql_hash(&statement.sql);
        for waiver in self.waivers.iter().filter(|waiver| !waiver.is_over(today)) {
            if waiver.scope == Scope::Statement(is_it.clone()) {
                let findings = statement.findings.iter_mut();
                findings
                    .filter(|finding| finding.code == waiver.code)
                    .for_each(|finding| finding.waived = Some(waiver.waived()));
            }
        }
    }
}

impl Waiver {
    fn is_over(&self, today: Date) -> bool {
        today > self.expires
    }

    fn waived(&self) -> Waived {
        Waived {
            reason: self.reason.clone(),
            expires: self.expires.to_string(),
        }
    }
}

/// None where the waiver is not about this migration; else what is to be said of it.
fn waive_in(waiver: &Waiver, m: &mut PreviewMigration, today: Date) -> Option<Vec<Finding>> {
    let wanted = match &waiver.scope {
        Scope::Statement(wanted) => {
            let has_it = |s: &Statement| has(&s.findings, waiver) && sql_hash(&s.sql) == *wanted;
            if !m.statements.iter().any(has_it) {
                return None;
            }
            Some(wanted.clone())
        }
        Scope::Migration { id, sql } => {
            if m.id != *id {
                return None;
            }
            let is_hash = hash_of(m, &waiver.code)?;
            if sql.as_ref() != Some(&is_hash) {
                return Some(vec![not_bound(waiver, sql.as_deref(), &is_hash)]);
            }
            None
        }
    };
    if waiver.is_over(today) {
        let message = format!(
            "{} for {} ended on {}: {}",
            waiver.place, waiver.code, waiver.expires, waiver.reason
        );
        return Some(vec![beyond::finding("waiver-expired", message)]);
    }
    let waive = |findings: &mut Vec<Finding>| {
        let these = findings.iter_mut().filter(|f| f.code == waiver.code);
        these.for_each(|finding| finding.waived = Some(waiver.waived()));
    };
    for statement in &mut m.statements {
        let is_meant = wanted.as_ref().is_none_or(|wanted| {
            has(&statement.findings, waiver) && sql_hash(&statement.sql) == *wanted
        });
        if is_meant {
            waive(&mut statement.findings);
        }
    }
    if wanted.is_none() {
        waive(&mut m.findings);
    }
    Some(Vec::new())
}

fn has(findings: &[Finding], waiver: &Waiver) -> bool {
    findings.iter().any(|finding| finding.code == waiver.code)
}

fn not_bound(waiver: &Waiver, given: Option<&str>, is: &str) -> Finding {
    let Waiver { place, code, .. } = waiver;
    let message = match given {
        None => format!("{place} for {code} names no SQL: sql = \"{is}\" would"),
        Some(given) => format!(
            "{place} for {code} is for other SQL (sql = \"{given}\"); what would run now is sql = \"{is}\""
        ),
    };
    beyond::finding("waiver-not-bound", message)
}

/// What a waiver of `code` in a migration is bound to; none where the migration has no such finding. Of one statement it is
/// the statement's own hash. What is said of the migration as a whole is bound to its file.
pub(crate) fn hash_of(m: &PreviewMigration, code: &str) -> Option<String> {
    let mut parts: Vec<String> = m
        .statements
        .iter()
        .filter(|s| s.findings.iter().any(|f| f.code == code))
        .map(|s| sql_hash(&s.sql))
        .collect();
    if m.findings.iter().any(|f| f.code == code) {
        parts.push(hash(m.sha256.as_deref().unwrap_or_default()));
    }
    match parts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(hash(&several.join(" "))),
    }
}

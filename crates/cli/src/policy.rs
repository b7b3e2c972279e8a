//! What the project says about findings: how grave they are to it, and which of them it has looked at and waives.
//!
//! Pure. A rule changes a severity, the last one that fits counts; a waiver takes one finding out of the verdict, for SQL
//! that somebody has read, and until a day. Neither touches what a plan destroys: that is agreed to by its phrase.
//! Absent: how grave a finding is without a word of the project (`hazards`), and reading `pyproject.toml` (`settings`).

mod judge;
mod sql_hash;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::civil::Date;
use wildmatch::WildMatch;

pub(crate) use judge::hash_of;
pub(crate) use sql_hash::sql_hash;

use crate::hazards::{Finding, Severity};
use crate::names::{AppLabel, MigrationId};
use crate::sql::Relation;

/// `[[tool.django-migrate.policy]]` and `[[tool.django-migrate.waivers]]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    pub(crate) rules: Vec<Rule>,
    pub(crate) waivers: Vec<Waiver>,
}

/// A severity for what fits all that is said; what is not said fits everything.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) codes: Vec<String>,
    pub(crate) apps: Vec<String>,
    pub(crate) tables: Vec<TablePattern>,
    /// Bytes; a table whose size is not known is not smaller.
    pub(crate) smaller_than: Option<u64>,
    /// Bytes; a table whose size is not known is not larger.
    pub(crate) larger_than: Option<u64>,
    pub(crate) severity: Severity,
}

/// `public.shop_*`, or without a schema `shop_*`.
#[derive(Debug, Clone)]
pub(crate) struct TablePattern(pub(crate) WildMatch);

impl TablePattern {
    fn fits(&self, relation: &Relation) -> bool {
        self.0.matches(&relation.to_string()) || self.0.matches(relation.name())
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Waiver {
    pub(crate) code: String,
    pub(crate) scope: Scope,
    pub(crate) reason: String,
    /// The last day on which it counts.
    pub(crate) expires: Date,
    /// `waivers[2]`
    pub(crate) place: String,
}

/// What a waiver is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All findings of the code in a migration; they count as waived while their SQL has this hash.
    Migration {
        id: MigrationId,
        sql: Option<String>,
    },
    /// One statement by the hash of its SQL, wherever it is.
    Statement(String),
}

/// A finding that somebody looked at and accepted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Waived {
    pub(crate) reason: String,
    pub(crate) expires: String,
}

impl fmt::Display for Waived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, until {}", self.reason, self.expires)
    }
}

/// Where this machine is: an expiry is a day.
pub(crate) fn today() -> Date {
    jiff::Zoned::now().date()
}

impl Policy {
    /// How grave a finding is to the project.
    fn weigh(&self, finding: &mut Finding, app: Option<&AppLabel>) {
        let rule = self.rules.iter().rev().find(|rule| rule.fits(finding, app));
        if let Some(rule) = rule {
            let least = crate::hazards::least(finding.code);
            finding.severity = rule.severity.max(least.unwrap_or(Severity::Note));
        }
    }
}

impl Rule {
    fn fits(&self, finding: &Finding, app: Option<&AppLabel>) -> bool {
        let relation = finding.relation.as_ref();
        let any = |said: &[String], is: Option<&str>| {
            said.is_empty() || is.is_some_and(|is| said.iter().any(|one| one == is))
        };
        let fits_table =
            |relation: &Relation| self.tables.iter().any(|pattern| pattern.fits(relation));
        let size = |limit: Option<u64>, fits: fn(u64, u64) -> bool| {
            limit.is_none_or(|limit| finding.bytes.is_some_and(|bytes| fits(bytes, limit)))
        };
        any(&self.codes, Some(finding.code))
            && any(&self.apps, app.map(|app| app.0.as_str()))
            && (self.tables.is_empty() || relation.is_some_and(fits_table))
            && size(self.smaller_than, |bytes, limit| bytes < limit)
            && size(self.larger_than, |bytes, limit| bytes > limit)
    }
}

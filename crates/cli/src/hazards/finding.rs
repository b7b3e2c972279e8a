//! What an assessment says: the FINDING of the JSON output.

use crate::sql::Relation;
use serde::Serialize;
use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    /// What to do instead, in Django's terms: mostly the words of the hazard's page.
    pub(crate) remedy: Cow<'static, str>,
    pub(crate) relation: Option<Relation>,
}

/// What a finding asks of the run; the gravest of all findings is the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Severity {
    /// Worth knowing.
    Note,
    /// Somebody has to agree.
    Ask,
    /// It cannot work, or must not.
    Stop,
}

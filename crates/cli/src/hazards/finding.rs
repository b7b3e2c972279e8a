//! What an assessment says: the FINDING of the JSON output.

use crate::policy::Waived;
use crate::sql::Relation;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    /// What to do instead, in Django's terms: mostly the words of the hazard's page.
    pub(crate) remedy: Cow<'static, str>,
    pub(crate) relation: Option<Relation>,
    /// The size of `relation`, where it is known.
    #[serde(skip)]
    pub(crate) bytes: Option<u64>,
    /// Somebody looked at it and accepted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waived: Option<Waived>,
}

impl Finding {
    /// What it asks of the run: of a waived one nothing.
    pub(crate) fn counts(&self) -> Severity {
        match self.waived {
            Some(_) => Severity::Note,
            None => self.severity,
        }
    }
}

/// What a finding asks of the run; the gravest of all findings is the verdict.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::Display,
)]
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

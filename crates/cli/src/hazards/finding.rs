//! What an assessment says: the FINDING of the JSON output.

use crate::policy::Waived;
use crate::sql::Relation;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) code: &'static str,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    /// What to do instead, in Django's terms: mostly the words of the hazard's page.
    #[serde(serialize_with = "remedy")]
    pub(crate) remedy: Cow<'static, str>,
    pub(crate) relation: Option<Relation>,
    /// The size of `relation`, where it is known.
    #[serde(skip)]
    pub(crate) bytes: Option<u64>,
    /// Somebody looked at it and accepted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waived: Option<Waived>,
}

/// The words of a page stand in thousands of findings: they are escaped once.
#[expect(clippy::ptr_arg, reason = "serde gives a reference to the field")]
fn remedy<S: Serializer>(words: &Cow<'static, str>, serializer: S) -> Result<S::Ok, S::Error> {
    type Escaped = HashMap<(*const u8, usize), Box<RawValue>, foldhash::fast::RandomState>;
    thread_local! {
        static ESCAPED: RefCell<Escaped> = RefCell::default();
    }
    let Cow::Borrowed(page) = words else {
        return words.serialize(serializer);
    };
    let at = (page.as_ptr(), page.len());
    ESCAPED.with_borrow_mut(|escaped| match escaped.get(&at) {
        Some(known) => known.serialize(serializer),
        None => {
            let new = serde_json::value::to_raw_value(page).map_err(S::Error::custom)?;
            escaped.entry(at).or_insert(new).serialize(serializer)
        }
    })
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

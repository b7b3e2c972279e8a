//! How far a project's policy may turn a finding down: what takes data away, what nobody can know, and what cannot work
//! stays a question, or a stop.

use super::Severity;

/// Hazards that are about data which goes, where their statement destroys some.
pub(crate) const DESTROYS: [&str; 9] = [
    "drop-table",
    "drop-column",
    "drop-contents",
    "truncate",
    "delete-all-rows",
    "drop-object",
    "cascade",
    "narrowing-type-change",
    "destructive-code",
];

/// What is not known, and statements that fail on what the database holds today.
const ASK: [&str; 13] = [
    "unreadable-statement",
    "column-in-use",
    "dependents-in-the-way",
    "pending-triggers",
    "unique-default",
    "enum-value-in-transaction",
    "incomplete-sql",
    "rows-with-null",
    "duplicate-rows",
    "orphan-rows",
    "values-too-long",
    "values-out-of-range",
    "rows-without-value",
];

/// What cannot work. No waiver makes it work.
const STOP: [&str; 3] = [
    "not-in-transaction",
    "no-way-back",
    "invalid-index-in-the-way",
];

/// The least severity that a policy may give; none where it may give any.
pub(crate) fn least(code: &str) -> Option<Severity> {
    if STOP.contains(&code) {
        return Some(Severity::Stop);
    }
    (ASK.contains(&code) || DESTROYS.contains(&code)).then_some(Severity::Ask)
}

#[cfg(test)]
mod tests {
    use super::{ASK, DESTROYS, STOP};
    use crate::hazards::{all, beyond};

    #[test]
    fn each_is_a_code() {
        let hazards = all().iter().map(|hazard| hazard.code);
        let codes: Vec<&str> = hazards.chain(beyond::all().map(|row| row.code)).collect();
        for code in ASK.iter().chain(&DESTROYS).chain(&STOP) {
            assert!(codes.contains(code), "{code}");
        }
    }
}

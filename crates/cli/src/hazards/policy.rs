//! How grave each hazard is, in one table.

use super::finding::{Finding, Severity};
use super::scene::{Fact, Scene};

/// Whether the size of the table matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weighs {
    Always,
    /// No more than a note on a table that is known to be tiny.
    BySize,
}

use Severity::{Ask, Note, Stop};
use Weighs::{Always, BySize};

const TABLE: &[(&str, Severity, Weighs)] = &[
    ("unreadable-statement", Ask, Always),
    ("drop-table", Ask, Always),
    ("drop-column", Ask, Always),
    ("drop-contents", Ask, Always),
    ("truncate", Ask, Always),
    ("delete-all-rows", Ask, Always),
    ("update-all-rows", Ask, Always),
    ("drop-object", Ask, Always),
    ("cascade", Ask, Always),
    ("narrowing-type-change", Ask, Always),
    ("destructive-code", Ask, Always),
    ("not-in-transaction", Stop, Always),
    ("column-in-use", Ask, Always),
    ("dependents-in-the-way", Ask, Always),
    ("pending-triggers", Ask, Always),
    ("unique-default", Ask, Always),
    ("enum-value-in-transaction", Ask, Always),
    ("transaction-control", Ask, Always),
    ("guard-changed", Ask, Always),
    ("disable-trigger", Ask, Always),
    ("alter-column-type", Ask, BySize),
    ("rewrite-table", Ask, BySize),
    ("add-column-volatile-default", Ask, BySize),
    ("add-column-domain", Ask, BySize),
    ("add-column-serial", Ask, BySize),
    ("add-column-generated", Ask, BySize),
    ("add-column-not-null", Ask, Always),
    ("set-not-null", Ask, BySize),
    ("add-check", Ask, BySize),
    ("add-foreign-key", Ask, BySize),
    ("add-unique", Ask, BySize),
    ("add-exclude", Ask, BySize),
    ("create-index", Ask, BySize),
    ("validate-with-add", Ask, BySize),
    ("work-under-lock", Ask, BySize),
    ("rename-table", Ask, Always),
    ("rename-column", Ask, Always),
    ("drop-index", Note, Always),
    ("drop-foreign-key", Note, Always),
    ("foreign-key-locks-parent", Note, Always),
    ("attach-partition", Ask, BySize),
    ("detach-partition", Note, Always),
    ("lock-table", Note, Always),
    ("reindex", Ask, BySize),
    ("refresh-view", Ask, BySize),
    ("alter-sequence", Note, Always),
    ("alter-domain", Ask, BySize),
    ("unknown-effect", Ask, Always),
    ("long-lock", Ask, BySize),
];

/// Of a table that is not known to be small.
pub(crate) fn severity(code: &str) -> Severity {
    of(code).0
}

/// `ask`, or `ask; note on a table of at most 1 MB`.
pub(super) fn describe(code: &str) -> String {
    let (severity, weighs) = of(code);
    match weighs {
        Always => severity.to_string(),
        BySize => format!("{severity}; {Note} on a table that is known to be of at most 1 MB"),
    }
}

fn of(code: &str) -> (Severity, Weighs) {
    TABLE
        .iter()
        .find(|(known, ..)| *known == code)
        .map_or((Ask, Always), |(_, severity, weighs)| (*severity, *weighs))
}

/// The finding for a fact; a code that the table does not have asks.
pub(super) fn finding(code: &'static str, fact: Fact, scene: &Scene<'_>) -> Finding {
    let (severity, weighs) = of(code);
    let tiny = weighs == BySize
        && fact
            .relation
            .as_ref()
            .is_some_and(|relation| scene.is_tiny(relation));
    Finding {
        code,
        severity: if tiny { Note.min(severity) } else { severity },
        message: fact.message,
        remedy: fact.remedy,
        bytes: fact
            .relation
            .as_ref()
            .and_then(|relation| scene.known.facts(relation)?.bytes),
        relation: fact.relation,
        waived: None,
    }
}

#[cfg(test)]
mod tests {
    use super::TABLE;
    use crate::hazards::all;

    #[test]
    fn every_hazard_has_a_severity() {
        let hazards: Vec<_> = all().iter().map(|hazard| hazard.code).collect();
        let policy: Vec<_> = TABLE.iter().map(|(code, ..)| *code).collect();
        assert_eq!(hazards, policy);
    }
}

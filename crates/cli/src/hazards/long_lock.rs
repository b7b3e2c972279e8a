//! Work under a strong lock that no other hazard explains: what the forecast knows is said, also where nobody wrote a page
//! about the form.

use super::scene::{Fact, Scene};
use super::{Finding, Hazard};
use crate::sql::{Blocks, ScanReason};

pub(super) const HAZARD: Hazard = Hazard {
    code: "long-lock",
    title: "A table is read or written in full under a strong lock",
    happens: "The statement takes a lock that keeps others from writing or reading, and holds it while it reads or writes all rows of a table.",
    hurts: "Others wait for as long as that takes: the larger the table, the longer.",
    safer: "Look for a form that does the work under a weaker lock first (CONCURRENTLY, NOT VALID and VALIDATE, a valid CHECK that proves it); else a maintenance window.",
    bad: "RunSQL(\"CREATE TABLE log_05 PARTITION OF log FOR VALUES …\")  # log_default is read to see that it has no such row",
    good: "RunSQL(\"ALTER TABLE log_default ADD CONSTRAINT no_05 CHECK (…) NOT VALID\"), VALIDATE, then CREATE TABLE",
    run,
};

/// Hazards whose messages are about something else than the work under a lock.
const OTHERS: [&str; 25] = [
    "unique-default",
    "enum-value-in-transaction",
    "column-in-use",
    "dependents-in-the-way",
    "pending-triggers",
    "drop-table",
    "drop-column",
    "drop-contents",
    "truncate",
    "delete-all-rows",
    "update-all-rows",
    "drop-object",
    "cascade",
    "narrowing-type-change",
    "transaction-control",
    "guard-changed",
    "disable-trigger",
    "rename-table",
    "rename-column",
    "drop-index",
    "drop-foreign-key",
    "foreign-key-locks-parent",
    "detach-partition",
    "lock-table",
    "alter-sequence",
];

/// One of these tells already, or nobody knows what there would be to tell.
pub(super) fn is_told(findings: &[Finding], scene: &Scene<'_>) -> bool {
    let tells = |finding: &Finding| match (finding.code, &finding.relation) {
        // on a table without rows it does not fail, and reads
        ("add-column-not-null", Some(table)) => scene.known.rows(table) != Some(0),
        (code, _) => !OTHERS.contains(&code),
    };
    findings.iter().any(tells)
}

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let statement = scene.statement;
    let Some(blocked) = statement.felt().map(|lock| lock.mode.blocks()).max() else {
        return Vec::new();
    };
    let who = match blocked {
        Blocks::Nothing => return Vec::new(),
        Blocks::Writes => "write to",
        Blocks::Reads => "read",
    };
    let worked_on = statement.scan_reasons.iter();
    worked_on
        .filter(|(table, _)| !scene.is_new(table))
        .map(|(table, reasons)| {
            let is_own = statement.felt().any(|lock| lock.relation == *table);
            let locked = match is_own {
                true => "it",
                false => "what the statement locks",
            };
            let sized = scene.sized(table);
            let message = if reasons.contains(&ScanReason::Rewrite) {
                format!("{sized} is written anew, while nobody can {who} {locked}")
            } else {
                format!("all of {sized} is read, while nobody can {who} {locked}")
            };
            Fact::new(table, message, HAZARD.safer)
        })
        .collect()
}

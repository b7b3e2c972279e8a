//! BEGIN, COMMIT and ROLLBACK in a migration.

use super::scene::{Fact, Scene};
use super::{Atomic, Hazard};
use crate::sql::StatementKind;

pub(super) const HAZARD: Hazard = Hazard {
    code: "transaction-control",
    title: "A migration begins or ends transactions itself",
    happens: "COMMIT ends the transaction that Django opened; what follows runs without one.",
    hurts: "If a later operation fails, half of the migration stays, and Django does not know.",
    safer: "Leave BEGIN and COMMIT away; where something must run without a transaction, give it a migration of its own with atomic = False.",
    bad: "RunSQL(\"BEGIN; UPDATE …; COMMIT;\")",
    good: "RunSQL(\"UPDATE …\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let ends = matches!(
        scene.statement.kind,
        StatementKind::Begin | StatementKind::Commit | StatementKind::Rollback
    );
    if !ends {
        return Vec::new();
    }
    let message = match scene.atomic {
        Atomic::Yes => "it acts on the transaction that Django opened for the migration",
        Atomic::No => "it opens or ends a transaction that Django does not know of",
    };
    vec![Fact::general(message, HAZARD.safer)]
}

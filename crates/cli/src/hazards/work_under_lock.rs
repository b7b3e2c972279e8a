//! Long work while the transaction holds a lock that blocks readers.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, CreateIndex, LockMode, Method, Relation, StatementKind};

pub(super) const HAZARD: Hazard = Hazard {
    code: "work-under-lock",
    title: "Long work while a table is locked for everybody",
    happens: "A lock is held to the end of the transaction. An earlier statement of this migration took ACCESS EXCLUSIVE; this one changes or reads many rows.",
    hurts: "Nobody can read the locked table until the rows are done.",
    safer: "Put schema changes and data changes into migrations of their own; batched data migrations with atomic = False.",
    bad: "operations = [AddField(…), RunPython(fill)]",
    good: "two migrations: AddField(…), then RunPython(fill) with atomic = False",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let mut locked = scene
        .held
        .locks
        .iter()
        .filter(|(_, mode)| **mode == LockMode::AccessExclusive);
    let (Some((locked, _)), Some(worked_on)) = (locked.next(), worked_on(scene)) else {
        return Vec::new();
    };
    let message = format!(
        "it works on {} while the transaction still holds ACCESS EXCLUSIVE on {locked}, which nobody can read meanwhile",
        scene.sized(&worked_on)
    );
    vec![Fact::new(&worked_on, message, HAZARD.safer)]
}

/// The table of which many rows are read or written, unless a hazard of its own says so already: a statement that scans
/// under ACCESS EXCLUSIVE is as bad without the earlier lock.
fn worked_on(scene: &Scene<'_>) -> Option<Relation> {
    scene.actions().find_map(|action| match action {
        Action::Query(query) => {
            let changed = |kind| {
                matches!(
                    kind,
                    StatementKind::Update | StatementKind::Delete | StatementKind::Merge
                )
            };
            query
                .writes
                .iter()
                .find(|write| changed(write.kind) && !scene.is_new(&write.table))
                .map(|write| write.table.clone())
        }
        Action::CreateIndex(CreateIndex {
            table,
            method: Method::Plain,
            ..
        }) => Some(table.clone()),
        _ => None,
    })
}

//! What of a plan's SQL meets what is in the database already: statements that need not run, and indexes in the way.
//!
//! Absent here: statements that no preview has, as code sends them; those are met when they run.

use std::collections::BTreeSet;

use pgdriver::Session;

use super::{
    Asked, Before, BrokenRun, Claim, Found, Object, Proof, Standing, before, claim, drop_index,
    look, standing,
};
use crate::failure::Failure;
use crate::hazards::{Finding, beyond};
use crate::plan::Plan;
use crate::preview::Preview;
use crate::sql::{Action, CreateIndex, Relation, Statement, StatementKind as Kind};

/// Asks the catalog, and notes in the preview what it says. `earlier` are runs that did not end well.
pub(crate) async fn foresee(
    session: &Session,
    earlier: &[BrokenRun],
    plan: &Plan,
    preview: &mut Preview,
) -> Result<(), Failure> {
    let resumed = |cut_off: &crate::names::MigrationId| {
        let mut all = earlier.iter().flat_map(|run| &run.migrations);
        all.any(|cut| cut.id == *cut_off && !cut.atomic && !cut.statements.is_empty())
    };
    let mut asks: Vec<Claim> = Vec::new();
    for m in &preview.migrations {
        for statement in &m.statements {
            if resumed(&m.id) {
                asks.extend(claim::some(&statement.sql));
            } else {
                asks.extend(statement.actions.iter().filter_map(builds));
            }
        }
    }
    if asks.is_empty() {
        return Ok(());
    }
    let found = look(session, &asks).await?;
    mark(earlier, plan, preview, &found);
    Ok(())
}

/// The index that it builds.
fn builds(action: &Action) -> Option<Claim> {
    let Action::CreateIndex(CreateIndex {
        index: Some(index),
        table,
        ..
    }) = action
    else {
        return None;
    };
    let object = Object::Index {
        index: index.clone(),
        table: Some(table.clone()),
    };
    Some(Claim {
        object,
        asked: Asked::There,
    })
}

fn mark(earlier: &[BrokenRun], plan: &Plan, preview: &mut Preview, found: &Found) {
    let mut freed = Freed::default();
    for m in &mut preview.migrations {
        let step = plan.steps.iter().find(|step| step.id == m.id);
        let sha256 = step.and_then(|step| step.source_sha256.as_deref());
        for statement in &mut m.statements {
            if !m.atomic
                && let Some(Before::Done(Proof(proof))) =
                    before(earlier, &m.id, sha256, &statement.sql, found)
            {
                statement.skipped = Some(proof);
                continue;
            }
            let found: Vec<Finding> = in_the_way(statement, found, &freed).collect();
            statement.findings.extend(found);
            freed.by(statement);
        }
    }
}

/// Names that statements of the plan make free before others need them.
#[derive(Debug, Default)]
struct Freed {
    indexes: BTreeSet<Relation>,
    tables: BTreeSet<Relation>,
}

impl Freed {
    fn by(&mut self, statement: &Statement) {
        for action in &statement.actions {
            match action {
                Action::Drop(dropped) if dropped.kind == Kind::DropIndex => {
                    self.indexes.insert(dropped.name.clone());
                }
                Action::Drop(dropped) if dropped.kind == Kind::DropTable => {
                    self.tables.insert(dropped.name.clone());
                }
                Action::RenameIndex { index, .. } => {
                    self.indexes.insert(index.clone());
                }
                _ => {}
            }
        }
    }
}

fn in_the_way<'a>(
    statement: &'a Statement,
    found: &'a Found,
    freed: &'a Freed,
) -> impl Iterator<Item = Finding> + 'a {
    let built = statement.actions.iter().filter_map(builds);
    built.filter_map(move |claim| {
        let Standing::Invalid { in_progress } = standing(&claim, found) else {
            return None;
        };
        let Object::Index { index, .. } = &claim.object else {
            return None;
        };
        let table = &found.indexes.get(index)?.table;
        let on = Relation::new(table.schema.clone().unwrap_or_default(), table.name.clone());
        (!freed.indexes.contains(index) && !freed.tables.contains(&on))
            .then(|| finding(index, on, in_progress))
    })
}

/// An index of this name is there and INVALID.
pub(crate) fn finding(index: &Relation, table: Relation, in_progress: bool) -> Finding {
    let (what, remedy) = match in_progress {
        true => (
            "is being built by a session at this moment",
            "wait for its end, and look at it then".to_owned(),
        ),
        false => (
            "is there already, INVALID, as a build that was cut off leaves it",
            format!("take it out first: {}", drop_index(index)),
        ),
    };
    let message = format!("index {index} on {table} {what}: this plan builds one of that name");
    Finding {
        remedy: remedy.into(),
        relation: Some(table),
        bytes: None,
        waived: None,
        ..beyond::finding("invalid-index-in-the-way", message)
    }
}

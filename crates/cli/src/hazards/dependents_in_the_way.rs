//! DROP without CASCADE of what something else depends on.

use std::collections::BTreeSet;

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, Behavior, Change, Class, Node, Relation, StatementKind};

pub(super) const HAZARD: Hazard = Hazard {
    code: "dependents-in-the-way",
    title: "Something depends on what is dropped",
    happens: "Without CASCADE, PostgreSQL refuses to drop what a view, a foreign key of another table, a column or a function depends on, and a schema that is not empty.",
    hurts: "The migration fails.",
    safer: "Drop what depends on it by name before, in the same migration; CASCADE would take it along without naming it.",
    bad: "RunSQL(\"ALTER TABLE shop_item DROP COLUMN code\")  # and a view selects code",
    good: "RunSQL(\"DROP VIEW report\"), then RemoveField(\"item\", \"code\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let world = scene.known;
    if !world.has_catalog() {
        return Vec::new();
    }
    let mut facts = Vec::new();
    let (mut start, mut of) = (BTreeSet::new(), Vec::new());
    for action in &scene.statement.actions {
        match action {
            Action::Drop(dropped) if dropped.kind == StatementKind::DropIndex => {
                facts.extend(index(scene, &dropped.name));
            }
            Action::Drop(dropped) if dropped.behavior == Behavior::Restrict => {
                let nodes = world
                    .dropped(dropped.kind, &dropped.name)
                    .unwrap_or_default();
                if dropped.kind == StatementKind::DropSchema && !nodes.is_empty() {
                    facts.push(Fact::general(
                        format!(
                            "schema {} cannot be dropped: it is not empty",
                            dropped.name.name()
                        ),
                        HAZARD.safer,
                    ));
                    continue;
                }
                start.extend(nodes);
                of.push(dropped.name.clone());
            }
            Action::AlterTable { table, change, .. } => {
                if let Some(nodes) = dropped_by(scene, table, change) {
                    start.extend(nodes);
                    of.push(table.clone());
                }
            }
            _ => {}
        }
    }
    if let (Some(first), Some(users)) = (of.first(), super::stand(&world.in_the_way(&start))) {
        let what = match of.len() {
            1 => format!("what is dropped of {first}"),
            _ => "what is dropped".to_owned(),
        };
        let what = match scene.statement.actions.as_slice() {
            [Action::Drop(dropped)] => dropped.name.to_string(),
            _ => what,
        };
        let message = format!("{what} cannot go while {users} on it");
        facts.push(Fact::new(first, message, HAZARD.safer));
    }
    facts
}

fn index(scene: &Scene<'_>, name: &Relation) -> Option<Fact> {
    let constraint = scene.known.constraint_of_index(name)?;
    let message = format!("index {name} cannot go alone: it is that of constraint {constraint}");
    Some(Fact::new(
        name,
        message,
        "Drop the constraint instead, which drops its index: RemoveConstraint, or ALTER TABLE … DROP CONSTRAINT.",
    ))
}

/// Columns and constraints that go without CASCADE.
fn dropped_by(scene: &Scene<'_>, table: &Relation, change: &Change) -> Option<BTreeSet<Node>> {
    let world = scene.known;
    let (id, object) = world.get(table)?;
    match change {
        Change::DropColumn {
            column,
            behavior: Behavior::Restrict,
        } => {
            let family = world.descendants(id).into_iter().chain([id]);
            let columns = family.filter_map(|id| {
                let number = world.object(id)?.column(column)?.number;
                Some(Node::Column(id, number))
            });
            Some(columns.collect())
        }
        Change::DropConstraint {
            name,
            behavior: Behavior::Restrict,
        } => {
            let key = object.key(name)?;
            Some(BTreeSet::from([Node::Part(Class::Constraint, key.id)]))
        }
        _ => None,
    }
}

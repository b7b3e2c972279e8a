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
    // one DROP may name several, of which one depends on the other
    let (mut all, mut names) = (BTreeSet::new(), Vec::new());
    for action in &scene.statement.actions {
        match action {
            Action::Drop(dropped) if dropped.kind == StatementKind::DropIndex => {
                facts.extend(index(scene, &dropped.name));
            }
            Action::Drop(dropped) if dropped.behavior == Behavior::Restrict => {
                let nodes = world.dropped(dropped.kind, &dropped.name);
                let nodes = nodes.unwrap_or_default();
                if dropped.kind == StatementKind::DropSchema && !nodes.is_empty() {
                    let name = dropped.name.name();
                    let message = format!("schema {name} cannot be dropped: it is not empty");
                    facts.push(Fact::general(message, HAZARD.safer));
                    continue;
                }
                all.extend(nodes);
                names.push((&dropped.name, dropped.name.to_string()));
            }
            Action::AlterTable { table, change, .. } => {
                if let Some((what, nodes)) = part(scene, table, change) {
                    all.extend(nodes);
                    names.push((table, format!("{what} of {table}")));
                }
            }
            _ => {}
        }
    }
    if let (Some((first, _)), Some(users)) = (names.first(), super::stand(&world.in_the_way(&all)))
    {
        let names: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
        let message = format!("{} cannot go while {users} on it", names.join(", "));
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

/// A column or constraint that goes without CASCADE, in words, and what it is.
fn part(scene: &Scene<'_>, table: &Relation, change: &Change) -> Option<(String, BTreeSet<Node>)> {
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
            Some((format!("column {column}"), columns.collect()))
        }
        Change::DropConstraint {
            name,
            behavior: Behavior::Restrict,
        } => {
            let node = Node::Part(Class::Constraint, object.key(name)?.id);
            Some((format!("constraint {name}"), BTreeSet::from([node])))
        }
        _ => None,
    }
}

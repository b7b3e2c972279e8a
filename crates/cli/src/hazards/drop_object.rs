//! DROP of what is no table, column or index.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::{Action, Behavior, Drop, Loss, StatementKind as Kind};

pub(super) const HAZARD: Hazard = Hazard {
    code: "drop-object",
    title: "A view, sequence, type, function or another object is dropped",
    happens: "The object is gone when the transaction commits; a materialized view with its rows, a sequence with the number at which it stood, an attribute of a type with its values.",
    hurts: "Code that still runs, other systems and reports may use it; migrations know nothing of them.",
    safer: "Make sure that nobody uses it any more, and keep its definition in reverse_sql, so that there is a way back.",
    bad: "RunSQL(\"DROP MATERIALIZED VIEW sales\")",
    good: "RunSQL(\"DROP MATERIALIZED VIEW sales\", reverse_sql=\"CREATE MATERIALIZED VIEW sales AS …\")",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let dropped = scene.actions().filter_map(|action| match action {
        Action::Drop(dropped) if !scene.known.created(dropped) => Some(dropped),
        _ => None,
    });
    let objects = dropped.filter_map(|dropped| {
        let message = format!("{} is dropped", object(dropped)?);
        Some(Fact::general(message, HAZARD.safer))
    });
    objects.chain(attributes(scene)).collect()
}

/// As the message names it; none for what has a hazard of its own, or loses nothing.
fn object(dropped: &Drop) -> Option<String> {
    let Drop { name, table, .. } = dropped;
    let on = |what: &str| match table {
        Some(table) => format!("{what} {} on {table}", name.name()),
        None => format!("{what} {}", name.name()),
    };
    Some(match dropped.kind {
        Kind::DropView => format!("view {name}"),
        Kind::DropMaterializedView => format!("materialized view {name} with its rows"),
        // Django's own end of a serial column has CASCADE, which has a hazard of its own
        Kind::DropSequence if dropped.behavior == Behavior::Cascade => return None,
        Kind::DropSequence => format!("sequence {name}"),
        Kind::DropType => format!("type {name}"),
        Kind::DropDomain => format!("domain {name}"),
        Kind::DropFunction => format!("function {name}"),
        Kind::DropSchema if dropped.behavior == Behavior::Restrict => on("schema"),
        Kind::DropTrigger => on("trigger"),
        Kind::DropRule => on("rule"),
        Kind::DropPolicy => on("policy"),
        Kind::DropExtension => on("extension"),
        Kind::DropRole => on("role"),
        _ => return None,
    })
}

fn attributes(scene: &Scene<'_>) -> impl Iterator<Item = Fact> {
    let of_type = scene.statement.kind == Kind::AlterType;
    let losses = scene.statement.losses.iter().filter(move |_| of_type);
    losses.filter_map(|loss| match loss {
        Loss::Object { what } => Some(Fact::general(format!("{what}, is dropped"), HAZARD.safer)),
        _ => None,
    })
}

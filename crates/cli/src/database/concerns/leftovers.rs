//! What an earlier change left behind, and sequences that come to their end.

use pgdriver::catalog::{InvalidIndex, RelationName};
use pgdriver::sequences::SequenceUse;
use pgdriver::server::Health;

use super::{about, told};
use crate::hazards::Finding;
use crate::ui::count;

/// From here on a sequence is near its end.
const NEAR: f64 = 0.9;

pub(super) fn sequences(health: &Health) -> Vec<Finding> {
    let sequences = health.sequences.as_deref().unwrap_or_default().iter();
    told("sequence-near-end", sequences.filter_map(near).collect())
}

fn near(sequence: &SequenceUse) -> Option<Finding> {
    let position = sequence.position.as_ref().ok()?;
    if position.used < NEAR {
        return None;
    }
    let left = count(position.remaining, "value");
    let used = (position.used * 100.0).floor();
    let (fed, table) = match &sequence.column {
        Some(column) => {
            let ends = match column.ends_first {
                true => format!(", whose type {} ends first", column.type_name),
                false => String::new(),
            };
            (
                format!(" feeds {}.{}{ends}", column.table, column.name),
                &column.table,
            )
        }
        None => (" feeds no column".to_owned(), &sequence.name),
    };
    let message = format!(
        "sequence {}{fed}: {used}% used, {left} left until {}",
        sequence.name, position.last_possible
    );
    Some(about("sequence-near-end", message, table))
}

pub(super) fn indexes(health: &Health) -> Vec<Finding> {
    let all = health.invalid_indexes.as_deref().unwrap_or_default();
    let (building, left): (Vec<_>, Vec<_>) = all.iter().partition(|index| index.in_progress);
    let mut found: Vec<Finding> = building.into_iter().map(being_built).collect();
    found.extend(told(
        "invalid-index",
        left.into_iter().map(invalid).collect(),
    ));
    found
}

fn being_built(index: &InvalidIndex) -> Finding {
    let message = format!("index {} is being built now", index.name);
    about("index-being-built", message, &table_of(index))
}

fn invalid(index: &InvalidIndex) -> Finding {
    let what = match index.is_unique {
        true => "unique index",
        false => "index",
    };
    let why = match (index.is_partitioned, index.takes_writes) {
        (true, _) => "not every partition has its part of it",
        (false, true) => "every write pays for it",
        (false, false) => "not even writes keep it up",
    };
    let message = format!("{what} {} is INVALID: no query uses it, {why}", index.name);
    about("invalid-index", message, &table_of(index))
}

fn table_of(index: &InvalidIndex) -> RelationName {
    RelationName {
        schema: index.name.schema.clone(),
        name: index.table.clone(),
    }
}

pub(super) fn constraints(health: &Health) -> Vec<Finding> {
    let all = health.unvalidated.as_deref().unwrap_or_default().iter();
    let found = all.map(|constraint| {
        let message = format!(
            "{} {} of {} is NOT VALID",
            constraint.kind, constraint.name, constraint.table
        );
        about("unvalidated-constraint", message, &constraint.table)
    });
    told("unvalidated-constraint", found.collect())
}

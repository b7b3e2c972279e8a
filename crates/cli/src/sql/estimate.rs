//! How long a statement's work may take, from the sizes of what it reads and writes in full.
//!
//! Speeds are assumed, not measured: a table in memory on a fast machine did the most of each, and a busy disk of 100 MB/s
//! does the least. What waits for locks, triggers, and functions in expressions, is not in it. It is a range to decide by,
//! never a promise.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

use super::{Relation, ScanReason, World};

/// From the shortest to the longest time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(crate) struct Estimate {
    pub(crate) least_seconds: f64,
    pub(crate) most_seconds: f64,
}

impl Estimate {
    /// One after the other.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            least_seconds: self.least_seconds + other.least_seconds,
            most_seconds: self.most_seconds + other.most_seconds,
        }
    }
}

/// MB/s, the least and the most.
pub(crate) fn speeds(reason: ScanReason) -> (f64, f64) {
    match reason {
        ScanReason::Verify => (100.0, 3000.0),
        ScanReason::Rewrite => (20.0, 300.0),
        ScanReason::IndexBuild => (25.0, 1000.0),
        ScanReason::FkValidate => (25.0, 500.0),
    }
}

/// For all of what is read in full and why; `None` where a size is not known, or nothing that was there before is read.
pub(super) fn estimate(
    scans: &BTreeMap<Relation, BTreeSet<ScanReason>>,
    world: &World,
) -> Option<Estimate> {
    let existing = scans.iter().filter(|(table, _)| !world.is_new(table));
    let mut sum = None;
    for (table, reasons) in existing {
        for reason in reasons {
            // a rewrite builds the table's indexes, too
            if *reason == ScanReason::IndexBuild && reasons.contains(&ScanReason::Rewrite) {
                continue;
            }
            let megabytes = bytes(table, *reason, world)? as f64 / 1e6;
            let (least, most) = speeds(*reason);
            let part = Estimate {
                least_seconds: megabytes / most,
                most_seconds: megabytes / least,
            };
            sum = Some(part.and(sum.unwrap_or_default()));
        }
    }
    sum
}

fn bytes(table: &Relation, reason: ScanReason, world: &World) -> Option<u64> {
    let object = world.facts(table)?;
    let own = object.bytes?;
    if reason != ScanReason::Rewrite {
        return Some(own);
    }
    let indexes = object
        .indexes
        .iter()
        .filter_map(|id| world.object(*id)?.bytes);
    Some(own + indexes.sum::<u64>())
}

//! The plan's locks at a glance: who is kept from what, by which migration, for what work.

use std::fmt::Write;

use super::{Look, paint};
use crate::preview::{Locked, Preview};
use crate::sql::{Blocks, Estimate, ScanReason, speeds};
use crate::ui::{seconds, wrapped};

/// What Python does is known when it runs.
const UNFORESEEN: &str = "what cannot be foreseen";

/// Rows that are read at a glance; the rest is counted.
const MANY: usize = 40;

/// Nothing where nobody is kept waiting.
pub(super) fn locks(out: &mut String, preview: &Preview) {
    let mut locks = preview.locks();
    if locks.is_empty() {
        return;
    }
    let all = locks.len();
    if all > MANY {
        // the worst stay, in the order of the plan
        let mut ranked: Vec<usize> = (0..all).collect();
        ranked.sort_by(|a, b| weight(&locks[*b]).total_cmp(&weight(&locks[*a])));
        ranked.truncate(MANY);
        let mut at = 0;
        locks.retain(|_| {
            at += 1;
            ranked.contains(&(at - 1))
        });
    }
    let title = "Whom the locks keep waiting, each to the end of its transaction";
    let _ = writeln!(out, "{}", paint(Look::Heading, title));
    let wide = |of: fn(&Locked) -> String| {
        locks
            .iter()
            .map(|l| of(l).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (relations, modes) = (
        wide(|l| l.relation.to_string()),
        wide(|l| l.mode.to_string()),
    );
    let mut migration = None;
    for locked in &locks {
        if migration.replace(&locked.migration) != Some(&locked.migration) {
            let _ = writeln!(out, "  {}", paint(Look::Name, &locked.migration));
        }
        let relation = format!("{:relations$}", locked.relation.to_string());
        let mode = format!("{:modes$}", locked.mode.to_string());
        let (who, look) = match locked.blocks {
            Blocks::Reads => ("reads and writes", Look::Bad),
            Blocks::Writes => ("writes          ", Look::Warning),
            Blocks::Nothing => ("nobody          ", Look::Faint),
        };
        let row = format!(
            "{relation}  {mode}  {}  {}",
            paint(look, who),
            meanwhile(locked)
        );
        let _ = writeln!(out, "{}", wrapped("    ", row.trim_end()));
    }
    if all > MANY {
        let rest = crate::ui::count((all - MANY) as u64, "other lock");
        let _ = writeln!(
            out,
            "  {}",
            paint(
                Look::Faint,
                format!("and {rest} with less work; --format json has all")
            )
        );
    }
    if locks.iter().any(|locked| locked.estimate.is_some()) {
        let _ = writeln!(out, "{}", wrapped("  ", &paint(Look::Faint, assumption())));
    }
    out.push('\n');
}

fn weight(locked: &Locked) -> f64 {
    let work = if locked.work.is_empty() { 0.0 } else { 1.0 };
    let time = locked
        .estimate
        .map_or(work, |estimate| estimate.most_seconds);
    time + if locked.blocks == Blocks::Reads {
        0.5
    } else {
        0.0
    }
}

/// `rewrites it, builds an index of public.order: 2 to 40 s`
fn meanwhile(locked: &Locked) -> String {
    let parts = locked.work.iter().map(|work| {
        let of = match work.relation == locked.relation {
            true => "it".to_owned(),
            false => work.relation.to_string(),
        };
        match work.reason {
            ScanReason::Rewrite => format!("rewrites {of}"),
            ScanReason::Verify => format!("checks every row of {of}"),
            ScanReason::IndexBuild => format!("builds an index of {of}"),
            ScanReason::FkValidate => format!("looks up every row of {of}"),
        }
    });
    let parts: Vec<String> = parts.collect();
    let time = locked
        .estimate
        .map(|estimate| format!(": {}", range(estimate)));
    let known = format!("{}{}", parts.join(", "), time.unwrap_or_default());
    match (parts.is_empty(), locked.more) {
        (true, false) => "for a moment".to_owned(),
        (true, true) => UNFORESEEN.to_owned(),
        (false, false) => known,
        (false, true) => format!("{known}, and {UNFORESEEN} on top"),
    }
}

fn range(estimate: Estimate) -> String {
    let Estimate {
        least_seconds,
        most_seconds,
    } = estimate;
    if most_seconds < 0.1 {
        return "below 0.1 s".to_owned();
    }
    if least_seconds < 0.1 {
        return format!("up to {}", seconds(most_seconds));
    }
    format!("{} to {}", seconds(least_seconds), seconds(most_seconds))
}

fn assumption() -> String {
    let said = [
        ("rewriting", ScanReason::Rewrite),
        ("building an index", ScanReason::IndexBuild),
        ("looking up", ScanReason::FkValidate),
        ("checking", ScanReason::Verify),
    ];
    let parts = said.map(|(what, reason)| {
        let (least, most) = speeds(reason);
        format!("{what} {least:.0} to {most:.0} MB/s")
    });
    format!(
        "times are assumed from the planner's sizes, not measured: {}; triggers, TOAST and waiting come on top",
        parts.join(", ")
    )
}

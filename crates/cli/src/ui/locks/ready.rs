//! Readiness: whether the DDL would have its locks now, and who stands in the way.

use super::{ROWS, faint, more, remedy};
use crate::locks::{InTheWay, Readiness, WantedLock};
use crate::ui::style::{Look, paint};
use crate::ui::{count, wrapped};

pub(super) fn readiness(readiness: &Readiness) -> String {
    let mut lines = vec![paint(Look::Heading, "Wanted")];
    lines.extend(readiness.wanted.iter().take(2 * ROWS).map(wanted));
    if readiness.wanted.len() > 2 * ROWS {
        lines.push(format!(
            "  … and {}",
            count((readiness.wanted.len() - 2 * ROWS) as u64, "more relation")
        ));
    }
    if !readiness.in_the_way.is_empty() {
        lines.push(String::new());
        lines.push(paint(Look::Heading, "In the way"));
        readiness
            .in_the_way
            .iter()
            .take(ROWS)
            .for_each(|other| self::other(&mut lines, other));
        lines.extend(
            more(readiness.in_the_way.len(), "transaction").map(|text| format!("  {text}")),
        );
    }
    lines.join("\n")
}

fn wanted(wanted: &WantedLock) -> String {
    let why = match &wanted.referenced_by {
        Some(table) => paint(
            Look::Faint,
            format!("  {table} refers to it: locked where the DDL adds or drops the foreign key"),
        ),
        None => String::new(),
    };
    wrapped(
        "  ",
        &format!(
            "{} on {}{why}",
            paint(Look::Keyword, wanted.lock.mode),
            wanted.lock.relation
        ),
    )
}

fn other(lines: &mut Vec<String>, other: &InTheWay) {
    let mark = paint(Look::Bad, "●");
    lines.push(wrapped(
        "  ",
        &format!("{mark} {}", paint(Look::Name, other.who())),
    ));
    lines.push(wrapped("    ", &other.has()));
    let query = other.session.as_ref().and_then(super::tree::query);
    lines.extend(query.as_deref().map(faint));
    if other.waits {
        let text = "waits for a lock itself: it goes once that one lets go";
        return lines.push(wrapped("    ", &paint(Look::Faint, text)));
    }
    lines.extend(remedy("    ", &other.remedy));
}

pub(super) fn summary(readiness: &Readiness) -> String {
    let passing = match readiness.passing {
        0 => String::new(),
        n => format!(
            "; {} in transactions younger than a second, which pass",
            count(n as u64, "session")
        ),
    };
    let tables = count(readiness.wanted.len() as u64, "relation");
    match readiness.in_the_way.len() {
        _ if readiness.wanted.is_empty() => paint(
            Look::Good,
            "verdict ready: nothing that is there would be locked",
        ),
        0 => format!(
            "{}: nobody is in the way on {tables}{passing}",
            paint(Look::Good, "verdict ready")
        ),
        n => format!(
            "{}: {} in the way on {tables}{passing}",
            paint(Look::Bad, "verdict not ready"),
            count(n as u64, "transaction")
        ),
    }
}

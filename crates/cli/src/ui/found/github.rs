//! Workflow commands, which GitHub shows beside the lines of a pull request.
//! Escaping: `escapeData` and `escapeProperty` of actions/toolkit, packages/core/src/command.ts.

use super::{Found, Place, message};
use crate::hazards::Severity;

/// A line for each finding; nothing where there is none.
pub(crate) fn github(places: &[Place<'_>]) -> String {
    let lines = places.iter().flat_map(|place| {
        place
            .findings
            .iter()
            .map(move |found| command(place, found))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn command(place: &Place<'_>, found: &Found<'_>) -> String {
    let command = match found.finding.severity {
        Severity::Note => "notice",
        Severity::Ask => "warning",
        Severity::Stop => "error",
    };
    let mut properties = Vec::new();
    if let Some(path) = &place.path {
        properties.push(format!("file={}", property(path)));
        let words = found.within.as_ref();
        let words = words.map(|within| (within.begin.0, within.end.0));
        let lines = place.region.as_ref().map(|lines| (lines.first, lines.last));
        let lines = words.or(lines);
        properties.extend(lines.map(|(first, last)| format!("line={first},endLine={last}")));
    }
    let title = format!("{}: {}", found.finding.code, place.of);
    properties.push(format!("title={}", property(&title)));
    // the migration's file does not show the SQL
    let sql = place.sql.filter(|_| found.within.is_none());
    let text = match sql {
        Some(sql) => format!("{}\n{sql}", message(found.finding)),
        None => message(found.finding),
    };
    format!("::{command} {}::{}", properties.join(","), data(&text))
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

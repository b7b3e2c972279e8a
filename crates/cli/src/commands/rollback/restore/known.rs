//! A database that was restored before, by its name alone: it has to hold what the backup holds. Pure.
//!
//! Absent here: how it differs from the live one.

use std::collections::BTreeMap;

use dumper::Summary;

use crate::exit::Class;
use crate::failure::Failure;
use crate::rollback::{Compared, Rows};
use crate::ui::count;

/// Tables that are named.
const NAMED: usize = 5;

/// Rows of each table, `schema.name`.
fn rows(summary: &Summary) -> BTreeMap<String, u64> {
    let read = summary.tables.iter().map(|t| (&t.schema, &t.name, t.rows));
    let described = summary.manifest.iter().flat_map(|m| &m.tables);
    // an archive of pg_dump's own formats does not tell its rows, which its manifest does
    read.chain(described.map(|t| (&t.schema, &t.name, t.rows)))
        .map(|(schema, name, rows)| (format!("{schema}.{name}"), rows))
        .collect()
}

/// A refusal where tables of the backup are not there at all; in words, what else is not as in the backup: somebody may
/// have carried newer rows over to it.
pub(super) fn holds(summary: &Summary, compared: &Compared) -> Result<Option<String>, Failure> {
    let restored = &compared.restored;
    let there: BTreeMap<&String, Rows> = compared
        .tables
        .iter()
        .filter_map(|t| Some((&t.table, t.restored?)))
        .collect();
    let expected = rows(summary);
    let missing: Vec<String> = expected
        .keys()
        .filter(|table| !there.contains_key(table))
        .cloned()
        .collect();
    if !missing.is_empty() {
        return Err(Failure::new(
            Class::RestoreRowsDiffer,
            format!(
                "\"{restored}\" is not what the backup holds: it lacks {} of {}: {}",
                count(missing.len() as u64, "table"),
                expected.len(),
                named(missing)
            ),
        )
        .hint("nothing was changed; without --restored the run's backup is restored first"));
    }
    let other: Vec<String> = expected
        .iter()
        .filter_map(|(table, rows)| match there.get(table) {
            Some(Rows::Counted(n)) if n != rows => {
                Some(format!("{table} (backup {rows}, now {n})"))
            }
            _ => None,
        })
        .collect();
    Ok((!other.is_empty()).then(|| {
        format!(
            "\"{restored}\" has not the rows of the backup any more in {}: {}",
            count(other.len() as u64, "table"),
            named(other)
        )
    }))
}

fn named(mut tables: Vec<String>) -> String {
    let more = tables.len().saturating_sub(NAMED);
    tables.truncate(NAMED);
    let all = tables.join(", ");
    match more {
        0 => all,
        n => format!("{all} and {n} more"),
    }
}

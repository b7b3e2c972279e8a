//! What was done so far, counted.
//!
//! Absent: doing it.

use std::collections::{BTreeMap, HashMap};

use super::super::restored::{SkipReason, Skipped, StatementError};
use super::fault::shortened;
use crate::archive::TableRows;
use crate::scan::TableName;

/// The sums of a load.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) statements: u64,
    pub(crate) rows: u64,
    pub(crate) tables: Vec<TableRows>,
    pub(crate) errors: Vec<StatementError>,
    pub(crate) notes: Vec<String>,
    /// Index builds and keys that are done.
    pub(crate) built: u64,
    skipped: BTreeMap<SkipReason, Skipped>,
    places: HashMap<TableName, usize>,
}

impl Tally {
    pub(super) fn skip(&mut self, reason: SkipReason, line: u64, statement: &str) {
        let skipped = self.skipped.entry(reason.clone());
        skipped
            .or_insert_with(|| Skipped {
                reason,
                count: 0,
                line,
                statement: shortened(statement),
            })
            .count += 1;
    }

    /// In the order of their lines.
    pub(crate) fn skipped(&self) -> Vec<Skipped> {
        let mut skipped: Vec<_> = self.skipped.values().cloned().collect();
        skipped.sort_by_key(|skipped| skipped.line);
        skipped
    }

    /// A COPY block was met: its place among the tables.
    pub(super) fn table(&mut self, table: &TableName) -> usize {
        let next = self.tables.len();
        let at = *self.places.entry(table.clone()).or_insert(next);
        if at == next {
            self.tables.push(TableRows {
                schema: table.schema.clone(),
                name: table.name.clone(),
                rows: 0,
                bytes: 0,
            });
        }
        at
    }

    /// Rows that the server took.
    pub(super) fn took(&mut self, at: usize, rows: u64, bytes: u64) {
        self.rows += rows;
        if let Some(table) = self.tables.get_mut(at) {
            table.rows += rows;
            table.bytes += bytes;
        }
    }

    /// Bytes of rows that a table got, as a measure of what an index on it costs.
    pub(super) fn weight(&self, table: &TableName) -> u64 {
        let at = self.places.get(table);
        at.and_then(|at| self.tables.get(*at))
            .map_or(0, |table| table.bytes)
    }

    /// What a database holds where the load broke off, in a few words.
    pub(crate) fn holds(&self) -> String {
        let full = self.tables.iter().filter(|table| table.rows > 0).count();
        format!(
            "{} statements were run, {} rows are in {full} tables, {} indexes and keys were built",
            self.statements, self.rows, self.built
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_is_counted_by_reason() {
        let mut tally = Tally::default();
        tally.skip(SkipReason::Privilege, 9, "GRANT a");
        tally.skip(SkipReason::Owner, 3, "ALTER TABLE\n  a OWNER TO b");
        tally.skip(SkipReason::Privilege, 12, "GRANT b");
        let said: Vec<_> = tally.skipped().iter().map(Skipped::to_string).collect();
        assert_eq!(
            said,
            [
                "left out, one of those that set owners: line 3: ALTER TABLE a OWNER TO b",
                "left out, 2 statements that grant or revoke: the first is line 9: GRANT a",
            ]
        );
    }

    #[test]
    fn a_table_that_comes_twice_is_one() {
        let mut tally = Tally::default();
        let name = |name: &str| TableName {
            schema: "s".to_owned(),
            name: name.to_owned(),
        };
        let (a, b) = (tally.table(&name("a")), tally.table(&name("b")));
        tally.took(a, 3, 30);
        tally.took(b, 1, 10);
        assert_eq!(tally.table(&name("a")), a);
        tally.took(a, 2, 20);
        assert_eq!(
            (tally.rows, tally.tables[a].rows, tally.tables.len()),
            (6, 5, 2)
        );
        assert_eq!(
            (tally.weight(&name("a")), tally.weight(&name("c"))),
            (50, 0)
        );
    }
}

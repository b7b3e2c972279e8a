//! How far a dump is, by the sizes of the tables that are done, under way and to come.
//!
//! pg_dump copies tables by name; with several jobs the largest first. So the table that is under way tells which ones are
//! done, also where they were too small to be seen.
//!
//! Absent: sizes of indexes, which no dump has.

use std::collections::HashMap;
use std::time::Duration;

use pgdriver::dumped::Copying;

use crate::archive::Format;
use crate::snapshot::Expected;

/// Less than this is too little to tell how fast it goes.
const ENOUGH: Duration = Duration::from_millis(500);

/// The tables of a dump in the order of their rows.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Where a table stands, by name as progress shows it.
    by_name: HashMap<String, usize>,
    by_oid: HashMap<u32, usize>,
    names: Vec<String>,
    /// The first of those that are copied now.
    copied: Option<usize>,
    /// Bytes of all tables before this one; one more than there are tables.
    before: Vec<u64>,
    /// The furthest that was seen: first table that is not done, and bytes done.
    tables: usize,
    bytes: u64,
    /// When the first rows came, since the start.
    first: Option<Duration>,
}

impl Pace {
    pub(super) fn new<'a>(tables: impl Iterator<Item = &'a Expected>, format: Format) -> Self {
        let mut tables: Vec<_> = tables.collect();
        if format == Format::Directory {
            tables.sort_by_key(|it| std::cmp::Reverse(it.table.estimated_bytes));
        }
        let mut pace = Self {
            before: vec![0],
            ..Self::default()
        };
        for (at, it) in tables.iter().enumerate() {
            let name = format!("{}.{}", it.table.schema, it.table.name);
            pace.by_name.insert(name.clone(), at);
            pace.names.push(name);
            pace.by_oid.insert(it.table.oid, at);
            pace.before.push(pace.before[at] + it.bytes);
        }
        pace
    }

    /// Of how many tables rows are dumped.
    pub(super) fn total(&self) -> u64 {
        self.by_oid.len() as u64
    }

    /// Of so many tables all rows are there.
    pub(super) fn tables(&self) -> u64 {
        self.tables as u64
    }

    /// A table that its sessions copy now.
    pub(super) fn table(&self) -> Option<String> {
        self.names.get(self.copied?).cloned()
    }

    /// The stream is in this table, so many of whose bytes came.
    pub(super) fn streaming(&mut self, table: &str, bytes: u64, elapsed: Duration) {
        if let Some(at) = self.by_name.get(table) {
            self.reached(*at, self.within(*at, bytes), elapsed);
        }
    }

    /// Its sessions copy these.
    pub(super) fn copying(&mut self, copies: &[Copying], elapsed: Duration) {
        let at = |copy: &Copying| Some((*self.by_oid.get(&copy.oid)?, copy.bytes));
        let under_way: Vec<(usize, u64)> = copies.iter().filter_map(at).collect();
        self.copied = under_way.iter().map(|(at, _)| *at).min();
        let Some(first) = self.copied else {
            return;
        };
        let ahead: u64 = under_way
            .iter()
            .map(|(at, bytes)| self.within(*at, *bytes))
            .sum();
        self.reached(first, ahead, elapsed);
    }

    /// What came of a table counts up to its size on disk.
    fn within(&self, at: usize, bytes: u64) -> u64 {
        bytes.min(self.before[at + 1] - self.before[at])
    }

    fn reached(&mut self, at: usize, within: u64, elapsed: Duration) {
        self.first.get_or_insert(elapsed);
        self.tables = self.tables.max(at);
        self.bytes = self.bytes.max(self.before[at] + within);
    }

    /// Until the last row, at the pace so far.
    pub(super) fn left(&self, elapsed: Duration) -> Option<Duration> {
        let all = *self.before.last()?;
        let since = elapsed.checked_sub(self.first?)?;
        if self.bytes == 0 || since < ENOUGH {
            return None;
        }
        let rest = all.saturating_sub(self.bytes) as f64;
        Some(since.mul_f64(rest / self.bytes as f64))
    }
}

#[cfg(test)]
mod tests {
    use pgdriver::dumped::Table;

    use super::*;
    use crate::snapshot::Rows;

    fn tables(sizes: &[u64]) -> Vec<Expected> {
        let table = |(at, bytes): (usize, &u64)| Expected {
            table: Table {
                oid: at as u32,
                schema: "s".to_owned(),
                name: format!("t{at}"),
                file_node: 0,
                unlogged: false,
                estimated_rows: None,
                estimated_bytes: *bytes,
                indexes: 0,
                root: None,
                condition: None,
                ours: true,
            },
            bytes: *bytes,
            rows: Rows::Wanted,
        };
        sizes.iter().enumerate().map(table).collect()
    }

    fn copying(oid: u32, bytes: u64) -> Copying {
        Copying {
            pid: 1,
            oid,
            bytes,
            rows: 0,
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_done_tells_what_is_left() {
        let tables = tables(&[100, 200, 300]);
        let mut pace = Pace::new(tables.iter(), Format::Plain);
        assert_eq!(pace.left(SECOND), None);
        pace.streaming("s.t0", 0, SECOND);
        assert_eq!(pace.left(2 * SECOND), None, "nothing came yet");
        pace.streaming("s.t1", 50, 2 * SECOND);
        assert_eq!(pace.tables(), 1);
        // 150 of 600 in one second
        assert_eq!(pace.left(2 * SECOND), Some(3 * SECOND));
        // text is longer than the table on disk
        pace.streaming("s.t1", 5000, 3 * SECOND);
        assert_eq!(pace.left(3 * SECOND), Some(2 * SECOND));
        pace.streaming("s.unknown", 5, 3 * SECOND);
        assert_eq!(pace.tables(), 1);
    }

    #[test]
    fn jobs_take_the_largest_first() {
        let tables = tables(&[100, 200, 300]);
        let mut pace = Pace::new(tables.iter(), Format::Directory);
        pace.copying(&[copying(2, 100), copying(1, 200)], SECOND);
        assert_eq!(pace.tables(), 0);
        assert_eq!(pace.table().as_deref(), Some("s.t2"));
        pace.copying(&[copying(0, 50)], 2 * SECOND);
        assert_eq!(pace.tables(), 2);
        pace.copying(&[], 2 * SECOND);
        assert_eq!(pace.tables(), 2, "nothing is no news");
        assert_eq!(pace.table(), None);
        // 550 of 600 in one second
        assert_eq!(pace.left(2 * SECOND).map(|left| left.as_millis()), Some(90));
    }
}

//! The order in which builds run: beside each other where their tables allow it, the largest tables first.
//!
//! Absent: sessions, SQL and time. What may stand in one schedule at all is for the caller to know.

use std::collections::{HashMap, HashSet};

use super::kind::{Strength, TableLock};
use crate::scan::TableName;

/// Jobs that may run in any order, as far as their locks let them.
#[derive(Debug)]
pub(super) struct Schedule<J> {
    /// Heaviest last; of the same weight the first in the file last.
    waiting: Vec<Entry<J>>,
    running: HashMap<u64, Vec<TableLock>>,
    next: u64,
}

#[derive(Debug)]
struct Entry<J> {
    weight: u64,
    locks: Vec<TableLock>,
    job: J,
}

/// A job that was handed out; to be given back by [`Schedule::done`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ticket(u64);

impl<J> Schedule<J> {
    /// `jobs` in the order of the file, each with its weight and its locks.
    pub(super) fn new(jobs: impl IntoIterator<Item = (u64, Vec<TableLock>, J)>) -> Self {
        let mut waiting: Vec<_> = jobs
            .into_iter()
            .map(|(weight, locks, job)| Entry { weight, locks, job })
            .collect();
        waiting.reverse();
        waiting.sort_by_key(|entry| entry.weight); // stable
        Self {
            waiting,
            running: HashMap::new(),
            next: 0,
        }
    }

    /// The heaviest job that gets on with those that run; `None` until one of them is done, or for good.
    pub(super) fn start(&mut self) -> Option<(Ticket, J)> {
        let held = self.running.values().flatten().collect::<Vec<_>>();
        let free = |entry: &Entry<J>| {
            let mut pairs = entry
                .locks
                .iter()
                .flat_map(|lock| held.iter().map(move |held| (lock, *held)));
            !pairs.any(|(lock, held)| conflict(lock, held))
        };
        let at = self.waiting.iter().rposition(free)?;
        let Entry { locks, job, .. } = self.waiting.remove(at);
        let ticket = self.next;
        self.next += 1;
        self.running.insert(ticket, locks);
        Some((Ticket(ticket), job))
    }

    /// Its locks are free again.
    pub(super) fn done(&mut self, Ticket(ticket): Ticket) {
        self.running.remove(&ticket);
    }
}

fn conflict(one: &TableLock, other: &TableLock) -> bool {
    one.table == other.table
        && (one.strength == Strength::Exclusive || other.strength == Strength::Exclusive)
}

/// Who descends from whom: what locks a table alone may lock its partitions and heirs too.
#[derive(Debug, Default)]
pub(super) struct Families(HashMap<TableName, Vec<TableName>>);

impl Families {
    pub(super) fn new(pairs: impl IntoIterator<Item = (TableName, TableName)>) -> Self {
        let mut children: HashMap<_, Vec<_>> = HashMap::new();
        for (parent, child) in pairs {
            children.entry(parent).or_default().push(child);
        }
        Self(children)
    }

    /// The locks with those that they may bring along.
    pub(super) fn widen(&self, locks: &[TableLock]) -> Vec<TableLock> {
        let mut wide: Vec<TableLock> = Vec::new();
        let mut seen = HashSet::new();
        let mut open: Vec<TableLock> = locks.to_vec();
        while let Some(lock) = open.pop() {
            if !seen.insert((lock.table.clone(), lock.strength == Strength::Exclusive)) {
                continue;
            }
            let children = self.0.get(&lock.table).into_iter().flatten();
            open.extend(children.map(|child| TableLock {
                table: child.clone(),
                strength: lock.strength,
            }));
            wide.push(lock);
        }
        wide
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn lock(text: &str) -> TableLock {
        let (strength, name) = match text.strip_prefix('!') {
            Some(name) => (Strength::Exclusive, name),
            None => (Strength::Shared, text),
        };
        TableLock {
            table: TableName {
                schema: "s".to_owned(),
                name: name.to_owned(),
            },
            strength,
        }
    }

    fn schedule(jobs: &[(u64, &str, &'static str)]) -> Schedule<&'static str> {
        Schedule::new(
            jobs.iter().map(|(weight, locks, name)| {
                (*weight, locks.split(' ').map(lock).collect(), *name)
            }),
        )
    }

    /// What runs on so many sessions where each job takes as long as every other: round by round.
    fn rounds(mut schedule: Schedule<&'static str>, sessions: usize) -> Vec<String> {
        let mut rounds = Vec::new();
        loop {
            let started: Vec<_> = std::iter::from_fn(|| schedule.start())
                .take(sessions)
                .collect();
            if started.is_empty() {
                return rounds;
            }
            rounds.push(
                started
                    .iter()
                    .map(|(_, name)| *name)
                    .collect::<Vec<_>>()
                    .join(" "),
            );
            for (ticket, _) in started {
                schedule.done(ticket);
            }
        }
    }

    #[test]
    fn the_largest_first_and_the_file_s_order_among_equals() {
        let jobs = [
            (1, "a", "a1"),
            (9, "b", "b1"),
            (5, "c", "c1"),
            (5, "d", "d1"),
        ];
        assert_eq!(rounds(schedule(&jobs), 1), ["b1", "c1", "d1", "a1"]);
        assert_eq!(rounds(schedule(&jobs), 2), ["b1 c1", "d1 a1"]);
    }

    #[test]
    fn indexes_of_one_table_beside_each_other_and_its_key_alone() {
        let jobs = [
            (9, "!big", "key"),
            (9, "big", "i1"),
            (9, "big", "i2"),
            (1, "!small", "s"),
        ];
        assert_eq!(rounds(schedule(&jobs), 2), ["key s", "i1 i2"]);
        assert_eq!(rounds(schedule(&jobs), 4), ["key s", "i1 i2"]);
    }

    #[test]
    fn two_foreign_keys_of_one_pair_one_after_the_other() {
        let jobs = [
            (9, "!a !b", "f1"),
            (8, "!b !a", "f2"),
            (7, "!c !b", "f3"),
            (6, "!c !d", "f4"),
        ];
        assert_eq!(rounds(schedule(&jobs), 3), ["f1 f4", "f2", "f3"]);
    }

    #[test]
    fn a_parent_s_lock_reaches_its_descendants() {
        let table = |name: &str| lock(name).table;
        let families = Families::new([
            (table("p"), table("p1")),
            (table("p1"), table("p11")),
            (table("q"), table("p11")),
            (table("x"), table("x")), // never; and it would not hang
        ]);
        let names = |locks: &[TableLock]| {
            let names = families
                .widen(locks)
                .into_iter()
                .map(|lock| lock.table.name);
            names
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(names(&[lock("!p")]), "p p1 p11");
        assert_eq!(names(&[lock("p11")]), "p11");
        assert_eq!(names(&[lock("!q"), lock("x")]), "p11 q x");
    }

    fn jobs() -> impl Strategy<Value = Vec<(u64, Vec<TableLock>)>> {
        let lock = (0..6_u8, any::<bool>())
            .prop_map(|(table, alone)| lock(&format!("{}{table}", if alone { "!" } else { "" })));
        prop::collection::vec((0..5_u64, prop::collection::vec(lock, 1..3)), 0..30)
    }

    proptest! {
        /// Whatever ends when: all jobs run once, none beside one that it conflicts with, and no session is idle while
        /// a job could run.
        #[test]
        fn no_order_breaks_a_lock(jobs in jobs(), sessions in 1..5_usize, ends in prop::collection::vec(any::<u8>(), 64)) {
            let numbered = jobs.iter().enumerate();
            let mut schedule = Schedule::new(numbered.map(|(at, (weight, locks))| (*weight, locks.clone(), at)));
            let mut running: Vec<(Ticket, usize)> = Vec::new();
            let mut ran = BTreeSet::new();
            let mut ends = ends.into_iter().cycle();
            loop {
                while running.len() < sessions {
                    let Some((ticket, job)) = schedule.start() else { break };
                    for (_, other) in &running {
                        let mut pairs = jobs[job].1.iter().flat_map(|a| jobs[*other].1.iter().map(move |b| (a, b)));
                        prop_assert!(!pairs.any(|(a, b)| conflict(a, b)), "{job} beside {other}");
                    }
                    prop_assert!(ran.insert(job), "{job} twice");
                    running.push((ticket, job));
                }
                if running.is_empty() {
                    break;
                }
                let end = usize::from(ends.next().unwrap_or(0)) % running.len();
                let (ticket, _) = running.swap_remove(end);
                schedule.done(ticket);
            }
            prop_assert_eq!(ran.len(), jobs.len());
        }
    }
}

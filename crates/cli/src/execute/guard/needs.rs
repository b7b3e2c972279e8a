//! Which strong locks a statement needs, known before it runs: the forecast of [`crate::sql`], followed through the run.
//!
//! Pure. Absent here: what the locks are measured to be (the observer tells), and any waiting.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::hazards::Context;
use crate::names::MigrationId;
use crate::preview::Preview;
use crate::sql::{Blocks, Lock, LockMode, Statement, World, read_script};

/// How a statement asks for its locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// All that follow in the queue wait behind it.
    Ordinary,
    /// CONCURRENTLY: it waits for others without keeping readers and writers waiting, and what is cut off is left half
    /// done.
    Concurrently,
    /// Rows only (SELECT, INSERT, UPDATE, DELETE), or nothing that others wait for.
    Light,
    /// What it locks is not known.
    Unknown,
}

/// What a statement needs of relations that others may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) way: Way,
    /// Modes that keep readers or writers waiting.
    pub(super) strong: Vec<Lock>,
}

/// What is known of the database at this point of the run.
#[derive(Clone)]
pub(super) struct Forecast {
    known: World,
    /// As it was when the running migration began: what is rolled back is forgotten.
    before: World,
}

impl Forecast {
    pub(super) fn new(context: &Context) -> Self {
        let known = context.world.clone();
        Self {
            before: known.clone(),
            known,
        }
    }

    /// What a statement will need.
    pub(super) fn needs(&self, sql: &str) -> Needs {
        let mut needs = Needs {
            way: Way::Light,
            strong: Vec::new(),
        };
        let mut world = Cow::Borrowed(&self.known);
        let mut readings = read_script(sql).peekable();
        while let Some(reading) = readings.next() {
            let statement = reading.forecast(None, &world);
            let locks = strong(&statement, &world);
            needs.way = heavier(needs.way, way(&statement, &locks));
            for lock in locks {
                add(&mut needs.strong, lock);
            }
            // a schema of thousands of tables is copied only for those who meet it changed
            if readings.peek().is_some() {
                world.to_mut().apply(&statement.actions);
            }
        }
        needs
    }

    /// A statement came to its end.
    pub(super) fn ran(&mut self, sql: &str) {
        for reading in read_script(sql) {
            let statement = reading.forecast(None, &self.known);
            self.known.apply(&statement.actions);
        }
    }

    /// A migration is applied.
    pub(super) fn settled(&mut self) {
        self.before = self.known.clone();
    }

    /// The running migration was rolled back.
    pub(super) fn rolled_back(&mut self) {
        self.known = self.before.clone();
    }
}

/// The strong locks of each migration, as the preview foresees them.
pub(super) fn ahead(preview: &Preview) -> BTreeMap<MigrationId, Vec<Lock>> {
    let of = |statements: &[Statement]| {
        let mut locks = Vec::new();
        let strong = statements
            .iter()
            .flat_map(|s| s.felt())
            .filter(|lock| keeps_others_waiting(lock.mode));
        for lock in strong {
            add(&mut locks, lock.clone());
        }
        locks
    };
    preview
        .migrations
        .iter()
        .map(|m| (m.id.clone(), of(&m.statements)))
        .collect()
}

/// The strongest of each relation.
pub(super) fn add(locks: &mut Vec<Lock>, lock: Lock) {
    match locks.iter_mut().find(|l| l.relation == lock.relation) {
        Some(found) => found.mode = found.mode.max(lock.mode),
        None => locks.push(lock),
    }
}

fn keeps_others_waiting(mode: LockMode) -> bool {
    mode.blocks() != Blocks::Nothing
}

fn strong(statement: &Statement, known: &World) -> Vec<Lock> {
    let others = statement
        .felt()
        .filter(|lock| keeps_others_waiting(lock.mode) && !known.is_new(&lock.relation));
    others.cloned().collect()
}

fn way(statement: &Statement, strong: &[Lock]) -> Way {
    if !statement.transactional {
        return Way::Concurrently;
    }
    if !strong.is_empty() {
        return Way::Ordinary;
    }
    if touches_rows_only(&statement.sql) {
        return Way::Light;
    }
    if !statement.parsed || !statement.unknowns.is_empty() {
        return Way::Unknown;
    }
    Way::Light
}

/// Django's data migrations come with placeholders, which no reader of SQL takes for SQL.
fn touches_rows_only(sql: &str) -> bool {
    let first: String = sql
        .trim_start()
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect();
    [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "SAVEPOINT",
        "RELEASE",
        "SET",
        "SHOW",
    ]
    .iter()
    .any(|word| first.eq_ignore_ascii_case(word))
}

fn heavier(one: Way, other: Way) -> Way {
    let weight = |way| match way {
        Way::Light => 0,
        Way::Unknown => 1,
        Way::Ordinary => 2,
        Way::Concurrently => 3,
    };
    if weight(other) > weight(one) {
        other
    } else {
        one
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Relation;

    #[track_caller]
    fn check(sql: &str, way: Way, relations: &[&str]) {
        let needs = Forecast::new(&Context::default()).needs(sql);
        let names: Vec<String> = needs
            .strong
            .iter()
            .map(|l| l.relation.to_string())
            .collect();
        assert_eq!(
            (needs.way, names),
            (way, relations.iter().map(ToString::to_string).collect()),
            "{sql}"
        );
    }

    #[test]
    fn what_others_would_wait_for_is_known_before() {
        check(
            "ALTER TABLE shop ADD COLUMN n int",
            Way::Ordinary,
            &["public.shop"],
        );
        check(
            "ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b_id) REFERENCES b (id)",
            Way::Ordinary,
            &["public.a", "public.b"],
        );
        check(
            "CREATE INDEX i ON shop (n)",
            Way::Ordinary,
            &["public.shop"],
        );
        check(
            "CREATE INDEX CONCURRENTLY i ON shop (n)",
            Way::Concurrently,
            &[],
        );
        check("ALTER TABLE shop VALIDATE CONSTRAINT c", Way::Light, &[]);
        check("CREATE TABLE t (id int)", Way::Light, &[]);
        check(
            "UPDATE \"shop\" SET \"n\" = %s WHERE \"id\" IN (%s)",
            Way::Light,
            &[],
        );
        check("DO $$ BEGIN PERFORM 1; END $$", Way::Light, &[]);
        check("DO $$ BEGIN EXECUTE a; END $$", Way::Unknown, &[]);
        check(
            "DO $$ BEGIN DROP TABLE a; END $$",
            Way::Ordinary,
            &["public.a"],
        );
    }

    #[test]
    fn a_table_of_this_run_needs_no_gate_until_it_is_rolled_back() {
        let mut forecast = Forecast::new(&Context::default());
        let add = "ALTER TABLE t ADD COLUMN n int";
        forecast.ran("CREATE TABLE t (id int)");
        assert_eq!(forecast.needs(add).strong, []);
        forecast.rolled_back();
        let needs = forecast.needs(add);
        assert_eq!(needs.strong.len(), 1);
        assert_eq!(needs.strong[0].relation, Relation::unqualified("t"));
        forecast.ran("CREATE TABLE t (id int)");
        forecast.settled();
        forecast.rolled_back();
        assert_eq!(forecast.needs(add).strong, []);
    }
}

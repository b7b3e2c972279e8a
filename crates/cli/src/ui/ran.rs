//! What ran, folded: how many statements, and the slowest of them. Each stands in the journal, and on the screen with -v.
//!
//! Pure. Absent here: printing.

use super::{count, one_line, seconds};
use crate::sql;

/// From so long on, a migration says which of its statements took the time.
const SLOW: f64 = 1.0;
/// Where the slowest was quicker, there is nothing to look into.
const WORTH_TELLING: f64 = 0.1;
const SHOWN: usize = 80;

/// The statements of a run's migrations so far; what Django runs between them does not count.
#[derive(Debug, Default)]
pub(super) struct Ran {
    migration: Option<String>,
    sql: String,
    here: Tally,
    all: Tally,
}

/// Statements, and the slowest of them.
#[derive(Debug, Default)]
struct Tally {
    count: u64,
    slowest: Option<Slowest>,
}

#[derive(Debug, Clone)]
struct Slowest {
    seconds: f64,
    sql: String,
    migration: String,
}

impl Ran {
    /// An attempt of a migration.
    pub(super) fn begins(&mut self, migration: String) {
        self.migration = Some(migration);
        self.here = Tally::default();
    }

    pub(super) fn starts(&mut self, sql: &str) {
        sql.clone_into(&mut self.sql);
    }

    pub(super) fn finished(&mut self, seconds: f64) {
        let Some(migration) = &self.migration else {
            return;
        };
        for ran in [&mut self.here, &mut self.all] {
            ran.count += 1;
            if ran.slowest.as_ref().is_none_or(|s| s.seconds < seconds) {
                ran.slowest = Some(Slowest {
                    seconds,
                    sql: self.sql.clone(),
                    migration: migration.clone(),
                });
            }
        }
    }

    /// What is to be added behind the time of a migration that took `total`; nothing where it was quick.
    pub(super) fn applied(&mut self, total: f64) -> String {
        self.migration = None;
        let here = std::mem::take(&mut self.here);
        let slowest = here.slowest.filter(|_| total >= SLOW);
        slowest.map_or(String::new(), |slowest| {
            let statements = count(here.count, "statement");
            format!(", {statements}, the slowest {}", slowest.told())
        })
    }

    /// `499 statements ran, the slowest in auth.0001_initial: 0.2 s: CREATE TABLE …`; nothing where none ran.
    pub(super) fn all(&self) -> Option<String> {
        let slowest = self.all.slowest.as_ref()?;
        let ran = format!("{} ran", count(self.all.count, "statement"));
        Some(match slowest.seconds < WORTH_TELLING {
            true => ran,
            false => format!(
                "{ran}, the slowest in {}: {}",
                slowest.migration,
                slowest.told()
            ),
        })
    }
}

impl Slowest {
    /// Literals may be somebody's data.
    fn told(&self) -> String {
        let sql = one_line(&sql::masked(&self.sql), SHOWN);
        format!("{}: {sql}", seconds(self.seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_migration_says_which_statement_took_the_time() {
        let mut ran = Ran::default();
        ran.begins("shop.0002".to_owned());
        for (sql, seconds) in [
            ("SET CONSTRAINTS ALL IMMEDIATE", 0.1),
            ("UPDATE t SET a = 'secret'", 4.0),
            ("SELECT 1", 0.2),
        ] {
            ran.starts(sql);
            ran.finished(seconds);
        }
        let said = ran.applied(4.3);
        assert!(
            said.starts_with(", 3 statements, the slowest 4.0 s: UPDATE t SET a = "),
            "{said}"
        );
        assert!(!said.contains("secret"), "{said}");
        ran.begins("shop.0003".to_owned());
        ran.starts("SELECT 2");
        ran.finished(0.1);
        assert_eq!(ran.applied(0.2), "", "what was quick needs no words");
        let mut quick = Ran::default();
        quick.begins("shop.0001".to_owned());
        quick.finished(0.05);
        assert_eq!(quick.all().as_deref(), Some("1 statement ran"));
        let all = ran.all().expect("statements ran");
        assert!(
            all.starts_with("4 statements ran, the slowest in shop.0002: 4.0 s: UPDATE"),
            "{all}"
        );
    }

    #[test]
    fn what_runs_between_migrations_does_not_count() {
        let mut ran = Ran::default();
        ran.starts("CREATE TABLE django_migrations ()");
        ran.finished(9.0);
        assert_eq!(ran.all(), None);
        ran.begins("shop.0002".to_owned());
        ran.applied(0.1);
        ran.starts("INSERT INTO auth_permission");
        ran.finished(9.0);
        assert_eq!(ran.all(), None);
    }

    #[test]
    fn where_none_ran_nothing_is_said() {
        let mut ran = Ran::default();
        ran.begins("shop.0002".to_owned());
        assert_eq!((ran.applied(9.0), ran.all()), (String::new(), None));
    }
}

//! What of the running migration is in the database whatever follows, folded from the bridge's answers. Pure.
//!
//! Outside a transaction a statement stays once it came to its end, inside one once a COMMIT arrived: also in the middle
//! of a migration, where an operation has a transaction of its own, or its SQL says COMMIT itself. Absent here: what the
//! catalog says of it (see [`crate::execute::resume`]).

use crate::django::wire::Answer;
use crate::execute::resume;
use crate::sql::{self, StatementKind as Kind, World};

/// Statements that are kept with their words; of the others the number.
const FIRST: usize = 12;

/// Statements of one fate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statements {
    pub(crate) count: u64,
    pub(crate) first: Vec<String>,
}

impl Statements {
    fn add(&mut self, sql: &str) {
        self.count += 1;
        if self.first.len() < FIRST {
            self.first.push(sql.to_owned());
        }
    }

    fn take_in(&mut self, other: &mut Self) {
        let other = std::mem::take(other);
        self.count += other.count;
        self.first.extend(other.first);
        self.first.truncate(FIRST);
    }
}

/// How far a migration has left its mark.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    stayed: Statements,
    /// Of the open transaction.
    within: Statements,
    committing: bool,
    last: Option<Last>,
    unsure: Option<String>,
    ran: bool,
}

/// A statement that has not come to its end.
#[derive(Debug, Clone)]
struct Last {
    sql: String,
    in_transaction: bool,
    sent: bool,
}

impl Kept {
    /// What is committed: each changes something, as far as its words say.
    pub(crate) fn stayed(&self) -> &Statements {
        &self.stayed
    }

    /// A statement that failed, and may have committed on its way.
    pub(crate) fn unsure(&self) -> Option<&str> {
        self.unsure.as_deref()
    }

    /// A statement outside a transaction of which only its failure is known, or nothing.
    pub(crate) fn open_end(&self) -> Option<&str> {
        let last = self.last.as_ref().filter(|l| l.sent && !l.in_transaction);
        last.map(|last| last.sql.as_str())
    }

    /// A statement of it reached the server.
    pub(crate) fn ran(&self) -> bool {
        self.ran
    }

    pub(crate) fn absorb(&mut self, answer: &Answer) {
        match answer {
            Answer::CommitStarted => self.committing = true,
            Answer::StatementStarted {
                sql,
                in_transaction,
                ..
            } => {
                if std::mem::take(&mut self.committing) {
                    self.stayed.take_in(&mut self.within);
                } else if !in_transaction {
                    // its transaction is over without a COMMIT
                    self.within = Statements::default();
                }
                self.last = Some(Last {
                    sql: sql.clone(),
                    in_transaction: *in_transaction,
                    sent: false,
                });
            }
            Answer::StatementRunning { .. } => {
                self.ran = true;
                if let Some(last) = &mut self.last {
                    last.sent = true;
                }
            }
            Answer::StatementSkipped { .. } => self.last = None,
            Answer::StatementFinished { .. } => self.finished(),
            Answer::StatementFailed { .. } => {
                let last = self.last.as_ref().filter(|last| last.sent);
                if let Some(last) = last.filter(|last| may_commit_inside(last)) {
                    self.unsure = Some(last.sql.clone());
                }
            }
            _ => {}
        }
    }

    fn finished(&mut self) {
        self.ran = true;
        let Some(last) = self.last.take() else {
            return;
        };
        let changes = resume::claims(&last.sql).is_none_or(|claims| !claims.is_empty());
        match (ends_transaction(&last.sql), last.in_transaction) {
            (Some(End::Rollback), _) => self.within = Statements::default(),
            (Some(End::Commit), _) => {
                self.stayed.take_in(&mut self.within);
                if kinds(&last.sql).len() > 1 {
                    self.stayed.add(&last.sql);
                }
            }
            (None, true) if changes => self.within.add(&last.sql),
            (None, false) if changes => self.stayed.add(&last.sql),
            (None, _) => {}
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Commit,
    Rollback,
}

/// By its own words.
fn ends_transaction(sql: &str) -> Option<End> {
    if !says(sql, &["commit", "end", "rollback", "abort", "prepare"]) {
        return None;
    }
    let kinds = kinds(sql);
    if kinds.contains(&Kind::Commit) {
        Some(End::Commit)
    } else {
        kinds.contains(&Kind::Rollback).then_some(End::Rollback)
    }
}

/// DO and CALL can only outside a transaction; words of transactions can anywhere, where more follows them.
fn may_commit_inside(last: &Last) -> bool {
    let words = [
        "do",
        "call",
        "commit",
        "end",
        "prepare",
        "vacuum",
        "concurrently",
    ];
    if !says(&last.sql, &words) {
        return false;
    }
    let kinds = kinds(&last.sql);
    let commits = kinds.len() > 1 && kinds.contains(&Kind::Commit);
    let alone = |kind: &Kind| {
        matches!(
            kind,
            // DETACH PARTITION … CONCURRENTLY commits its first half; what cannot be read may do anything
            Kind::Do | Kind::Call | Kind::DetachPartition | Kind::Unknown
        )
    };
    commits || !last.in_transaction && kinds.iter().any(alone)
}

fn says(sql: &str, words: &[&str]) -> bool {
    sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .any(|word| words.iter().any(|w| word.eq_ignore_ascii_case(w)))
}

fn kinds(sql: &str) -> Vec<Kind> {
    let known = World::unread();
    sql::read_script(sql)
        .map(|reading| reading.forecast(None, &known).kind)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(kept: &mut Kept, sql: &str, in_transaction: bool) {
        kept.absorb(&Answer::StatementStarted {
            number: 1,
            app: None,
            name: None,
            sql: sql.into(),
            in_transaction,
        });
        kept.absorb(&Answer::StatementRunning {
            number: 1,
            settings: std::collections::BTreeMap::new(),
        });
    }

    fn ends(kept: &mut Kept, sql: &str, in_transaction: bool) {
        runs(kept, sql, in_transaction);
        kept.absorb(&Answer::StatementFinished {
            number: 1,
            seconds: 0.1,
        });
    }

    fn fails(sql: &str, in_transaction: bool) -> Kept {
        let mut kept = Kept::default();
        runs(&mut kept, sql, in_transaction);
        let exception = serde_json::from_value(serde_json::json!({
            "type": "E", "message": "m", "cause": null, "sqlstate": "P0001", "detail": null, "hint": null,
            "constraint": null, "table": null, "column": null, "traceback": [],
        }));
        kept.absorb(&Answer::StatementFailed {
            number: 1,
            seconds: 0.1,
            exception: exception.expect("an exception"),
            asks: false,
        });
        kept
    }

    const COLUMN: &str = "ALTER TABLE a ADD x int";

    #[test]
    fn outside_a_transaction_each_statement_stays_and_reading_leaves_nothing() {
        let mut kept = Kept::default();
        assert!(!kept.ran());
        ends(&mut kept, COLUMN, false);
        ends(&mut kept, "SELECT 1 FROM a", false);
        ends(&mut kept, "SET search_path TO b", false);
        assert_eq!(kept.stayed().first, [COLUMN]);
        assert_eq!(kept.stayed().count, 1);
    }

    #[test]
    fn inside_one_it_stays_with_the_commit_alone() {
        let mut kept = Kept::default();
        ends(&mut kept, COLUMN, true);
        assert_eq!(kept.stayed().count, 0);
        // Python caught what went wrong, and went on after the rollback
        runs(&mut kept, "UPDATE a SET x = 1", false);
        kept.absorb(&Answer::CommitStarted);
        runs(&mut kept, COLUMN, false);
        assert_eq!(kept.stayed().count, 0);

        let mut kept = Kept::default();
        ends(&mut kept, COLUMN, true);
        kept.absorb(&Answer::CommitStarted);
        assert_eq!(kept.stayed().count, 0, "nobody knows yet");
        runs(&mut kept, "UPDATE a SET x = 1", false);
        assert_eq!(kept.stayed().first, [COLUMN]);
    }

    #[test]
    fn sql_that_ends_transactions_itself_is_understood() {
        for (end, stays) in [
            ("COMMIT", 1),
            ("end;", 1),
            ("ROLLBACK", 0),
            ("ROLLBACK TO SAVEPOINT x", 0),
        ] {
            let mut kept = Kept::default();
            ends(&mut kept, COLUMN, true);
            ends(&mut kept, end, true);
            assert_eq!(kept.stayed().count, stays, "{end}");
        }
    }

    #[test]
    fn what_may_commit_on_its_way_is_told_from_what_cannot() {
        let cases = [
            ("DO $$ BEGIN COMMIT; END $$", false, true),
            ("CALL fill()", false, true),
            ("ALTER TABLE a DETACH PARTITION b CONCURRENTLY", false, true),
            ("BEGIN; UPDATE a SET x = 1; COMMIT; SELECT 1/0", true, true),
            // no procedure can inside a transaction
            ("DO $$ BEGIN COMMIT; END $$", true, false),
            (
                "INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING",
                false,
                false,
            ),
            (
                "UPDATE a SET x = CASE WHEN x > 1 THEN 1 ELSE 2 END",
                false,
                false,
            ),
            ("COMMIT", true, false),
            (COLUMN, false, false),
        ];
        for (sql, in_transaction, expected) in cases {
            let kept = fails(sql, in_transaction);
            assert_eq!(kept.unsure().is_some(), expected, "{sql}");
        }
    }
}

//! How far a running `migrate` is, folded from the bridge's answers. Pure.

use std::collections::BTreeMap;

use super::monitor::Stays;
use super::settle::Kept;
use crate::django::wire::{Answer, Exception, MigrateOutcome, Problem};
use crate::names::MigrationId;
use crate::plan::Direction;

/// How `migrate` said that it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Stopped,
    Failed,
}

/// The migration that is running.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) id: MigrationId,
    pub(crate) direction: Direction,
    pub(crate) atomic: bool,
    pub(crate) kept: Kept,
    pub(crate) commit: Commit,
    /// Its own code that ran before it failed, `module.name`.
    pub(crate) code: Vec<String>,
}

/// How far the transaction of an atomic migration came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    /// No COMMIT was sent yet.
    NotSent,
    /// It was sent; no word of its end.
    Sent,
    /// Something came after it: it arrived.
    Arrived,
}

#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) number: u64,
    pub(crate) sql: String,
    in_transaction: bool,
}

/// Whose a server process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// It ends with `migrate`, and nobody else uses it.
    Migrate,
    /// It serves other clients as soon as a transaction of ours is over.
    Pool,
}

#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) current: Option<Current>,
    pub(crate) statement: Option<Statement>,
    pub(crate) failed: Option<(MigrationId, Exception)>,
    pub(crate) failed_current: Option<Current>,
    pub(crate) failed_statement: Option<String>,
    /// The statement in flight when the answers stopped: none means between statements, perhaps in a COMMIT.
    pub(crate) problem: Option<Problem>,
    pub(crate) warnings: Vec<String>,
    pub(crate) end: Option<End>,
    /// Migrations that Python said are committed and recorded, or on the way back not recorded any more.
    pub(crate) applied: usize,
    backends: BTreeMap<i32, ()>,
    last_backend: Option<i32>,
    pooled: bool,
}

impl Progress {
    pub(crate) fn absorb(&mut self, answer: &Answer) {
        if let Some(current) = &mut self.current {
            current.kept.absorb(answer);
        }
        if self.pooled && self.ends_transaction(answer) {
            self.give_back();
        }
        match answer {
            // it is watched by nobody, but has to be gone in the end; a pooler's serves others
            Answer::Connected {
                backend_pid,
                beside: true,
                pooled: false,
                ..
            } => {
                self.backends.insert(*backend_pid, ());
            }
            Answer::Connected { beside: true, .. } => {}
            Answer::Connected {
                backend_pid,
                pooled,
                ..
            } => {
                if *pooled {
                    self.give_back();
                }
                self.pooled = *pooled;
                self.backends.insert(*backend_pid, ());
                self.last_backend = Some(*backend_pid);
            }
            Answer::MigrationStarted {
                app,
                name,
                atomic,
                backward,
                ..
            } => {
                self.failed_statement = None;
                self.current = Some(Current {
                    id: MigrationId::new(app, name),
                    direction: match backward {
                        true => Direction::Back,
                        false => Direction::Forward,
                    },
                    atomic: *atomic,
                    kept: Kept::default(),
                    commit: Commit::NotSent,
                    code: Vec::new(),
                });
            }
            Answer::AttemptFailed(failed) => {
                if let Some(current) = &mut self.current {
                    current.code.clone_from(&failed.code);
                }
            }
            Answer::CommitStarted => {
                // one that arrived stays so: on the way back Django takes the row out in a second transaction
                let current = self.current.as_mut();
                if let Some(current) = current.filter(|c| c.commit == Commit::NotSent) {
                    current.commit = Commit::Sent;
                }
            }
            Answer::StatementStarted {
                number,
                sql,
                in_transaction,
                ..
            } => {
                if let Some(current) = self.current.as_mut().filter(|c| c.commit == Commit::Sent) {
                    current.commit = Commit::Arrived;
                }
                self.statement = Some(Statement {
                    number: *number,
                    sql: sql.clone(),
                    in_transaction: *in_transaction,
                });
            }
            Answer::StatementFinished { number, .. } => {
                self.statement.take_if(|s| s.number == *number);
            }
            Answer::StatementFailed { number, .. } => {
                if let Some(statement) = self.statement.take_if(|s| s.number == *number) {
                    self.failed_statement = Some(statement.sql);
                }
            }
            Answer::MigrationApplied { .. } => {
                self.applied += 1;
                self.current = None;
                self.failed_statement = None;
            }
            Answer::MigrationFailed {
                app,
                name,
                exception,
                ..
            } => {
                self.failed = Some((MigrationId::new(app, name), exception.clone()));
                self.failed_current = self.current.take();
            }
            Answer::MigrateDone { outcome, .. } => {
                self.end = Some(match outcome {
                    MigrateOutcome::Done => End::Done,
                    MigrateOutcome::Stopped => End::Stopped,
                    MigrateOutcome::Failed => End::Failed,
                });
            }
            Answer::Problem(problem) => self.problem = Some(problem.clone()),
            Answer::Warning(warning) => self
                .warnings
                .push(format!("{}: {}", warning.category, warning.message)),
            _ => {}
        }
    }

    /// What is under way is rolled back whole where it is cut off.
    pub(crate) fn atomic(&self) -> bool {
        self.current.as_ref().is_none_or(|current| current.atomic)
    }

    /// Whether no transaction of ours is open any more, as far as a pooler's server processes go. A statement outside one
    /// has one of its own there.
    fn ends_transaction(&self, answer: &Answer) -> bool {
        let current = self.current.as_ref();
        let committed = current.is_some_and(|c| c.commit == Commit::Sent);
        match answer {
            Answer::StatementStarted { in_transaction, .. } => committed || !in_transaction,
            Answer::StatementFinished { number, .. } | Answer::StatementFailed { number, .. } => {
                let statement = self.statement.as_ref().filter(|s| s.number == *number);
                statement.is_some_and(|s| !s.in_transaction)
            }
            Answer::MigrationStarted { .. }
            | Answer::MigrationApplied { .. }
            | Answer::MigrationFailed { .. }
            | Answer::AttemptFailed(_)
            | Answer::MigrateDone { .. } => true,
            _ => false,
        }
    }

    /// A pooler's server process serves others from here on.
    fn give_back(&mut self) {
        self.backends.clear();
        self.last_backend = None;
    }

    /// Whose the server processes are.
    pub(crate) fn owner(&self) -> Owner {
        if self.pooled {
            Owner::Pool
        } else {
            Owner::Migrate
        }
    }

    /// Whether a server process that stays may be ended: not once a COMMIT was sent, which may have arrived.
    pub(crate) fn where_it_stays(&self) -> Stays {
        let open = self.failed_current.as_ref().or(self.current.as_ref());
        match open.is_some_and(|current| current.commit == Commit::Sent) {
            true => Stays::Commits,
            false => Stays::MayBeEnded,
        }
    }

    /// Every server process that `migrate` had; through a pooler only the one of the transaction that is open.
    pub(crate) fn backends(&self) -> Vec<i32> {
        self.backends.keys().copied().collect()
    }

    /// The server process that runs the statements now; through a pooler none between transactions.
    pub(crate) fn backend(&self) -> Option<i32> {
        self.last_backend
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(backend_pid: i32, pooled: bool) -> Answer {
        Answer::Connected {
            alias: "default".to_owned(),
            backend_pid,
            settings: BTreeMap::new(),
            pooled,
            beside: false,
        }
    }

    fn answer(json: &str) -> Answer {
        serde_json::from_str(json).expect("an answer")
    }

    fn statement(number: u32, in_transaction: bool) -> Answer {
        answer(&format!(
            r#"{{"kind":"statement_started","number":{number},"app":"a","name":"n","sql":"x","in_transaction":{in_transaction}}}"#
        ))
    }

    const MIGRATION: &str = r#"{"kind":"migration_started","app":"a","name":"n","backward":false,"atomic":true,"attempt":1}"#;
    const APPLIED: &str =
        r#"{"kind":"migration_applied","app":"a","name":"n","backward":false,"seconds":0.1}"#;

    fn finished(number: u32) -> Answer {
        answer(&format!(
            r#"{{"kind":"statement_finished","number":{number},"seconds":0.1}}"#
        ))
    }

    /// After each answer: whose process runs the statements.
    #[track_caller]
    fn check(answers: &[(Answer, Option<i32>)]) {
        let mut progress = Progress::default();
        for (answer, expected) in answers {
            progress.absorb(answer);
            assert_eq!(progress.backend(), *expected, "after {answer:?}");
            let all: Vec<i32> = expected.iter().copied().collect();
            assert_eq!(progress.backends(), all, "after {answer:?}");
        }
    }

    #[test]
    fn a_poolers_process_is_ours_within_a_transaction_only() {
        let commit = || answer(r#"{"kind":"commit_started"}"#);
        check(&[
            (connected(1, true), Some(1)),
            (answer(MIGRATION), None),
            (statement(1, true), None),
            (connected(2, true), Some(2)),
            (finished(1), Some(2)),
            (statement(2, true), Some(2)),
            (finished(2), Some(2)),
            // a COMMIT may take its time
            (commit(), Some(2)),
            (answer(APPLIED), None),
            // one outside a transaction has one of its own
            (answer(MIGRATION), None),
            (statement(3, false), None),
            (connected(3, true), Some(3)),
            (finished(3), None),
            // rolled back in between, which nobody told
            (statement(4, true), None),
            (connected(4, true), Some(4)),
            (statement(5, false), None),
        ]);
    }

    #[test]
    fn a_session_of_our_own_is_ours_to_its_end() {
        check(&[
            (connected(1, false), Some(1)),
            (answer(MIGRATION), Some(1)),
            (statement(1, false), Some(1)),
            (finished(1), Some(1)),
            (answer(APPLIED), Some(1)),
        ]);
    }
}

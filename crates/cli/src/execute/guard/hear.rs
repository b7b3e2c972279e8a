//! What the bridge says, taken in: where the migration is, what its transaction holds, which question waits for a word.
//!
//! No server is asked here. Absent: the answers (see [`super::Guard::turn`]).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::gate::Gate;
use super::needs::Way;
use super::timeline::Ended;
use super::{Announced, Asked, Current, Guard, Question, Running, SOONEST, statement, words};
use crate::django::wire::{Answer, Exception};
use crate::event::EventKind;
use crate::execute::monitor;
use crate::failure::Failure;
use crate::names::MigrationId;

impl Guard<'_> {
    /// Takes one answer in.
    pub(in crate::execute) fn hear(&mut self, answer: &Answer) -> Option<Failure> {
        match answer {
            Answer::MigrationStarted {
                app, name, attempt, ..
            } => self.begins(MigrationId::new(app, name), *attempt),
            Answer::StatementStarted {
                number,
                sql,
                in_transaction,
                ..
            } => {
                if std::mem::take(&mut self.committing) {
                    self.release(Ended::Committed);
                    self.forecast.settled();
                }
                self.went_on();
                let needs = self.forecast.needs(sql);
                self.ask(Asked::Statement(Announced {
                    number: *number,
                    sql: sql.clone(),
                    in_transaction: *in_transaction,
                    needs,
                }));
            }
            Answer::CommitStarted => self.committing = true,
            Answer::StatementRunning { settings, .. } => return self.in_force(settings),
            Answer::StatementFinished { .. } => self.finished(),
            Answer::StatementFailed {
                exception, asks, ..
            } => self.failed(exception, *asks),
            Answer::AttemptFailed(failed) => {
                self.running = None;
                if failed.exception.sqlstate.as_deref() == Some("55P03") {
                    self.gate.failed();
                }
                self.release(Ended::RolledBack);
                self.forecast.rolled_back();
                self.ask(Asked::Attempt(Box::new(failed.clone())));
            }
            Answer::MigrationApplied { .. } => {
                self.went_on();
                self.release(Ended::Committed);
                self.forecast.settled();
                self.ours = None;
                self.current = None;
            }
            Answer::MigrationFailed { .. } => self.release(Ended::RolledBack),
            _ => {}
        }
        None
    }

    pub(super) fn begins(&mut self, id: MigrationId, attempt: u32) {
        if attempt == 1 {
            self.gate = Gate::new(self.around.guard.lock_timeout, self.around.deadlock_timeout);
            self.gate_of.clear();
        }
        self.ours = None;
        self.committing = false;
        self.current = Some(Current {
            retryable: self.retryable.contains(&id),
            attempt,
            id: id.clone(),
        });
        self.ask(Asked::Migration(id));
    }

    pub(super) fn ask(&mut self, what: Asked) {
        let now = Instant::now();
        self.told = None;
        self.next_look = now;
        self.question = Some(Question {
            what,
            since: now,
            held_up: false,
        });
    }

    /// The statement's settings, as the server read them back, are those that it was given.
    pub(super) fn in_force(&mut self, settings: &BTreeMap<String, String>) -> Option<Failure> {
        let running = self.running.as_mut()?;
        running.sent = Instant::now();
        // most statements are over by then; a wait is seen before its first interval is
        self.next_look = running.sent + SOONEST;
        let asked = statement::timeouts(running.patience, self.around.guard.statement_timeout);
        monitor::not_in_force(&asked.into_iter().collect::<Vec<_>>(), settings)
    }

    pub(super) fn finished(&mut self) {
        self.leaves_queue();
        let Some(running) = self.running.take() else {
            return;
        };
        self.forecast.ran(&running.sql);
        self.took_its_locks(&running);
        self.unseen |= matches!(running.needs.way, Way::Ordinary | Way::Unknown);
        if !running.in_transaction {
            // it ended before it was let go: that was about this statement alone
            self.ours = None;
            self.release(Ended::Committed);
        } else if !words::only_reads(&running.sql) {
            self.open.get_or_insert(running.sent);
        } else if words::reads(&running.sql) {
            self.reads.get_or_insert(running.sent);
        }
    }

    pub(super) fn failed(&mut self, exception: &Exception, asks: bool) {
        let queued = self.running.as_ref().is_some_and(|r| r.queued.is_some());
        self.leaves_queue();
        // what failed in the queue never had its locks
        if !queued
            && exception.sqlstate.as_deref() != Some("55P03")
            && let Some(running) = self.running.take()
        {
            self.took_its_locks(&running);
            self.running = Some(running);
        }
        if asks {
            if exception.sqlstate.as_deref() == Some("55P03") {
                self.gate.failed();
            }
            self.release(Ended::RolledBack);
            self.ask(Asked::Failed(Box::new(exception.clone())));
        } else {
            self.running = None;
        }
    }

    /// What it was foreseen to lock is held since it left the queue.
    pub(super) fn took_its_locks(&mut self, running: &Running) {
        let at = self.at(running.sent + running.waited);
        if running.needs.way == Way::Ordinary {
            for lock in &running.needs.strong {
                let mode = words::mode(lock.mode).pg_locks();
                self.timeline
                    .holds(&lock.relation.to_string(), mode, at, words::stronger);
            }
        }
        self.timeline.acquired(at, words::stronger);
    }

    pub(super) fn leaves_queue(&mut self) {
        if let Some(running) = &mut self.running
            && let Some(since) = running.queued.take()
        {
            let waited = since.elapsed();
            running.waited += waited;
            self.spent += waited;
            let (relation, mode) = running.stands_for();
            self.timeline
                .queued(relation.as_deref(), mode.as_deref(), running.waited);
        }
    }

    pub(super) fn release(&mut self, ended: Ended) {
        self.reads = None;
        self.unseen = false;
        let rows = self.open.take().map(|since| self.at(since));
        let at = self.around.reporter.elapsed();
        let id = self.current.as_ref().map(|c| &c.id);
        for held in self.timeline.released(at, rows, id, ended) {
            self.around.reporter.emit(EventKind::LockHeld(held));
        }
    }

    /// Others may wait for what our transaction holds.
    pub(super) fn holds(&self) -> bool {
        self.open.is_some() || !self.timeline.is_empty()
    }

    /// Somebody may wait for our transaction.
    pub(super) fn in_the_way(&self) -> bool {
        self.reads.is_some() || self.holds()
    }

    /// On the clock of the run.
    pub(super) fn at(&self, instant: Instant) -> Duration {
        self.around
            .reporter
            .elapsed()
            .saturating_sub(instant.elapsed())
    }
}

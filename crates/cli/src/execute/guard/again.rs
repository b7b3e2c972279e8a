//! After something failed: again, or the end, and why.
//!
//! Absent here: the decision, which is [`super::retry`]'s.

use std::time::{Duration, Instant};

use super::needs::Way;
use super::retry::{self, Failed, LetGo, Next};
use super::{Asked, Guard, Sight, Turn, millis, say, words};
use crate::django::wire::Word;
use crate::event::{EventKind, NoteLevel, Retrying};
use crate::exit::Class;
use crate::failure::Failure;

/// Whether what failed did so for want of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ForLock {
    Yes,
    No,
}

impl ForLock {
    fn of(failed: &Failed<'_>) -> Self {
        if words::is_for_lock(failed) {
            Self::Yes
        } else {
            Self::No
        }
    }
}

impl Guard<'_> {
    /// What follows on something that failed.
    pub(super) fn after(&mut self, failed: &Failed<'_>) -> Turn {
        let ours = self.ours.take().map(|(why, _)| why);
        // the server's clock of a wait and ours differ by a little
        let out_of_time = self
            .left()
            .is_some_and(|left| left < Duration::from_millis(300));
        let ours = if out_of_time && ours.is_none() {
            Some(LetGo::OutOfTime)
        } else {
            ours
        };
        match retry::decide(
            failed,
            ours.as_ref(),
            self.around.guard.retries,
            words::jitter(),
        ) {
            Next::Retry { why, pause } => {
                self.told_retry(failed, why, pause);
                self.ask(Asked::Pause(Instant::now() + pause));
                Turn::default()
            }
            Next::GiveUp(note) => {
                if let Some(message) = note {
                    self.around.reporter.emit(EventKind::Note {
                        level: NoteLevel::Warning,
                        message,
                    });
                }
                let failure = ours.and_then(|ours| self.why(&ours, ForLock::of(failed)));
                match failed {
                    Failed::Migration(_) => Turn {
                        word: Some(Word::GiveUp),
                        failure,
                    },
                    // the migration's own code may catch it
                    Failed::Statement { .. } => {
                        self.given_up = failure;
                        say(Word::GiveUp)
                    }
                }
            }
        }
    }

    fn told_retry(&self, failed: &Failed<'_>, why: String, pause: Duration) {
        let (what, attempt) = match failed {
            Failed::Migration(failed) => ("migration", failed.attempt),
            Failed::Statement { attempt, .. } => ("statement", *attempt),
        };
        let id = self.current.as_ref().map(|c| &c.id);
        self.around.reporter.emit(EventKind::Retrying(Retrying {
            app: id.map(|id| id.app.0.clone()),
            name: id.map(|id| id.name.0.clone()),
            what: what.to_owned(),
            attempt: attempt + 1,
            why,
            pause_ms: millis(pause),
        }));
    }

    /// The failure that says why we let go; none where the error itself says it best.
    pub(super) fn why(&self, ours: &LetGo, for_lock: ForLock) -> Option<Failure> {
        let guard = self.around.guard;
        match ours {
            LetGo::WhileHolding(why) => Some(
                Failure::new(Class::BlastRadius, format!("let go of its locks: {why}"))
                    .hint("it would be so again: run it when fewer use the table, allow more with --max-blocked or \
                           --max-blocking, or write it in smaller steps (the preview's findings say how)"),
            ),
            LetGo::WhileWaiting(why) => Some(
                Failure::new(Class::BlastRadius, format!("left the lock's queue: {why}"))
                    .hint("run it when fewer use the table, or allow more with --max-blocked or --max-blocking"),
            ),
            LetGo::Busy(why) => Some(Failure::new(Class::MigrationLockTimeout, why.clone())),
            LetGo::OutOfTime => (for_lock == ForLock::Yes).then(|| {
                let all = crate::ui::seconds(guard.max_wait.as_secs_f64());
                Failure::new(
                    Class::MigrationLockTimeout,
                    format!("the lock was not to be had in {all} (--max-wait)"),
                )
                .hint("wait until those in the way are gone, or allow more with --max-wait")
            }),
        }
    }

    /// CONCURRENTLY leaves an INVALID index where it is cut off.
    pub(super) async fn left_invalid(&self, sight: &mut Sight<'_>) -> Option<bool> {
        let running = self.running.as_ref()?;
        if running.needs.way != Way::Concurrently {
            return None;
        }
        Some(
            sight
                .monitor
                .new_invalid_indexes()
                .await
                .is_none_or(|left| !left.is_empty()),
        )
    }
}

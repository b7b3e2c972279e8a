//! At the gate: one look at who is in the way, told to the world, and what is done about them.
//!
//! Absent here: the decision, which is [`super::gate`]'s.

use std::time::{Duration, Instant};

use pgdriver::activity::SessionKind;
use pgdriver::activity::locks::Held;

use super::blockers::Act;
use super::gate::{InTheWay, Step, What};
use super::{Guard, Question, RAREST_AT_GATE, SOONEST, Sight, TELL, TELL_AFTER, millis, words};
use crate::event::{EventKind, LockWaiting, NoteLevel, Place};
use crate::execute::monitor::{Monitor, Signal, Unseen};
use crate::exit::Class;
use crate::failure::Failure;
use crate::settings::OnBlocker;
use crate::sql::Lock;

impl Guard<'_> {
    /// One look at who is in the way of `locks`.
    pub(super) async fn at_gate(
        &mut self,
        locks: &[Lock],
        question: &mut Question,
        sight: &mut Sight<'_>,
    ) -> Result<Step, Failure> {
        if locks.is_empty() {
            return Ok(Step::Go(self.around.guard.lock_timeout));
        }
        // a statement's locks are among its migration's, and so are their holders
        if !locks.iter().all(|lock| self.gate_of.contains(lock)) {
            self.gate.elsewhere();
            self.gate_of = locks.to_vec();
        }
        let began = Instant::now();
        let held = match sight.monitor.in_the_way(locks, sight.ours).await {
            Ok(held) => {
                self.sees();
                held
            }
            Err(why) => {
                self.cannot_see(&why);
                // where nobody answers nothing is begun
                if let Unseen::Silence(_) = why {
                    question.held_up = true;
                    let waited = question.since.elapsed();
                    return match self.left_after(waited) == Some(Duration::ZERO) {
                        true => Err(self.out_of_time(locks, sight.monitor)),
                        false => Ok(Step::Wait),
                    };
                }
                Vec::new()
            }
        };
        let holders: Vec<InTheWay> = held.iter().map(in_the_way).collect();
        let step = self.gate.look(Instant::now(), &holders);
        self.next_look = Instant::now() + (began.elapsed() * 10).clamp(SOONEST, RAREST_AT_GATE);
        if step == Step::Wait {
            question.held_up = true;
            let before = self.told;
            self.tell_gate(&held, locks, question.since.elapsed(), sight.monitor);
            if self.told != before {
                sight.monitor.stand_at_gate(self.around.run, &held).await;
            }
            self.signal(&held, sight).await;
            if self.left_after(question.since.elapsed()) == Some(Duration::ZERO) {
                return Err(self.out_of_time(locks, sight.monitor));
            }
        } else {
            sight.monitor.leave_gate().await;
        }
        Ok(step)
    }

    /// Said once, until it sees again. The server's own lock_timeout stays in force; a healthy migration is not ended
    /// because nobody watches it.
    pub(super) fn cannot_see(&mut self, why: &Unseen) {
        if self.blind.is_some() {
            return;
        }
        self.blind = Some(Instant::now());
        let meanwhile = match why {
            Unseen::Silence(_) => "nothing new is begun",
            Unseen::Said(_) | Unseen::NoServer(_) => "attempts are short",
        };
        self.note(
            NoteLevel::Warning,
            format!(
                "the guard cannot see who holds locks or who waits behind this run ({why}): until it can, {meanwhile}, the \
                 server's lock_timeout stays in force, and --max-blocked and --max-blocking are not kept; it tries again \
                 every second"
            ),
        );
    }

    pub(super) fn sees(&mut self) {
        if let Some(since) = self.blind.take() {
            let seconds = crate::ui::seconds(since.elapsed().as_secs_f64());
            self.note(
                NoteLevel::Note,
                format!("the guard sees again, after {seconds}"),
            );
        }
    }

    fn note(&self, level: NoteLevel, message: String) {
        self.around
            .reporter
            .emit(EventKind::Note { level, message });
    }

    fn tell_gate(
        &mut self,
        held: &[Held],
        locks: &[Lock],
        waited: Duration,
        monitor: &mut Monitor,
    ) {
        let blockers = monitor.in_one_line_each(held);
        let first = self.told.is_none() && waited >= TELL_AFTER;
        if !first && self.told.is_none_or(|at| at.elapsed() < TELL) {
            return;
        }
        self.told = Some(Instant::now());
        let relation = held.first().map(|h| h.relation.to_string());
        let wanted = locks
            .iter()
            .find(|l| Some(l.relation.to_string()) == relation);
        self.around
            .reporter
            .emit(EventKind::LockWaiting(LockWaiting {
                mode: wanted
                    .or(locks.first())
                    .map(|l| words::mode(l.mode).pg_locks().to_owned()),
                relation,
                waited_ms: millis(waited),
                blockers,
                place: Place::OutsideQueue,
            }));
    }

    /// `--on-blocker`.
    async fn signal(&mut self, held: &[Held], sight: &mut Sight<'_>) {
        let mode = self.around.guard.on_blocker;
        if mode == OnBlocker::Wait {
            return;
        }
        let roots = sight.monitor.roots(held, sight.ours).await;
        for (root, act) in self.signalled.due(Instant::now(), &roots, mode) {
            let outcome = match act {
                Act::Leave(why) => format!("left alone: {why}"),
                Act::Cancel => sight.monitor.signal(&root, Signal::Cancel).await,
                Act::Terminate => sight.monitor.signal(&root, Signal::Terminate).await,
            };
            self.around.reporter.emit(EventKind::BlockerSignalled {
                pid: root.pid,
                what: root.what,
                signal: act.name().to_owned(),
                outcome,
            });
        }
    }

    /// What is left of `--max-wait`; none where there is no limit.
    pub(super) fn left(&self) -> Option<Duration> {
        self.left_after(Duration::ZERO)
    }

    pub(super) fn left_after(&self, more: Duration) -> Option<Duration> {
        let all = self.around.guard.max_wait;
        (!all.is_zero()).then(|| all.saturating_sub(self.spent + more))
    }

    pub(super) fn out_of_time(&self, locks: &[Lock], monitor: &Monitor) -> Failure {
        let all = crate::ui::seconds(self.around.guard.max_wait.as_secs_f64());
        let failure = Failure::new(
            Class::MigrationLockTimeout,
            format!("the lock on {} was not to be had in {all} (--max-wait)", words::relations(locks)),
        )
        .hint(match self.around.guard.on_blocker {
            OnBlocker::Wait => {
                "wait until those in the way are gone, or allow more with --max-wait; --on-blocker cancel or terminate \
                 ends them"
            }
            OnBlocker::Cancel | OnBlocker::Terminate => {
                "wait until those in the way are gone, or allow more with --max-wait; the report says who was signalled \
                 and who was left alone, and why"
            }
        });
        words::blocked_by(failure, monitor.last_blockers())
    }
}

fn in_the_way(held: &Held) -> InTheWay {
    let session = held.session.as_ref();
    let autovacuum = matches!(
        session.map(|s| s.kind()),
        Some(SessionKind::Autovacuum {
            to_prevent_wraparound: Some(false)
        })
    );
    InTheWay {
        transaction: held.transaction.clone(),
        age: session
            .and_then(|s| s.detail.seen())
            .and_then(|d| d.xact_age),
        what: match (held.granted, autovacuum) {
            (false, _) => What::Queued,
            (true, true) => What::Autovacuum,
            (true, false) => What::Session,
        },
    }
}

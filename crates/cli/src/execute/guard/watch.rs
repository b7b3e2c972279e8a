//! While a statement runs, or its transaction holds locks: its own wait, those behind it, and how far it is.
//!
//! Absent here: what follows from letting go (see [`super::again`]).

use std::time::{Duration, Instant};

use pgdriver::activity::locks::{LockMode, Queue};
use pgdriver::catalog::RelationName;

use super::again::ForLock;
use super::retry::LetGo;
use super::{
    Guard, LOOK, OVERDUE, RAREST, SHARE, SHARE_IN_PEACE, SOONEST, Sight, TELL, Turn, UNHEARD,
    millis, say, words,
};
use crate::django::wire::Word;
use crate::event::EventKind;
use crate::execute::monitor::Monitor;
use crate::execute::progress::Owner;

impl Guard<'_> {
    /// While a statement runs, or its transaction holds locks.
    pub(super) async fn watch(&mut self, sight: &mut Sight<'_>) -> Turn {
        let Some(pid) = sight.backend else {
            return Turn::default();
        };
        let runs = self
            .running
            .as_ref()
            .is_some_and(|r| r.sent.elapsed() >= SOONEST);
        if runs {
            let turn = self.own_wait(sight.monitor, pid).await;
            if turn.word.is_some() {
                return turn;
            }
        }
        let unheard = self.unheard(sight, pid).await;
        if unheard.word.is_some() {
            return unheard;
        }
        if (runs || self.in_the_way()) && Instant::now() >= self.next_count {
            return self.count_behind(sight.monitor, pid).await;
        }
        if runs && Instant::now() >= self.next_progress {
            self.next_progress = Instant::now() + TELL;
            if let Some(progress) = sight.monitor.progress(pid).await {
                self.around.reporter.emit(progress);
            }
        }
        Turn::default()
    }

    async fn own_wait(&mut self, monitor: &mut Monitor, pid: i32) -> Turn {
        // what is not seen is not over
        let (Some(waits), Some(running)) = (monitor.waits_for_lock(pid).await, &mut self.running)
        else {
            return Turn::default();
        };
        if !waits {
            self.leaves_queue();
            return Turn::default();
        }
        let since = *running.queued.get_or_insert_with(Instant::now);
        let (patience, sent) = (running.patience, running.sent);
        let waited = running.waited + since.elapsed();
        if self.told.is_none_or(|at| at.elapsed() >= TELL)
            && let Some(wait) = monitor.wait(pid, sent.elapsed()).await
        {
            self.told = Some(Instant::now());
            running.awaits = Some((wait.relation.clone(), wait.mode.clone()));
            self.around.reporter.emit(EventKind::LockWaiting(wait));
        }
        let overdue = patience.is_some_and(|patience| since.elapsed() > patience + OVERDUE);
        let out_of_time = self.left_after(waited) == Some(Duration::ZERO) && waited > OVERDUE;
        if self.ours.is_none() && (overdue || out_of_time) {
            let why = "the server let it wait for longer than its lock_timeout".to_owned();
            return self.let_go(LetGo::WhileWaiting(why));
        }
        Turn::default()
    }

    /// Whoever stands behind us, against `--max-blocked` and `--max-blocking`.
    async fn count_behind(&mut self, monitor: &mut Monitor, pid: i32) -> Turn {
        let guard = self.around.guard;
        let began = Instant::now();
        let queue = match monitor.queue_behind(pid, guard.max_blocked).await {
            Ok(queue) => queue,
            Err(why) => {
                self.cannot_see(&why);
                self.next_count = Instant::now() + RAREST;
                return Turn::default();
            }
        };
        self.sees();
        let (soonest, share) = match queue.waiting {
            0 => (LOOK * 2, SHARE_IN_PEACE),
            _ => (LOOK, SHARE),
        };
        self.next_count = Instant::now() + (began.elapsed() * share).clamp(soonest, RAREST);
        if queue.waiting == 0 {
            return Turn::default();
        }
        // who waited for others before us does not wait for us for longer than we are there
        let queued = self.running.as_ref().and_then(|r| r.queued);
        let ours = queued.map_or(Duration::ZERO, |at| at.elapsed());
        let held = self.timeline.since().map_or(Duration::ZERO, |at| {
            self.around.reporter.elapsed().saturating_sub(at)
        });
        let open = self.reads.into_iter().chain(self.open).min();
        let open = open.map_or(Duration::ZERO, |at| at.elapsed());
        let runs = self
            .running
            .as_ref()
            .map_or(Duration::ZERO, |r| r.sent.elapsed());
        let longest = queue
            .longest
            .unwrap_or_default()
            .min(ours.max(held).max(runs).max(open));
        self.see_behind(monitor, pid, &queue, longest).await;
        self.tell_blocking(queue.waiting, longest);
        let many = queue.waiting > u64::from(guard.max_blocked);
        let long = !guard.max_blocking.is_zero() && longest > guard.max_blocking;
        if !many && !long || self.ours.is_some() {
            return Turn::default();
        }
        let why = if many {
            format!(
                "{} stood behind it (--max-blocked {})",
                crate::ui::count(queue.waiting, "session"),
                guard.max_blocked
            )
        } else {
            let seconds = |d: Duration| crate::ui::seconds(d.as_secs_f64());
            format!(
                "a session waited behind it for {} (--max-blocking {})",
                seconds(longest),
                seconds(guard.max_blocking)
            )
        };
        self.let_go(match queued {
            Some(_) => LetGo::WhileWaiting(why),
            None => LetGo::WhileHolding(why),
        })
    }

    /// Whoever stands behind us, by what we keep from them.
    async fn see_behind(&mut self, monitor: &mut Monitor, pid: i32, queue: &Queue, most: Duration) {
        let awaited = self.running.as_ref().map(|r| r.stands_for().0);
        let known = |name: &RelationName| {
            let name = name.to_string();
            self.timeline.mode(&name).is_some() || awaited.as_ref() == Some(&Some(name))
        };
        let unforeseen = queue.by_relation.keys().flatten().any(|name| !known(name));
        if unforeseen && Instant::now() >= self.next_held {
            self.next_held = Instant::now() + TELL;
            self.see_held(monitor, pid).await;
        }
        for (relation, some) in &queue.by_relation {
            let relation = relation.as_ref().map(ToString::to_string);
            let longest = some.longest.unwrap_or_default().min(most);
            self.timeline.behind(relation, some.waiting, longest);
        }
    }

    fn tell_blocking(&mut self, waiting: u64, longest: Duration) {
        if self.told.is_some_and(|at| at.elapsed() < TELL) {
            return;
        }
        self.told = Some(Instant::now());
        self.around.reporter.emit(EventKind::Blocking {
            waiting,
            longest_ms: millis(longest),
        });
    }

    /// The attempt ends now; outside a transaction, the statement. The bridge cancels: a cancel from here could meet the
    /// ROLLBACK that follows, and cost the connection.
    pub(super) fn let_go(&mut self, why: LetGo) -> Turn {
        self.ours = Some((why, Instant::now()));
        say(Word::LetGo)
    }

    /// Python that does not come back from its own C code hears no word, and its transaction keeps others waiting: then its
    /// session ends, and the run with it. Not once a COMMIT was sent, and not a pooler's session.
    async fn unheard(&mut self, sight: &mut Sight<'_>, pid: i32) -> Turn {
        let Some((why, at)) = &self.ours else {
            return Turn::default();
        };
        if at.elapsed() < UNHEARD || self.committing || sight.owner == Owner::Pool {
            return Turn::default();
        }
        let failure = self.why(why, ForLock::Yes);
        self.ours = None;
        let told = sight.monitor.end(pid).await;
        let failure = failure.map(|failure| {
            failure.source(
                "let go",
                format!("its session was ended, since Python did not answer: {told}"),
            )
        });
        Turn {
            word: Some(Word::StopNow),
            failure,
        }
    }

    /// What the transaction holds by now, where the server says it cheaply.
    pub(super) async fn sample(&mut self, sight: &mut Sight<'_>) {
        if let Some(pid) = sight.backend {
            self.see_held(sight.monitor, pid).await;
        }
    }

    async fn see_held(&mut self, monitor: &mut Monitor, pid: i32) {
        let Some(held) = monitor.held_by(pid).await else {
            return;
        };
        let at = self.around.reporter.elapsed();
        for (relation, mode) in held {
            if mode >= LockMode::Share {
                self.timeline
                    .holds(&relation.to_string(), mode.pg_locks(), at, words::stronger);
            }
        }
    }
}

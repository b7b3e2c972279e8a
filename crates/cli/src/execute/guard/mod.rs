//! The guard around `migrate`: it answers each question of the bridge, and watches what runs between them.
//!
//! Before a migration and before each statement that keeps others waiting it stands at the gate, outside the lock's
//! queue. While one waits or holds, it counts who stands behind, and lets go in time. What failed for want of a lock, and
//! was rolled back whole, is tried again. The decisions are pure: `needs`, `gate`, `retry`, `blockers`, `timeline`.
//!
//! Absent here: the process (see [`super`]) and what its end means (see [`super::settle`]).

mod blockers;
mod gate;
mod needs;
mod retry;
mod timeline;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use pgdriver::activity::SessionKind;
use pgdriver::activity::locks::{Held, LockMode};

use super::Execution;
use super::monitor::Monitor;
use crate::django::wire::{Answer, AttemptFailed, Exception, Word};
use crate::event::{EventKind, LockWaiting, NoteLevel, Place, Retrying};
use crate::exit::Class;
use crate::failure::Failure;
use crate::hazards::Context;
use crate::names::MigrationId;
use crate::plan::Plan;
use crate::settings::OnBlocker;
use crate::sql::Lock;
use blockers::{Act, Signalled};
pub(super) use blockers::{Root, Standing};
use gate::{Gate, InTheWay, Step, What};
use needs::{Forecast, Needs, Way};
use retry::{Failed, LetGo, Next};
use timeline::{Ended, Timeline};
pub(super) use words::mode as server_mode;

/// How often a running statement's own wait is looked at; 0.05 ms of the server's time each (facts.md).
const LOOK: Duration = Duration::from_millis(50);
/// A look at pg_locks takes at most this share of the server's time.
const SHARE: u32 = 20;
/// The rarest look while somebody may wait behind us.
const RAREST: Duration = Duration::from_millis(300);
/// The rarest look at the gate, where nobody waits behind us.
const RAREST_AT_GATE: Duration = Duration::from_millis(500);
const SOONEST: Duration = Duration::from_millis(20);
/// A wait is told when it took this long, then every second.
const TELL_AFTER: Duration = Duration::from_millis(200);
const TELL: Duration = Duration::from_secs(1);
/// How long a transaction that holds locks waits at a gate before it is rolled back.
const WHILE_HOLDING: Duration = Duration::from_millis(300);
/// The server's own lock_timeout is expected to have ended a wait by then.
const OVERDUE: Duration = Duration::from_secs(1);

/// What the drive loop is to do.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) word: Option<Word>,
    /// The run ends for this; the word, if any, is said first.
    pub(super) failure: Option<Failure>,
}

/// What an interruption would meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnderWay {
    Nothing,
    Migration,
}

/// A question of the bridge that waits for its word.
#[derive(Debug)]
struct Question {
    what: Asked,
    since: Instant,
    /// Somebody was in the way at the last look.
    held_up: bool,
}

#[derive(Debug)]
enum Asked {
    Migration(MigrationId),
    Statement(Announced),
    Attempt(Box<AttemptFailed>),
    Failed(Box<Exception>),
    /// It was decided to try again, after a pause.
    Pause(Instant),
}

/// A statement before it runs.
#[derive(Debug, Clone)]
struct Announced {
    sql: String,
    in_transaction: bool,
    needs: Needs,
}

/// A statement that was let through.
#[derive(Debug)]
struct Running {
    sql: String,
    in_transaction: bool,
    needs: Needs,
    sent: Instant,
    /// What it was given in the queue; none for no limit.
    patience: Option<Duration>,
    /// In the queue since, as first seen.
    queued: Option<Instant>,
    waited: Duration,
    /// Of the same statement, outside a transaction.
    attempt: u32,
}

/// The migration that is under way.
#[derive(Debug)]
struct Current {
    id: MigrationId,
    /// It is atomic and has no code of its own: rolled back, nothing of it is left anywhere.
    retryable: bool,
    attempt: u32,
}

pub(super) struct Guard<'a> {
    around: &'a Execution<'a>,
    forecast: Forecast,
    /// Strong locks by migration, foreseen, and learned from attempts that failed.
    ahead: BTreeMap<MigrationId, Vec<Lock>>,
    /// Migrations that can be run twice without a trace.
    retryable: BTreeSet<MigrationId>,
    gate: Gate,
    current: Option<Current>,
    question: Option<Question>,
    running: Option<Running>,
    /// Why the running attempt is given up, once it is.
    ours: Option<LetGo>,
    /// Waits that are over.
    spent: Duration,
    timeline: Timeline,
    signalled: Signalled,
    told: Option<Instant>,
    blind: bool,
    next_look: Instant,
    next_count: Instant,
    next_progress: Instant,
}

impl<'a> Guard<'a> {
    pub(super) fn new(around: &'a Execution<'a>, plan: &Plan, context: &Context) -> Self {
        let now = Instant::now();
        let retryable = plan
            .steps
            .iter()
            .filter(|step| step.atomic && !step.operations.iter().any(|o| words::runs_code(o)));
        Self {
            around,
            forecast: Forecast::new(context),
            ahead: needs::ahead(around.preview),
            retryable: retryable.map(|step| step.id.clone()).collect(),
            gate: Gate::new(around.guard.lock_timeout, around.deadlock_timeout),
            current: None,
            question: None,
            running: None,
            ours: None,
            spent: Duration::ZERO,
            timeline: Timeline::default(),
            signalled: Signalled::default(),
            told: None,
            blind: false,
            next_look: now,
            next_count: now,
            next_progress: now,
        }
    }

    /// When to call [`Guard::turn`] again at the latest.
    pub(super) fn next_look(&self) -> Instant {
        self.next_look
    }

    /// Whether a migration has begun that would have to be rolled back.
    pub(super) fn under_way(&self) -> UnderWay {
        match self.question.as_ref().map(|q| &q.what) {
            Some(Asked::Migration(_) | Asked::Pause(_)) => UnderWay::Nothing,
            _ => UnderWay::Migration,
        }
    }

    /// The process is being stopped: no more questions.
    pub(super) fn stop(&mut self) {
        self.question = None;
    }

    /// Takes one answer in.
    pub(super) fn hear(&mut self, answer: &Answer) -> Option<Failure> {
        match answer {
            Answer::MigrationStarted {
                app, name, attempt, ..
            } => self.begins(MigrationId::new(app, name), *attempt),
            Answer::StatementStarted {
                sql,
                in_transaction,
                ..
            } => {
                let needs = self.forecast.needs(sql);
                self.ask(Asked::Statement(Announced {
                    sql: sql.clone(),
                    in_transaction: *in_transaction,
                    needs,
                }));
            }
            Answer::StatementRunning { settings, .. } => return self.in_force(settings),
            Answer::StatementFinished { .. } => self.finished(),
            Answer::StatementFailed {
                exception, asks, ..
            } => {
                self.leaves_queue();
                if *asks {
                    self.ask(Asked::Failed(Box::new(exception.clone())));
                } else {
                    self.running = None;
                }
            }
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
                self.release(Ended::Committed);
                self.forecast.settled();
                self.current = None;
            }
            Answer::MigrationFailed { .. } => self.release(Ended::RolledBack),
            _ => {}
        }
        None
    }

    fn begins(&mut self, id: MigrationId, attempt: u32) {
        if attempt == 1 {
            self.gate = Gate::new(self.around.guard.lock_timeout, self.around.deadlock_timeout);
        }
        self.ours = None;
        self.current = Some(Current {
            retryable: self.retryable.contains(&id),
            attempt,
            id: id.clone(),
        });
        self.ask(Asked::Migration(id));
    }

    fn ask(&mut self, what: Asked) {
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
    fn in_force(&mut self, settings: &BTreeMap<String, String>) -> Option<Failure> {
        let running = self.running.as_mut()?;
        running.sent = Instant::now();
        let asked = timeouts(running.patience, self.around.guard.statement_timeout);
        super::monitor::not_in_force(&asked.into_iter().collect::<Vec<_>>(), settings)
    }

    fn finished(&mut self) {
        self.leaves_queue();
        let Some(running) = self.running.take() else {
            return;
        };
        self.forecast.ran(&running.sql);
        if running.needs.way == Way::Ordinary {
            let at = self.at(running.sent + running.waited);
            for lock in &running.needs.strong {
                let mode = words::mode(lock.mode).pg_locks();
                self.timeline
                    .holds(&lock.relation.to_string(), mode, at, words::stronger);
            }
        }
        if !running.in_transaction {
            self.release(Ended::Committed);
        }
    }

    fn leaves_queue(&mut self) {
        if let Some(running) = &mut self.running
            && let Some(since) = running.queued.take()
        {
            let waited = since.elapsed();
            running.waited += waited;
            self.spent += waited;
        }
    }

    fn release(&mut self, ended: Ended) {
        let at = self.around.reporter.elapsed();
        let id = self.current.as_ref().map(|c| &c.id);
        for held in self.timeline.released(at, id, ended) {
            self.around.reporter.emit(EventKind::LockHeld(held));
        }
    }

    /// On the clock of the run.
    fn at(&self, instant: Instant) -> Duration {
        self.around
            .reporter
            .elapsed()
            .saturating_sub(instant.elapsed())
    }

    /// Answers the question that is open, if it can be answered now, or watches what runs.
    pub(super) async fn turn(
        &mut self,
        monitor: &mut Monitor,
        ours: &[i32],
        backend: Option<i32>,
    ) -> Turn {
        self.next_look = Instant::now() + LOOK;
        match self.question.take() {
            Some(question) => self.answer(question, monitor, ours, backend).await,
            None => self.watch(monitor, backend).await,
        }
    }

    async fn answer(
        &mut self,
        mut question: Question,
        monitor: &mut Monitor,
        ours: &[i32],
        backend: Option<i32>,
    ) -> Turn {
        let turn = match &question.what {
            Asked::Migration(id) => {
                let locks = self.ahead.get(id).cloned().unwrap_or_default();
                match self.at_gate(&locks, &mut question, monitor, ours).await {
                    Err(failure) => stop(failure),
                    Ok(Step::Wait) => Turn::default(),
                    Ok(Step::Go(_)) => go(BTreeMap::new()),
                }
            }
            Asked::Statement(statement) => {
                let statement = statement.clone();
                self.statement(&statement, &mut question, monitor, ours, backend)
                    .await
            }
            Asked::Attempt(failed) => {
                let failed = failed.clone();
                self.after(&Failed::Migration(&failed))
            }
            Asked::Failed(exception) => {
                let exception = exception.clone();
                let failed = Failed::Statement {
                    exception: &exception,
                    left_invalid: self.left_invalid(monitor).await,
                    attempt: self.running.as_ref().map_or(1, |r| r.attempt),
                };
                self.after(&failed)
            }
            Asked::Pause(until) if Instant::now() >= *until => say(Word::Retry),
            Asked::Pause(until) => {
                self.next_look = *until;
                Turn::default()
            }
        };
        let answered = turn.word.is_some() || turn.failure.is_some();
        if !answered && self.question.is_none() {
            self.question = Some(question);
        } else if answered && question.held_up {
            self.spent += question.since.elapsed();
        }
        // who goes on holding locks is still in somebody's way
        if !answered && !self.timeline.is_empty() {
            let watched = self.watch(monitor, backend).await;
            if watched.word.is_some() {
                self.question = None;
                return watched;
            }
        }
        turn
    }

    /// Before a statement: at once, or once its locks are to be had.
    async fn statement(
        &mut self,
        statement: &Announced,
        question: &mut Question,
        monitor: &mut Monitor,
        ours: &[i32],
        backend: Option<i32>,
    ) -> Turn {
        let Announced {
            sql,
            in_transaction,
            needs,
        } = statement.clone();
        if in_transaction {
            self.sample(monitor, backend).await;
        }
        let ceiling = self.around.guard.lock_timeout;
        let ceiling = (!ceiling.is_zero()).then_some(ceiling);
        let patience = match needs.way {
            Way::Light | Way::Unknown => ceiling,
            Way::Concurrently => self.left(),
            Way::Ordinary => {
                let wanted: Vec<Lock> = needs
                    .strong
                    .iter()
                    .filter(|l| !self.has(l))
                    .cloned()
                    .collect();
                match self.at_gate(&wanted, question, monitor, ours).await {
                    Err(failure) => return stop(failure),
                    Ok(Step::Go(patience)) if wanted.is_empty() => ceiling.or(Some(patience)),
                    Ok(Step::Go(patience)) => Some(patience),
                    Ok(Step::Wait) => {
                        match self.waits_while_holding(question, &wanted, in_transaction) {
                            Some(Busy::LetGo(word)) => return say(word),
                            Some(Busy::Try) => ceiling,
                            None => return Turn::default(),
                        }
                    }
                }
            }
        };
        let patience = match (patience, self.left()) {
            (Some(patience), Some(left)) => Some(patience.min(left)),
            (one, other) => one.or(other),
        };
        let attempt = self
            .running
            .take()
            .filter(|r| r.sql == sql)
            .map_or(1, |r| r.attempt + 1);
        self.running = Some(Running {
            sql,
            in_transaction,
            needs,
            sent: Instant::now(),
            patience,
            queued: None,
            waited: Duration::ZERO,
            attempt,
        });
        go(timeouts(patience, self.around.guard.statement_timeout))
    }

    /// A transaction that holds locks may not stand at a gate for long: it lets go, and waits with nothing in hand. Where
    /// it cannot be run again, it tries.
    fn waits_while_holding(
        &mut self,
        question: &Question,
        wanted: &[Lock],
        in_transaction: bool,
    ) -> Option<Busy> {
        if !in_transaction || self.timeline.is_empty() || question.since.elapsed() < WHILE_HOLDING {
            return None;
        }
        let current = self.current.as_ref()?;
        if !current.retryable || current.attempt > self.around.guard.retries {
            return Some(Busy::Try);
        }
        let known = self.ahead.entry(current.id.clone()).or_default();
        for lock in wanted {
            needs::add(known, lock.clone());
        }
        let why = format!(
            "{} was busy while other locks were held",
            words::relations(wanted)
        );
        self.ours = Some(LetGo::Busy(why));
        Some(Busy::LetGo(Word::LetGo))
    }

    /// We hold it already, in this mode or a stronger one.
    fn has(&self, lock: &Lock) -> bool {
        self.timeline
            .mode(&lock.relation.to_string())
            .is_some_and(|held| {
                LockMode::from_pg_locks(held).is_some_and(|held| held >= words::mode(lock.mode))
            })
    }

    /// One look at who is in the way of `locks`.
    async fn at_gate(
        &mut self,
        locks: &[Lock],
        question: &mut Question,
        monitor: &mut Monitor,
        ours: &[i32],
    ) -> Result<Step, Failure> {
        if locks.is_empty() {
            return Ok(Step::Go(self.around.guard.lock_timeout));
        }
        let began = Instant::now();
        let held = match monitor.in_the_way(locks, ours).await {
            Ok(held) => held,
            Err(why) => {
                self.cannot_see(&why);
                Vec::new()
            }
        };
        let holders: Vec<InTheWay> = held.iter().map(in_the_way).collect();
        let step = self.gate.look(Instant::now(), &holders);
        self.next_look = Instant::now() + (began.elapsed() * 10).clamp(SOONEST, RAREST_AT_GATE);
        if step == Step::Wait {
            question.held_up = true;
            self.tell_gate(&held, locks, question.since.elapsed(), monitor);
            self.signal(&held, ours, monitor).await;
            if self.left_after(question.since.elapsed()) == Some(Duration::ZERO) {
                return Err(self.out_of_time(locks, monitor));
            }
        }
        Ok(step)
    }

    fn cannot_see(&mut self, why: &str) {
        if !std::mem::replace(&mut self.blind, true) {
            self.around.reporter.emit(EventKind::Note {
                level: NoteLevel::Warning,
                message: format!(
                    "who holds locks cannot be seen ({why}), so short attempts are made without"
                ),
            });
        }
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
    async fn signal(&mut self, held: &[Held], ours: &[i32], monitor: &mut Monitor) {
        let mode = self.around.guard.on_blocker;
        if mode == OnBlocker::Wait {
            return;
        }
        let roots = monitor.roots(held, ours).await;
        for (root, act) in self.signalled.due(Instant::now(), &roots, mode) {
            let outcome = match act {
                Act::Leave(why) => format!("left alone: {why}"),
                Act::Cancel => monitor.cancel_blocker(root.pid).await,
                Act::Terminate => monitor.terminate_blocker(root.pid).await,
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
    fn left(&self) -> Option<Duration> {
        self.left_after(Duration::ZERO)
    }

    fn left_after(&self, more: Duration) -> Option<Duration> {
        let all = self.around.guard.max_wait;
        (!all.is_zero()).then(|| all.saturating_sub(self.spent + more))
    }

    fn out_of_time(&self, locks: &[Lock], monitor: &Monitor) -> Failure {
        let all = crate::ui::seconds(self.around.guard.max_wait.as_secs_f64());
        let failure = Failure::new(
            Class::MigrationLockTimeout,
            format!("the lock on {} was not to be had in {all} (--max-wait)", words::relations(locks)),
        )
        .hint("wait until those in the way are gone, or allow more with --max-wait; --on-blocker cancel or terminate ends them");
        words::blocked_by(failure, monitor.last_blockers())
    }

    /// What follows on something that failed.
    fn after(&mut self, failed: &Failed<'_>) -> Turn {
        let ours = self.ours.take();
        let out_of_time = self.left() == Some(Duration::ZERO);
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
                Turn {
                    word: Some(Word::GiveUp),
                    failure: ours.and_then(|ours| self.given_up(&ours, failed)),
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
    fn given_up(&self, ours: &LetGo, failed: &Failed<'_>) -> Option<Failure> {
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
            LetGo::OutOfTime => words::is_for_lock(failed).then(|| {
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
    async fn left_invalid(&self, monitor: &mut Monitor) -> Option<bool> {
        let running = self.running.as_ref()?;
        if running.needs.way != Way::Concurrently {
            return None;
        }
        Some(
            monitor
                .new_invalid_indexes()
                .await
                .is_none_or(|left| !left.is_empty()),
        )
    }

    /// While a statement runs, or its transaction holds locks.
    async fn watch(&mut self, monitor: &mut Monitor, backend: Option<i32>) -> Turn {
        let Some(pid) = backend else {
            return Turn::default();
        };
        let runs = self
            .running
            .as_ref()
            .is_some_and(|r| r.sent.elapsed() >= LOOK);
        if runs {
            let turn = self.own_wait(monitor, pid).await;
            if turn.word.is_some() {
                return turn;
            }
        }
        let may_block = runs
            && self
                .running
                .as_ref()
                .is_some_and(|r| r.needs.way != Way::Light);
        if self.ours.is_none()
            && (may_block || !self.timeline.is_empty())
            && Instant::now() >= self.next_count
        {
            return self.count_behind(monitor, pid).await;
        }
        if runs && Instant::now() >= self.next_progress {
            self.next_progress = Instant::now() + TELL;
            if let Some(progress) = monitor.progress(pid).await {
                self.around.reporter.emit(progress);
            }
        }
        Turn::default()
    }

    async fn own_wait(&mut self, monitor: &mut Monitor, pid: i32) -> Turn {
        let waits = monitor.waits_for_lock(pid).await;
        let Some(running) = &mut self.running else {
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
        let Some(queue) = monitor.queue_behind(pid, guard.max_blocked).await else {
            self.next_count = Instant::now() + RAREST;
            return Turn::default();
        };
        self.next_count = Instant::now() + (began.elapsed() * SHARE).clamp(LOOK, RAREST);
        if queue.waiting == 0 {
            return Turn::default();
        }
        // who waited for others before us does not wait for us for longer than we are there
        let queued = self.running.as_ref().and_then(|r| r.queued);
        let ours = queued.map_or(Duration::ZERO, |at| at.elapsed());
        let held = self.timeline.since().map_or(Duration::ZERO, |at| {
            self.around.reporter.elapsed().saturating_sub(at)
        });
        let runs = self
            .running
            .as_ref()
            .map_or(Duration::ZERO, |r| r.sent.elapsed());
        let longest = queue
            .longest
            .unwrap_or_default()
            .min(ours.max(held).max(runs));
        self.timeline.behind(queue.waiting, longest);
        self.tell_blocking(queue.waiting, longest);
        let many = queue.waiting > u64::from(guard.max_blocked);
        let long = !guard.max_blocking.is_zero() && longest > guard.max_blocking;
        if !many && !long {
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
    fn let_go(&mut self, why: LetGo) -> Turn {
        self.ours = Some(why);
        say(Word::LetGo)
    }

    /// What the transaction holds by now, where the server says it cheaply.
    async fn sample(&mut self, monitor: &mut Monitor, backend: Option<i32>) {
        let Some(pid) = backend else { return };
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

enum Busy {
    LetGo(Word),
    Try,
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

fn timeouts(patience: Option<Duration>, statement: Duration) -> BTreeMap<String, String> {
    // zero is no limit to the server: what is over gets the shortest
    let patience = patience.map_or(0, |p| millis(p).max(1));
    BTreeMap::from([
        ("lock_timeout".to_owned(), patience.to_string()),
        (
            "statement_timeout".to_owned(),
            millis(statement).to_string(),
        ),
    ])
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

fn say(word: Word) -> Turn {
    Turn {
        word: Some(word),
        ..Turn::default()
    }
}

fn go(settings: BTreeMap<String, String>) -> Turn {
    say(Word::Go { settings })
}

fn stop(failure: Failure) -> Turn {
    Turn {
        word: Some(Word::StopNow),
        failure: Some(failure),
    }
}

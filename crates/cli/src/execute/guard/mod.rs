//! The guard around `migrate`: it answers each question of the bridge, and watches what runs between them.
//!
//! Before a migration and before each statement that keeps others waiting it stands at the gate, outside the lock's
//! queue. While one waits or holds, it counts who stands behind, and lets go in time. What failed for want of a lock, and
//! was rolled back whole, is tried again. The decisions are pure: `needs`, `gate`, `retry`, `blockers`, `timeline`.
//!
//! Absent here: the process (see [`super`]) and what its end means (see [`super::settle`]).

mod again;
mod blockers;
mod entrance;
mod gate;
mod hear;
mod needs;
mod retry;
mod statement;
mod timeline;
mod watch;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Execution;
use super::monitor::Monitor;
use super::progress::Owner;
use crate::django::wire::{AttemptFailed, Exception, Word};
use crate::event::{EventKind, NoteLevel};
use crate::failure::Failure;
use crate::hazards::Context;
use crate::names::MigrationId;
use crate::plan::Plan;
use crate::sql::Lock;
use blockers::Signalled;
pub(super) use blockers::{Root, Standing};
use gate::{Gate, Step};
use needs::{Forecast, Needs};
use retry::{Ends, Failed, LetGo};
use timeline::Timeline;
pub(super) use words::mode as server_mode;

/// How often a running statement's own wait is looked at; 0.05 ms of the server's time each (facts.md).
const LOOK: Duration = Duration::from_millis(50);
/// A look at who waits takes at most this share of the server's time, while somebody does and while nobody does.
const SHARE: u32 = 20;
const SHARE_IN_PEACE: u32 = 100;
/// The rarest look while somebody may wait behind us.
const RAREST: Duration = Duration::from_millis(300);
/// The rarest look at the gate, where nobody waits behind us.
const RAREST_AT_GATE: Duration = Duration::from_millis(500);
const SOONEST: Duration = Duration::from_millis(20);
/// A wait is told when it took this long, then so often that nobody waits a second for word.
const TELL_AFTER: Duration = Duration::from_millis(200);
const TELL: Duration = Duration::from_millis(700);
/// How long a transaction that holds locks waits at a gate before it is rolled back.
const WHILE_HOLDING: Duration = Duration::from_millis(300);
/// The bridge is expected to have let go by then. Python that does not return from its own C code never does.
const UNHEARD: Duration = Duration::from_secs(2);
/// The server's own lock_timeout is expected to have ended a wait by then.
const OVERDUE: Duration = Duration::from_secs(1);

/// What the drive loop is to do.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) word: Option<Word>,
    /// The run ends for this; the word, if any, is said first.
    pub(super) failure: Option<Failure>,
}

/// Through whom the guard sees.
pub(super) struct Sight<'m> {
    pub(super) monitor: &'m mut Monitor,
    /// Server processes of the run itself.
    pub(super) ours: &'m [i32],
    /// The one that runs the statements.
    pub(super) backend: Option<i32>,
    pub(super) owner: Owner,
}

/// What an interruption would meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnderWay {
    Nothing,
    Migration,
}

/// A question of the bridge that waits for its word.
#[derive(Debug, Clone)]
pub(super) struct Question {
    what: Asked,
    since: Instant,
    /// Somebody was in the way at the last look.
    held_up: bool,
}

#[derive(Debug, Clone)]
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
    number: u64,
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
    /// What it was seen to wait for: relation and mode.
    awaits: Option<(Option<String>, Option<String>)>,
    waited: Duration,
    /// Of the same statement, outside a transaction.
    attempt: u32,
}

impl Running {
    /// What it queued for, as seen, or else as foreseen.
    fn stands_for(&self) -> (Option<String>, Option<String>) {
        let foreseen = || {
            let lock = self.needs.strong.first();
            let mode = |lock: &Lock| words::mode(lock.mode).pg_locks().to_owned();
            (lock.map(|l| l.relation.to_string()), lock.map(mode))
        };
        self.awaits.clone().unwrap_or_else(foreseen)
    }
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
    /// SHA-256 of the migrations' files.
    files: BTreeMap<MigrationId, String>,
    gate: Gate,
    /// The locks that the gate has watched the holders of.
    gate_of: Vec<Lock>,
    current: Option<Current>,
    question: Option<Question>,
    running: Option<Running>,
    /// Why a statement was given up, as long as the migration's own code has not gone on after it.
    given_up: Option<Failure>,
    /// Why the running attempt is given up, once it is, and since when.
    ours: Option<(LetGo, Instant)>,
    /// Waits that are over.
    spent: Duration,
    timeline: Timeline,
    /// Since when a transaction of ours is open that has changed rows or more.
    open: Option<Instant>,
    /// It may hold strong locks that nobody has looked for yet.
    unseen: bool,
    /// Since when one is open that has read: who wants ACCESS EXCLUSIVE waits for that too, and all others behind that one.
    reads: Option<Instant>,
    /// A COMMIT was sent; whatever comes next says that it arrived.
    committing: bool,
    signalled: Signalled,
    told: Option<Instant>,
    /// Since when it cannot see.
    blind: Option<Instant>,
    next_look: Instant,
    next_count: Instant,
    next_held: Instant,
    next_progress: Instant,
}

impl<'a> Guard<'a> {
    pub(super) fn new(around: &'a Execution<'a>, plan: &Plan, context: &Context) -> Self {
        let now = Instant::now();
        let retryable = plan
            .steps
            .iter()
            .filter(|step| step.atomic && !step.operations.iter().any(words::runs_code));
        Self {
            around,
            forecast: Forecast::new(context),
            ahead: needs::ahead(around.preview),
            retryable: retryable.map(|step| step.id.clone()).collect(),
            files: plan
                .steps
                .iter()
                .filter_map(|step| Some((step.id.clone(), step.source_sha256.clone()?)))
                .collect(),
            gate: Gate::new(around.guard.lock_timeout, around.deadlock_timeout),
            gate_of: Vec::new(),
            current: None,
            question: None,
            running: None,
            given_up: None,
            ours: None,
            spent: Duration::ZERO,
            timeline: Timeline::default(),
            open: None,
            unseen: false,
            reads: None,
            committing: false,
            signalled: Signalled::default(),
            told: None,
            blind: None,
            next_look: now,
            next_count: now,
            next_held: now,
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
            Some(Asked::Migration(_)) => UnderWay::Nothing,
            // before another attempt of the migration; a statement's own pause keeps it running
            Some(Asked::Pause(_)) if self.running.is_none() => UnderWay::Nothing,
            _ => UnderWay::Migration,
        }
    }

    /// The reason of the end, where a statement was given up and nothing followed.
    pub(super) fn given_up_for(&mut self) -> Option<Failure> {
        self.given_up.take()
    }

    /// The project's code caught what a statement raised: then that is no end.
    fn went_on(&mut self) {
        if let Some(failure) = self.given_up.take() {
            self.around.reporter.emit(EventKind::Note {
                level: NoteLevel::Warning,
                message: format!(
                    "the migration's own code went on after a statement was given up: {}",
                    failure.message
                ),
            });
        }
    }

    /// The question that is open, for [`Guard::resume`].
    pub(super) fn open_question(&self) -> Option<Question> {
        self.question.clone()
    }

    /// A turn was dropped before its end: its question is still open.
    pub(super) fn resume(&mut self, question: Option<Question>) {
        self.question = question;
    }

    /// The process is being stopped: no more questions.
    pub(super) fn stop(&mut self) {
        self.question = None;
    }

    /// Answers the question that is open, if it can be answered now, or watches what runs.
    pub(super) async fn turn(&mut self, sight: &mut Sight<'_>) -> Turn {
        self.next_look = Instant::now() + LOOK;
        match self.question.take() {
            Some(question) => self.answer(question, sight).await,
            None => self.watch(sight).await,
        }
    }

    async fn answer(&mut self, mut question: Question, sight: &mut Sight<'_>) -> Turn {
        let turn = match &question.what {
            Asked::Migration(id) => {
                let locks = self.ahead.get(id).cloned().unwrap_or_default();
                match self.at_gate(&locks, &mut question, sight).await {
                    Err(failure) => stop(failure),
                    Ok(Step::Wait) => Turn::default(),
                    Ok(Step::Go(_)) => go(BTreeMap::new(), BTreeMap::new()),
                }
            }
            Asked::Statement(statement) => {
                let statement = statement.clone();
                self.statement(&statement, &mut question, sight).await
            }
            Asked::Attempt(failed) => {
                let failed = failed.clone();
                self.after(&Failed::Migration(&failed))
            }
            Asked::Failed(exception) => {
                let exception = exception.clone();
                let failed = Failed::Statement {
                    exception: &exception,
                    left_invalid: self.left_invalid(sight).await,
                    ends: self
                        .running
                        .as_ref()
                        .map_or(Ends::Whole, |r| words::ends(&r.sql)),
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
        if !answered && self.in_the_way() {
            let watched = self.watch(sight).await;
            if watched.word.is_some() {
                self.question = None;
                return watched;
            }
        }
        turn
    }
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

fn go(settings: BTreeMap<String, String>, afterwards: BTreeMap<String, String>) -> Turn {
    say(Word::Go {
        settings,
        afterwards,
    })
}

fn stop(failure: Failure) -> Turn {
    Turn {
        word: Some(Word::StopNow),
        failure: Some(failure),
    }
}

//! Step 4: the project's own `migrate`, forward or back, under guard. What happened is decided from what the database says.
//!
//! `guard` answers the bridge's questions, `progress` folds its answers, `settle` decides; the last two are pure. Absent
//! here: verification of the result.

mod guard;
mod monitor;
mod progress;
pub(crate) mod resume;
mod settle;

use std::pin::pin;
use std::time::Duration;

use crate::backup::BackupReceipt;
use crate::consent::Approved;
use crate::database::{self, Reach};
use crate::django::wire::{Answer, Word};
use crate::django::{Bridge, BridgeError, Django};
use crate::event::{EventKind, MigrationFailed, NoteLevel};
use crate::exit::Class;
use crate::failure::Failure;
use crate::lock::MigrationLock;
use crate::names::MigrationId;
use crate::plan::{Direction, Plan};
use crate::preview::Preview;
use crate::reporter::Reporter;
use crate::settings::{GuardSettings, Target};
use crate::signal::{Asked, Signals};
use guard::{Guard, Sight, UnderWay};
use monitor::Monitor;
use progress::{End, Progress};
use resume::BrokenRun;
use settle::Seen;

/// How long a stopped migration may take to roll back before its Python is killed.
const PATIENCE: Duration = Duration::from_secs(15);
/// The same where nobody answers: no rollback is heard of.
const SHORT: Duration = Duration::from_secs(2);
/// For reading the history once all is over.
const READ: Duration = Duration::from_secs(20);

/// What applying needs besides its witnesses.
pub(crate) struct Execution<'a> {
    pub(crate) django: &'a Django,
    pub(crate) target: &'a Target,
    pub(crate) guard: &'a GuardSettings,
    /// What the migrations are expected to do.
    pub(crate) preview: &'a Preview,
    /// Runs that did not end well, the newest first.
    pub(crate) earlier: &'a [BrokenRun],
    /// The server's; after it a waiter's deadlock check sends an autovacuum away.
    pub(crate) deadlock_timeout: Duration,
    pub(crate) reach: &'a Reach,
    pub(crate) run: &'a str,
    pub(crate) reporter: &'a Reporter,
    pub(crate) signals: &'a Signals,
    pub(crate) hear: &'a dyn Fn(&str),
}

/// The plan was run to its end. Whether all of it is recorded is for verification to say.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) warnings: Vec<String>,
    /// Why a statement was given up that the project's own code could do without.
    let_go: Option<String>,
}

/// Applies the plan that was approved, holding the lock, with the backup at hand.
pub(crate) async fn execute(
    lock: &MigrationLock,
    plan: &Plan,
    approved: &Approved,
    _backup: &BackupReceipt,
    around: &Execution<'_>,
) -> Result<Applied, Failure> {
    if approved.fingerprint() != plan.fingerprint {
        return Err(Failure::new(
            Class::PlanChanged,
            "the approval is for another plan",
        ));
    }
    around.reporter.ensure_journal()?;
    let mut monitor = Monitor::open(around.reach).await?;
    let context = database::context(&*around.reach.observer().await?).await?;
    let mut guard = Guard::new(around, plan, &context);
    let mut progress = Progress::default();
    let mut bridge = around
        .django
        .migrate(around.target, plan, session(around))
        .await
        .map_err(BridgeError::failure)?;
    if let Some(password) = around.reach.options().password() {
        bridge.scrub(password);
    }
    let ended = drive(
        bridge,
        lock,
        &mut progress,
        &mut guard,
        &mut monitor,
        around,
    )
    .await;
    let left = monitor
        .wait_until_gone(
            progress.backends(),
            progress.owner(),
            progress.where_it_stays(),
        )
        .await;
    let done = done(around.reach, plan, &monitor).await;
    let invalid = monitor.new_invalid_indexes().await.unwrap_or_default();
    let invalid: Vec<String> = invalid.into_iter().collect();
    let seen = Seen {
        blockers: monitor.last_blockers(),
        invalid: &invalid,
        left: &left,
    };
    let known = done.as_ref().ok();
    let arrived = known.and_then(|ids| settle::arrived(plan, &progress, ids).cloned());
    let verdict = settle::settle(plan, &progress, &ended, done, &seen);
    match (&verdict, &arrived) {
        (Ok(applied), _) => tell_let_go(applied, around.reporter),
        // it is recorded: nobody lived to say so, and the connection's end is the run's failure, not the migration's
        (Err(_), Some(id)) => tell_arrived(id, plan.direction, around.reporter),
        (Err(failure), None) => tell_failure(&progress, &ended, failure, around.reporter),
    }
    verdict
}

fn tell_let_go(applied: &Applied, reporter: &Reporter) {
    if let Some(why) = &applied.let_go {
        reporter.emit(EventKind::Note {
            level: NoteLevel::Warning,
            message: format!("`migrate` went on to its end after a statement was given up: {why}"),
        });
    }
}

/// What of the plan is done by the history, as far as it can be read in time.
async fn done(reach: &Reach, plan: &Plan, monitor: &Monitor) -> Result<Vec<MigrationId>, Failure> {
    let limit = match monitor.is_silent() {
        true => READ / 4,
        false => READ,
    };
    let read = tokio::time::timeout(limit, reach.done(plan)).await;
    read.unwrap_or_else(|_| {
        let seconds = limit.as_secs();
        let message = format!("the history could not be read within {seconds} s");
        Err(Failure::new(Class::DatabaseUnavailable, message))
    })
}

fn tell_arrived(id: &MigrationId, direction: Direction, reporter: &Reporter) {
    let (app, name) = (id.app.0.clone(), id.name.0.clone());
    let begun = reporter.lines().into_iter().rfind(|line| {
        matches!(&line.kind, EventKind::MigrationStarted { app: a, name: n, .. } if *a == app && *n == name)
    });
    let began = Duration::from_millis(begun.map_or(0, |line| line.elapsed_ms));
    let seconds = reporter.elapsed().saturating_sub(began).as_secs_f64();
    reporter.emit(migration_done(app, name, seconds, direction));
}

fn migration_done(app: String, name: String, seconds: f64, direction: Direction) -> EventKind {
    match direction {
        Direction::Forward => EventKind::MigrationApplied { app, name, seconds },
        Direction::Back => EventKind::MigrationUnapplied { app, name, seconds },
    }
}

/// The settings of every session of `migrate`: they hold for RunSQL and RunPython too.
fn session(around: &Execution<'_>) -> Vec<(String, String)> {
    let ms = |d: Duration| d.as_millis().to_string();
    [
        ("lock_timeout", ms(around.guard.lock_timeout)),
        ("statement_timeout", ms(around.guard.statement_timeout)),
        // Django holds its locks, idle in transaction, while it renders models: a low limit would kill it there
        ("idle_in_transaction_session_timeout", "0".to_owned()),
        // nor is it in a transaction while it waits at the gate
        ("idle_session_timeout", "0".to_owned()),
        // a killed client's backend goes on with its locks for the statement's whole length without this
        ("client_connection_check_interval", "500".to_owned()),
        // and one behind a network that swallows packets, for hours
        ("tcp_keepalives_idle", "30".to_owned()),
        ("tcp_keepalives_interval", "10".to_owned()),
        ("tcp_keepalives_count", "3".to_owned()),
        ("tcp_user_timeout", "60000".to_owned()),
        ("application_name", format!("django-migrate {}", around.run)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// How the process ended, from outside.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) crash: Option<Failure>,
    /// Signals that were heard.
    pub(crate) asked: Asked,
    /// We stopped it ourselves, for this reason.
    pub(crate) stopped_for: Option<Failure>,
}

async fn drive(
    mut bridge: Bridge,
    lock: &MigrationLock,
    progress: &mut Progress,
    guard: &mut Guard<'_>,
    monitor: &mut Monitor,
    around: &Execution<'_>,
) -> Ended {
    let mut heard = Asked::default();
    let mut ended = Ended {
        crash: None,
        asked: heard,
        stopped_for: None,
    };
    let mut deadline: Option<tokio::time::Instant> = None;
    let mut silence = pin!(monitor::silence(lock, monitor.silent()));
    loop {
        let look = guard.next_look();
        tokio::select! {
            biased;
            asked = around.signals.more_than(heard) => {
                heard = asked;
                ended.asked = asked;
                let way = guard.under_way();
                if stop(&mut bridge, asked, way, progress, monitor, around.reporter).await == Stopping::Now {
                    guard.stop();
                    deadline.get_or_insert(tokio::time::Instant::now() + PATIENCE);
                }
            }
            answer = bridge.next(around.hear) => match answer {
                Ok(Some(answer)) => {
                    let why = hear(&answer, &mut bridge, progress, around).or_else(|| guard.hear(&answer));
                    if let Some(why) = why {
                        ended.stopped_for.get_or_insert(why);
                        guard.stop();
                        bridge.say(Word::StopNow).await;
                        deadline.get_or_insert(tokio::time::Instant::now() + PATIENCE);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    ended.crash = Some(error.failure());
                    break;
                }
            },
            () = lock.lost(), if ended.stopped_for.is_none() => {
                ended.stopped_for = Some(lock_lost());
                guard.stop();
                bridge.say(Word::StopNow).await;
                monitor.cancel(progress.backends(), progress.owner()).await;
                deadline.get_or_insert(tokio::time::Instant::now() + PATIENCE);
            }
            () = &mut silence, if ended.stopped_for.is_none() => {
                ended.stopped_for = Some(silent());
                guard.stop();
                bridge.say(Word::StopNow).await;
                deadline = Some(tokio::time::Instant::now() + SHORT);
            }
            () = until(deadline) => {
                bridge.stop(Duration::from_secs(2)).await;
                deadline = None;
            }
            () = tokio::time::sleep_until(look.into()) => {
                let ours = progress.backends();
                let question = guard.open_question();
                let mut sight = Sight { monitor, ours: &ours, backend: progress.backend(), owner: progress.owner() };
                let turn = tokio::select! {
                    biased;
                    // a look may take seconds where the network is bad: these do not wait for its end
                    () = urgent(around, heard, lock, &ended, deadline) => None,
                    turn = guard.turn(&mut sight) => Some(turn),
                };
                let Some(turn) = turn else {
                    guard.resume(question);
                    continue;
                };
                if let Some(word) = turn.word {
                    if word == Word::StopNow {
                        deadline.get_or_insert(tokio::time::Instant::now() + PATIENCE);
                    }
                    bridge.say(word).await;
                }
                if let Some(failure) = turn.failure {
                    ended.stopped_for.get_or_insert(failure);
                }
            }
        }
    }
    if let Some(why) = guard.given_up_for() {
        ended.stopped_for.get_or_insert(why);
    }
    if let Err(error) = bridge.finish().await
        && progress.end != Some(End::Done)
    {
        ended.crash.get_or_insert(error.failure());
    }
    ended
}

/// What the drive loop does before anything else.
async fn urgent(
    around: &Execution<'_>,
    heard: Asked,
    lock: &MigrationLock,
    ended: &Ended,
    deadline: Option<tokio::time::Instant>,
) {
    tokio::select! {
        _ = around.signals.more_than(heard) => {}
        () = lock.lost(), if ended.stopped_for.is_none() => {}
        () = until(deadline) => {}
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn lock_lost() -> Failure {
    Failure::new(
        Class::MigrationConnectionLost,
        "the connection that held the advisory lock was lost, so the run stopped itself",
    )
    .hint("look at the server's log, then run again")
}

fn silent() -> Failure {
    Failure::new(
        Class::MigrationConnectionLost,
        format!(
            "nobody has answered for {} s, on none of the run's connections and on no new one, so the run stopped itself",
            monitor::SILENCE.as_secs()
        ),
    )
    .hint("look at the network between here and the server, and at the server itself, then run again")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    AfterMigration,
    Now,
}

/// Ctrl-C once: the current migration finishes. Twice, or SIGTERM: it is cancelled, and rolls back if it is atomic. With
/// nothing under way once is enough.
async fn stop(
    bridge: &mut Bridge,
    asked: Asked,
    way: UnderWay,
    progress: &Progress,
    monitor: &mut Monitor,
    reporter: &Reporter,
) -> Stopping {
    let note = |message: &str| {
        reporter.emit(EventKind::Note {
            level: NoteLevel::Warning,
            message: message.to_owned(),
        });
    };
    if asked.interrupts == 1 && !asked.terminated && way == UnderWay::Migration {
        note(match progress.atomic() {
            true => {
                "stopping after the current migration; Ctrl-C again cancels it and rolls it back"
            }
            false => {
                "stopping after the current migration; it is not atomic: Ctrl-C again cancels its running statement, and \
                 those before it stay"
            }
        });
        bridge.say(Word::StopAfterMigration).await;
        return Stopping::AfterMigration;
    }
    note(match (way, progress.atomic()) {
        (UnderWay::Nothing, _) => {
            "stopping: no migration is at work, and the next one does not begin"
        }
        (UnderWay::Migration, true) => "cancelling: the current migration is rolled back",
        (UnderWay::Migration, false) => {
            "cancelling: the running statement is cancelled; the current migration is not atomic, and what came to its \
             end before stays"
        }
    });
    bridge.say(Word::StopNow).await;
    monitor.cancel(progress.backends(), progress.owner()).await;
    Stopping::Now
}

/// Takes one answer in, tells the world, and gives a reason to stop if there is one.
fn hear(
    answer: &Answer,
    bridge: &mut Bridge,
    progress: &mut Progress,
    around: &Execution<'_>,
) -> Option<Failure> {
    let emit = |kind| around.reporter.emit(kind);
    match answer {
        Answer::Database(database) => {
            if let Some(password) = &database.password {
                bridge.scrub(password);
            }
        }
        Answer::Connected {
            alias, settings, ..
        } if *alias == around.django.settings.database => {
            if let Some(why) = monitor::not_in_force(&session(around), settings) {
                return Some(why);
            }
        }
        Answer::MigrationStarted {
            app,
            name,
            atomic,
            backward,
            ..
        } => {
            emit(EventKind::MigrationStarted {
                app: app.clone(),
                name: name.clone(),
                atomic: *atomic,
                backward: *backward,
            });
        }
        Answer::StatementStarted {
            number,
            app,
            name,
            sql,
            ..
        } => emit(EventKind::StatementStarted {
            number: *number,
            app: app.clone(),
            name: name.clone(),
            sql: sql.clone(),
        }),
        Answer::StatementFinished { number, seconds } => {
            emit(EventKind::StatementFinished {
                number: *number,
                seconds: *seconds,
            });
        }
        Answer::MigrationApplied {
            app,
            name,
            seconds,
            backward,
        } => {
            let direction = match backward {
                true => Direction::Back,
                false => Direction::Forward,
            };
            emit(migration_done(
                app.clone(),
                name.clone(),
                *seconds,
                direction,
            ));
        }
        _ => {}
    }
    progress.absorb(answer);
    None
}

fn tell_failure(progress: &Progress, ended: &Ended, failure: &Failure, reporter: &Reporter) {
    let Some((id, exception)) = &progress.failed else {
        return;
    };
    let first = failure
        .message
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    reporter.emit(EventKind::MigrationFailed(MigrationFailed {
        app: id.app.0.clone(),
        name: id.name.0.clone(),
        sqlstate: exception.sqlstate.clone(),
        // what stopped it is the reason, and not that it was stopped
        message: if exception.message.is_empty() || ended.stopped_for.is_some() {
            first
        } else {
            exception.message.clone()
        },
        detail: exception.detail.clone(),
        constraint: exception.constraint.clone(),
        statement: progress.failed_statement.clone(),
    }));
}

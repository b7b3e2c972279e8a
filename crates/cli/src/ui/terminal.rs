//! The talk of a run on stderr: steps with times, a bar where a size is known, a spinner with facts where not.
//!
//! Absent here: questions (see [`super::prompt`]) and the answer on stdout (see [`super::out`]).

mod archive;
mod words;

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

pub(crate) use self::words::parameters;
use self::words::{by_app, listed, swapped_words, wait_word, waiting};
use super::pulse::{Beat, Pulse, Word};
use super::ran::Ran;
use super::style::{Look, paint};
use super::{bytes, count, one_line, out, seconds, wrapped};
use crate::event::{Course, EventKind, Line, NoteLevel, PreviewFinished, ProjectInspected, Step};
use crate::plan::Direction;
use crate::reporter::Listener;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Volume {
    Quiet,
    Normal,
    Verbose,
}

/// The listener for people.
pub(crate) struct Terminal {
    volume: Volume,
    direction: Direction,
    course: Course,
    animated: bool,
    bar: Option<ProgressBar>,
    migrations: (usize, usize),
    pulse: Pulse,
    /// Since the run began, when a log had word of progress.
    progress_at: u64,
    restore_errors: u64,
    ran: Ran,
}

impl Terminal {
    pub(crate) fn new(volume: Volume) -> Self {
        Self {
            volume,
            direction: Direction::Forward,
            course: Course::Forward,
            animated: std::io::stderr().is_terminal(),
            bar: None,
            migrations: (0, 0),
            pulse: Pulse::default(),
            progress_at: 0,
            restore_errors: 0,
            ran: Ran::default(),
        }
    }

    fn say(&self, text: impl std::fmt::Display) {
        if self.volume == Volume::Quiet {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| out::talk(text)),
            None => out::talk(text),
        }
    }

    fn detail(&self, text: impl std::fmt::Display) {
        self.say(wrapped("      ", &text.to_string()));
    }

    fn spin(&mut self, what: &str) {
        if !self.animated || self.volume == Volume::Quiet {
            return;
        }
        let Some(bar) = self.bar.take().or_else(|| spinner(what)) else {
            return;
        };
        if let Ok(style) = ProgressStyle::with_template(SPINNER) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        self.bar = Some(bar);
    }

    /// How many migrations of the plan are done, and what the next one does.
    fn applying(&mut self, what: &str) {
        self.spin(what);
        if let Some(bar) = &self.bar
            && let Ok(style) =
                ProgressStyle::with_template("      {bar:24} {pos} of {len} {wide_msg} {elapsed}")
        {
            let (begun, all) = self.migrations;
            bar.set_style(style.progress_chars("━╸ "));
            bar.set_length(all as u64);
            bar.set_position(begun.saturating_sub(1) as u64);
        }
    }

    /// What lasts: on a terminal it is drawn over, in a log it has the lines of [`Pulse`].
    fn lasts(&mut self, now_ms: u64, word: Word, text: &str) {
        if self.animated {
            return self.spin(text);
        }
        if self.volume == Volume::Quiet {
            return;
        }
        match self.pulse.beat(now_ms, word) {
            Beat::Whole => self.detail(text),
            Beat::Row { begins, more } => out::row(format!("      {begins}"), more),
            Beat::End { begins, more } => {
                out::row(format!("      {begins}"), more);
                out::end_row();
            }
        }
    }

    /// How far something is: on a terminal at once, in a log twice a minute.
    fn progresses(&mut self, now_ms: u64, text: &str) {
        if self.animated {
            self.spin(text);
        } else if now_ms.saturating_sub(self.progress_at) >= LOGGED {
            self.progress_at = now_ms;
            self.detail(text);
        }
    }

    /// What was true while something lasted is over.
    fn rest(&mut self, line: &Line) {
        if !line.kind.lasts() {
            self.pulse.rest();
            self.progress_at = line.elapsed_ms;
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn inspected(&self, facts: &ProjectInspected) {
        let driver = facts
            .driver
            .as_deref()
            .map(|d| format!(", {d}"))
            .unwrap_or_default();
        let settings = facts
            .settings_module
            .as_deref()
            .map(|s| format!(", settings {s}"))
            .unwrap_or_default();
        self.detail(format!(
            "Django {}, Python {}{driver}{settings}",
            facts.django, facts.python
        ));
        let size = facts
            .database_bytes
            .map(|b| format!(", {}", bytes(b)))
            .unwrap_or_default();
        self.detail(format!(
            "{}, PostgreSQL {}{size}",
            facts.target, facts.server_version
        ));
        for warning in &facts.check_warnings {
            self.detail(format!("{} {warning}", paint(Look::Warning, "check:")));
        }
    }

    fn previewed(&self, preview: &PreviewFinished) {
        let asks = preview
            .migrations
            .iter()
            .flat_map(|m| &m.findings)
            .filter(|f| f.severity == "ask" && f.waived.is_none())
            .count();
        let look = match preview.verdict.as_str() {
            "go" => Look::Good,
            "ask" => Look::Warning,
            _ => Look::Bad,
        };
        let verdict = paint(look, &preview.verdict);
        let asking = if asks > 0 {
            let ask = if asks == 1 { "asks" } else { "ask" };
            format!(", {} that {ask}", count(asks as u64, "finding"))
        } else {
            String::new()
        };
        self.detail(format!(
            "{}, verdict {verdict}{asking}",
            count(preview.statements, "statement")
        ));
        self.detail(format!(
            "plan {}",
            paint(Look::Name, &preview.plan_fingerprint)
        ));
    }
}

/// Migrations that are listed one by one.
const MANY: usize = 60;
/// How rarely a log has word of how far something is.
const LOGGED: u64 = 30_000;

impl Listener for Terminal {
    fn hear(&mut self, line: &Line) {
        self.rest(line);
        match &line.kind {
            EventKind::RunStarted(run) => {
                self.direction = run.direction();
                self.course = run.course();
                for line in parameters(run, self.volume) {
                    self.say(line);
                }
            }
            EventKind::StepStarted { step } => {
                let way = self.course;
                let number = format!("[{}/{}]", step.number(way), Step::count(way));
                let title = paint(Look::Heading, step.title(way));
                self.say(format!("{} {title}", paint(Look::Faint, number)));
            }
            EventKind::StepFinished {
                ok,
                seconds: s,
                step,
            } => {
                self.clear();
                if *step == Step::Apply
                    && let Some(all) = self.ran.all()
                {
                    self.detail(paint(Look::Faint, all));
                }
                let (look, word) = if *ok {
                    (Look::Good, "passed")
                } else {
                    (Look::Bad, "halted")
                };
                self.detail(format!(
                    "{} {}",
                    paint(look, word),
                    paint(Look::Faint, seconds(*s))
                ));
            }
            EventKind::Working { what } => self.spin(what),
            EventKind::ProjectInspected(facts) => self.inspected(facts),
            EventKind::Planned(plan) => {
                self.migrations = (0, plan.migrations.len());
                let whole = self.volume == Volume::Verbose || plan.migrations.len() <= MANY;
                let mark = match self.direction {
                    Direction::Forward => "[ ]",
                    Direction::Back => "[X]",
                };
                for line in if whole {
                    listed(plan, mark)
                } else {
                    by_app(plan, mark)
                } {
                    self.detail(line);
                }
                if plan.migrations.is_empty() {
                    self.detail(paint(
                        Look::Good,
                        match self.direction {
                            Direction::Forward => "No migrations to apply",
                            Direction::Back => "Nothing to roll back",
                        },
                    ));
                }
            }
            EventKind::LockTaken { holder } if self.volume == Volume::Verbose => {
                self.detail(format!("advisory lock held by {holder}"));
            }
            EventKind::LockTaken { .. } => {}
            EventKind::BackupStarted(started) => self.backup_started(started),
            EventKind::BackupRoom {
                needed_bytes,
                free_bytes,
            } => self.backup_room(*needed_bytes, *free_bytes),
            EventKind::BackupProgress(p) => self.backup_progress(line.elapsed_ms, p),
            EventKind::BackupFinished(b) => self.backup_finished(b),
            EventKind::RestoreStarted(started) => self.restore_started(started),
            EventKind::RestoreProgress(p) => self.restore_progress(line.elapsed_ms, p),
            EventKind::RestoreErred(erred) => self.restore_erred(erred),
            EventKind::RestoreFinished(_) => self.restore_finished(),
            // the comparison is an answer, and stands on stdout
            EventKind::Compared(_) => self.clear(),
            EventKind::Swapped(swapped) => {
                self.clear();
                self.detail(swapped_words(swapped));
            }
            EventKind::BackupSkipped { why } => {
                self.detail(paint(Look::Warning, format!("skipped: {why}")));
            }
            EventKind::PreviewFinished(preview) => {
                self.clear();
                self.previewed(preview);
            }
            EventKind::Answered { .. } => {}
            EventKind::MigrationStarted { app, name, .. } => {
                self.migrations.0 += 1;
                self.ran.begins(format!("{app}.{name}"));
                self.applying(&format!("{app}.{name}"));
            }
            EventKind::StatementStarted { sql, .. } if self.volume == Volume::Verbose => {
                self.ran.starts(sql);
                self.detail(format!("  {}", super::style::sql(&one_line(sql, 400))));
            }
            EventKind::StatementStarted {
                sql,
                app: Some(app),
                name: Some(name),
                ..
            } => {
                self.ran.starts(sql);
                self.applying(&format!("{app}.{name}: {}", one_line(sql, 100)));
            }
            EventKind::StatementStarted { sql, .. } => self.ran.starts(sql),
            EventKind::StatementFinished { seconds, .. } => self.ran.finished(*seconds),
            EventKind::MigrationUnapplied {
                app,
                name,
                seconds: s,
            } => {
                let slow = self.ran.applied(*s);
                self.detail(format!(
                    "[ ] {app}.{name} is back {}",
                    paint(Look::Faint, format!("{}{slow}", seconds(*s)))
                ));
            }
            EventKind::MigrationApplied {
                app,
                name,
                seconds: s,
            } => {
                let slow = self.ran.applied(*s);
                self.detail(format!(
                    "[{}] {app}.{name} {}",
                    paint(Look::Good, "X"),
                    paint(Look::Faint, format!("{}{slow}", seconds(*s)))
                ));
            }
            EventKind::MigrationFailed(failed) => {
                self.clear();
                self.detail(format!(
                    "[ ] {}.{} {}",
                    failed.app,
                    failed.name,
                    paint(Look::Bad, "failed")
                ));
            }
            EventKind::LockWaiting(wait) => {
                self.lasts(line.elapsed_ms, wait_word(wait), &waiting(wait));
            }
            EventKind::Blocking {
                waiting,
                longest_ms,
            } => {
                let longest = seconds(*longest_ms as f64 / 1000.0);
                let sessions = count(*waiting, "session");
                let word = Word {
                    doing: "blocking",
                    what: String::new(),
                    who: waiting.to_string(),
                    lasts_ms: *longest_ms,
                };
                let text = format!("blocks {sessions}, the longest for {longest}");
                self.lasts(line.elapsed_ms, word, &text);
            }
            EventKind::StatementProgress {
                command,
                phase,
                done,
                total,
            } => {
                let share = match (done, total) {
                    (Some(done), Some(total)) if *total > 0 => {
                        format!(", {} %", 100 * done.min(total) / total)
                    }
                    _ => String::new(),
                };
                self.progresses(line.elapsed_ms, &format!("{command}: {phase}{share}"));
            }
            EventKind::Retrying(retrying) => {
                let pause = seconds(retrying.pause_ms as f64 / 1000.0);
                let text = format!(
                    "attempt {} of the {} in {pause}: {}",
                    retrying.attempt, retrying.what, retrying.why
                );
                self.detail(paint(Look::Warning, text));
            }
            EventKind::BlockerSignalled {
                what,
                signal,
                outcome,
                ..
            } => self.detail(paint(Look::Warning, format!("{signal} {what}: {outcome}"))),
            EventKind::StatementSkipped { sql, proof, .. } => {
                self.detail(format!("skipped, {proof}: {}", one_line(sql, 100)));
            }
            EventKind::LockHeld(held) if self.volume == Volume::Verbose => self.detail(format!(
                "  held {} on {} for {}",
                held.mode.as_deref().map_or("a lock", crate::report::in_sql),
                held.relation.as_deref().unwrap_or("rows"),
                seconds(held.held_ms as f64 / 1000.0)
            )),
            EventKind::LockHeld(_) => {}
            EventKind::Verified { checks } => {
                self.clear();
                for check in checks {
                    let mark = if check.ok {
                        paint(Look::Good, "✓")
                    } else {
                        paint(Look::Bad, "✗")
                    };
                    self.detail(format!("{mark} {}: {}", check.name, check.detail));
                }
            }
            EventKind::TestsStarted { command, databases } => {
                self.detail(command);
                for d in databases {
                    self.detail(format!(
                        "they get a database of their own, {}, on {}",
                        d.database, d.server
                    ));
                }
            }
            EventKind::TestOutput { line } => self.detail(paint(Look::Faint, format!("│ {line}"))),
            EventKind::TestsFinished(t) => {
                self.clear();
                let look = if t.outcome == "passed" {
                    Look::Good
                } else {
                    Look::Warning
                };
                let numbers = format!(
                    "{} passed, {} failed, {} skipped",
                    t.passed, t.failed, t.skipped
                );
                let numbers = if t.passed + t.failed + t.skipped > 0 {
                    format!(" ({numbers})")
                } else {
                    String::new()
                };
                let why = if numbers.is_empty() {
                    format!(": {}", t.detail)
                } else {
                    String::new()
                };
                self.detail(format!(
                    "{}{numbers}{why}",
                    paint(look, t.outcome.replace('_', " "))
                ));
            }
            EventKind::Note { level, message } => {
                let prefix = match level {
                    NoteLevel::Note => paint(Look::Faint, "note:"),
                    NoteLevel::Warning => paint(Look::Warning, "warning:"),
                };
                self.detail(format!("{prefix} {message}"));
            }
            EventKind::RunFinished(_) => self.clear(),
        }
    }
}

const SPINNER: &str = "      {spinner} {wide_msg} {elapsed}";

/// A spinner on stderr; none where that is no terminal.
pub(crate) fn spinner(what: &str) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template(SPINNER).ok()?);
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    Some(bar)
}

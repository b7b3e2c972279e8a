//! Events in, report out. Pure, and total: a journal that stops anywhere gives a true report.

use std::collections::BTreeMap;

use super::broken_off::BrokenOff;
use super::locks::LockReport;
use super::model::{
    AnswerLine, BackupState, MigrationLine, MigrationProgress, RunReport, StepLine,
};
use super::rollback;
use crate::event::{EventKind, Line, NoteLevel, Planned, PreviewFinished, RunStarted};
use crate::exit::Changed;

/// None where not even the start is there.
pub(crate) fn fold(lines: &[Line]) -> Option<RunReport> {
    let (first, rest) = lines.split_first()?;
    let EventKind::RunStarted(started) = &first.kind else {
        return None;
    };
    let mut folding = Folding {
        report: empty(started, &first.at),
        previous: BTreeMap::new(),
        settled: false,
    };
    for line in rest {
        folding.report.seconds = line.elapsed_ms as f64 / 1000.0;
        folding.hear(line);
    }
    let mut report = folding.finish();
    if report.exit_code.is_none() {
        report.broken_off = Some(BrokenOff::of(lines, &report.started));
    }
    Some(report)
}

fn empty(started: &RunStarted, at: &str) -> RunReport {
    RunReport {
        started: started.clone(),
        started_at: at.to_owned(),
        finished_at: None,
        seconds: 0.0,
        exit_code: None,
        changed: Changed::No,
        error: None,
        broken_off: None,
        project_facts: None,
        apps: Vec::new(),
        plan_fingerprint: None,
        verdict: None,
        steps: Vec::new(),
        migrations: Vec::new(),
        backup: BackupState::NotReached,
        answers: Vec::new(),
        failed: None,
        locks: LockReport::default(),
        verification: Vec::new(),
        tests: None,
        rollback: Vec::new(),
        restored: None,
        compared: None,
        swapped: None,
        notes: Vec::new(),
    }
}

struct Folding {
    report: RunReport,
    previous: BTreeMap<String, Option<String>>,
    /// `run_finished` was there.
    settled: bool,
}

impl Folding {
    fn hear(&mut self, line: &Line) {
        let report = &mut self.report;
        match &line.kind {
            EventKind::StepStarted { step } => {
                report.steps.push(StepLine {
                    step: *step,
                    ok: None,
                    seconds: None,
                });
            }
            EventKind::StepFinished { step, ok, seconds } => {
                if let Some(line) = report.steps.iter_mut().find(|s| s.step == *step) {
                    (line.ok, line.seconds) = (Some(*ok), Some(*seconds));
                }
            }
            EventKind::ProjectInspected(facts) => {
                let checks = facts.check_warnings.iter();
                report
                    .notes
                    .extend(checks.map(|warning| format!("warning: Django's check: {warning}")));
                report.project_facts = Some(facts.clone());
            }
            EventKind::Planned(planned) => self.plan(planned),
            EventKind::BackupFinished(backup) => {
                report.backup = BackupState::Taken(Box::new(backup.clone()));
            }
            EventKind::BackupSkipped { why } => {
                report.backup = BackupState::Skipped { why: why.clone() }
            }
            EventKind::PreviewFinished(preview) => self.preview(preview),
            EventKind::Answered {
                question,
                answer,
                by,
            } => report.answers.push(AnswerLine {
                question: question.clone(),
                answer: answer.clone(),
                by: by.clone(),
            }),
            EventKind::StatementStarted { .. } => {
                let begun = |m: &&mut MigrationLine| m.progress == MigrationProgress::Unknown;
                if let Some(line) = report.migrations.iter_mut().find(begun) {
                    line.ran = true;
                }
            }
            EventKind::MigrationStarted { app, name, .. } => {
                self.progress(app, name, MigrationProgress::Unknown, None);
            }
            EventKind::MigrationApplied { app, name, seconds }
            | EventKind::MigrationUnapplied { app, name, seconds } => {
                self.progress(app, name, MigrationProgress::Applied, Some(*seconds));
            }
            EventKind::MigrationFailed(failed) => {
                self.progress(&failed.app, &failed.name, MigrationProgress::Failed, None);
                self.report.failed = Some(failed.clone());
            }
            kind @ (EventKind::LockWaiting(_)
            | EventKind::LockHeld(_)
            | EventKind::Retrying(_)
            | EventKind::StatementSkipped { .. }
            | EventKind::BlockerSignalled { .. }) => report.locks.hear(kind),
            EventKind::Verified { checks } => report.verification.clone_from(checks),
            EventKind::RestoreFinished(restored) => report.restored = Some(restored.clone()),
            EventKind::Compared(compared) => report.compared = Some(compared.clone()),
            EventKind::Swapped(swapped) => report.swapped = Some(swapped.clone()),
            EventKind::TestsFinished(tests) => report.tests = Some(tests.clone()),
            EventKind::Note { level, message } => {
                let prefix = if *level == NoteLevel::Warning {
                    "warning: "
                } else {
                    ""
                };
                report.notes.push(format!("{prefix}{message}"));
            }
            EventKind::RunFinished(finished) => {
                self.settled = true;
                report.exit_code = Some(finished.exit_code);
                report.changed = finished.changed;
                report.error.clone_from(&finished.error);
                report.finished_at = Some(line.at.clone());
            }
            EventKind::RunStarted(_)
            | EventKind::LockTaken { .. }
            | EventKind::BackupStarted(_)
            | EventKind::BackupRoom { .. }
            | EventKind::RestoreStarted(_)
            | EventKind::RestoreProgress(_)
            | EventKind::RestoreErred(_)
            | EventKind::StatementFinished { .. }
            | EventKind::StatementProgress { .. }
            | EventKind::Blocking { .. }
            | EventKind::TestsStarted { .. }
            | EventKind::Working { .. }
            | EventKind::BackupProgress(_)
            | EventKind::TestOutput { .. } => {}
        }
    }

    fn plan(&mut self, planned: &Planned) {
        self.previous.clone_from(&planned.previous);
        self.report.plan_fingerprint = Some(planned.plan_fingerprint.clone());
        for migration in &planned.migrations {
            if !self.report.apps.contains(&migration.app) {
                self.report.apps.push(migration.app.clone());
            }
        }
        let line = |m: &crate::event::PlannedMigration| MigrationLine {
            app: m.app.clone(),
            name: m.name.clone(),
            atomic: m.atomic,
            progress: MigrationProgress::Pending,
            ran: false,
            seconds: None,
            complete: None,
            irreversible: m.irreversible.clone(),
            destroys: Vec::new(),
            reverse_destroys: Vec::new(),
            not_brought_back: Vec::new(),
            findings: Vec::new(),
        };
        self.report.migrations = planned.migrations.iter().map(line).collect();
    }

    fn preview(&mut self, preview: &PreviewFinished) {
        self.report.verdict = Some(preview.verdict.clone());
        for seen in &preview.migrations {
            let found = self
                .report
                .migrations
                .iter_mut()
                .find(|m| m.app == seen.app && m.name == seen.name);
            if let Some(line) = found {
                line.complete = Some(seen.complete);
                line.destroys.clone_from(&seen.destroys);
                line.reverse_destroys.clone_from(&seen.reverse_destroys);
                line.not_brought_back.clone_from(&seen.not_brought_back);
                line.findings.clone_from(&seen.findings);
            }
        }
    }

    fn progress(
        &mut self,
        app: &str,
        name: &str,
        progress: MigrationProgress,
        seconds: Option<f64>,
    ) {
        if let Some(line) = self
            .report
            .migrations
            .iter_mut()
            .find(|m| m.app == app && m.name == name)
        {
            line.progress = progress;
            line.seconds = seconds.or(line.seconds);
        }
    }

    fn finish(mut self) -> RunReport {
        if self.settled {
            self.stopped();
        } else {
            self.report.changed = broken_off(&self.report.migrations);
        }
        self.report.rollback = rollback::commands(&self.report, &self.previous);
        self.report
    }
}

impl Folding {
    /// Begun, and stopped before its end, by a run that could still say what it left.
    fn stopped(&mut self) {
        let changed = self.report.changed;
        let begun = self.report.migrations.iter_mut();
        for m in begun.filter(|m| m.progress == MigrationProgress::Unknown) {
            if !m.ran {
                m.progress = MigrationProgress::Pending;
            } else if changed == Changed::No {
                m.progress = MigrationProgress::RolledBack;
            }
        }
    }
}

/// What is known of a run that was killed: only what the journal saw.
fn broken_off(migrations: &[MigrationLine]) -> Changed {
    let any = |p: MigrationProgress| migrations.iter().any(|m| m.progress == p);
    // what ran of a migration without a transaction stays; whether the other kind was rolled back, nobody said
    let half = migrations
        .iter()
        .any(|m| m.progress == MigrationProgress::Failed && !m.atomic);
    if any(MigrationProgress::Applied) || half {
        Changed::Yes
    } else if any(MigrationProgress::Unknown) || any(MigrationProgress::Failed) {
        Changed::Unknown
    } else {
        Changed::No
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_journal_that_stops_anywhere_gives_a_report() {
        let lines = sample::applied();
        for n in 1..=lines.len() {
            let report = fold(&lines[..n]).expect("the start is there");
            assert_eq!(report.exit_code.is_some(), n == lines.len());
        }
        assert!(fold(&[]).is_none());
    }

    #[test]
    fn a_run_killed_in_its_first_migration_does_not_know() {
        let lines = sample::applied();
        let at = lines
            .iter()
            .position(|l| matches!(l.kind, EventKind::MigrationStarted { .. }))
            .unwrap();
        let report = fold(&lines[..=at]).unwrap();
        assert_eq!(report.changed, Changed::Unknown);
        assert_eq!(report.migrations[0].progress, MigrationProgress::Unknown);
        assert_eq!(report.migrations[1].progress, MigrationProgress::Pending);
        assert_eq!(fold(&lines[..at]).unwrap().changed, Changed::No);
    }

    #[test]
    fn a_migration_that_was_stopped_and_left_nothing_is_not_unknown() {
        for (changed, progress) in [
            (Changed::No, MigrationProgress::RolledBack),
            (Changed::Unknown, MigrationProgress::Unknown),
        ] {
            let mut lines = sample::applied();
            let finished = lines.pop().expect("an end");
            let begun = |l: &Line| matches!(l.kind, EventKind::MigrationStarted { .. });
            lines.truncate(lines.iter().position(begun).expect("a migration") + 1);
            let statement = EventKind::StatementStarted {
                number: 1,
                app: None,
                name: None,
                sql: "SELECT 1".into(),
            };
            lines.push(Line {
                kind: statement,
                ..finished.clone()
            });
            let EventKind::RunFinished(mut end) = finished.kind.clone() else {
                panic!("the last line is the end");
            };
            (end.exit_code, end.changed) = (130, changed);
            lines.push(Line {
                kind: EventKind::RunFinished(end),
                ..finished
            });
            assert_eq!(fold(&lines).unwrap().migrations[0].progress, progress);
            // stopped at the gate: nothing of it ran
            lines.remove(lines.len() - 2);
            let at_gate = fold(&lines).unwrap().migrations[0].progress;
            assert_eq!(at_gate, MigrationProgress::Pending);
        }
    }

    #[test]
    fn a_run_killed_after_a_failure_does_not_claim_that_nothing_changed() {
        for (atomic, changed) in [(true, Changed::Unknown), (false, Changed::Yes)] {
            let mut lines = sample::applied();
            for line in &mut lines {
                if let EventKind::Planned(planned) = &mut line.kind {
                    planned.migrations[0].atomic = atomic;
                }
            }
            let at = lines
                .iter()
                .position(|l| matches!(l.kind, EventKind::MigrationApplied { .. }))
                .unwrap();
            lines[at].kind = EventKind::MigrationFailed(crate::event::MigrationFailed {
                app: "shop".into(),
                name: "0003_drop_code".into(),
                sqlstate: None,
                message: "canceling statement due to lock timeout".into(),
                detail: None,
                constraint: None,
                statement: None,
            });
            assert_eq!(fold(&lines[..=at]).unwrap().changed, changed);
        }
    }
}

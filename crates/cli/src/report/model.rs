//! What a report says, as values.

use serde::Serialize;

use super::broken_off::BrokenOff;
use super::locks::LockReport;
use super::restored;
use crate::event::{
    BackupFinished, ErrorLine, FindingLine, MigrationFailed, ProjectInspected, RestoreFinished,
    RunStarted, Step, Swapped, TestsFinished, VerifyCheck,
};
use crate::exit::Changed;
use crate::rollback::Compared;
use crate::ui::count;

/// Everything that is known of a run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunReport {
    #[serde(flatten)]
    pub(crate) started: RunStarted,
    /// RFC 3339.
    pub(crate) started_at: String,
    /// None where the run broke off: killed, or the machine went down.
    pub(crate) finished_at: Option<String>,
    pub(crate) seconds: f64,
    pub(crate) exit_code: Option<u8>,
    pub(crate) changed: Changed,
    pub(crate) error: Option<ErrorLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broken_off: Option<BrokenOff>,
    pub(crate) project_facts: Option<ProjectInspected>,
    pub(crate) apps: Vec<String>,
    pub(crate) plan_fingerprint: Option<String>,
    pub(crate) verdict: Option<String>,
    pub(crate) steps: Vec<StepLine>,
    pub(crate) migrations: Vec<MigrationLine>,
    pub(crate) backup: BackupState,
    pub(crate) answers: Vec<AnswerLine>,
    pub(crate) failed: Option<MigrationFailed>,
    #[serde(flatten)]
    pub(crate) locks: LockReport,
    pub(crate) verification: Vec<VerifyCheck>,
    pub(crate) tests: Option<TestsFinished>,
    pub(crate) rollback: Vec<RollbackCommand>,
    /// A rollback by the backup of a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restored: Option<RestoreFinished>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compared: Option<Compared>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) swapped: Option<Swapped>,
    pub(crate) notes: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct StepLine {
    pub(crate) step: Step,
    /// None: it did not come to its end.
    pub(crate) ok: Option<bool>,
    pub(crate) seconds: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct MigrationLine {
    pub(crate) app: String,
    pub(crate) name: String,
    pub(crate) atomic: bool,
    pub(crate) progress: MigrationProgress,
    /// A statement of it was on its way.
    #[serde(skip)]
    pub(crate) ran: bool,
    pub(crate) seconds: Option<f64>,
    pub(crate) complete: Option<bool>,
    pub(crate) irreversible: Vec<String>,
    pub(crate) destroys: Vec<String>,
    pub(crate) reverse_destroys: Vec<String>,
    /// Of one that went back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_brought_back: Vec<String>,
    pub(crate) findings: Vec<FindingLine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MigrationProgress {
    Pending,
    /// Begun, and the run broke off before its end was known.
    Unknown,
    /// Begun, and nothing of it stayed.
    RolledBack,
    /// Or, where the run is a rollback, taken back.
    Applied,
    Failed,
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum BackupState {
    Taken(Box<BackupFinished>),
    Skipped {
        why: String,
    },
    /// The run ended before, or there was nothing to back up for.
    NotReached,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct AnswerLine {
    pub(crate) question: String,
    pub(crate) answer: String,
    pub(crate) by: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RollbackCommand {
    pub(crate) what: String,
    pub(crate) command: String,
    /// Why to think twice: irreversible, or data would be destroyed.
    pub(crate) warnings: Vec<String>,
}

impl RunReport {
    pub(crate) fn succeeded(&self) -> bool {
        self.exit_code == Some(0)
    }

    pub(crate) fn applied(&self) -> impl Iterator<Item = &MigrationLine> {
        self.migrations
            .iter()
            .filter(|m| m.progress == MigrationProgress::Applied)
    }

    /// Whether it is a rollback of another.
    pub(crate) fn is_rollback(&self) -> bool {
        self.started.rolls_back.is_some()
    }

    /// What became of a migration of the plan: `applied`, `rolled back`.
    pub(super) fn done(&self) -> &'static str {
        match self.is_rollback() {
            true => "rolled back",
            false => "applied",
        }
    }

    /// `dry run`, `apply` or `rollback of run …`.
    pub(crate) fn mode(&self) -> String {
        let mode = match self.started.dry_run {
            true => "dry run",
            false => "apply",
        };
        let by = if self.started.restores {
            " by its backup"
        } else {
            ""
        };
        match &self.started.rolls_back {
            Some(run) => format!("{mode}, rollback of run {run}{by}"),
            None => mode.to_owned(),
        }
    }

    pub(crate) fn scope(&self) -> String {
        match (&self.started.app, &self.started.migration) {
            (Some(app), Some(migration)) => format!("{app} up to {migration}"),
            (Some(app), None) => app.clone(),
            (None, _) => "all".to_owned(),
        }
    }

    /// Whether there is, or can still be, a backup to go back to.
    pub(crate) fn without_backup(&self) -> bool {
        matches!(self.backup, BackupState::Skipped { .. })
    }

    pub(crate) fn destructive(&self) -> bool {
        self.migrations.iter().any(|m| !m.destroys.is_empty())
    }

    /// What a reader wants to know first.
    pub(crate) fn headline(&self) -> String {
        if self.started.restores {
            return restored::headline(self);
        }
        let applied = self.applied().count();
        let pending = self.migrations.len();
        let (done, nothing, planned) = match self.is_rollback() {
            false => (
                "applied",
                "No migrations to apply.",
                verb(pending, "is", "are"),
            ),
            true => (
                "rolled back",
                "Nothing to roll back.",
                "would be rolled back",
            ),
        };
        let planned = match self.is_rollback() {
            false => format!("{planned} pending"),
            true => planned.to_owned(),
        };
        let all = count(pending as u64, "migration");
        let of = format!("{applied} of {all} {}", verb(pending, "is", "are"));
        match (self.exit_code, self.started.dry_run) {
            (None, _) => format!("The run broke off: {of} known to be {done}."),
            (Some(0), _) if pending == 0 => nothing.to_owned(),
            (Some(0), true) => {
                format!("Dry run: {all} {planned}. The database was not changed.")
            }
            (Some(0), false) => format!(
                "{} {} {done} and verified.",
                count(applied as u64, "migration"),
                verb(applied, "was", "were")
            ),
            (Some(code), _) => {
                let changed = match self.changed {
                    Changed::No => "the database was not changed".to_owned(),
                    Changed::Yes => format!("the database was changed: {of} {done}"),
                    Changed::Unknown => "whether the database was changed is unknown".to_owned(),
                };
                format!("Halted with exit code {code}: {changed}.")
            }
        }
    }
}

fn verb(n: usize, one: &'static str, many: &'static str) -> &'static str {
    if n == 1 { one } else { many }
}

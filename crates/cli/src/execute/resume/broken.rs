//! What the journal of a run that did not end well says of it: how far each migration came, statement by statement.
//!
//! Total: a journal may stop anywhere. Absent here: what is true in the database.

use crate::event::{Course, EventKind, Line, RunStarted, Step};
use crate::names::MigrationId;
use crate::plan::Direction;

/// A run as its journal has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BrokenRun {
    pub(crate) run: String,
    pub(crate) host: String,
    pub(crate) pid: u32,
    pub(crate) dry_run: bool,
    pub(crate) direction: Direction,
    pub(crate) course: Course,
    /// As Django names its database.
    pub(crate) alias: String,
    /// RFC 3339.
    pub(crate) started_at: String,
    /// Of its last line.
    pub(crate) last_at: String,
    /// `shop@db1:5432/shop`; none where it was cut off before it got there.
    pub(crate) target: Option<String>,
    pub(crate) fingerprint: Option<String>,
    /// The one that was under way.
    pub(crate) step: Option<Step>,
    /// It had the advisory lock.
    pub(crate) locked: bool,
    /// Where its backup was being written.
    pub(crate) backup_under_way: Option<String>,
    pub(crate) migrations: Vec<Cut>,
    /// It said itself how it ended, with this exit code. None: it was cut off.
    pub(crate) exit_code: Option<u8>,
}

/// A migration of its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) id: MigrationId,
    pub(crate) atomic: bool,
    /// Of its file.
    pub(crate) sha256: Option<String>,
    pub(crate) past: Past,
    /// Of its last attempt; outside transactions, of all of them.
    pub(crate) statements: Vec<Stated>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Past {
    NotBegun,
    Begun,
    /// In a rollback: taken back.
    Applied,
    Failed,
}

/// A statement that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stated {
    pub(crate) number: u64,
    pub(crate) sql: String,
    /// The server said that it came to its end, or it was skipped.
    pub(crate) finished: bool,
    /// It was not run, by this proof: an earlier run did it.
    pub(crate) skipped: Option<String>,
}

impl BrokenRun {
    /// None where not even the start is there.
    pub(crate) fn of(lines: &[Line]) -> Option<Self> {
        let (first, rest) = lines.split_first()?;
        let EventKind::RunStarted(started) = &first.kind else {
            return None;
        };
        let mut run = Self::new(started, &first.at);
        for line in rest {
            run.last_at.clone_from(&line.at);
            run.hear(&line.kind);
        }
        Some(run)
    }

    fn new(started: &RunStarted, at: &str) -> Self {
        Self {
            run: started.run.clone(),
            host: started.host.clone(),
            pid: started.pid,
            dry_run: started.dry_run,
            direction: started.direction(),
            course: started.course(),
            alias: started.database.clone(),
            started_at: at.to_owned(),
            last_at: at.to_owned(),
            target: None,
            fingerprint: None,
            step: None,
            locked: false,
            backup_under_way: None,
            migrations: Vec::new(),
            exit_code: None,
        }
    }

    /// The migration in which it was cut off.
    pub(crate) fn cut(&self) -> Option<&Cut> {
        self.migrations.iter().find(|m| m.past == Past::Begun)
    }

    /// A migration of it has begun: the database may be other than before.
    pub(crate) fn reached_the_database(&self) -> bool {
        self.migrations.iter().any(|m| m.past != Past::NotBegun)
    }

    /// It was cut off within this statement.
    pub(super) fn was_in(&self, stated: &Stated) -> bool {
        let open = self.cut().and_then(|cut| cut.statements.last());
        self.exit_code.is_none() && !stated.finished && open == Some(stated)
    }

    fn hear(&mut self, kind: &EventKind) {
        match kind {
            EventKind::StepStarted { step } => self.step = Some(*step),
            EventKind::ProjectInspected(facts) => self.target = Some(facts.target.clone()),
            EventKind::Planned(planned) => {
                self.fingerprint = Some(planned.plan_fingerprint.clone());
                let cut = |m: &crate::event::PlannedMigration| Cut {
                    id: MigrationId::new(&m.app, &m.name),
                    atomic: m.atomic,
                    sha256: m.sha256.clone(),
                    past: Past::NotBegun,
                    statements: Vec::new(),
                };
                self.migrations = planned.migrations.iter().map(cut).collect();
            }
            EventKind::LockTaken { .. } => self.locked = true,
            EventKind::BackupStarted(started) => {
                self.backup_under_way = Some(started.folder.clone());
            }
            EventKind::BackupFinished(_) => self.backup_under_way = None,
            EventKind::MigrationStarted { app, name, .. } => {
                if let Some(cut) = self.migration(app, name) {
                    cut.past = Past::Begun;
                    // what an attempt did in a transaction was rolled back before the next
                    if cut.atomic {
                        cut.statements.clear();
                    }
                }
            }
            EventKind::StatementStarted { number, sql, .. } => {
                if let Some(cut) = self.begun() {
                    cut.statements.push(Stated {
                        number: *number,
                        sql: sql.clone(),
                        finished: false,
                        skipped: None,
                    });
                }
            }
            EventKind::StatementFinished { number, .. } => {
                let mut all = self.begun().into_iter().flat_map(|cut| &mut cut.statements);
                if let Some(stated) = all.find(|s| s.number == *number) {
                    stated.finished = true;
                }
            }
            EventKind::StatementSkipped { number, proof, .. } => {
                // an earlier run did it, and that was proven
                let mut all = self.begun().into_iter().flat_map(|cut| &mut cut.statements);
                if let Some(stated) = all.find(|s| s.number == *number) {
                    stated.finished = true;
                    stated.skipped = Some(proof.clone());
                }
            }
            EventKind::MigrationApplied { app, name, .. }
            | EventKind::MigrationUnapplied { app, name, .. } => {
                self.ends(app, name, Past::Applied);
            }
            EventKind::MigrationFailed(failed) => {
                self.ends(&failed.app, &failed.name, Past::Failed);
            }
            EventKind::RunFinished(finished) => self.exit_code = Some(finished.exit_code),
            _ => {}
        }
    }

    fn ends(&mut self, app: &str, name: &str, past: Past) {
        if let Some(cut) = self.migration(app, name) {
            cut.past = past;
        }
    }

    fn migration(&mut self, app: &str, name: &str) -> Option<&mut Cut> {
        let id = MigrationId::new(app, name);
        self.migrations.iter_mut().find(|cut| cut.id == id)
    }

    fn begun(&mut self) -> Option<&mut Cut> {
        self.migrations.iter_mut().find(|m| m.past == Past::Begun)
    }
}

//! What a run did, as its journal has it, and what runs after it did to the same migrations.

use std::collections::BTreeMap;

use crate::django::wire::Planned;
use crate::event::{BackupFinished, EventKind, Line, ProjectInspected, RunStarted};
use crate::execute::resume::{BrokenRun, Cut, Past};
use crate::names::MigrationId;

/// A run that is to be taken back.
#[derive(Debug, Clone)]
pub(crate) struct Undone {
    pub(crate) started: RunStarted,
    /// How far each migration came.
    pub(crate) run: BrokenRun,
    pub(crate) facts: Option<ProjectInspected>,
    /// Its own, taken before it changed anything.
    pub(crate) backup: Option<BackupFinished>,
    /// What each migration destroyed: no reverse brings that back.
    destroyed: BTreeMap<MigrationId, Vec<String>>,
}

impl Undone {
    /// None where not even the start is there.
    pub(crate) fn of(lines: &[Line]) -> Option<Self> {
        let run = BrokenRun::of(lines)?;
        let EventKind::RunStarted(started) = &lines.first()?.kind else {
            return None;
        };
        let mut undone = Self {
            started: started.clone(),
            run,
            facts: None,
            backup: None,
            destroyed: BTreeMap::new(),
        };
        lines.iter().for_each(|line| undone.hear(&line.kind));
        Some(undone)
    }

    fn hear(&mut self, kind: &EventKind) {
        match kind {
            EventKind::ProjectInspected(facts) => self.facts = Some(facts.clone()),
            EventKind::BackupFinished(backup) => self.backup = Some(backup.clone()),
            EventKind::PreviewFinished(preview) => {
                let destroys = |m: &crate::event::PreviewedMigration| {
                    (MigrationId::new(&m.app, &m.name), m.destroys.clone())
                };
                self.destroyed = preview.migrations.iter().map(destroys).collect();
            }
            _ => {}
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.run.run
    }

    /// What the database may have of it, in the order in which it began.
    pub(crate) fn begun(&self) -> impl Iterator<Item = &Cut> {
        let begun = |cut: &&Cut| cut.past != Past::NotBegun;
        self.run.migrations.iter().filter(begun)
    }

    /// It applied, or may have applied, something.
    pub(crate) fn reached_the_database(&self) -> bool {
        !self.run.dry_run && self.run.reached_the_database()
    }

    /// What of a migration does not come back with its reverse: what it destroyed, and what was written to stay.
    pub(crate) fn not_brought_back(&self, planned: &Planned) -> Vec<String> {
        let id = MigrationId::new(&planned.app, &planned.name);
        let mut lost = self.destroyed.get(&id).cloned().unwrap_or_default();
        let noops = planned.operations.iter().filter(|o| o.reverse_is_noop);
        lost.extend(noops.map(|o| {
            format!(
                "what \"{}\" did to rows: its reverse does nothing",
                o.describe
            )
        }));
        lost
    }
}

/// What runs after it did, the newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Since {
    by: BTreeMap<MigrationId, String>,
}

impl Since {
    /// Takes in the journal of a run that is newer than the one in question. Those that applied nothing say nothing.
    pub(crate) fn hear(&mut self, run: &str, lines: &[Line]) {
        for line in lines {
            if let EventKind::MigrationApplied { app, name, .. } = &line.kind {
                let id = MigrationId::new(app, name);
                self.by.entry(id).or_insert_with(|| run.to_owned());
            }
        }
    }

    /// The newest run that applied it.
    pub(crate) fn applied(&self, id: &MigrationId) -> Option<&str> {
        self.by.get(id).map(String::as_str)
    }
}

//! A run that was cut off, and what the database says of it now: what the next run tells before it does anything.
//!
//! Absent here: reading the journal and the catalog (see `commands::previous`).

use std::collections::BTreeSet;

use super::claim::{self, Asked, Object};
use super::{BrokenRun, Claim, Cut, Found, Past, Standing, Stated, drop_index, standing};
use crate::event::NoteLevel;
use crate::names::MigrationId;
use crate::plan::Direction;
use crate::ui::{count, one_line};

/// Migrations that are applied and recorded are told one by one.
const APPLIED: usize = 5;
/// Statements that are told one by one.
const STATEMENTS: usize = 12;
const SQL: usize = 120;

/// A run that was cut off, with all that is known of it now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Previous {
    pub(crate) run: BrokenRun,
    /// What django_migrations has now.
    pub(crate) recorded: BTreeSet<MigrationId>,
    pub(crate) found: Found,
    /// Sessions of its own migrate that are still there.
    pub(crate) backends: Vec<Backend>,
    /// Files of backups that never became whole.
    pub(crate) partials: Vec<String>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) pid: i32,
    /// The run that it belongs to, as its name says.
    pub(crate) run: String,
    /// `active for 12 s: SELECT …`, as far as it may be seen.
    pub(crate) what: String,
}

type Note = (NoteLevel, String);

impl Previous {
    /// In the order in which a person wants to know it.
    pub(crate) fn notes(&self) -> Vec<Note> {
        let level = match self.run.reached_the_database() || !self.backends.is_empty() {
            true => NoteLevel::Warning,
            false => NoteLevel::Note,
        };
        let mut notes = vec![(level, head(&self.run))];
        for backend in &self.backends {
            let message = format!(
                "its backend {} is still at work: {}; SELECT pg_terminate_backend({}); ends it",
                backend.pid, backend.what, backend.pid
            );
            notes.push((NoteLevel::Warning, message));
        }
        let stayed = |cut: &&Cut| cut.past == Past::Applied && self.recorded.contains(&cut.id);
        let applied: Vec<&Cut> = self.run.migrations.iter().filter(stayed).collect();
        let many = applied.len() > APPLIED;
        if let (true, [first, .., last]) = (many, applied.as_slice()) {
            let message = format!(
                "{} of it are applied and recorded, {} to {}",
                count(applied.len() as u64, "migration"),
                first.id,
                last.id
            );
            notes.push((NoteLevel::Note, message));
        }
        for cut in self
            .run
            .migrations
            .iter()
            .filter(|cut| !many || !stayed(cut))
        {
            notes.extend(self.migration(cut));
        }
        for file in &self.partials {
            let message =
                format!("it left {file}, which is no whole backup: nothing needs it, delete it");
            notes.push((NoteLevel::Note, message));
        }
        notes
    }

    fn migration(&self, cut: &Cut) -> Vec<Note> {
        let recorded = self.recorded.contains(&cut.id);
        let id = &cut.id;
        let note = |message| vec![(NoteLevel::Note, message)];
        let warning = |message| vec![(NoteLevel::Warning, message)];
        if self.run.direction == Direction::Back {
            return self.way_back(cut, recorded);
        }
        match (cut.past, recorded, cut.atomic) {
            (Past::NotBegun, ..) => Vec::new(),
            (Past::Applied, true, _) => note(format!("{id} is applied and recorded")),
            (Past::Applied, false, _) => warning(format!(
                "{id} was applied by it, and is not recorded any more: somebody took it back"
            )),
            (_, true, _) => note(format!(
                "{id} is applied: its commit arrived and is recorded"
            )),
            (_, false, true) => self.atomic(cut),
            (_, false, false) => self.not_atomic(cut),
        }
    }

    /// Of a rollback. Django takes the row out in a transaction that follows the migration's own.
    fn way_back(&self, cut: &Cut, recorded: bool) -> Vec<Note> {
        let id = &cut.id;
        let message = match (cut.past, recorded) {
            (Past::NotBegun, _) => return Vec::new(),
            (_, false) => {
                return vec![(
                    NoteLevel::Note,
                    format!("{id} is back: it is not recorded any more"),
                )];
            }
            (Past::Applied, true) => {
                format!(
                    "{id} was taken back by it, and is recorded again: somebody applied it since"
                )
            }
            (_, true) if !self.backends.is_empty() => format!(
                "{id} is still recorded: whether it will be is open as long as its backend works"
            ),
            (_, true) if cut.atomic => self.still_recorded(cut),
            (_, true) => {
                let mut notes = self.not_atomic(cut);
                notes[0].1 = format!(
                    "{id} was on its way back and is still recorded; that way is not atomic, and what \
                     came to its end stayed"
                );
                return notes;
            }
        };
        vec![(NoteLevel::Warning, message)]
    }

    /// Whether what its way back takes away is gone, though the row is there.
    fn still_recorded(&self, cut: &Cut) -> String {
        let id = &cut.id;
        let made = cut.statements.iter().filter(|s| s.finished);
        let claims: Vec<Claim> = made.flat_map(|s| claim::some(&s.sql)).collect();
        let as_asked = |claim: &&Claim| standing(claim, &self.found) == Standing::AsAsked;
        match claims.iter().find(as_asked) {
            Some(first) if claims.iter().all(|c| as_asked(&c)) => format!(
                "{id} is rolled back but still recorded: {} is {}. Look, then take its row out of django_migrations, \
                 since its way back would run a second time",
                first.object,
                match first.asked {
                    Asked::There => "there again",
                    Asked::Gone => "gone",
                }
            ),
            _ => format!(
                "{id} stays applied: what was run of its way back was undone with its transaction"
            ),
        }
    }

    /// Django records in the same transaction, unless deferred SQL is left over; what the statements made tells which.
    fn atomic(&self, cut: &Cut) -> Vec<Note> {
        let id = &cut.id;
        if !self.backends.is_empty() {
            return vec![(
                NoteLevel::Warning,
                format!(
                    "{id} is not recorded so far: whether it will be is open as long as its backend works"
                ),
            )];
        }
        let made = cut
            .statements
            .iter()
            .filter(|s| s.finished && is_new(&s.sql));
        let claims: Vec<Claim> = made
            .flat_map(|s| claim::some(&s.sql))
            .filter(|c| c.asked == Asked::There)
            .collect();
        let (there, missing): (Vec<&Claim>, Vec<&Claim>) = claims
            .iter()
            .partition(|claim| standing(claim, &self.found) != Standing::NotAsAsked);
        match (there.first(), missing.first()) {
            (None, Some(_)) => vec![(
                NoteLevel::Note,
                format!(
                    "{id} was rolled back whole: it is not recorded, and nothing that it made is there"
                ),
            )],
            (None, None) => vec![(
                NoteLevel::Note,
                format!("{id} is not recorded: its transaction was rolled back"),
            )],
            (Some(first), None) => vec![(
                NoteLevel::Warning,
                format!(
                    "{id} is applied but not recorded: {} is there. Look, then run `manage.py migrate {} {} --fake`, \
                     since it would run a second time",
                    first.object, id.app, id.name
                ),
            )],
            (Some(first), Some(other)) => vec![(
                NoteLevel::Warning,
                format!(
                    "{id} is not recorded, and the catalog does not settle whether it was applied: {} is there, {} is \
                     not. Compare the schema with the migration before you go on",
                    first.object, other.object
                ),
            )],
        }
    }

    fn not_atomic(&self, cut: &Cut) -> Vec<Note> {
        let id = &cut.id;
        let told: Vec<(usize, &Stated)> = cut
            .statements
            .iter()
            .enumerate()
            .filter(|(_, stated)| claim::claims(&stated.sql).is_none_or(|c| !c.is_empty()))
            .collect();
        let finished = cut.statements.iter().filter(|s| s.finished).count() as u64;
        let mut notes = vec![(
            NoteLevel::Warning,
            format!(
                "{id} is not atomic and not recorded: {} of it came to an end and stayed",
                count(finished, "statement")
            ),
        )];
        for (at, stated) in told.iter().take(STATEMENTS) {
            notes.push((
                NoteLevel::Warning,
                format!("{id}, statement {}: {}", at + 1, self.statement(stated)),
            ));
        }
        if let Some(more) = told.len().checked_sub(STATEMENTS).filter(|n| *n > 0) {
            notes.push((
                NoteLevel::Warning,
                format!(
                    "{id}: and {more} more; django-migrate report {} has its run",
                    self.run.run
                ),
            ));
        }
        notes
    }

    /// One that stays whatever follows: what is true of it, and what to do.
    fn statement(&self, stated: &Stated) -> String {
        let sql = one_line(&stated.sql, SQL);
        let Some(claims) = claim::claims(&stated.sql) else {
            return match stated.finished {
                true => format!(
                    "finished, and nothing in the catalog proves it: run again it does its work a second time: {sql}"
                ),
                false => format!(
                    "was under way; whether its work stayed cannot be read in the catalog: {sql}"
                ),
            };
        };
        let standings = claims
            .iter()
            .map(|claim| (claim, standing(claim, &self.found)));
        let worst = standings.max_by_key(|(_, standing)| *standing != Standing::AsAsked);
        let Some((claim, standing)) = worst else {
            return format!("needs no undoing: {sql}");
        };
        let object = &claim.object;
        let was = if stated.finished {
            "finished"
        } else {
            "was under way"
        };
        match (standing, object) {
            (Standing::AsAsked, _) => {
                let is = match claim.asked {
                    Asked::There => "is there and whole",
                    Asked::Gone => "is gone",
                };
                format!("{was}, and the catalog proves its work: {object} {is}: {sql}")
            }
            (Standing::Invalid { in_progress: true }, _) => {
                format!("{was}: {object} is being built by a session at this moment: {sql}")
            }
            (Standing::Invalid { in_progress: false }, Object::Index { index, .. }) => format!(
                "{was}: {object} is INVALID and in the way of a second run; take it out first: {}",
                drop_index(index)
            ),
            (Standing::NotValid, Object::Validated { table, name }) => format!(
                "{was}: constraint {name} of {table} is NOT VALID; ALTER TABLE {table} VALIDATE CONSTRAINT \"{name}\"; \
                 checks its rows"
            ),
            (Standing::Other, _) => {
                format!("{was}: there is an index of that name on another table: {sql}")
            }
            _ if stated.finished => {
                format!("finished, but the catalog says otherwise now: {object}: {sql}")
            }
            _ => format!("was under way, and nothing of it stayed: {sql}"),
        }
    }
}

/// Which run it was, and how far it came.
pub(crate) fn head(run: &BrokenRun) -> String {
    let mode = match (run.dry_run, run.direction) {
        (true, _) => "dry run",
        (false, Direction::Forward) => "apply",
        (false, Direction::Back) => "rollback",
    };
    let place = match run.step {
        Some(step) => format!(
            "in step {}, {}",
            step.number(run.course),
            step.title(run.course)
        ),
        None => "before its first step".to_owned(),
    };
    let how_far = match run.cut() {
        Some(cut) => format!(", in migration {}", cut.id),
        None if run.reached_the_database() => String::new(),
        None => ": no migration had begun, and nothing of the database was changed".to_owned(),
    };
    let who = format!(
        "run {} ({mode}, pid {} on {}, begun {})",
        run.run, run.pid, run.host, run.started_at
    );
    match run.exit_code {
        Some(code) => format!(
            "{who} ended with exit code {code}: it could not say what became of its last commit"
        ),
        None => format!(
            "{who} was cut off {place}{how_far}; its last word is of {}",
            run.last_at
        ),
    }
}

/// Its objects were not there before it, since it would have failed.
fn is_new(sql: &str) -> bool {
    !sql.to_ascii_uppercase().contains("IF NOT EXISTS")
}

impl Previous {
    /// All that the catalog has to be asked for.
    pub(crate) fn asks(run: &BrokenRun) -> Vec<Claim> {
        let statements = run.migrations.iter().flat_map(|cut| &cut.statements);
        statements.flat_map(|s| claim::some(&s.sql)).collect()
    }
}

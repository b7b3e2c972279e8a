//! Whether what a run applied can go back now: by the journal, the files, the graph and the history. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{Since, Undone};
use crate::django::ProjectFacts;
use crate::django::wire::{MigrationItem, MigrationState, Planned};
use crate::event::NoteLevel;
use crate::execute::resume::{self, Cut, Past};
use crate::exit::Class;
use crate::failure::Failure;
use crate::names::MigrationId;
use crate::plan::Plan;
use crate::ui::{count, one_line};

/// Migrations that are named for one reason.
const NAMED: usize = 10;
const SQL: usize = 120;
/// A record that is so much younger than the run that Python's clock does not explain it.
const YOUNGER: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// What is to be known before anything goes back.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) notes: Vec<(NoteLevel, String)>,
    /// Why nothing goes back.
    pub(crate) nothing: Option<String>,
}

/// A refusal where it cannot go back any more, or not alone.
pub(crate) fn judge(
    undone: &Undone,
    since: &Since,
    facts: &ProjectFacts,
) -> Result<Judged, Failure> {
    let run = undone.id();
    let mut judged = Judged::default();
    if !undone.reached_the_database() {
        judged.nothing = Some(match undone.run.dry_run {
            true => format!("run {run} was a dry run: it applied nothing"),
            false => format!("run {run} applied nothing"),
        });
        return Ok(judged);
    }
    let history = History::of(facts);
    let mut back = BTreeSet::new();
    for cut in undone.begun() {
        if !history.has(&cut.id) {
            judged.not_recorded(cut, run);
        } else if let Some(by) = since.applied(&cut.id) {
            judged.note(format!(
                "{} was applied again by run {by}, so that it is not this run's any more",
                cut.id
            ));
        } else {
            judged.recorded(cut, undone, &history);
            back.insert(&cut.id);
        }
    }
    if back.is_empty() {
        judged.nothing = Some(format!("nothing of run {run} is applied any more"));
        return Ok(judged);
    }
    on_disk(undone, &back, facts)?;
    same_files(undone, facts)?;
    alone(undone, since, &back, facts, &history)?;
    Ok(judged)
}

impl Judged {
    fn note(&mut self, message: String) {
        self.notes.push((NoteLevel::Note, message));
    }

    fn warn(&mut self, message: String) {
        self.notes.push((NoteLevel::Warning, message));
    }

    fn not_recorded(&mut self, cut: &Cut, run: &str) {
        let id = &cut.id;
        match cut.past {
            Past::Applied => {
                self.note(format!("{id} is not recorded any more: it is back already"));
            }
            _ if cut.atomic => self.note(format!(
                "{id} began in run {run} and is not recorded: it was rolled back then"
            )),
            _ => {
                let kept = cut.statements.iter().filter(|s| {
                    let reads = resume::claims(&s.sql).is_some_and(|claims| claims.is_empty());
                    s.finished && !reads
                });
                let kept: Vec<String> = kept.map(|s| one_line(&s.sql, SQL)).collect();
                if kept.is_empty() {
                    return self.note(format!("{id} began in run {run}, and nothing of it stayed"));
                }
                self.warn(format!(
                    "half of {id} stayed when run {run} ended ({}). It is not recorded, so that no reverse takes it back: \
                     do that by hand, before what it stands on goes back, where it needs it: {}",
                    count(kept.len() as u64, "statement"),
                    kept.join("; ")
                ));
            }
        }
    }

    fn recorded(&mut self, cut: &Cut, undone: &Undone, history: &History<'_>) {
        let id = &cut.id;
        if cut.past != Past::Applied {
            self.note(format!(
                "{id}: the journal does not have its end, but it is recorded as applied, and so goes back"
            ));
        }
        if let Some(at) = history.younger(id, &undone.run.last_at) {
            self.warn(format!(
                "{id} is recorded as applied at {at}, long after run {} had its last word ({}): somebody may have taken it \
                 back and applied it again",
                undone.id(),
                undone.run.last_at
            ));
        }
    }
}

/// `django_migrations`, in its order.
struct History<'a> {
    rows: BTreeMap<MigrationId, (usize, &'a str)>,
}

impl<'a> History<'a> {
    fn of(facts: &'a ProjectFacts) -> Self {
        let rows = facts.history.iter().flat_map(|h| &h.rows).enumerate();
        Self {
            rows: rows
                .map(|(at, row)| {
                    (
                        MigrationId::new(&row.app, &row.name),
                        (at, row.applied.as_str()),
                    )
                })
                .collect(),
        }
    }

    fn has(&self, id: &MigrationId) -> bool {
        self.rows.contains_key(id)
    }

    fn younger(&self, id: &MigrationId, end: &str) -> Option<&str> {
        let (_, applied) = self.rows.get(id)?;
        let (at, end): (jiff::Timestamp, jiff::Timestamp) =
            (applied.parse().ok()?, end.parse().ok()?);
        (at.duration_since(end) > YOUNGER).then_some(applied)
    }
}

fn item<'a>(facts: &'a ProjectFacts, id: &MigrationId) -> Option<&'a MigrationItem> {
    let one = |m: &&MigrationItem| m.app == id.app.0 && m.name == id.name.0;
    facts.migrations.iter().find(one)
}

fn id_of(m: &MigrationItem) -> MigrationId {
    MigrationId::new(&m.app, &m.name)
}

/// Each has its file, and is itself in the graph.
fn on_disk(
    undone: &Undone,
    back: &BTreeSet<&MigrationId>,
    facts: &ProjectFacts,
) -> Result<(), Failure> {
    let of = |state: MigrationState| -> Vec<&MigrationId> {
        let is =
            |id: &&&MigrationId| item(facts, id).is_none_or(|m| m.state == MigrationState::Missing);
        back.iter()
            .filter(|id| match state {
                MigrationState::Missing => is(id),
                _ => item(facts, id).is_some_and(|m| m.state == state),
            })
            .copied()
            .collect()
    };
    let missing = of(MigrationState::Missing);
    if !missing.is_empty() {
        return Err(Failure::new(
            Class::MissingMigration,
            format!(
                "the files of {} are not in the project any more: only they know the way back",
                named(missing.iter())
            ),
        )
        .hint(format!(
            "check out the release that run {} migrated to, then roll back; or take its backup: {}",
            undone.id(),
            second_leg(undone)
        )));
    }
    let squashed = of(MigrationState::Squashed);
    let Some(first) = squashed.first() else {
        return Ok(());
    };
    let squash = facts
        .migrations
        .iter()
        .find(|m| m.state == MigrationState::Applied && m.replaces.contains(&first.to_string()));
    let squash = squash.map_or_else(|| "a squash".to_owned(), |m| id_of(m).to_string());
    Err(Failure::new(
        Class::RollbackBlocked,
        format!(
            "{squash} stands for {} now, and takes back all that it replaces or nothing",
            named(squashed.iter())
        ),
    )
    .hint(format!(
        "check out the release that run {} migrated to, then roll back; or take its backup: {}",
        undone.id(),
        second_leg(undone)
    )))
}

/// The way back that is on disk is that of what was applied.
fn same_files(undone: &Undone, facts: &ProjectFacts) -> Result<(), Failure> {
    let then: BTreeMap<&MigrationId, &str> = undone
        .run
        .migrations
        .iter()
        .filter_map(|cut| Some((&cut.id, cut.sha256.as_deref()?)))
        .collect();
    let edited = |planned: &&Planned| {
        let id = MigrationId::new(&planned.app, &planned.name);
        let now = planned.source_sha256.as_deref();
        then.get(&id).is_some_and(|then| now != Some(*then))
    };
    let edited: Vec<MigrationId> = facts
        .planned
        .iter()
        .filter(edited)
        .map(|p| MigrationId::new(&p.app, &p.name))
        .collect();
    if edited.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Class::RollbackFilesChanged,
        format!(
            "the files of {} are not those that run {} applied: what they would take back is not what was done",
            named(edited.iter()),
            undone.id()
        ),
    )
    .hint(format!(
        "check out the release that run {} migrated to, then roll back; or take its backup: {}",
        undone.id(),
        second_leg(undone)
    )))
}

/// Nothing that stays is built on what goes.
fn alone(
    undone: &Undone,
    since: &Since,
    back: &BTreeSet<&MigrationId>,
    facts: &ProjectFacts,
    history: &History<'_>,
) -> Result<(), Failure> {
    let mut going: BTreeSet<String> = back.iter().map(ToString::to_string).collect();
    let mut later: Vec<(MigrationId, String)> = Vec::new();
    loop {
        let next = facts.migrations.iter().find_map(|m| {
            let stays =
                m.state == MigrationState::Applied && !going.contains(&id_of(m).to_string());
            let on = m.dependencies.iter().find(|d| going.contains(*d));
            stays.then_some(m).zip(on.cloned())
        });
        let Some((m, on)) = next else { break };
        going.insert(id_of(m).to_string());
        later.push((id_of(m), on));
    }
    if !later.is_empty() {
        return Err(built_on(undone, since, &later));
    }
    unknown_files(undone, back, facts, history)
}

fn built_on(undone: &Undone, since: &Since, later: &[(MigrationId, String)]) -> Failure {
    let run = undone.id();
    let mut failure = Failure::new(
        Class::RollbackBlocked,
        format!(
            "run {run} cannot go back alone: {} applied since {} built on it, and would be unapplied too",
            count(later.len() as u64, "migration"),
            if later.len() == 1 { "is" } else { "are" }
        ),
    );
    for (id, on) in later.iter().take(NAMED) {
        let by = match since.applied(id) {
            Some(run) => format!(", applied by run {run}"),
            None => ", not applied by a run of this folder".to_owned(),
        };
        failure = failure.source("built on it", format!("{id}, on {on}{by}"));
    }
    if let Some(more) = later.len().checked_sub(NAMED).filter(|n| *n > 0) {
        failure = failure.source("built on it", format!("and {more} more"));
    }
    let runs: BTreeSet<&str> = later
        .iter()
        .filter_map(|(id, _)| since.applied(id))
        .collect();
    let first = match runs.into_iter().next_back() {
        Some(run) => format!(
            "roll run {run} back first: {}",
            undone.started.rollback(run, &[])
        ),
        None => "take those back first".to_owned(),
    };
    failure.hint(format!(
        "{first}; or take the backup, which is without all that came since: {}",
        second_leg(undone)
    ))
}

/// A migration without a file that came later may be built on what goes back: nobody here can say.
fn unknown_files(
    undone: &Undone,
    back: &BTreeSet<&MigrationId>,
    facts: &ProjectFacts,
    history: &History<'_>,
) -> Result<(), Failure> {
    let first = back
        .iter()
        .filter_map(|id| history.rows.get(*id))
        .map(|(at, _)| *at)
        .min();
    let apps: BTreeSet<&str> = back.iter().map(|id| id.app.0.as_str()).collect();
    let missing = facts
        .migrations
        .iter()
        .filter(|m| m.state == MigrationState::Missing);
    let later: Vec<MigrationId> = missing
        .filter(|m| apps.contains(m.app.as_str()))
        .map(id_of)
        .filter(|id| history.rows.get(id).map(|(at, _)| *at) > first)
        .collect();
    if later.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Class::RollbackBlocked,
        format!(
            "{} came later and has no file here: whether it is built on run {} cannot be known",
            named(later.iter()),
            undone.id()
        ),
    )
    .hint("check out the release that was deployed last, and take back what it applied first"))
}

/// Where the way back ends before it has begun: what has no reverse, and what could go back without it.
pub(crate) fn irreversible(undone: &Undone, plan: &Plan) -> Option<Failure> {
    let at = plan.steps.iter().position(|s| !s.irreversible.is_empty())?;
    let mut failure = Failure::new(
        Class::RollbackIrreversible,
        format!(
            "run {} cannot go back by migrations: {} has no way back",
            undone.id(),
            plan.steps[at].id
        ),
    );
    for step in plan.steps.iter().filter(|s| !s.irreversible.is_empty()) {
        for operation in &step.irreversible {
            failure = failure.source("irreversible", format!("{}: {operation}", step.id));
        }
    }
    let before: Vec<&MigrationId> = plan.steps[..at].iter().map(|s| &s.id).collect();
    let some = match before.as_slice() {
        [] => "it is the first on the way, so that nothing could go back".to_owned(),
        some => format!(
            "only {} could go back, by `manage.py migrate`, and everything before would stay",
            named(some.iter())
        ),
    };
    Some(failure.hint(format!(
        "{some}; the backup brings back all of it: {}",
        second_leg(undone)
    )))
}

/// What is left where migrations do not lead back.
fn second_leg(undone: &Undone) -> String {
    match &undone.backup {
        Some(_) => undone.started.rollback(undone.id(), &["--restore"]),
        None => format!("run {} took none; an older one has to do", undone.id()),
    }
}

fn named<T: ToString>(ids: impl ExactSizeIterator<Item = T>) -> String {
    let all = ids.len();
    let mut names: Vec<String> = ids.take(NAMED).map(|id| id.to_string()).collect();
    if let Some(more) = all.checked_sub(NAMED).filter(|n| *n > 0) {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

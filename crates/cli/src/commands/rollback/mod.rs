//! `rollback`: the way back of a run. Shown first, always; with `--apply` then run under the same gates as `run`.
//!
//! A rollback is a run itself: its folder, its journal, its report. Absent here: whether a run can go back (see
//! [`crate::rollback`]).

mod find;
mod restore;
mod shown;
mod verify;

use std::path::PathBuf;

use serde_json::Value;

use self::find::Found;
use super::run::{Back, Leg, Pending, Run, Seen, started};
use super::{Context, finish};
use crate::args::Format;
use crate::database;
use crate::django::Django;
use crate::event::{EventKind, NoteLevel, Step};
use crate::exit::Class;
use crate::failure::Failure;
use crate::journal::{Journal, RunFolder};
use crate::lock::MigrationLock;
use crate::names::MigrationId;
use crate::plan::{Direction, Plan};
use crate::preview::Preview;
use crate::reporter::{Listener, Reporter};
use crate::rollback::{self, Here, Judged};
use crate::settings::{Mode, RollbackSettings, RunSettings};
use crate::ui::{self, JsonLines, Terminal, out};

pub(crate) async fn rollback(
    settings: RollbackSettings,
    format: Format,
    context: &Context,
) -> Result<u8, Failure> {
    let reporter = Reporter::new(listeners(&settings.run, format, context));
    let begun = begin(&settings, context, &reporter);
    let shown = match &begun {
        Ok(begun) => way_back(&settings, begun, format, context, &reporter).await,
        Err(failure) => Err(failure.clone()),
    };
    let folder = begun.ok().map(|begun| begun.folder);
    let (result, document) = match shown {
        Ok(document) => (Ok(()), document),
        Err(failure) => (Err(failure), None),
    };
    let code = finish::finish(result, folder.as_ref(), format, &reporter)?;
    if let Some(document) = document {
        out::document(&document);
    }
    Ok(code)
}

/// What only shows is one document; what runs is lines, as those of `run`.
fn listeners(settings: &RunSettings, format: Format, context: &Context) -> Vec<Box<dyn Listener>> {
    match (format, settings.mode) {
        (Format::Text, _) => vec![Box::new(Terminal::new(context.volume))],
        (Format::Json, Mode::Apply) => vec![Box::new(JsonLines)],
        (Format::Json, Mode::DryRun) => Vec::new(),
    }
}

/// What stands before the first step.
struct Begun {
    django: Django,
    found: Found,
    folder: RunFolder,
}

/// Finds the project and the run before anything is written.
fn begin(
    settings: &RollbackSettings,
    context: &Context,
    reporter: &Reporter,
) -> Result<Begun, Failure> {
    let run = &settings.run;
    let django = Django::locate(&run.django)?;
    let runs: PathBuf = run.django.root.join(&run.run_dir);
    let leg = leg_of(settings);
    let found = find::find(&runs, settings.of.as_deref(), leg)?;
    let folder = RunFolder::create(&runs)?;
    reporter.journal_to(Journal::create(&folder)?);
    let of = Back {
        of: found.undone.id(),
        leg,
        migrations: &[],
    };
    reporter.emit(EventKind::RunStarted(started(
        run,
        context,
        &folder,
        &django,
        Some(of),
    )));
    Ok(Begun {
        django,
        found,
        folder,
    })
}

fn leg_of(settings: &RollbackSettings) -> Leg {
    match settings.restore {
        Some(_) => Leg::Backup,
        None => Leg::Migrations,
    }
}

async fn way_back(
    settings: &RollbackSettings,
    begun: &Begun,
    format: Format,
    context: &Context,
    reporter: &Reporter,
) -> Result<Option<Value>, Failure> {
    let Found { undone, since } = &begun.found;
    let ours = undone
        .begun()
        .filter(|cut| since.applied(&cut.id).is_none());
    let migrations: Vec<MigrationId> = ours.map(|cut| cut.id.clone()).collect();
    let run = Run {
        settings: &settings.run,
        format,
        context,
        reporter,
        folder: &begun.folder,
        django: &begun.django,
        back: Some(Back {
            of: undone.id(),
            leg: leg_of(settings),
            migrations: &migrations,
        }),
    };
    if let Some(leg) = &settings.restore {
        let found = &begun.found;
        return restore::Leg { run, found, leg }.all().await;
    }
    let way = WayBack {
        run,
        found: &begun.found,
    };
    way.all().await
}

struct WayBack<'a> {
    run: Run<'a>,
    found: &'a Found,
}

impl WayBack<'_> {
    async fn all(&self) -> Result<Option<Value>, Failure> {
        let undone = &self.found.undone;
        if !undone.reached_the_database() {
            let judged = self.judged(&Default::default())?;
            return Ok(self.nothing(&judged));
        }
        let apply = self.run.settings.mode == Mode::Apply;
        if apply {
            self.run.parameters().await?;
        }
        let pending = self.run.pending(|seen| self.may_go_back(seen));
        let pending = self.run.step(Step::Pending, pending).await?;
        let judged = self.judged(&pending.facts)?;
        for (level, message) in &judged.notes {
            self.run.note(*level, message.clone());
        }
        if pending.plan.is_empty() {
            return Ok(self.nothing(&judged));
        }
        if !apply {
            return self.show(&pending, &judged).await;
        }
        let lock = self.run.lock(&pending).await?;
        let result = self.under_lock(&lock, &pending).await;
        lock.release().await;
        result.map(|()| None)
    }

    fn judged(&self, facts: &crate::django::ProjectFacts) -> Result<Judged, Failure> {
        rollback::judge(&self.found.undone, &self.found.since, facts)
    }

    /// The first word on what was read: another database, or a way that is closed, ends it here.
    fn may_go_back(&self, seen: &Seen) -> Result<(), Failure> {
        let server = &seen.observed.server;
        let here = Here {
            alias: self.run.settings.django.database.clone(),
            target: seen.observed.reach.describe(),
            name: server.database.clone(),
            system_identifier: server.system_identifier.clone(),
            database_oid: server.database_oid,
        };
        rollback::same_database(&self.found.undone, &here)?;
        self.judged(&seen.facts)?;
        match self.run.settings.mode {
            Mode::DryRun => Ok(()),
            Mode::Apply => self.irreversible(&seen.plan).map_or(Ok(()), Err),
        }
    }

    fn irreversible(&self, plan: &Plan) -> Option<Failure> {
        rollback::irreversible(&self.found.undone, plan)
    }

    /// Done already, or never anything to do.
    fn nothing(&self, judged: &Judged) -> Option<Value> {
        let why = judged.nothing.clone();
        let why = why.unwrap_or_else(|| "nothing of it is applied any more".to_owned());
        self.run
            .note(NoteLevel::Note, format!("nothing to roll back: {why}"));
        self.is_document().then(|| shown::nothing(&self.run, &why))
    }

    fn is_document(&self) -> bool {
        self.run.format == Format::Json && self.run.settings.mode == Mode::DryRun
    }

    /// Without `--apply` it ends here.
    async fn show(&self, pending: &Pending, judged: &Judged) -> Result<Option<Value>, Failure> {
        let preview = self.run.step(Step::Preview, self.preview(pending)).await?;
        let closed = self.irreversible(&pending.plan);
        if self.run.format == Format::Text {
            out::answer(shown::text(self.found, &preview, closed.as_ref()));
            return Ok(None);
        }
        let document = || {
            shown::document(
                &self.run,
                self.found,
                pending,
                &preview,
                judged,
                closed.as_ref(),
            )
        };
        Ok(self.is_document().then(document))
    }

    /// Step 3 as in `run`, with what going back leaves lost.
    async fn preview(&self, pending: &Pending) -> Result<Preview, Failure> {
        let mut preview = self.run.assessed(pending).await?;
        for (m, planned) in preview.migrations.iter_mut().zip(&pending.facts.planned) {
            m.not_brought_back = self.found.undone.not_brought_back(planned);
        }
        if self.run.on_screen() && self.run.settings.mode == Mode::Apply {
            out::talk(ui::preview(&preview, ui::Detail::Folded, self.run.rescue()));
        }
        self.run.judged(&preview)?;
        Ok(preview)
    }

    /// The order of `run`: backup, preview, consent, and once more the same history.
    async fn under_lock(&self, lock: &MigrationLock, pending: &Pending) -> Result<(), Failure> {
        let run = &self.run;
        database::same_history(&pending.observed.observer, &pending.facts).await?;
        let backup = run.step(Step::Backup, run.backup(pending)).await?;
        let preview = run.step(Step::Preview, self.preview(pending)).await?;
        let approved = run.consent(pending, &preview).await?;
        run.still_so(lock, pending).await?;
        let applied = run
            .execute(lock, pending, &approved, &backup, &preview)
            .await?;
        run.step(Step::Verify, self.verify(pending, &applied))
            .await
            .map_err(|f| f.after_applying(Class::VerificationDiffers, Direction::Back))
    }
}

//! The second leg: the run's backup, restored beside the live database, compared with it, and on demand put in its place.
//!
//! The live one is never overwritten: it gives its name away once that was typed, and is kept whole under another.
//! Absent here: loading (see [`crate::restore`]) and the exchange of names (`dumper::swap`).

mod archive;
mod consent;
mod known;
mod names;
mod shown;
mod side;

use dumper::swap::{self, SwapError, SwapRequest};
use dumper::{
    Analyze, Mode, OldSessions, OnError, Owners, Privileges, RestoreRequest, Summary, Target,
    Unfinished,
};
use pgdriver::ConnectOptions;
use serde_json::Value;

use self::archive::Archive;
use self::names::Names;
use super::find::Found;
use crate::args::Format;
use crate::commands::run::Run;
use crate::commands::steps;
use crate::event::{EventKind, NoteLevel, Step, Swapped};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::gates;
use crate::restore;
use crate::rollback::{self, Compared, Here};
use crate::settings::{Mode as Doing, RestoreLeg};
use crate::ui::out;

/// The leg, as it was asked for.
pub(super) struct Leg<'a> {
    pub(super) run: Run<'a>,
    pub(super) found: &'a Found,
    pub(super) leg: &'a RestoreLeg,
}

/// Where the live database is.
struct Place {
    // no session is kept: it would keep the live database from giving its name away
    /// The login, without a database of its own yet.
    login: ConnectOptions,
    live: String,
    names: Names,
}

impl Leg<'_> {
    pub(super) async fn all(&self) -> Result<Option<Value>, Failure> {
        let archive = Archive::of(self.found, &self.run.django.project.root)?;
        let apply = self.run.settings.mode == Doing::Apply;
        if apply {
            self.run.parameters().await?;
        }
        let place = self.run.step(Step::Pending, self.place()).await?;
        let summary = self.run.step(Step::Backup, self.whole(&archive)).await?;
        if !apply {
            return Ok(self.show(&archive, &place, &summary));
        }
        let restored = match &self.leg.restored {
            Some(database) => database.clone(),
            None => {
                let loaded = self.load(&archive, &place, &summary);
                self.run.step(Step::Apply, loaded).await?
            }
        };
        let changed = match self.leg.restored {
            Some(_) => Changed::No,
            None => Changed::Yes,
        };
        let compared = self.run.step(Step::Verify, self.compare(&place, &restored));
        let compared = compared.await.map_err(|f| f.changed(changed))?;
        if self.leg.restored.is_some()
            && let Some(other) = known::holds(&summary, &compared)?
        {
            self.run.note(NoteLevel::Warning, other);
        }
        match self.leg.swap {
            true => self
                .swap(&place, &restored, &compared)
                .await
                .map_err(|f| match f.changed {
                    Changed::No => f.changed(changed),
                    _ => f,
                })?,
            false => self.say_how(&place, &restored),
        }
        Ok(None)
    }

    /// The project's own way to the run's own database.
    async fn place(&self) -> Result<Place, Failure> {
        self.run.working("reading the project");
        let run = &self.run;
        let target = &run.settings.target;
        let facts = steps::inspect(run.django, target, &[], run.context).await?;
        gates::project(&facts)?;
        gates::connection(&facts)?;
        let observed = steps::reach(&facts, run.django, run.context).await?;
        let server = &observed.server;
        let here = Here {
            alias: run.settings.django.database.clone(),
            target: observed.reach.describe(),
            name: server.database.clone(),
            system_identifier: server.system_identifier.clone(),
            database_oid: server.database_oid,
        };
        rollback::same_server(&self.found.undone, &here)?;
        run.reporter
            .emit(EventKind::ProjectInspected(steps::inspected(
                &facts, run.django, &observed,
            )));
        Ok(Place {
            login: observed.reach.options().clone(),
            live: server.database.clone(),
            names: Names::now(&server.database),
        })
    }

    /// The file against its manifest, and against the journal of the run that took it.
    async fn whole(&self, archive: &Archive) -> Result<Summary, Failure> {
        self.run.working("reading the backup");
        let pg_restore = self.leg.pg_restore.as_deref();
        archive.whole(pg_restore, self.run.context).await
    }

    fn show(&self, archive: &Archive, place: &Place, summary: &Summary) -> Option<Value> {
        let shown = shown::Shown {
            of: self.found.undone.id(),
            started: &self.found.undone.started,
            run: &self.run.folder.id,
            archive,
            live: &place.live,
            into: &place.names.restored,
            summary,
        };
        match self.run.format {
            Format::Json => Some(shown.document()),
            Format::Text => {
                out::answer(shown.text());
                None
            }
        }
    }

    /// Into a database of its own, whose name nobody has yet.
    async fn load(
        &self,
        archive: &Archive,
        place: &Place,
        summary: &Summary,
    ) -> Result<String, Failure> {
        let request = RestoreRequest {
            archive: archive.path.clone(),
            connection: place.login.clone(),
            into: place.names.restored.clone(),
            target: Target::New,
            sessions: OldSessions::Refuse,
            mode: Mode::Sessions(self.run.settings.backup.jobs),
            owners: Owners::Keep,
            privileges: Privileges::Keep,
            on_error: OnError::Stop,
            analyze: Analyze::Yes,
            unfinished: Unfinished::Drop,
            pg_restore: self.leg.pg_restore.clone(),
        };
        let run = &self.run;
        let manifest = summary.manifest.as_ref();
        let signals = &run.context.signals;
        let outcome = Box::pin(restore::restore(&request, manifest, run.reporter, signals)).await?;
        match outcome.failure {
            Some(failure) => Err(failure),
            None => Ok(outcome.restored.database),
        }
    }

    async fn compare(&self, place: &Place, restored: &str) -> Result<Compared, Failure> {
        let signals = &self.run.context.signals;
        let both = async {
            self.run.working("counting the rows of the live database");
            let live = side::read(&place.login, &place.live).await?;
            self.run.working("counting the rows of the restored one");
            let other = side::read(&place.login, restored).await?;
            Ok(rollback::compare((&place.live, &live), (restored, &other)))
        };
        let compared = signals.or_stop(both).await?;
        self.run
            .reporter
            .emit(EventKind::Compared(compared.clone()));
        if self.run.format == Format::Text {
            out::answer(shown::compared(&compared));
        }
        Ok(compared)
    }

    fn say_how(&self, place: &Place, restored: &str) {
        let undone = &self.found.undone;
        let words = ["--restore", "--apply", "--swap", "--restored", restored];
        self.run.note(
            NoteLevel::Note,
            format!(
                "{restored} stands beside {}; to put it in its place: {}",
                place.live,
                undone.started.rollback(undone.id(), &words)
            ),
        );
    }

    /// The restored one takes the live one's name, which somebody typed.
    async fn swap(
        &self,
        place: &Place,
        restored: &str,
        compared: &Compared,
    ) -> Result<(), Failure> {
        self.nobody_migrates(place).await?;
        let clients = side::others(&place.login, &place.live).await?;
        let asked = consent::Swap {
            live: &place.live,
            restored,
            kept_as: &place.names.kept,
            clients: &clients,
            compared,
        };
        let name = consent::typed(&asked, self.leg, &self.run).await?;
        let request = SwapRequest {
            connection: place.login.clone(),
            name,
            by: restored.to_owned(),
            kept_as: place.names.kept.clone(),
            sessions: match self.leg.terminate_sessions {
                true => OldSessions::Terminate,
                false => OldSessions::Refuse,
            },
        };
        self.run.reporter.ensure_journal()?;
        let swapped = swap::swap(&request).await.map_err(|e| refused(&e))?;
        self.run.reporter.emit(EventKind::Swapped(Swapped {
            database: swapped.database,
            by: restored.to_owned(),
            kept_as: swapped.kept_as,
            ended_sessions: swapped.ended,
        }));
        Ok(())
    }

    /// No run is at work on what gives its name away.
    async fn nobody_migrates(&self, place: &Place) -> Result<(), Failure> {
        let holder = side::holder(&place.login, &place.live);
        match self.run.context.signals.or_stop(holder).await? {
            None => Ok(()),
            Some(run) => Err(Failure::new(
                Class::AnotherRun,
                format!("run {run} is at work on {}", place.live),
            )
            .hint("wait for its end; django-migrate locks shows what it does")),
        }
    }
}

/// The databases have their names still, but where that is not known.
fn refused(error: &SwapError) -> Failure {
    let (class, changed, hint) = match error {
        SwapError::Missing(_) => (
            Class::RestoreTargetRefused,
            Changed::No,
            "--restored names a database that was restored before; leave it out to restore one now",
        ),
        SwapError::Name { .. } => (
            Class::RestoreTargetRefused,
            Changed::No,
            "try again in a second: the name has the time in it",
        ),
        SwapError::InUse { .. } => (
            Class::RestoreTargetInUse,
            Changed::No,
            "stop the application first; --terminate-sessions ends what is left",
        ),
        SwapError::Connect(_) | SwapError::Query(_) => (
            Class::RestoreFailed,
            Changed::No,
            "both databases have their names still; to rename one, its owner and CREATEDB are needed",
        ),
        SwapError::Unknown(_) => (
            Class::RestoreConnectionLost,
            Changed::Unknown,
            "list the databases before you do anything else: either both have their names still, or both have the new ones",
        ),
    };
    Failure::new(class, error.to_string())
        .changed(changed)
        .hint(hint)
}

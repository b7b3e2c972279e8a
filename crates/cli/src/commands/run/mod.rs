//! `run`: the seven steps in their strict order, each a gate. It should read like the table of the architecture.

mod after;
mod agreed;
mod pending;
mod signalling;

pub(super) use pending::{Pending, Seen};

use std::path::Path;
use std::time::{Duration, Instant};

use super::{Context, finish};
use crate::args::Format;
use crate::backup::{self, BackupPlan, BackupReceipt};
use crate::consent::{self, Approved, Need, Next};
use crate::database;
use crate::django::Django;
use crate::event::{EventKind, NoteLevel, RunStarted, Step};
use crate::execute::resume::{self, BrokenRun};
use crate::execute::{self, Applied, Execution};
use crate::exit::Class;
use crate::failure::Failure;
use crate::journal::{self, Journal, RunFolder};
use crate::lock::MigrationLock;
use crate::names::MigrationId;
use crate::plan::Direction;
use crate::policy;
use crate::preview::{self, Preview};
use crate::reporter::{Listener, Reporter};
use crate::settings::{BackupFirst, Mode, RunSettings};
use crate::ui::{self, JsonLines, Terminal, Volume, out};

pub(crate) async fn run(
    settings: RunSettings,
    format: Format,
    context: &Context,
) -> Result<u8, Failure> {
    let listener: Box<dyn Listener> = match format {
        Format::Text => Box::new(Terminal::new(context.volume)),
        Format::Json => Box::new(JsonLines),
    };
    let reporter = Reporter::new(vec![listener]);
    let folder = begin(&settings, context, &reporter);
    let result = match &folder {
        Ok((folder, django)) => {
            Run {
                settings: &settings,
                format,
                context,
                reporter: &reporter,
                folder,
                django,
                back: None,
            }
            .all()
            .await
        }
        Err(failure) => Err(failure.clone()),
    };
    let folder = folder.ok().map(|(folder, _)| folder);
    finish::finish(result, folder.as_ref(), format, &reporter)
}

/// Finds the project before anything is written: a folder that is no project gets none of ours.
fn begin(
    settings: &RunSettings,
    context: &Context,
    reporter: &Reporter,
) -> Result<(RunFolder, Django), Failure> {
    let django = Django::locate(&settings.django)?;
    let folder = RunFolder::create(&settings.django.root.join(&settings.run_dir))?;
    reporter.journal_to(Journal::create(&folder)?);
    reporter.emit(EventKind::RunStarted(started(
        settings, context, &folder, &django, None,
    )));
    Ok((folder, django))
}

/// The first line of a run, or of the rollback of another.
pub(super) fn started(
    settings: &RunSettings,
    context: &Context,
    folder: &RunFolder,
    django: &Django,
    rolls_back: Option<Back<'_>>,
) -> RunStarted {
    RunStarted {
        run: folder.id.clone(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        dry_run: settings.mode == Mode::DryRun,
        rolls_back: rolls_back.map(|back| back.of.to_owned()),
        restores: rolls_back.is_some_and(|back| back.leg == Leg::Backup),
        backup_first: settings.backup_first == BackupFirst::Yes,
        app: settings.target.app.clone(),
        migration: settings.target.migration.clone(),
        database: settings.django.database.clone(),
        project: django.project.root.display().to_string(),
        settings: settings.django.settings.clone(),
        pythonpath: settings.django.pythonpath.clone(),
        host: context.host.clone(),
        pid: std::process::id(),
    }
}

/// A run in either direction: `rollback` is one too, with an order of its own (see [`super::rollback`]).
pub(super) struct Run<'a> {
    pub(super) settings: &'a RunSettings,
    pub(super) format: Format,
    pub(super) context: &'a Context,
    pub(super) reporter: &'a Reporter,
    pub(super) folder: &'a RunFolder,
    pub(super) django: &'a Django,
    /// What a rollback takes back.
    pub(super) back: Option<Back<'a>>,
}

/// How a run is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leg {
    Migrations,
    Backup,
}

/// The migrations that go back, and the run that applied them.
#[derive(Clone, Copy)]
pub(super) struct Back<'a> {
    pub(super) of: &'a str,
    pub(super) leg: Leg,
    pub(super) migrations: &'a [MigrationId],
}

impl Run<'_> {
    async fn all(&self) -> Result<(), Failure> {
        self.parameters().await?;
        let pending = self.pending(|_| Ok(()));
        let pending = self.step(Step::Pending, pending).await?;
        if pending.plan.is_empty() {
            return Ok(());
        }
        let lock = if self.reads_only() {
            None
        } else {
            Some(self.lock(&pending).await?)
        };
        let result = self.planned(lock.as_ref(), &pending).await;
        if let Some(lock) = lock {
            lock.release().await;
        }
        result
    }

    /// A dry run that takes no backup only reads: it disturbs nobody, and nobody it. One of a rollback takes none.
    fn reads_only(&self) -> bool {
        let backs_up = self.settings.backup_first == BackupFirst::Yes && self.back.is_none();
        self.settings.mode == Mode::DryRun && !backs_up
    }

    /// Everything that follows from a plan, under the advisory lock.
    async fn planned(
        &self,
        lock: Option<&MigrationLock>,
        pending: &Pending,
    ) -> Result<(), Failure> {
        database::same_history(&pending.observed.observer, &pending.facts).await?;
        let backup = self.step(Step::Backup, self.backup(pending)).await?;
        let preview = self.step(Step::Preview, self.preview(pending)).await?;
        let (Mode::Apply, Some(lock)) = (self.settings.mode, lock) else {
            return Ok(());
        };
        self.apply(lock, pending, &backup, &preview).await
    }

    /// Steps 4 to 6.
    async fn apply(
        &self,
        lock: &MigrationLock,
        pending: &Pending,
        backup: &BackupReceipt,
        preview: &Preview,
    ) -> Result<(), Failure> {
        let approved = self.consent(pending, preview).await?;
        self.still_so(lock, pending).await?;
        let applied = self
            .execute(lock, pending, &approved, backup, preview)
            .await?;
        // from here on, whatever fails, the database has changed
        self.step(Step::Verify, self.verify(pending, &applied))
            .await
            .map_err(|f| f.after_applying(Class::VerificationDiffers, Direction::Forward))?;
        self.step(Step::Tests, self.tests(pending))
            .await
            .map_err(|f| f.after_applying(Class::TestsNotRun, Direction::Forward))
    }

    /// After questions that may have been long in answering.
    pub(super) async fn still_so(
        &self,
        lock: &MigrationLock,
        pending: &Pending,
    ) -> Result<(), Failure> {
        lock.still_held().await?;
        let observer = pending.observed.reach.observer().await?;
        database::same_history(&observer, &pending.facts).await
    }

    /// Step 4.
    pub(super) async fn execute(
        &self,
        lock: &MigrationLock,
        pending: &Pending,
        approved: &Approved,
        backup: &BackupReceipt,
        preview: &Preview,
    ) -> Result<Applied, Failure> {
        let hear = self.context.hear_project();
        let earlier = self.earlier(pending).await;
        let execution = self.execution(pending, preview, &earlier, &hear);
        let apply = execute::execute(lock, &pending.plan, approved, backup, &execution);
        self.step(Step::Apply, apply).await
    }

    /// A step with its times. A signal that came between two steps ends the run here.
    pub(super) async fn step<T>(
        &self,
        step: Step,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let asked = self.context.signals.asked();
        if asked.anything() {
            return Err(asked.failure());
        }
        let began = Instant::now();
        self.reporter.emit(EventKind::StepStarted { step });
        let result = Box::pin(work).await;
        let seconds = began.elapsed().as_secs_f64();
        self.reporter.emit(EventKind::StepFinished {
            step,
            ok: result.is_ok(),
            seconds,
        });
        result
    }

    pub(super) fn working(&self, what: &str) {
        self.reporter.emit(EventKind::Working {
            what: what.to_owned(),
        });
    }

    pub(super) fn note(&self, level: NoteLevel, message: impl Into<String>) {
        self.reporter.emit(EventKind::Note {
            level,
            message: message.into(),
        });
    }

    async fn settle(&self, need: Need) -> Result<(), Failure> {
        let RunSettings { consent, .. } = self.settings;
        consent::settle(
            &need,
            consent,
            self.context.interaction,
            &self.context.signals,
            self.reporter,
        )
        .await
    }

    /// Whether a person sees the talk of the run.
    pub(super) fn on_screen(&self) -> bool {
        self.format == Format::Text && self.context.volume > Volume::Quiet
    }

    /// What a question is about, where the screen has not shown it.
    fn unseen(&self, lines: impl FnOnce() -> Vec<String>) -> Vec<String> {
        if self.on_screen() {
            Vec::new()
        } else {
            lines()
        }
    }

    fn started(&self) -> RunStarted {
        started(
            self.settings,
            self.context,
            self.folder,
            self.django,
            self.back,
        )
    }

    /// The parameters are confirmed first, and a missing backup acknowledged.
    pub(super) async fn parameters(&self) -> Result<(), Failure> {
        self.settle(Need::Parameters {
            mode: self.settings.mode,
            unseen: self.unseen(|| ui::parameters(&self.started(), self.context.volume)),
        })
        .await?;
        if self.back.is_some_and(|back| back.leg == Leg::Backup) {
            return Ok(());
        }
        match self.settings.backup_first {
            BackupFirst::Yes => Ok(()),
            BackupFirst::No { acknowledged } => self.settle(Need::NoBackup { acknowledged }).await,
        }
    }

    /// Step 2. Over before any DDL starts, since a dump's locks and DDL wait for each other.
    pub(super) async fn backup(&self, pending: &Pending) -> Result<BackupReceipt, Failure> {
        let plan = BackupPlan {
            settings: &self.settings.backup,
            root: &self.settings.django.root,
            reach: &pending.observed.reach,
            server: &pending.observed.server,
            reporter: self.reporter,
            signals: &self.context.signals,
        };
        backup::take_first(self.settings.backup_first, pending.pg_dump.clone(), &plan).await
    }

    /// Step 3: the SQL, what it does, and the verdict.
    async fn preview(&self, pending: &Pending) -> Result<Preview, Failure> {
        let preview = self.assessed(pending).await?;
        if self.on_screen() {
            let detail = match self.context.is_verbose() {
                true => ui::Detail::Whole,
                false => ui::Detail::Folded,
            };
            out::talk(ui::preview(&preview, detail, self.rescue()));
        }
        self.judged(&preview)?;
        Ok(preview)
    }

    /// The SQL, what it does, and what it meets in the database.
    pub(super) async fn assessed(&self, pending: &Pending) -> Result<Preview, Failure> {
        let observer = &pending.observed.observer;
        let known = database::context(observer).await?;
        let mut preview = preview::preview(&pending.plan, &pending.facts.sql, &known)?;
        preview.count(&database::count_stakes(observer, &preview.stakes(), &known).await);
        database::look(observer, &known, &mut preview).await;
        let earlier = self.earlier(pending).await;
        resume::foresee(observer, &earlier, &pending.plan, &mut preview).await?;
        let unused = self
            .settings
            .policy
            .judge_plan(&mut preview, policy::today());
        unused
            .into_iter()
            .for_each(|waiver| self.note(NoteLevel::Note, waiver));
        self.keep(
            &self.folder.path.join("preview.sql"),
            preview.script().as_bytes(),
        );
        Ok(preview)
    }

    /// Tells the verdict; `stop` ends an apply.
    pub(super) fn judged(&self, preview: &Preview) -> Result<(), Failure> {
        self.reporter
            .emit(EventKind::PreviewFinished(preview.event()));
        if self.settings.mode == Mode::Apply && preview.verdict() == preview::Verdict::Stop {
            return Err(refused(preview));
        }
        Ok(())
    }

    pub(super) fn rescue(&self) -> ui::Rescue {
        match self.settings.backup_first {
            BackupFirst::Yes => ui::Rescue::Backup,
            BackupFirst::No { .. } => ui::Rescue::Nothing,
        }
    }

    /// A copy beside the journal; that it cannot be written does not stop a run.
    fn keep(&self, path: &Path, bytes: &[u8]) {
        if let Err(e) = journal::write_whole(path, bytes) {
            self.note(
                NoteLevel::Warning,
                format!("{} cannot be written: {e}", path.display()),
            );
        }
    }

    pub(super) async fn consent(
        &self,
        pending: &Pending,
        preview: &Preview,
    ) -> Result<Approved, Failure> {
        let told = self.settings.consent.confirm_destructive.is_some();
        let mut needs = vec![Need::Apply {
            direction: preview.direction,
            migrations: pending.plan.steps.len(),
            asks: preview.asks(),
            next: match preview.is_destructive() && !told {
                true => Next::Phrase,
                false => Next::Nothing,
            },
            unseen: self.unseen(|| ui::asking(preview)),
        }];
        if preview.is_destructive() {
            needs.push(Need::Destructive {
                unseen: self.unseen(|| ui::destroyed(preview, self.rescue())),
            });
        }
        consent::obtain(
            &needs,
            &pending.plan.fingerprint,
            &self.settings.consent,
            self.context.interaction,
            &self.context.signals,
            self.reporter,
        )
        .await
    }

    fn execution<'b>(
        &'b self,
        pending: &'b Pending,
        preview: &'b Preview,
        earlier: &'b [BrokenRun],
        hear: &'b dyn Fn(&str),
    ) -> Execution<'b> {
        Execution {
            django: self.django,
            target: &self.settings.target,
            guard: &self.settings.guard,
            preview,
            earlier,
            deadlock_timeout: pending
                .observed
                .server
                .defaults
                .deadlock_timeout
                .unwrap_or(Duration::from_secs(1)),
            reach: &pending.observed.reach,
            run: &self.folder.id,
            reporter: self.reporter,
            signals: &self.context.signals,
            hear,
        }
    }
}

fn refused(preview: &Preview) -> Failure {
    let stops: Vec<String> = preview
        .migrations
        .iter()
        .flat_map(|m| m.all_findings().map(move |f| (m, f)))
        .filter(|(_, f)| f.counts() == crate::hazards::Severity::Stop)
        .map(|(m, f)| format!("  {}: {}: {}\n    {}", m.id, f.code, f.message, f.remedy))
        .collect();
    Failure::new(
        Class::PolicyRefused,
        format!("the preview's verdict is stop:\n{}", stops.join("\n")),
    )
    .hint("nothing was changed; below each finding stands the safer way")
}

//! `run`: the seven steps in their strict order, each a gate. It should read like the table of the architecture.

use std::path::Path;
use std::time::Instant;

use super::steps::{self, Observed};
use super::{Context, finish};
use crate::args::Format;
use crate::backup::{self, BackupPlan, BackupReceipt};
use crate::consent::{self, Approved, Need};
use crate::database;
use crate::django::wire::Part;
use crate::django::{Django, ProjectFacts};
use crate::event::{EventKind, NoteLevel, Planned, PlannedMigration, RunStarted, Step};
use crate::execute::{self, Applied, Execution};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::gates;
use crate::journal::{self, Journal, RunFolder};
use crate::lock::MigrationLock;
use crate::plan::Plan;
use crate::preview::{self, Preview};
use crate::project_tests::{self, Choice, OnDisk, Surroundings};
use crate::reporter::{Listener, Reporter};
use crate::settings::{BackupFirst, Mode, RunSettings};
use crate::ui::{self, JsonLines, Terminal, Volume, out};
use crate::verify::{self, Comparison, Leftovers};

/// Statements shown on the screen of a run; the whole SQL is in the run folder.
const SHOWN: usize = 200;

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
    let folder = begin(&settings, &reporter);
    let result = match &folder {
        Ok((folder, django)) => {
            Run {
                settings: &settings,
                format,
                context,
                reporter: &reporter,
                folder,
                django,
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
fn begin(settings: &RunSettings, reporter: &Reporter) -> Result<(RunFolder, Django), Failure> {
    let django = Django::locate(&settings.django)?;
    let folder = RunFolder::create(&settings.django.root.join(&settings.run_dir))?;
    reporter.journal_to(Journal::create(&folder)?);
    reporter.emit(EventKind::RunStarted(RunStarted {
        run: folder.id.clone(),
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        dry_run: settings.mode == Mode::DryRun,
        backup_first: settings.backup_first == BackupFirst::Yes,
        app: settings.target.app.clone(),
        migration: settings.target.migration.clone(),
        database: settings.django.database.clone(),
        project: django.project.root.display().to_string(),
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        pid: std::process::id(),
    }));
    Ok((folder, django))
}

struct Run<'a> {
    settings: &'a RunSettings,
    format: Format,
    context: &'a Context,
    reporter: &'a Reporter,
    folder: &'a RunFolder,
    django: &'a Django,
}

/// What step 1 hands on.
struct Pending {
    facts: ProjectFacts,
    plan: Plan,
    observed: Observed,
    leftovers: Leftovers,
    pg_dump: Option<dumper::PgDump>,
}

impl Run<'_> {
    async fn all(&self) -> Result<(), Failure> {
        self.parameters().await?;
        let pending = self.step(Step::Pending, self.pending()).await?;
        if pending.plan.is_empty() {
            return Ok(());
        }
        // a dry run that takes no backup only reads: it disturbs nobody, and nobody it
        let reads_only =
            self.settings.mode == Mode::DryRun && self.settings.backup_first != BackupFirst::Yes;
        let lock = if reads_only {
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
        lock.still_held().await?;
        let observer = pending.observed.reach.observer().await?;
        database::same_history(&observer, &pending.facts).await?;
        let execution = self.execution(pending);
        let hear = self.context.hear_project();
        let execution = Execution {
            hear: &hear,
            ..execution
        };
        let apply = execute::execute(lock, &pending.plan, &approved, backup, &execution);
        let applied = self.step(Step::Apply, apply).await?;
        // from here on, whatever fails, the database has changed
        let changed = |failure: Failure| failure.changed(Changed::Yes);
        self.step(Step::Verify, self.verify(pending, &applied))
            .await
            .map_err(changed)?;
        self.step(Step::Tests, self.tests(pending))
            .await
            .map_err(changed)
    }

    /// A step with its times. A signal that came between two steps ends the run here.
    async fn step<T>(
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
        let result = work.await;
        let seconds = began.elapsed().as_secs_f64();
        self.reporter.emit(EventKind::StepFinished {
            step,
            ok: result.is_ok(),
            seconds,
        });
        result
    }

    fn working(&self, what: &str) {
        self.reporter.emit(EventKind::Working {
            what: what.to_owned(),
        });
    }

    fn note(&self, level: NoteLevel, message: impl Into<String>) {
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

    /// The parameters are confirmed first, and a missing backup acknowledged.
    async fn parameters(&self) -> Result<(), Failure> {
        self.settle(Need::Parameters {
            mode: self.settings.mode,
        })
        .await?;
        match self.settings.backup_first {
            BackupFirst::Yes => Ok(()),
            BackupFirst::No { acknowledged } => self.settle(Need::NoBackup { acknowledged }).await,
        }
    }

    /// Step 1: project, checks, connection, graph, plan, and what the rest will need.
    async fn pending(&self) -> Result<Pending, Failure> {
        self.working("reading the project");
        let parts = [
            Part::Checks,
            Part::Graph,
            Part::Sql,
            Part::Drift,
            Part::Schema,
        ];
        let facts =
            steps::inspect(self.django, &self.settings.target, &parts, self.context).await?;
        gates::pass(&facts)?;
        let plan = Plan::of(&facts);
        self.working("looking at the database");
        let observed = steps::observe(&facts, self.django, self.context).await?;
        self.reporter
            .emit(EventKind::ProjectInspected(steps::inspected(
                &facts,
                self.django,
                &observed,
            )));
        self.reporter.emit(EventKind::Planned(planned(&plan)));
        if !plan.is_empty() {
            self.same_plan(&plan)?;
        }
        let leftovers = Leftovers::read(&observed.observer).await?;
        let needs_pg_dump = self.settings.backup_first == BackupFirst::Yes && !plan.is_empty();
        let pg_dump = needs_pg_dump
            .then(|| backup::pg_dump(&self.settings.backup, &observed.server))
            .transpose()?;
        Ok(Pending {
            facts,
            plan,
            observed,
            leftovers,
            pg_dump,
        })
    }

    /// `--plan` binds the run to what somebody read.
    fn same_plan(&self, plan: &Plan) -> Result<(), Failure> {
        match &self.settings.consent.plan {
            Some(asked) if *asked != plan.fingerprint => Err(Failure::new(
                Class::PlanChanged,
                "this is another plan than the one that was agreed to",
            )
            .source("--plan", asked.clone())
            .source("now", plan.fingerprint.clone())
            .hint("make a dry run, read what it shows, and pass its fingerprint")),
            _ => Ok(()),
        }
    }

    async fn lock(&self, pending: &Pending) -> Result<MigrationLock, Failure> {
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        let taken = MigrationLock::take(&pending.observed.reach, &self.folder.id, &host);
        let lock = self.context.signals.or_stop(taken).await?;
        self.reporter.emit(EventKind::LockTaken {
            holder: lock.holder.clone(),
        });
        Ok(lock)
    }

    /// Step 2. Over before any DDL starts, since a dump's locks and DDL wait for each other.
    async fn backup(&self, pending: &Pending) -> Result<BackupReceipt, Failure> {
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
        let observer = &pending.observed.observer;
        let known = database::context(observer).await?;
        let mut preview = preview::preview(&pending.plan, &pending.facts.sql, &known)?;
        preview.count(&database::count_stakes(observer, &preview.stakes(), &known).await);
        self.keep(
            &self.folder.path.join("preview.sql"),
            preview.script().as_bytes(),
        );
        if self.format == Format::Text && self.context.volume > Volume::Quiet {
            out::talk(ui::preview(&preview, SHOWN));
        }
        self.reporter
            .emit(EventKind::PreviewFinished(preview.event()));
        if self.settings.mode == Mode::Apply && preview.verdict() == preview::Verdict::Stop {
            return Err(refused(&preview));
        }
        Ok(preview)
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

    async fn consent(&self, pending: &Pending, preview: &Preview) -> Result<Approved, Failure> {
        let mut needs = vec![Need::Apply {
            migrations: pending.plan.steps.len(),
            asks: preview.asks(),
        }];
        if preview.is_destructive() {
            needs.push(Need::Destructive);
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

    fn execution<'b>(&'b self, pending: &'b Pending) -> Execution<'b> {
        Execution {
            django: self.django,
            target: &self.settings.target,
            guard: &self.settings.guard,
            reach: &pending.observed.reach,
            run: &self.folder.id,
            reporter: self.reporter,
            signals: &self.context.signals,
            hear: &|_| {},
        }
    }

    /// Step 5, in a fresh process: what step 1 read is not believed any more.
    async fn verify(&self, pending: &Pending, applied: &Applied) -> Result<(), Failure> {
        self.working("reading the project again");
        let parts = [
            Part::Checks,
            Part::Graph,
            Part::Drift,
            Part::Schema,
            Part::Queries,
        ];
        let after =
            steps::inspect(self.django, &self.settings.target, &parts, self.context).await?;
        let observer = pending.observed.reach.observer().await?;
        let leftovers = Leftovers::read(&observer).await?;
        let checks = verify::compare(&Comparison {
            plan: &pending.plan,
            before: &pending.facts,
            after: &after,
            leftovers_before: &pending.leftovers,
            leftovers_after: &leftovers,
            warnings: &applied.warnings,
        });
        self.reporter.emit(EventKind::Verified {
            checks: checks.clone(),
        });
        verify::failure(&checks).map_or(Ok(()), Err)
    }

    /// Step 6. They get a database of their own on a server that is named first; one that is there already is kept.
    async fn tests(&self, pending: &Pending) -> Result<(), Failure> {
        let files = OnDisk {
            root: &self.django.project.root,
            apps: own_apps(&pending.facts),
        };
        let entry = (self.settings.django.entry.is_none()).then_some("manage.py");
        let command = match project_tests::choose(
            &self.settings.tests,
            &self.django.python.words,
            entry,
            &files,
        ) {
            Choice::Run(command) => command,
            Choice::Skipped => return self.no_tests("skipped", "--skip-tests"),
            Choice::NoneFound => {
                return self.no_tests(
                    "none",
                    "no tests found in the project's own apps or in tests/",
                );
            }
        };
        let database = self.test_database(pending).await?;
        self.reporter.emit(EventKind::TestsStarted {
            command: format!("{} ({})", self.typed(&command.text()), command.found_by),
            server: pending.observed.reach.describe(),
            database,
        });
        let around = Surroundings {
            root: &self.django.project.root,
            settings_module: self.settings.django.settings.as_deref(),
            shown: &self.typed(&command.text()),
            timeout: self.settings.tests.timeout,
            log: &self.folder.path.join("tests.log"),
            reporter: self.reporter,
            signals: &self.context.signals,
        };
        project_tests::run(&command, &around).await
    }

    /// A command with what lies below the project's root written as one types it there.
    fn typed(&self, command: &str) -> String {
        command.replace(&format!("{}/", self.django.project.root.display()), "")
    }

    fn no_tests(&self, outcome: &str, why: &str) -> Result<(), Failure> {
        self.reporter
            .emit(EventKind::TestsFinished(project_tests::not_run(
                outcome, why,
            )));
        Ok(())
    }

    /// The name of the database that the tests will create; an error where it is there already.
    async fn test_database(&self, pending: &Pending) -> Result<String, Failure> {
        let name = pending
            .facts
            .database()
            .map(|d| d.test.name.clone())
            .unwrap_or_default();
        let observer = pending.observed.reach.observer().await?;
        if !database::exists(&observer, &name).await? {
            return Ok(name);
        }
        Err(Failure::new(
            Class::TestsUnsafe,
            format!("the database `{name}` exists already: the tests would delete it"),
        )
        .source("server", pending.observed.reach.describe())
        .hint(
            "drop it if nobody needs it, name other tests with --test-command, or say --skip-tests",
        )
        .changed(Changed::Yes))
    }
}

fn own_apps(facts: &ProjectFacts) -> Vec<&Path> {
    let apps = facts.django.iter().flat_map(|d| &d.apps);
    apps.filter(|app| app.own)
        .map(|app| Path::new(app.path.as_str()))
        .collect()
}

fn refused(preview: &Preview) -> Failure {
    let stops: Vec<String> = preview
        .migrations
        .iter()
        .flat_map(|m| m.all_findings().map(move |f| (m, f)))
        .filter(|(_, f)| f.severity == crate::hazards::Severity::Stop)
        .map(|(m, f)| format!("  {}: {}: {}", m.id, f.code, f.message))
        .collect();
    Failure::new(
        Class::PolicyRefused,
        format!("the preview's verdict is stop:\n{}", stops.join("\n")),
    )
    .hint("nothing was changed; the finding names the safer way")
}

fn planned(plan: &Plan) -> Planned {
    let migration = |s: &crate::plan::PlanStep| PlannedMigration {
        app: s.id.app.0.clone(),
        name: s.id.name.0.clone(),
        atomic: s.atomic,
        operations: s.operations.iter().map(|o| o.describe.clone()).collect(),
        irreversible: s.irreversible.clone(),
    };
    Planned {
        plan_fingerprint: plan.fingerprint.clone(),
        migrations: plan.steps.iter().map(migration).collect(),
        previous: plan
            .previous
            .iter()
            .map(|(a, n)| (a.0.clone(), n.as_ref().map(|n| n.0.clone())))
            .collect(),
    }
}

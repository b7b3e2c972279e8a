//! Step 1: project, checks, connection, graph, plan, and what the rest of the run will need.
//!
//! Absent here: the gates themselves (see [`crate::gates`]).

use super::after::objection;
use super::{Run, agreed, signalling};
use crate::backup;
use crate::commands::previous::{self, Asked, Place};
use crate::commands::steps::{self, Observed};
use crate::database::{self, query_failure};
use crate::django::ProjectFacts;
use crate::django::wire::Part;
use crate::event::{EventKind, NoteLevel, Planned, PlannedMigration};
use crate::execute::resume::BrokenRun;
use crate::failure::Failure;
use crate::gates;
use crate::hazards::Severity;
use crate::lock::MigrationLock;
use crate::locks::{self, Literals, Us, wanted};
use crate::plan::{Plan, PlanStep};
use crate::preview;
use crate::project_tests::Choice;
use crate::settings::{BackupFirst, OnBlocker};
use crate::verify::Leftovers;

/// Those in the way that a run names.
const BLOCKERS: usize = 5;

/// What step 1 hands on.
pub(in crate::commands) struct Pending {
    pub(in crate::commands) facts: ProjectFacts,
    pub(in crate::commands) plan: Plan,
    pub(in crate::commands) observed: Observed,
    pub(in crate::commands) leftovers: Leftovers,
    pub(super) pg_dump: Option<dumper::PgDump>,
}

/// The project, and the database as it was then.
pub(in crate::commands) struct Seen {
    pub(in crate::commands) facts: ProjectFacts,
    pub(in crate::commands) plan: Plan,
    pub(in crate::commands) observed: Observed,
}

/// Whether what was read before may be old by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    ForNobody,
    ForAnother,
}

impl Run<'_> {
    /// Step 1: project, checks, connection, graph, plan, and what the rest will need. `judge` has the first word on what
    /// was read.
    pub(in crate::commands) async fn pending(
        &self,
        judge: impl Fn(&Seen) -> Result<(), Failure>,
    ) -> Result<Pending, Failure> {
        let mut read = self.read().await?;
        let told = self.tell_previous(&read);
        if self.context.signals.or_stop(told).await? == Waited::ForAnother {
            read = self.read().await?;
        }
        judge(&read)?;
        let Seen {
            facts,
            plan,
            observed,
        } = read;
        self.reporter
            .emit(EventKind::ProjectInspected(steps::inspected(
                &facts,
                self.django,
                &observed,
            )));
        self.reporter.emit(EventKind::Planned(planned(&plan)));
        for finding in observed.reach.unfollowed() {
            let level = match finding.severity {
                Severity::Note => NoteLevel::Note,
                Severity::Ask | Severity::Stop => NoteLevel::Warning,
            };
            self.note(level, format!("{}: {}", finding.message, finding.remedy));
        }
        if let Some(message) = gates::models_without_migration(&facts) {
            self.note(NoteLevel::Warning, message);
        }
        if !plan.is_empty() {
            self.same_plan(&plan, &facts)?;
            database::permitted(&observed.observer, &observed.server, &plan).await?;
            facts
                .database()
                .map_or(Ok(()), |django| database::can_run(django, &plan))?;
        }
        let leftovers = Leftovers::read(&observed.observer).await?;
        let needs_pg_dump = self.settings.backup_first == BackupFirst::Yes
            && !plan.is_empty()
            && !self.reads_only();
        let pg_dump = needs_pg_dump
            .then(|| backup::pg_dump(&self.settings.backup, &observed.server))
            .transpose()?;
        if !plan.is_empty() {
            self.tell_signalling(&observed).await;
            self.tell_blockers(&facts, &plan, &observed).await;
            if self.back.is_none() {
                self.tell_test_databases(&facts, &observed).await?;
            }
        }
        Ok(Pending {
            facts,
            plan,
            observed,
            leftovers,
            pg_dump,
        })
    }

    async fn read(&self) -> Result<Seen, Failure> {
        self.working("reading the project");
        let parts = [
            Part::Checks,
            Part::Graph,
            Part::Sql,
            Part::Drift,
            Part::Schema,
        ];
        let back = self.back.map(|back| back.migrations);
        let target = &self.settings.target;
        let facts = steps::inspect_way(self.django, target, back, &parts, self.context).await?;
        gates::pass(&facts)?;
        let plan = Plan::of(&facts);
        self.working("looking at the database");
        let observed = steps::observe(&facts, self.django, self.context).await?;
        Ok(Seen {
            facts,
            plan,
            observed,
        })
    }

    /// What became of runs that were killed. Their sessions are waited for, unless this run only reads.
    async fn tell_previous(&self, read: &Seen) -> Result<Waited, Failure> {
        let Seen {
            facts, observed, ..
        } = read;
        let target = observed.reach.describe();
        let asked = asked(observed, &target);
        let place = self.place(asked);
        let mut found = match previous::look(&place).await {
            Ok(found) => found,
            Err(failure) => {
                let message = format!(
                    "what became of earlier runs is not known: {}",
                    failure.message
                );
                self.note(NoteLevel::Warning, message);
                return Ok(Waited::ForNobody);
            }
        };
        let theirs: Vec<i32> = found
            .iter()
            .flat_map(|p| &p.backends)
            .map(|b| b.pid)
            .collect();
        let waits = !theirs.is_empty() && !self.reads_only();
        if waits {
            let pids: Vec<String> = theirs.iter().map(ToString::to_string).collect();
            let message = format!(
                "a run that was killed has left backend {} at work: its end is waited for",
                pids.join(", ")
            );
            self.note(NoteLevel::Warning, message);
            previous::wait_until_gone(asked, |backend| theirs.contains(&backend.pid)).await?;
            found = previous::look(&place).await?;
        }
        previous::count_squashes(&mut found, &facts.migrations);
        for (level, message) in found.iter().flat_map(|previous| previous.notes()) {
            self.note(level, message);
        }
        Ok(if waits {
            Waited::ForAnother
        } else {
            Waited::ForNobody
        })
    }

    fn place<'b>(&'b self, asked: Asked<'b>) -> Place<'b> {
        let root = self.settings.django.root.as_path();
        Place {
            runs: root.join(&self.settings.run_dir),
            root,
            ours: Some(&self.folder.id),
            host: &self.context.host,
            alias: &self.settings.django.database,
            database: Some(asked),
        }
    }

    /// Earlier runs that did not end well: what they did outside a transaction stays. A journal that cannot be read
    /// proves nothing.
    pub(super) async fn earlier(&self, pending: &Pending) -> Vec<BrokenRun> {
        let target = pending.observed.reach.describe();
        let place = self.place(asked(&pending.observed, &target));
        let journals = previous::journals(&place).await;
        journals
            .map(|found| found.not_ended_well)
            .unwrap_or_default()
    }

    /// Who would keep the plan's statements from their locks at this moment. The guard waits for them later; that it may
    /// have to is better known now. What is broken in the plan's SQL is told at the preview.
    async fn tell_blockers(&self, facts: &ProjectFacts, plan: &Plan, observed: &Observed) {
        let (session, us) = (&observed.observer, Us::from(&observed.server));
        let look = async {
            let known = database::context(session).await?;
            let Ok(preview) = preview::preview(plan, &facts.sql, &known) else {
                return Ok(Vec::new());
            };
            let wanted = wanted::of_preview(session, &preview)
                .await
                .map_err(|e| query_failure(&e))?;
            let readiness = locks::readiness(session, &us, wanted, Literals::Hidden).await;
            Ok::<_, Failure>(readiness.map_err(|e| query_failure(&e))?.findings())
        };
        match look.await {
            Ok(findings) => {
                for finding in findings.iter().take(BLOCKERS) {
                    let message = format!(
                        "in the way of the plan's locks now: {}. {}",
                        finding.message, finding.remedy
                    );
                    self.note(NoteLevel::Warning, message);
                }
                if let Some(more) = findings.len().checked_sub(BLOCKERS).filter(|n| *n > 0) {
                    self.note(NoteLevel::Warning, format!("and {more} more in the way: django-migrate locks --readiness lists them"));
                }
            }
            Err(failure) => self.note(
                NoteLevel::Note,
                format!(
                    "who is in the way of the plan's locks is not known: {}",
                    failure.message
                ),
            ),
        }
    }

    /// Where the tests of this plan would go; that they could not run after applying is better said before.
    async fn tell_test_databases(
        &self,
        facts: &ProjectFacts,
        observed: &Observed,
    ) -> Result<(), Failure> {
        let Choice::Run(_) = self.test_command(facts) else {
            return Ok(());
        };
        self.working("looking for the tests' databases");
        let places = self.test_places(facts, &observed.reach).await?;
        let named: Vec<String> = places.iter().map(ToString::to_string).collect();
        if !named.is_empty() {
            self.note(
                NoteLevel::Note,
                format!(
                    "the project's tests would make and remove {}",
                    named.join(", ")
                ),
            );
        }
        for objection in places.iter().filter_map(objection) {
            self.note(
                NoteLevel::Warning,
                format!("the project's tests will not run: {objection}"),
            );
        }
        Ok(())
    }

    /// `--plan` binds the run to what somebody read.
    fn same_plan(&self, plan: &Plan, facts: &ProjectFacts) -> Result<(), Failure> {
        match &self.settings.consent.plan {
            Some(asked) if *asked != plan.fingerprint => {
                let runs = self.settings.django.root.join(&self.settings.run_dir);
                let known = agreed::journals(&runs, &self.folder.id, asked);
                Err(agreed::another(asked, plan, &facts.migrations, &known))
            }
            _ => Ok(()),
        }
    }

    /// What `--on-blocker` cannot do with this role is better known before anything waits for it.
    async fn tell_signalling(&self, observed: &Observed) {
        let mode = self.settings.guard.on_blocker;
        if mode == OnBlocker::Wait {
            return;
        }
        match pgdriver::server::role(&observed.observer).await {
            Ok(role) => {
                if let Some(lacking) = signalling::lacking(&role, observed.server.version_num, mode)
                {
                    self.note(NoteLevel::Warning, lacking);
                }
            }
            Err(e) => self.note(
                NoteLevel::Warning,
                format!("whether this role may see and signal others is not known: {e}"),
            ),
        }
    }

    /// The lock, once nothing that an earlier run started is still at work.
    pub(in crate::commands) async fn lock(
        &self,
        pending: &Pending,
    ) -> Result<MigrationLock, Failure> {
        let Pending { observed, plan, .. } = pending;
        let (reach, host) = (&observed.reach, &self.context.host);
        let taken = MigrationLock::take(reach, &self.folder.id, &plan.fingerprint, host);
        let lock = self.context.signals.or_stop(taken).await?;
        let target = reach.describe();
        let gone = previous::wait_until_gone(asked(observed, &target), |_| true);
        if let Err(failure) = self.context.signals.or_stop(gone).await {
            lock.release().await;
            return Err(failure);
        }
        self.reporter.emit(EventKind::LockTaken {
            holder: lock.holder.clone(),
        });
        Ok(lock)
    }
}

fn asked<'a>(observed: &'a Observed, target: &'a str) -> Asked<'a> {
    Asked {
        target,
        name: &observed.server.database,
        session: &observed.observer,
    }
}

fn planned(plan: &Plan) -> Planned {
    let migration = |s: &PlanStep| PlannedMigration {
        app: s.id.app.0.clone(),
        name: s.id.name.0.clone(),
        atomic: s.atomic,
        sha256: s.source_sha256.clone(),
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

//! `check`: phase 1 alone: project, Django checks, connection, graph, history, blockers, pg_dump. Renders no SQL.

mod document;
mod server;
mod table;

use std::path::Path;

use pgdriver::activity;
use serde::Serialize;

use super::previous::{self, Asked, Place};
use super::steps::Observed;
use super::{Context, preview, status, steps};
use crate::args::{CheckArgs, Format};
use crate::backup;
use crate::database::{self, query_failure};
use crate::django::wire::{MigrationState, Part};
use crate::django::{Django, ProjectFacts};
use crate::exit::{Changed, Class};
use crate::failure::{Failure, FailurePart};
use crate::gates;
use crate::hazards::{Finding, Severity, beyond};
use crate::locks::{self, LONG, Literals, Us, wanted};
use crate::plan::Plan;
use crate::preview::Verdict;
use crate::settings::{self, BackupSettings, DjangoSettings, FailOn, Layers};
use crate::ui::style::{Look, paint};
use crate::ui::{self, count, out, seconds};

pub(crate) async fn check(
    args: CheckArgs,
    mut layers: Layers,
    context: &Context,
) -> Result<u8, Failure> {
    let CheckArgs {
        app,
        django,
        backup,
        findings,
        format,
    } = args;
    let target = settings::target_of(
        crate::args::TargetArgs {
            app,
            migration: None,
        },
        &mut layers,
    )?;
    let fail_on = settings::fail_on(findings, FailOn::Stop, &mut layers)?;
    let backup = settings::backup(backup, &mut layers)?;
    let runs = settings::run_dir(crate::args::RunDirArgs { run_dir: None }, &mut layers)?;
    let django = Django::locate(&settings::django(django, &mut layers)?)?;
    steps::tell_settings(&layers, context);
    let facts = steps::working(
        context,
        "checking the project",
        steps::inspect(&django, &target, &[Part::Checks, Part::Graph], context),
    )
    .await?;
    let mut checked = Checked::default();
    checked.project(&facts, &django);
    if checked.failure.is_none() {
        checked
            .database(&facts, &django, &backup, &runs, context)
            .await;
    }
    let verdict = checked.verdict();
    let Checked {
        checks,
        findings,
        server,
        failure,
    } = checked;
    let (server, table) = server.map(|seen| (seen.document, seen.table)).unzip();
    let document = Document {
        schema_version: 1,
        command: "check",
        verdict,
        checks,
        findings,
        server,
        failure: failure.as_ref().map(Failure::part),
    };
    let worst = document.findings.iter().map(|f| f.severity).max();
    match format {
        Format::Json => out::document(&document),
        Format::Text => out::answer(text(&document, table.filter(|_| context.is_verbose()))),
    }
    // the answer has said it already, so the failure prints no document of its own
    if let Some(failure) = failure {
        out::talk(ui::failure(&failure));
        return Ok(failure.code());
    }
    let over = worst.is_some_and(|worst| preview::reaches(worst, fail_on));
    Ok(if over {
        Class::Findings.code(Changed::No)
    } else {
        0
    })
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    command: &'static str,
    checks: Vec<CheckLine>,
    findings: Vec<Finding>,
    verdict: Verdict,
    /// The server's facts, where it was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<serde_json::Value>,
    #[serde(flatten)]
    failure: Option<FailurePart<'a>>,
}

#[derive(Debug, Serialize)]
struct CheckLine {
    name: &'static str,
    ok: bool,
    detail: String,
}

#[derive(Default)]
struct Checked {
    checks: Vec<CheckLine>,
    findings: Vec<Finding>,
    server: Option<server::Seen>,
    failure: Option<Failure>,
}

impl Checked {
    fn verdict(&self) -> Verdict {
        match self.findings.iter().map(|f| f.severity).max() {
            _ if self.failure.is_some() => Verdict::Stop,
            Some(Severity::Stop) => Verdict::Stop,
            Some(Severity::Ask) => Verdict::Ask,
            _ => Verdict::Go,
        }
    }

    /// Notes a check; the first failure is the command's.
    fn line(&mut self, name: &'static str, result: Result<String, Failure>) {
        let (ok, detail) = match result {
            Ok(detail) => (true, detail),
            Err(failure) => {
                let detail = failure.message.clone();
                self.failure.get_or_insert(failure);
                (false, detail)
            }
        };
        self.checks.push(CheckLine { name, ok, detail });
    }

    fn project(&mut self, facts: &ProjectFacts, django: &Django) {
        self.line(
            "project",
            gates::project(facts).map(|()| describe(facts, django)),
        );
        if self.failure.is_some() {
            return;
        }
        let connected = gates::connection(facts);
        if connected.is_ok() {
            self.line(
                "django",
                gates::checks(facts).map(|()| checks_detail(facts)),
            );
        }
        let target = facts.database().map(gates::target).unwrap_or_default();
        self.line("connection", connected.map(|()| target));
        self.line("graph", gates::graph(facts).map(|()| plan_detail(facts)));
    }

    async fn database(
        &mut self,
        facts: &ProjectFacts,
        django: &Django,
        backup: &BackupSettings,
        runs: &Path,
        context: &Context,
    ) {
        let observed = match steps::observe(facts, django, context).await {
            Ok(observed) => observed,
            Err(failure) => {
                return self.line("connection", Err(failure));
            }
        };
        let plan = Plan::of(facts);
        if let Err(failure) = database::permitted(&observed.observer, &observed.server, &plan).await
        {
            return self.line("connection", Err(failure));
        }
        self.findings.extend(observed.reach.unfollowed());
        self.history(facts);
        self.cut_off(&observed, &django.settings, runs, context)
            .await;
        match server::look(&observed.observer, &observed.server).await {
            Ok(mut seen) => {
                self.findings.append(&mut seen.findings);
                self.server = Some(seen);
            }
            Err(failure) => return self.line("connection", Err(failure)),
        }
        let blockers = self.blockers(&observed, &plan).await;
        self.line("blockers", blockers);
        let pg_dump = backup::pg_dump(backup, &observed.server);
        self.line(
            "pg_dump",
            pg_dump.map(|p| format!("pg_dump {} ({})", p.version, p.path.display())),
        );
    }

    /// Runs that were killed, each with all that is true of it now.
    async fn cut_off(
        &mut self,
        observed: &Observed,
        settings: &DjangoSettings,
        runs: &Path,
        context: &Context,
    ) {
        let root = settings.root.as_path();
        let target = observed.reach.describe();
        let place = Place {
            runs: root.join(runs),
            root,
            ours: None,
            host: &context.host,
            alias: &settings.database,
            database: Some(Asked {
                target: &target,
                name: &observed.server.database,
                session: &observed.observer,
            }),
        };
        let messages = match previous::look(&place).await {
            Ok(found) => found
                .iter()
                .map(|previous| {
                    let notes = previous.notes().into_iter().map(|(_, message)| message);
                    notes.collect::<Vec<_>>().join(". ")
                })
                .collect(),
            Err(failure) => vec![format!(
                "what became of earlier runs is not known: {}",
                failure.message
            )],
        };
        let findings = messages
            .into_iter()
            .map(|message| beyond::finding("run-cut-off", message));
        self.findings.extend(findings);
    }

    fn history(&mut self, facts: &ProjectFacts) {
        let rows = facts
            .history
            .as_ref()
            .map(|h| h.rows.len())
            .unwrap_or_default();
        let mut seen = std::collections::BTreeMap::<(&str, &str), usize>::new();
        for row in facts.history.iter().flat_map(|h| &h.rows) {
            *seen.entry((&row.app, &row.name)).or_default() += 1;
        }
        for ((app, name), n) in seen.iter().filter(|(_, n)| **n > 1) {
            let message =
                format!("{app}.{name} is recorded {n} times: two `migrate` ran at the same time");
            self.findings
                .push(beyond::finding("history-duplicate", message));
        }
        for m in facts
            .migrations
            .iter()
            .filter(|m| m.state == MigrationState::Missing)
        {
            let message = format!("{}.{} is applied, but its file is missing", m.app, m.name);
            self.findings
                .push(beyond::finding("history-missing-file", message));
        }
        for row in status::rows(facts, None).iter().filter(|r| r.out_of_order) {
            let message = format!(
                "{}.{} is recorded before one that it depends on",
                row.app, row.name
            );
            self.findings
                .push(beyond::finding("history-out-of-order", message));
        }
        self.line(
            "history",
            Ok(format!(
                "{} in django_migrations",
                count(rows as u64, "row")
            )),
        );
    }

    async fn blockers(&mut self, observed: &Observed, plan: &Plan) -> Result<String, Failure> {
        let session = &*observed.observer;
        let failed = |e| query_failure(&e);
        let wanted = wanted::of_operations(session, plan).await.map_err(failed)?;
        let tables = wanted.len() as u64;
        let us = Us::from(&observed.server);
        let readiness = locks::readiness(session, &us, wanted, Literals::Hidden).await;
        let readiness = readiness.map_err(failed)?;
        self.findings.extend(readiness.findings());
        let in_the_way: Vec<i32> = readiness.in_the_way.iter().map(|other| other.pid).collect();
        let long = activity::long_transactions(&observed.observer, LONG)
            .await
            .map_err(|e| query_failure(&e))?;
        // what runs in another database of the server holds no lock that DDL here would wait for
        let here = Some(observed.server.database.as_str());
        let sessions: Vec<_> = long
            .sessions
            .iter()
            .filter(|session| session.database.as_deref() == here)
            .collect();
        // who stands in the way of this plan is told already
        for session in sessions.iter().filter(|s| !in_the_way.contains(&s.pid)) {
            let age = session
                .detail
                .seen()
                .and_then(|d| d.xact_age)
                .unwrap_or_default();
            let user = session.user.as_deref().unwrap_or("the server");
            let state = session
                .detail
                .seen()
                .and_then(|d| d.state.clone())
                .unwrap_or_default();
            let age = seconds(age.as_secs_f64());
            let message = format!(
                "{user}, backend {}, {state}, in a transaction for {age}",
                session.pid
            );
            self.findings
                .push(beyond::finding("long-transaction", message));
        }
        let told = |gid: &str| {
            let named =
                |other: &locks::InTheWay| other.prepared.as_ref().is_some_and(|p| p.gid == gid);
            readiness.in_the_way.iter().any(named)
        };
        let prepared = &observed.server.prepared_transactions;
        for prepared in prepared.iter().filter(|prepared| !told(&prepared.gid)) {
            let age = seconds(prepared.age.as_secs_f64());
            let message = format!(
                "prepared transaction {} of {} holds its locks for {age}",
                prepared.gid, prepared.owner
            );
            self.findings
                .push(beyond::finding("prepared-transaction", message));
        }
        let hidden = match long.hidden {
            0 => String::new(),
            n => format!(
                "; not permitted to see {} (pg_monitor would help)",
                count(n, "session")
            ),
        };
        let many = sessions.len() as u64;
        let way = match (readiness.in_the_way.len() as u64, tables) {
            (_, 0) => String::new(),
            (0, _) => format!("nobody in the way on {}; ", count(tables, "relation")),
            (n, _) => format!(
                "{} in the way on {}; ",
                count(n, "transaction"),
                count(tables, "relation")
            ),
        };
        Ok(format!(
            "{way}{} over {}{hidden}",
            count(many, "transaction"),
            seconds(LONG.as_secs_f64())
        ))
    }
}

fn describe(facts: &ProjectFacts, django: &Django) -> String {
    let version = facts
        .django
        .as_ref()
        .map(|d| d.version.as_str())
        .unwrap_or("?");
    let python = facts
        .hello
        .as_ref()
        .map(|h| h.python.as_str())
        .unwrap_or("?");
    let found = django.python.found_by;
    format!(
        "{}, Django {version}, Python {python} (by {found})",
        django.project.entry_text()
    )
}

fn checks_detail(facts: &ProjectFacts) -> String {
    let warnings = facts
        .checks
        .iter()
        .filter(|c| c.level >= 30 && c.level < gates::ERROR && !c.silenced)
        .count();
    format!("no errors, {}", count(warnings as u64, "warning"))
}

fn plan_detail(facts: &ProjectFacts) -> String {
    let nodes = facts
        .graph
        .as_ref()
        .map(|g| u64::from(g.nodes))
        .unwrap_or_default();
    let pending = Plan::of(facts).steps.len();
    format!("{}, {pending} pending", count(nodes, "migration"))
}

fn text(document: &Document<'_>, server: Option<String>) -> String {
    let mut lines = Vec::new();
    for check in &document.checks {
        let mark = if check.ok {
            paint(Look::Good, "✓")
        } else {
            paint(Look::Bad, "✗")
        };
        let first = check.detail.lines().next().unwrap_or_default();
        lines.push(format!("{mark} {:<11} {first}", check.name));
    }
    lines.extend(server);
    // each remedy once, under the first finding that it is for
    let mut told = std::collections::BTreeSet::new();
    for finding in &document.findings {
        lines.push(format!(
            "  {} {}: {}",
            finding.severity,
            paint(Look::Warning, finding.code),
            finding.message
        ));
        if !finding.remedy.is_empty() && told.insert(&finding.remedy) {
            let remedy = paint(Look::Faint, &finding.remedy);
            lines.push(ui::wrapped("      ", &remedy));
        }
    }
    lines.push(format!("verdict {}", document.verdict.name()));
    lines.join("\n")
}

//! `check`: phase 1 alone: project, Django checks, connection, graph, history, blockers, pg_dump. Renders no SQL.

mod blockers;
mod document;
mod server;
mod table;

use std::path::Path;

use serde::Serialize;

use super::previous::{self, Asked, Place};
use super::steps::Observed;
use super::{Context, findings, status, steps};
use crate::args::{CheckArgs, Format};
use crate::backup;
use crate::database;
use crate::django::wire::{MigrationState, Part};
use crate::django::{Django, ProjectFacts};
use crate::execute::resume::Previous;
use crate::exit::{Changed, Class};
use crate::failure::{Failure, FailurePart};
use crate::gates;
use crate::hazards::{Finding, Severity, beyond};
use crate::plan::Plan;
use crate::preview::Verdict;
use crate::settings::{self, BackupSettings, DjangoSettings, FailOn, Layers};
use crate::ui::style::{Look, paint};
use crate::ui::{self, count, out};

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
        Format::Text => {
            // what keeps a run from a server that was reached is seen in its facts
            let shown = |_: &String| context.is_verbose() || failure.is_some();
            let table = table.filter(shown);
            out::answer(text(&document, table, failure.as_ref()));
        }
    }
    // the answer has said it already, so the failure prints no document of its own
    if let Some(failure) = failure {
        out::talk(ui::failure(&failure));
        return Ok(failure.code());
    }
    let over = worst.is_some_and(|worst| findings::reaches(worst, fail_on));
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
        let line = CheckLine { name, ok, detail };
        // what is found later about the same thing says more; a name stands once
        match self.checks.iter_mut().find(|known| known.name == name) {
            Some(known) if known.ok => *known = line,
            Some(_) => {}
            None => self.checks.push(line),
        }
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
        let observed = match steps::reach(facts, django, context).await {
            Ok(observed) => observed,
            Err(failure) => {
                return self.line("connection", Err(failure));
            }
        };
        if let Err(failure) = steps::fit(facts, &observed).await {
            // what the server is says more than that it will not do; one that is too old may not answer all of it
            self.server = server::look(&observed.observer, &observed.server)
                .await
                .ok();
            return self.line("connection", Err(failure));
        }
        let plan = Plan::of(facts);
        if let Err(failure) = database::permitted(&observed.observer, &observed.server, &plan).await
        {
            return self.line("connection", Err(failure));
        }
        self.findings.extend(observed.reach.unfollowed());
        self.history(facts);
        self.cut_off(facts, &observed, &django.settings, runs, context)
            .await;
        match server::look(&observed.observer, &observed.server).await {
            Ok(mut seen) => {
                self.findings.append(&mut seen.findings);
                self.server = Some(seen);
            }
            Err(failure) => return self.line("connection", Err(failure)),
        }
        let blockers = blockers::look(&observed, &plan).await.map(|mut found| {
            self.findings.append(&mut found.findings);
            found.detail
        });
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
        facts: &ProjectFacts,
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
            Ok(mut found) => {
                previous::count_squashes(&mut found, &facts.migrations);
                let told = |previous: &Previous| {
                    let notes = previous.notes().into_iter().map(|(_, message)| message);
                    notes.collect::<Vec<_>>().join(". ")
                };
                found.iter().map(told).collect()
            }
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

fn text(document: &Document<'_>, server: Option<String>, failure: Option<&Failure>) -> String {
    let mut lines = Vec::new();
    for check in &document.checks {
        let mark = if check.ok {
            paint(Look::Good, "✓")
        } else {
            paint(Look::Bad, "✗")
        };
        // the failure itself follows on stderr, in its own words: here what sort it is
        let own = failure.filter(|failure| !check.ok && failure.message == check.detail);
        let first = match own {
            Some(failure) => failure.class.name(),
            None => check.detail.lines().next().unwrap_or_default(),
        };
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

//! The report as Markdown, with the customer's headings: report.md, and `report --format markdown`.

use std::fmt::Write;

use super::broken_off::BrokenOff;
use super::model::{BackupState, MigrationLine, MigrationProgress, RunReport};
use super::proof::{left_out, proof};
use crate::event::VerifyCheck;
use crate::exit::Changed;
use crate::ui::{bytes, count, seconds};

pub(crate) fn markdown(report: &RunReport) -> String {
    let mut out = String::new();
    head(&mut out, report);
    if report.started.restores {
        super::restored::markdown(&mut out, report);
        record(&mut out, report);
        return out;
    }
    migrations(&mut out, report);
    backup(&mut out, report);
    verification(&mut out, report);
    rollback(&mut out, report);
    record(&mut out, report);
    out
}

fn title(report: &RunReport) -> String {
    let what = match report.is_rollback() {
        true => "Rollback",
        false => "Migration",
    };
    let how = match (report.exit_code, report.started.dry_run) {
        (Some(0), false) => "Complete",
        (Some(0), true) => "Dry Run",
        (Some(_), _) => "Halted",
        (None, _) => "Broke Off",
    };
    format!("{what} {how}")
}

fn head(out: &mut String, report: &RunReport) {
    let _ = writeln!(out, "## {}\n\n{}\n", title(report), report.headline());
    let _ = writeln!(
        out,
        "- **Timestamp**: {}",
        report.finished_at.as_ref().unwrap_or(&report.started_at)
    );
    let apps = if report.apps.is_empty() {
        "none".to_owned()
    } else {
        report.apps.join(", ")
    };
    let _ = writeln!(out, "- **Apps**: {apps} (asked for: {})", report.scope());
    let _ = writeln!(out, "- **Mode**: {}", report.mode());
    if let Some(facts) = &report.project_facts {
        let _ = writeln!(
            out,
            "- **Database**: {} (PostgreSQL {})",
            facts.target, facts.server_version
        );
        let _ = writeln!(
            out,
            "- **Project**: {} (Django {}, Python {})",
            report.started.project, facts.django, facts.python
        );
    }
    if let Some(fingerprint) = &report.plan_fingerprint {
        let _ = writeln!(out, "- **Plan**: `{fingerprint}`");
    }
    let _ = writeln!(
        out,
        "- **Run**: {} (django-migrate {})",
        report.started.run, report.started.tool_version
    );
    if let Some(error) = &report.error {
        let _ = writeln!(
            out,
            "\n### What Went Wrong\n\n**{}** (exit code {})\n",
            error.class, error.code
        );
        let _ = writeln!(out, "```\n{}\n```", error.message);
        for (name, value) in &error.sources {
            let _ = writeln!(out, "- {name}: {value}");
        }
        if let Some(hint) = &error.hint {
            let _ = writeln!(out, "\nWhat to do next: {hint}");
        }
    }
    if let Some(broken) = &report.broken_off {
        broken_off(out, broken);
    }
}

fn broken_off(out: &mut String, broken: &BrokenOff) {
    if !broken.statements.is_empty() {
        let _ = writeln!(
            out,
            "\n### What Its Journal Saw of a Migration That Is Not Atomic\n"
        );
        for statement in &broken.statements {
            let _ = writeln!(out, "- {statement}");
        }
    }
    let _ = writeln!(out, "\n### What to Do Next\n");
    for (n, next) in broken.next.iter().enumerate() {
        let _ = writeln!(out, "{}. {next}", n + 1);
    }
}

fn migrations(out: &mut String, report: &RunReport) {
    let heading = match (report.started.dry_run, report.is_rollback()) {
        (true, false) => "Migrations Pending",
        (false, false) => "Migrations Applied",
        (true, true) => "Migrations That Would Go Back",
        (false, true) => "Migrations Rolled Back",
    };
    let _ = writeln!(out, "\n### {heading}\n");
    if report.migrations.is_empty() {
        // a run that halted before its plan knows nothing of what is pending
        let none = match report.plan_fingerprint {
            Some(_) => "None.",
            None => "Not known: the run halted before it had a plan.",
        };
        let _ = writeln!(out, "{none}");
    }
    for m in &report.migrations {
        let (mark, word) = match m.progress {
            MigrationProgress::Applied => ("x", String::new()),
            MigrationProgress::Pending if report.started.dry_run => (" ", String::new()),
            MigrationProgress::Pending => (" ", format!(" — not {}", report.done())),
            MigrationProgress::Failed => (" ", " — **failed**".to_owned()),
            MigrationProgress::Unknown => (" ", " — begun, its end is unknown".to_owned()),
            MigrationProgress::RolledBack if report.is_rollback() => {
                (" ", " — stays applied".to_owned())
            }
            MigrationProgress::RolledBack if m.atomic => (" ", " — rolled back".to_owned()),
            MigrationProgress::RolledBack => (" ", " — nothing of it stayed".to_owned()),
        };
        let time = m
            .seconds
            .map(|s| format!(" ({})", seconds(s)))
            .unwrap_or_default();
        let _ = writeln!(out, "- [{mark}] `{}.{}`{time}{word}", m.app, m.name);
        details(out, m);
    }
    if let Some(failed) = &report.failed {
        let _ = writeln!(
            out,
            "\n`{}.{}` failed: {}",
            failed.app,
            failed.name,
            failed.message.trim()
        );
        let rows = [
            ("SQLSTATE", &failed.sqlstate),
            ("Detail", &failed.detail),
            ("Constraint", &failed.constraint),
        ];
        for (name, value) in rows {
            if let Some(value) = value {
                let _ = writeln!(out, "- {name}: {value}");
            }
        }
        if let Some(statement) = &failed.statement {
            let _ = writeln!(out, "\n```sql\n{statement}\n```");
        }
    }
}

fn details(out: &mut String, m: &MigrationLine) {
    for loss in &m.destroys {
        let _ = writeln!(out, "  - **destroys** {loss}");
    }
    for lost in &m.not_brought_back {
        let _ = writeln!(out, "  - **does not bring back** {lost}");
    }
    if m.complete == Some(false) {
        let _ = writeln!(out, "  - the preview does not show all of its SQL");
    }
    for finding in &m.findings {
        let _ = match &finding.waived {
            Some(why) => writeln!(
                out,
                "  - waived {} `{}`: {} ({why})",
                finding.severity, finding.code, finding.message
            ),
            None => writeln!(
                out,
                "  - {} `{}`: {}",
                finding.severity, finding.code, finding.message
            ),
        };
    }
}

fn backup(out: &mut String, report: &RunReport) {
    let _ = writeln!(out, "\n### Backup\n");
    match &report.backup {
        BackupState::Taken(b) => {
            let (folder, file) = b.file.rsplit_once('/').unwrap_or((".", &b.file));
            let _ = writeln!(out, "- **File**: `{file}`");
            let _ = writeln!(out, "- **Size**: {} ({} bytes)", bytes(b.bytes), b.bytes);
            let _ = writeln!(out, "- **Location**: `{folder}`");
            let what = format!("{}, {}", count(b.tables, "table"), count(b.rows, "row"));
            let _ = writeln!(
                out,
                "- **Verified**: {} ({what}; pg_dump {}, {})",
                proof(b),
                b.pg_dump,
                seconds(b.seconds)
            );
            if let Some(left_out) = left_out(b) {
                let _ = writeln!(out, "- **Left out**: {left_out}");
            }
            let _ = writeln!(out, "- **SHA-256**: `{}`", b.sha256);
            if report.destructive() {
                let _ = writeln!(
                    out,
                    "\nData is destroyed by this plan: verify the backup before you rely on it, \
                     with `django-migrate backup verify {}`, and restore it into a database of its own.",
                    b.file
                );
            }
        }
        BackupState::Skipped { why } => {
            let _ = writeln!(out, "**None was taken**: {why}.");
        }
        BackupState::NotReached => {
            let _ = writeln!(out, "None was taken in this run.");
        }
    }
}

fn verification(out: &mut String, report: &RunReport) {
    let _ = writeln!(out, "\n### Verification\n");
    for check in checklist(report) {
        let mark = if check.ok { "x" } else { " " };
        let _ = writeln!(out, "- [{mark}] **{}**: {}", check.name, check.detail);
    }
}

/// What was verified and what was not, in the customer's words first.
pub(super) fn checklist(report: &RunReport) -> Vec<VerifyCheck> {
    let not_reached = || "not reached".to_owned();
    let line = |name: &str, ok: bool, detail: String| VerifyCheck {
        name: name.to_owned(),
        ok,
        detail,
    };
    let mut list = report.verification.clone();
    if list.is_empty() {
        let why = if report.started.dry_run && report.succeeded() {
            "a dry run changes nothing, so there is nothing to verify".to_owned()
        } else if report.succeeded() {
            format!("nothing was {}", report.done())
        } else {
            not_reached()
        };
        list.push(line("Migration status", false, why));
        let connected = report.project_facts.as_ref();
        let detail = connected.map_or_else(not_reached, |facts| {
            format!("connected to {}", facts.target)
        });
        list.push(line("Database connectivity", connected.is_some(), detail));
    }
    if report.is_rollback() {
        return list;
    }
    let tests = match &report.tests {
        Some(t) => {
            let numbers = format!(
                "{} passed, {} failed, {} skipped",
                t.passed, t.failed, t.skipped
            );
            let detail = if t.passed + t.failed > 0 {
                format!("{numbers}; {}", t.detail)
            } else {
                t.detail.clone()
            };
            line(
                "Post-migration tests",
                t.outcome == "passed",
                format!("{}: {detail}", t.outcome.replace('_', " ")),
            )
        }
        None => line("Post-migration tests", false, "not run".to_owned()),
    };
    let at = list
        .iter()
        .position(|c| c.name == "Migration status")
        .map_or(0, |i| i + 1);
    list.insert(at, tests);
    list
}

/// What is left of a migration that is not atomic has no command that takes it back.
fn nothing_to_roll_back(report: &RunReport) -> String {
    let half = report.migrations.iter().find(|m| {
        !m.atomic
            && matches!(
                m.progress,
                MigrationProgress::Failed | MigrationProgress::Unknown
            )
    });
    match half {
        Some(m) if report.changed != Changed::No => {
            let which = match report.broken_off {
                Some(_) => "`django-migrate check` says which, from the journal and the catalog",
                None => "they are named above",
            };
            let way = match report.backup {
                BackupState::Taken(_) => "The backup is the way back",
                _ => "This run took no backup",
            };
            format!(
                "No command takes back what `{}.{}` left: it is not atomic, and those of its statements that came to \
                 their end stayed; {which}. {way}.",
                m.app, m.name
            )
        }
        _ => "Nothing to roll back.".to_owned(),
    }
}

fn rollback(out: &mut String, report: &RunReport) {
    let _ = writeln!(out, "\n### Rollback (if needed)\n");
    if report.rollback.is_empty() {
        let _ = writeln!(out, "{}", nothing_to_roll_back(report));
        return;
    }
    if report.started.dry_run {
        let _ = writeln!(out, "This run changed nothing. Once the plan is applied:\n");
    }
    let _ = writeln!(out, "In `{}`:\n", report.started.project);
    for command in &report.rollback {
        let _ = writeln!(out, "{}:\n\n```sh\n{}\n```", command.what, command.command);
        for warning in &command.warnings {
            let _ = writeln!(out, "- {warning}");
        }
        let _ = writeln!(out);
    }
}

fn record(out: &mut String, report: &RunReport) {
    let _ = writeln!(out, "### Steps\n\n| step | result | time |\n|---|---|---|");
    for line in &report.steps {
        let result = match line.ok {
            Some(true) => "passed",
            Some(false) => "**halted**",
            None => "broke off",
        };
        let time = line.seconds.map(seconds).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {}. {} | {result} | {time} |",
            line.step.number(report.started.course()),
            line.step.title(report.started.course())
        );
    }
    if !report.answers.is_empty() {
        let _ = writeln!(out, "\n### Consent\n");
        for a in &report.answers {
            let _ = writeln!(out, "- {} — {} ({})", a.question, a.answer, a.by);
        }
    }
    super::locks::markdown(&report.locks, out);
    if !report.notes.is_empty() {
        let _ = writeln!(out, "\n### Notes\n");
        for note in &report.notes {
            let _ = writeln!(out, "- {note}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fold, sample};
    use super::*;

    #[test]
    fn the_customers_headings_are_there_in_their_order() {
        let text = markdown(&fold(&sample::applied()).unwrap());
        let headings = [
            "## Migration Complete",
            "- **Timestamp**: 2026-11-22T",
            "- **Apps**: shop, billing",
            "- **Mode**: apply",
            "### Migrations Applied",
            "### Backup",
            "- **File**: `backup_shop_20261122_093000.sql.gz`",
            "- **Size**: 2.3 MB",
            "- **Location**: `backups`",
            "### Verification",
            "**Migration status**",
            "**Post-migration tests**: passed: 12 passed",
            "**Database connectivity**",
            "### Rollback (if needed)",
        ];
        let mut at = 0;
        for heading in headings {
            let found = text[at..].find(heading);
            at += found.unwrap_or_else(|| panic!("no `{heading}` after byte {at} of:\n{text}"));
        }
    }

    #[test]
    fn a_broken_run_never_reads_as_complete() {
        let lines = sample::applied();
        for n in 1..lines.len() {
            let text = markdown(&fold(&lines[..n]).unwrap());
            assert!(text.starts_with("## Migration Broke Off"), "{text}");
        }
    }
}

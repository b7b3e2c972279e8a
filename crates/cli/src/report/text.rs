//! The report for a terminal: what changed, what was proven, what to do next.

use std::fmt::Write;

use super::broken_off::BrokenOff;
use super::markdown::checklist;
use super::model::{BackupState, MigrationLine, MigrationProgress, RunReport};
use super::proof::{left_out, proof};
use crate::exit::Changed;
use crate::ui::style::{Look, paint};
use crate::ui::{bytes, count, seconds, wrapped};

/// Warnings shown for one command: a first migration of an app has as many as it has tables.
const WARNINGS: usize = 6;

/// Migrations that are listed one by one at the end of a run, which has listed them before.
const MANY: usize = 60;

/// How much of a long plan is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Whole,
    /// Those that say no more than their name are counted.
    Counted,
}

pub(crate) fn text(report: &RunReport, detail: Detail) -> String {
    let detail = match report.migrations.len() > MANY {
        true => detail,
        false => Detail::Whole,
    };
    let mut out = String::new();
    let look = match (report.exit_code, report.changed) {
        (Some(0), _) => Look::Good,
        (_, Changed::No) => Look::Warning,
        _ => Look::Bad,
    };
    let _ = writeln!(out, "{}", paint(look, report.headline()));
    facts(&mut out, report);
    if report.started.restores {
        out.truncate(out.trim_end().len());
        return out;
    }
    migrations(&mut out, report, detail);
    if let Some(broken) = &report.broken_off {
        broken_off(&mut out, broken);
    }
    if report.succeeded() && !report.started.dry_run && !report.migrations.is_empty()
        || report.changed != Changed::No
    {
        section(&mut out, "Verification");
        for check in checklist(report) {
            let mark = if check.ok {
                paint(Look::Good, "✓")
            } else {
                paint(Look::Warning, "–")
            };
            let _ = writeln!(
                out,
                "{}",
                wrapped("  ", &format!("{mark} {}: {}", check.name, check.detail))
            );
        }
    }
    rollback(&mut out, report, detail);
    if let BackupState::Taken(backup) = &report.backup
        && report.destructive()
    {
        section(&mut out, "Before you rely on the backup");
        let _ = writeln!(out, "  django-migrate backup verify {}", backup.file);
    }
    out.truncate(out.trim_end().len());
    out
}

fn section(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{}", paint(Look::Heading, title));
}

fn facts(out: &mut String, report: &RunReport) {
    let mut row = |name: &str, value: String| {
        let _ = writeln!(
            out,
            "  {} {value}",
            paint(Look::Faint, format!("{name:<10}"))
        );
    };
    row(
        "time",
        report
            .finished_at
            .clone()
            .unwrap_or_else(|| report.started_at.clone()),
    );
    row(
        "mode",
        format!("{}, apps: {}", report.mode(), report.scope()),
    );
    if let Some(facts) = &report.project_facts {
        row(
            "database",
            format!("{} (PostgreSQL {})", facts.target, facts.server_version),
        );
    }
    match &report.backup {
        BackupState::Taken(b) => {
            row(
                "backup",
                format!("{} ({}, {})", b.file, bytes(b.bytes), count(b.rows, "row")),
            );
            row("verified", proof(b));
            if let Some(left_out) = left_out(b) {
                row("", paint(Look::Warning, left_out));
            }
        }
        BackupState::Skipped { why } => row("backup", paint(Look::Warning, format!("none: {why}"))),
        BackupState::NotReached => row("backup", "none was taken in this run".to_owned()),
    }
    if let Some(fingerprint) = &report.plan_fingerprint
        && !report.migrations.is_empty()
    {
        row("plan", fingerprint.clone());
    }
    row("run", report.started.run.clone());
}

fn migrations(out: &mut String, report: &RunReport, detail: Detail) {
    if report.migrations.is_empty() {
        return;
    }
    section(
        out,
        match (report.started.dry_run, report.is_rollback()) {
            (true, false) => "Pending",
            (true, true) => "Would go back",
            (false, _) => "Migrations",
        },
    );
    let counted = |m: &&MigrationLine| {
        let plain = matches!(
            m.progress,
            MigrationProgress::Applied | MigrationProgress::Pending
        );
        detail == Detail::Counted && plain && m.destroys.is_empty() && waived(m).next().is_none()
    };
    for (mark, progress) in [
        ("[X]", MigrationProgress::Applied),
        ("[ ]", MigrationProgress::Pending),
    ] {
        let these = report.migrations.iter().filter(counted);
        let n = these.filter(|m| m.progress == progress).count();
        if n > 0 {
            let n = count(n as u64, "migration");
            let _ = writeln!(out, "  {mark} {n}, each in report.md");
        }
    }
    for m in report.migrations.iter().filter(|m| !counted(m)) {
        let (mark, word) = match m.progress {
            MigrationProgress::Applied if report.is_rollback() => ("[X]", " is back".to_owned()),
            MigrationProgress::Applied => ("[X]", String::new()),
            MigrationProgress::Pending => ("[ ]", String::new()),
            MigrationProgress::Failed => ("[ ]", paint(Look::Bad, " failed")),
            MigrationProgress::Unknown => ("[?]", paint(Look::Bad, " begun, its end is unknown")),
            MigrationProgress::RolledBack if report.is_rollback() => {
                ("[ ]", paint(Look::Warning, " stays applied"))
            }
            MigrationProgress::RolledBack if m.atomic => {
                ("[ ]", paint(Look::Warning, " rolled back"))
            }
            MigrationProgress::RolledBack => ("[ ]", paint(Look::Warning, " nothing of it stayed")),
        };
        let time = m
            .seconds
            .map(|s| paint(Look::Faint, format!(" {}", seconds(s))))
            .unwrap_or_default();
        let _ = writeln!(out, "  {mark} {}.{}{time}{word}", m.app, m.name);
        for (code, why) in waived(m) {
            let said = format!("{} {code}: {why}", paint(Look::Faint, "waived"));
            let _ = writeln!(out, "{}", wrapped("      ", &said));
        }
        for loss in &m.destroys {
            let _ = writeln!(
                out,
                "{}",
                wrapped(
                    "      ",
                    &format!("{} {loss}", paint(Look::Bad, "destroys"))
                )
            );
        }
    }
}

/// Codes, and why each was waived.
fn waived(m: &MigrationLine) -> impl Iterator<Item = (&str, &str)> {
    let findings = m.findings.iter();
    findings.filter_map(|f| Some((f.code.as_str(), f.waived.as_deref()?)))
}

fn broken_off(out: &mut String, broken: &BrokenOff) {
    if !broken.statements.is_empty() {
        section(
            out,
            "What its journal saw of a migration that is not atomic",
        );
        for statement in &broken.statements {
            let _ = writeln!(out, "{}", wrapped("  ", statement));
        }
    }
    section(out, "What to do next");
    for (n, next) in broken.next.iter().enumerate() {
        let _ = writeln!(out, "{}", wrapped("  ", &format!("{}. {next}", n + 1)));
    }
}

fn rollback(out: &mut String, report: &RunReport, detail: Detail) {
    let most = match detail {
        Detail::Whole => WARNINGS,
        Detail::Counted => 2,
    };
    if report.rollback.is_empty() || (report.changed == Changed::No && !report.started.dry_run) {
        return;
    }
    let title = match (report.started.dry_run, report.is_rollback()) {
        (true, _) => "Rollback, once the plan is applied",
        (false, false) => "Rollback (if needed)",
        (false, true) => "Forward again",
    };
    section(out, title);
    let _ = writeln!(
        out,
        "  {}",
        paint(Look::Faint, format!("in {}", report.started.project))
    );
    for command in &report.rollback {
        let _ = writeln!(
            out,
            "  {}",
            paint(Look::Faint, format!("# {}", command.what))
        );
        let _ = writeln!(out, "  {}", command.command);
        for warning in command.warnings.iter().take(most) {
            let _ = writeln!(
                out,
                "{}",
                wrapped("    ", &format!("{} {warning}", paint(Look::Warning, "!")))
            );
        }
        let more = command.warnings.len().saturating_sub(most);
        if more > 0 {
            let _ = writeln!(out, "    and {more} more: see report.md");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fold, sample};
    use super::*;

    #[test]
    fn many_warnings_are_counted() {
        let mut report = fold(&sample::applied()).unwrap();
        report.rollback[0].warnings = (0..9).map(|n| format!("table t{n}")).collect();
        let text = anstream::adapter::strip_str(&text(&report, Detail::Counted)).to_string();
        assert!(text.contains("table t5") && !text.contains("table t6"));
        assert!(text.contains("and 3 more: see report.md"));
        assert_eq!(text.matches("in /srv/shop").count(), 1);
    }

    #[test]
    fn a_long_plan_is_counted_at_the_end_of_a_run_but_for_what_is_to_be_known() {
        let mut report = fold(&sample::applied()).unwrap();
        let plain = MigrationLine {
            destroys: vec![],
            ..report.migrations[0].clone()
        };
        report
            .migrations
            .extend(std::iter::repeat_n(plain, 2 * MANY));
        let of = |detail| anstream::adapter::strip_str(&text(&report, detail)).to_string();
        let counted = of(Detail::Counted);
        assert!(
            counted.contains("[X] 121 migrations, each in report.md"),
            "{counted}"
        );
        assert!(counted.contains("[X] shop.0003_drop_code"), "{counted}");
        assert_eq!(counted.matches("[X]").count(), 2, "{counted}");
        assert_eq!(of(Detail::Whole).matches("[X]").count(), 122);
    }

    #[test]
    fn the_last_screen_says_what_changed_and_the_way_back() {
        let text = anstream::adapter::strip_str(&text(
            &fold(&sample::applied()).unwrap(),
            Detail::Counted,
        ))
        .to_string();
        for part in [
            "2 migrations were applied and verified.",
            "[X] shop.0003_drop_code",
            "destroys column code of public.shop_item",
            "manage.py migrate shop 0002_item",
        ] {
            assert!(text.contains(part), "no `{part}` in\n{text}");
        }
    }
}

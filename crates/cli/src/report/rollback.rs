//! The way back, as commands that a person can paste. Pure.

use std::collections::BTreeMap;

use super::model::{BackupState, MigrationLine, MigrationProgress, RollbackCommand, RunReport};
use crate::event::ProjectInspected;

/// For each app its way back, the app that came last first; then the backup.
pub(super) fn commands(
    report: &RunReport,
    previous: &BTreeMap<String, Option<String>>,
) -> Vec<RollbackCommand> {
    let Some(facts) = &report.project_facts else {
        return Vec::new();
    };
    let mut commands: Vec<RollbackCommand> = apps_to_undo(report)
        .into_iter()
        .map(|app| {
            migrate_back(
                report,
                facts,
                app,
                previous.get(app).and_then(Option::as_deref),
            )
        })
        .collect();
    commands.extend(restore(report, facts));
    commands
}

/// A dry run shows the way back of what it would apply; a real run that of what it did.
fn concerned(report: &RunReport) -> impl Iterator<Item = &MigrationLine> {
    let dry = report.started.dry_run;
    report.migrations.iter().filter(move |m| {
        dry || matches!(
            m.progress,
            MigrationProgress::Applied | MigrationProgress::Unknown
        )
    })
}

/// Later apps may depend on earlier ones, so they go back first.
fn apps_to_undo(report: &RunReport) -> Vec<&str> {
    let mut apps: Vec<&str> = Vec::new();
    for migration in concerned(report) {
        apps.retain(|app| *app != migration.app);
        apps.push(&migration.app);
    }
    apps.reverse();
    apps
}

fn migrate_back(
    report: &RunReport,
    facts: &ProjectInspected,
    app: &str,
    previous: Option<&str>,
) -> RollbackCommand {
    let target = previous.unwrap_or("zero");
    let mut words = facts.python_command.clone();
    match facts.entry.split_once(':') {
        None => words.push(facts.entry.clone()),
        Some(_) => {
            words.extend(["-m".to_owned(), "django".to_owned()]);
            words.extend(
                facts
                    .settings_module
                    .iter()
                    .map(|module| format!("--settings={module}")),
            );
        }
    }
    words.extend(["migrate".to_owned(), app.to_owned(), target.to_owned()]);
    if report.started.database != "default" {
        words.push(format!("--database={}", report.started.database));
    }
    RollbackCommand {
        what: match previous {
            Some(name) => format!("{app}: back to {name}"),
            None => format!("{app}: back to before its first migration"),
        },
        command: words
            .iter()
            .map(|w| quoted(w))
            .collect::<Vec<_>>()
            .join(" "),
        warnings: warnings(report, app),
    }
}

fn warnings(report: &RunReport, app: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    for m in concerned(report).filter(|m| m.app == app) {
        for operation in &m.irreversible {
            warnings.push(format!("{} is irreversible: {operation}", m.name));
        }
        for loss in &m.reverse_destroys {
            warnings.push(format!("going back from {} destroys {loss}", m.name));
        }
        if !m.destroys.is_empty() && m.irreversible.is_empty() {
            let lost = m.destroys.join(", ");
            warnings.push(format!(
                "going back from {} does not bring back {lost}: only the backup does",
                m.name
            ));
        }
    }
    warnings
}

/// Into a database of its own: the live one is never overwritten by a command of ours.
fn restore(report: &RunReport, facts: &ProjectInspected) -> Option<RollbackCommand> {
    let BackupState::Taken(backup) = &report.backup else {
        return None;
    };
    let file = quoted(&backup.file);
    let read = if backup.file.ends_with(".gz") {
        format!("gunzip -c {file}")
    } else {
        format!("cat {file}")
    };
    Some(RollbackCommand {
        what: "the whole database, from the backup, into a new and empty one".to_owned(),
        command: format!(
            "{read} | psql -X -v ON_ERROR_STOP=1 -d {}",
            quoted(&format!("{}_restored", facts.database_name))
        ),
        warnings: vec![
            "needs psql, and a database of that name that you created for it".to_owned(),
            "rows written after the backup are not in it".to_owned(),
        ],
    })
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fold, sample};
    use super::*;

    #[test]
    fn later_apps_go_back_first_and_the_backup_comes_last() {
        let report = fold(&sample::applied()).unwrap();
        let commands: Vec<&str> = report.rollback.iter().map(|c| c.command.as_str()).collect();
        assert_eq!(
            commands,
            [
                ".venv/bin/python manage.py migrate billing zero",
                ".venv/bin/python manage.py migrate shop 0002_item",
                "gunzip -c backups/backup_shop_20261122_093000.sql.gz | psql -X -v ON_ERROR_STOP=1 -d shop_restored",
            ]
        );
        assert!(
            report.rollback[1]
                .warnings
                .iter()
                .any(|w| w.contains("only the backup does"))
        );
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("backups/x.sql.gz"), "backups/x.sql.gz");
    }
}

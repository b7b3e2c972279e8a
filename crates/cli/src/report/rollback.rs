//! The way back, as commands that a person can paste. Pure.

use std::collections::BTreeMap;

use super::model::{BackupState, MigrationLine, MigrationProgress, RollbackCommand, RunReport};
use super::proof::left_out;
use crate::event::ProjectInspected;
use crate::shell::quoted;

/// For each app its way back, the app that began last first; then the backup.
pub(super) fn commands(
    report: &RunReport,
    previous: &BTreeMap<String, Option<String>>,
) -> Vec<RollbackCommand> {
    let Some(facts) = &report.project_facts else {
        return Vec::new();
    };
    if report.is_rollback() {
        return forward_again(report);
    }
    // of a dry run that halted nobody knows whether it would ever be applied
    if report.started.dry_run && !report.succeeded() {
        return Vec::new();
    }
    let apps = apps_to_undo(report);
    let mut commands: Vec<RollbackCommand> = Vec::new();
    if !apps.is_empty() {
        commands.push(whole_run(report));
    }
    commands.extend(apps.into_iter().map(|app| {
        migrate_back(
            report,
            facts,
            app,
            previous.get(app).and_then(Option::as_deref),
        )
    }));
    commands.extend(restore(report, facts));
    commands
}

/// A rollback is undone by a run.
fn forward_again(report: &RunReport) -> Vec<RollbackCommand> {
    let facts = report.project_facts.iter();
    let restored = facts.filter_map(|facts| restore(report, facts));
    let words = ["django-migrate".to_owned(), "run".to_owned()];
    let words = words.into_iter().chain(report.started.flags());
    let run: Vec<String> = words.map(|word| quoted(&word)).collect();
    let again = RollbackCommand {
        what: "forward again".to_owned(),
        command: run.join(" "),
        warnings: vec!["what going back destroyed is only in the backup".to_owned()],
    };
    let some = report.migrations.iter().any(|m| {
        matches!(
            m.progress,
            MigrationProgress::Applied | MigrationProgress::Unknown
        )
    });
    match some {
        true => std::iter::once(again).chain(restored).collect(),
        false => Vec::new(),
    }
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

/// An app that began later may depend on the earlier ones, so it goes back first: `migrate auth zero` would unapply
/// admin as well.
fn apps_to_undo(report: &RunReport) -> Vec<&str> {
    let mut apps: Vec<&str> = Vec::new();
    for migration in concerned(report) {
        if !apps.contains(&migration.app.as_str()) {
            apps.push(&migration.app);
        }
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
        }
    }
    words.extend(["migrate".to_owned(), app.to_owned(), target.to_owned()]);
    // `manage.py` finds its settings itself, unless the run was told others
    let settings = match facts.entry.contains(':') {
        true => report
            .started
            .settings
            .as_ref()
            .or(facts.settings_module.as_ref()),
        false => report.started.settings.as_ref(),
    };
    words.extend(settings.map(|module| format!("--settings={module}")));
    let path = report.started.pythonpath.as_ref();
    words.extend(path.map(|path| format!("--pythonpath={path}")));
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
            let rescue = if report.without_backup() {
                "nothing does: there is no backup"
            } else {
                "only the backup does"
            };
            warnings.push(format!(
                "going back from {} does not bring back {lost}: {rescue}",
                m.name
            ));
        }
    }
    warnings
}

/// Shown first, then under the gates of `run`. Of a dry run the way back begins once its plan is applied.
fn whole_run(report: &RunReport) -> RollbackCommand {
    let run = match report.started.dry_run {
        true => "latest",
        false => &report.started.run,
    };
    RollbackCommand {
        what: "all of it: shown first, and with --apply run under the gates of a run".to_owned(),
        command: report.started.rollback(run, &[]),
        warnings: Vec::new(),
    }
}

/// Into a database of its own: the live one is never overwritten by a command of ours.
fn restore(report: &RunReport, facts: &ProjectInspected) -> Option<RollbackCommand> {
    let BackupState::Taken(backup) = &report.backup else {
        return None;
    };
    let into = beside(&facts.database_name, &report.started.run);
    let mut words = vec![
        "django-migrate".to_owned(),
        "restore".to_owned(),
        backup.file.clone(),
        "--into".to_owned(),
        into,
    ];
    words.extend(report.started.flags());
    let words: Vec<String> = words.iter().map(|w| quoted(w)).collect();
    let mut warnings = vec![
        "needs the right to create a database".to_owned(),
        "rows written after the backup are not in it".to_owned(),
    ];
    warnings.extend(left_out(backup).map(|what| format!("the backup is {what}")));
    Some(RollbackCommand {
        what: "the whole database, from the backup, beside the live one".to_owned(),
        command: words.join(" "),
        warnings,
    })
}

/// `shop_restored_20261122_093000`, of no more bytes than a name may have.
pub(crate) fn beside(database: &str, run: &str) -> String {
    const LONGEST: usize = 63;
    let stamp: Vec<&str> = run.split('-').take(2).collect();
    let end = format!("_restored_{}", stamp.join("_"));
    let mut cut = database.len().min(LONGEST.saturating_sub(end.len()));
    while !database.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}{end}", &database[..cut])
}

#[cfg(test)]
mod tests {
    use super::super::{fold, sample};
    use crate::event::{EventKind, PlannedMigration};

    #[test]
    fn later_apps_go_back_first_and_the_backup_comes_last() {
        let report = fold(&sample::applied()).unwrap();
        let commands: Vec<&str> = report.rollback.iter().map(|c| c.command.as_str()).collect();
        assert_eq!(
            commands,
            [
                "django-migrate rollback 20261122-093000-4711 --settings=shop.settings.prod '--pythonpath=src dir'",
                ".venv/bin/python manage.py migrate billing zero --settings=shop.settings.prod '--pythonpath=src dir'",
                ".venv/bin/python manage.py migrate shop 0002_item --settings=shop.settings.prod '--pythonpath=src dir'",
                "django-migrate restore backups/backup_shop_20261122_093000.sql.gz --into shop_restored_20261122_093000 --settings=shop.settings.prod '--pythonpath=src dir'",
            ]
        );
        assert!(
            report.rollback[2]
                .warnings
                .iter()
                .any(|w| w.contains("only the backup does"))
        );
    }

    #[test]
    fn every_command_of_ours_leads_to_the_database_of_the_run() {
        let mut lines = sample::applied();
        for line in &mut lines {
            if let EventKind::RunStarted(started) = &mut line.kind {
                started.database = "second one".into();
                started.rolls_back = Some("20261122-080000-1".into());
            }
        }
        let report = fold(&lines).unwrap();
        let flags = " --settings=shop.settings.prod '--pythonpath=src dir' '--database=second one'";
        assert_eq!(
            report.rollback[0].command,
            format!("django-migrate run{flags}")
        );
        for command in &report.rollback {
            assert!(command.command.ends_with(flags), "{}", command.command);
        }
        assert_eq!(
            report.started.rollback("x y", &["--restore"]),
            format!("django-migrate rollback 'x y' --restore{flags}")
        );
    }

    #[test]
    fn an_app_that_others_were_built_on_goes_back_after_them() {
        let mut lines = sample::applied();
        for line in &mut lines {
            if let EventKind::Planned(planned) = &mut line.kind {
                let again = PlannedMigration {
                    name: "0004_more".into(),
                    ..planned.migrations[0].clone()
                };
                planned.migrations.push(again);
            }
            if let EventKind::RunStarted(started) = &mut line.kind {
                started.dry_run = true;
            }
        }
        let report = fold(&lines).unwrap();
        let apps: Vec<&str> = report.rollback.iter().map(|c| c.what.as_str()).collect();
        assert!(
            apps[1].starts_with("billing") && apps[2].starts_with("shop"),
            "{apps:?}"
        );
    }

    #[test]
    fn a_dry_run_that_halted_shows_no_way_back() {
        let mut lines = sample::applied();
        for line in &mut lines {
            match &mut line.kind {
                EventKind::RunStarted(started) => started.dry_run = true,
                EventKind::RunFinished(finished) => finished.exit_code = 32,
                _ => {}
            }
        }
        assert_eq!(fold(&lines).unwrap().rollback, []);
    }

    #[test]
    fn without_a_backup_nothing_is_said_to_come_from_it() {
        let mut lines = sample::applied();
        for line in &mut lines {
            if matches!(line.kind, EventKind::BackupFinished(_)) {
                let why = "--no-backup".to_owned();
                line.kind = EventKind::BackupSkipped { why };
            }
        }
        let report = fold(&lines).unwrap();
        let warnings: Vec<&String> = report.rollback.iter().flat_map(|c| &c.warnings).collect();
        assert!(
            warnings
                .iter()
                .any(|w| w.ends_with("nothing does: there is no backup"))
        );
        assert!(!warnings.iter().any(|w| w.contains("only the backup")));
    }

    #[test]
    fn a_name_beside_the_live_one_fits() {
        let run = "20261122-093000-4711";
        assert_eq!(super::beside("shop", run), "shop_restored_20261122_093000");
        let long = super::beside(&"é".repeat(40), run);
        assert!(
            long.len() <= 63 && long.ends_with("é_restored_20261122_093000"),
            "{long}"
        );
    }
}

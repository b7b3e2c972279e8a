//! One sample run, on which every renderer is tested.

use std::collections::BTreeMap;

use crate::event::{
    BackupFinished, EventKind, FindingLine, Line, Planned, PlannedMigration, PreviewFinished,
    PreviewedMigration, ProjectInspected, RunFinished, RunStarted, SCHEMA_VERSION, Step,
    TestsFinished, VerifyCheck,
};
use crate::exit::Changed;

pub(crate) fn applied() -> Vec<Line> {
    let mut lines = Vec::new();
    let mut at = 0;
    let mut push = |kind| {
        at += 500;
        let stamp = format!("2026-11-22T09:30:{:02}.000Z", at / 1000);
        lines.push(Line {
            schema_version: SCHEMA_VERSION,
            at: stamp,
            elapsed_ms: at,
            kind,
        });
    };
    push(EventKind::RunStarted(started()));
    push(EventKind::StepStarted {
        step: Step::Pending,
    });
    push(EventKind::ProjectInspected(inspected()));
    push(EventKind::Planned(planned()));
    push(EventKind::StepFinished {
        step: Step::Pending,
        ok: true,
        seconds: 1.5,
    });
    push(EventKind::StepStarted { step: Step::Backup });
    push(EventKind::BackupFinished(backup()));
    push(EventKind::StepFinished {
        step: Step::Backup,
        ok: true,
        seconds: 2.0,
    });
    push(EventKind::PreviewFinished(preview()));
    push(EventKind::Answered {
        question: "destructive statements".into(),
        answer: "yes".into(),
        by: "--confirm-destructive".into(),
    });
    push(EventKind::StepStarted { step: Step::Apply });
    for (app, name) in [("shop", "0003_drop_code"), ("billing", "0001_initial")] {
        push(EventKind::MigrationStarted {
            app: app.into(),
            name: name.into(),
            atomic: true,
            backward: false,
        });
        push(EventKind::MigrationApplied {
            app: app.into(),
            name: name.into(),
            seconds: 0.25,
        });
    }
    push(EventKind::StepFinished {
        step: Step::Apply,
        ok: true,
        seconds: 1.0,
    });
    push(EventKind::Verified {
        checks: vec![
            VerifyCheck {
                name: "Migration status".into(),
                ok: true,
                detail: "nothing pending in scope".into(),
            },
            VerifyCheck {
                name: "Database connectivity".into(),
                ok: true,
                detail: "7 models answer a query".into(),
            },
        ],
    });
    push(EventKind::TestsFinished(TestsFinished {
        outcome: "passed".into(),
        passed: 12,
        failed: 0,
        skipped: 1,
        seconds: 4.0,
        detail: "pytest tests/ -v".into(),
        log: None,
    }));
    push(EventKind::RunFinished(RunFinished {
        exit_code: 0,
        changed: Changed::Yes,
        run: "20261122-093000-4711".into(),
        report: None,
        error: None,
    }));
    lines
}

fn started() -> RunStarted {
    RunStarted {
        run: "20261122-093000-4711".into(),
        tool_version: "0.1.0".into(),
        dry_run: false,
        rolls_back: None,
        restores: false,
        backup_first: true,
        app: None,
        migration: None,
        database: "default".into(),
        project: "/srv/shop".into(),
        settings: Some("shop.settings.prod".into()),
        pythonpath: Some("src dir".into()),
        host: "web1".into(),
        pid: 4711,
    }
}

fn inspected() -> ProjectInspected {
    ProjectInspected {
        python: "3.12.1".into(),
        django: "5.2.4".into(),
        driver: Some("psycopg 3.2.9".into()),
        settings_module: Some("shop.settings".into()),
        python_command: vec![".venv/bin/python".into()],
        entry: "manage.py".into(),
        target: "shop@db1:5432/shop".into(),
        database_name: "shop".into(),
        database_host: Some("db1".into()),
        database_port: Some(5432),
        database_user: Some("shop".into()),
        system_identifier: None,
        database_oid: None,
        server_version: "15.18".into(),
        database_bytes: Some(13_000_000),
        check_warnings: vec![],
    }
}

fn planned() -> Planned {
    let migration = |app: &str, name: &str, operation: &str| PlannedMigration {
        app: app.into(),
        name: name.into(),
        atomic: true,
        sha256: None,
        operations: vec![operation.into()],
        irreversible: vec![],
    };
    Planned {
        plan_fingerprint: "0123456789abcdef".into(),
        migrations: vec![
            migration("shop", "0003_drop_code", "Remove field code from item"),
            migration("billing", "0001_initial", "Create model Invoice"),
        ],
        previous: BTreeMap::from([
            ("shop".into(), Some("0002_item".into())),
            ("billing".into(), None),
        ]),
    }
}

fn backup() -> BackupFinished {
    BackupFinished {
        file: "backups/backup_shop_20261122_093000.sql.gz".into(),
        format: "plain".into(),
        bytes: 2_400_000,
        sha256: "ab".repeat(32),
        tables: 12,
        rows: 3456,
        verified: "trailer".into(),
        pg_dump: "15.18".into(),
        seconds: 1.8,
        ..BackupFinished::default()
    }
}

fn preview() -> PreviewFinished {
    let finding = FindingLine {
        code: "destructive-drop-column".into(),
        severity: "ask".into(),
        message: "drops column code of public.shop_item".into(),
        waived: None,
    };
    let migration =
        |app: &str, name: &str, destroys: Vec<String>, findings, reverse: Vec<String>| {
            PreviewedMigration {
                app: app.into(),
                name: name.into(),
                complete: true,
                statements: 1,
                findings,
                destroys,
                reverse_destroys: reverse,
                not_brought_back: vec![],
            }
        };
    PreviewFinished {
        verdict: "ask".into(),
        plan_fingerprint: "0123456789abcdef".into(),
        statements: 2,
        migrations: vec![
            migration(
                "shop",
                "0003_drop_code",
                vec!["column code of public.shop_item".into()],
                vec![finding],
                vec![],
            ),
            migration(
                "billing",
                "0001_initial",
                vec![],
                vec![],
                vec!["table public.billing_invoice".into()],
            ),
        ],
    }
}

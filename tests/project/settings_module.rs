//! Projects whose settings or apps do not come up, and such that come up in their own ways.

use super::halt::{halts, halts_with, no_secret};
use crate::support::{Shop, cli, shop_with};

/// The shop whose settings end with this.
#[track_caller]
fn with_settings(python: &str) -> Shop {
    shop_with("5.2", 15, |builder| builder.settings(python))
}

#[test]
fn settings_that_raise() {
    let shop = with_settings("raise RuntimeError('the vault is sealed')");
    for command in ["run", "check", "status", "preview", "backup"] {
        halts(&shop, &[command], 21, "project-failed").says(&[
            "settings cannot be read",
            "RuntimeError",
            "the vault is sealed",
            "manage.py check",
        ]);
    }
}

#[test]
fn settings_with_a_syntax_error() {
    let shop = with_settings("DATABASES = {");
    halts(&shop, &["run"], 21, "project-failed").says(&["SyntaxError", "settings.py"]);
}

#[test]
fn a_settings_module_that_is_not_there() {
    let shop = with_settings("");
    halts(
        &shop,
        &["run", "--settings", "config.production"],
        21,
        "project-failed",
    )
    .says(&["config.production"]);
}

#[test]
fn settings_that_exit() {
    let shop = with_settings("import sys\nprint('set STAGE first')\nsys.exit(4)");
    for command in ["run", "check", "status"] {
        halts(&shop, &[command], 21, "project-failed")
            .says(&["exited while it started", "sys.exit(4)"]);
    }
}

#[test]
fn settings_that_kill_the_process() {
    let shop =
        with_settings("import os, sys\nprint('licence expired')\nsys.stdout.flush()\nos._exit(9)");
    halts(&shop, &["run"], 21, "project-failed").says(&[
        "ended early",
        "exit status: 9",
        "licence expired",
    ]);
}

#[test]
fn an_app_that_is_not_there() {
    let shop = with_settings("INSTALLED_APPS += ['billing']");
    halts(&shop, &["run"], 21, "project-failed")
        .says(&["Django cannot set up the project", "billing"]);
}

#[test]
fn models_that_raise() {
    let models = "from django.db import models\n\nraise ValueError('no currency is configured')\n";
    let shop = shop_with("5.2", 15, |b| b.app("billing", |app| app.models(models)));
    for command in ["run", "preview"] {
        halts(&shop, &[command], 21, "project-failed")
            .says(&["cannot set up", "no currency is configured"]);
    }
}

#[test]
fn an_app_whose_ready_raises() {
    let config = "from django.apps import AppConfig\n\n\nclass Config(AppConfig):\n    name = 'billing'\n\n    \
                  def ready(self):\n        raise OSError('no licence server')\n";
    let shop = shop_with("5.2", 15, |b| {
        b.app("billing", |app| app.file("apps.py", config))
    });
    halts(&shop, &["run"], 21, "project-failed").says(&["cannot set up", "no licence server"]);
}

#[test]
fn what_settings_print_does_not_disturb_the_answer() {
    let noise = "import sys, os, subprocess\nprint('{\"schema_version\": 1}')\nprint('no newline', end='')\n\
                 sys.stdout.flush()\nos.write(1, b'\\xff\\xfe raw\\n')\nsys.stderr.write('DEBUG loaded\\n')\n\
                 subprocess.run(['echo', 'from a child'])\n";
    let shop = with_settings(noise);
    let ran = cli(&shop)
        .args(["status", "--format", "json"])
        .run()
        .expect(0);
    assert_eq!(ran.json()["command"], "status");
    assert!(
        !ran.stderr.contains("loaded"),
        "only -v shows it\n{}",
        ran.snapshot()
    );
    let ran = cli(&shop)
        .args(["preview", "--format", "json"])
        .run()
        .expect(0);
    assert_eq!(ran.json()["migrations"].as_array().map(Vec::len), Some(5));
    let ran = cli(&shop)
        .args(["status", "-v", "--format", "json"])
        .run()
        .expect(0);
    assert_eq!(ran.json()["command"], "status");
    for line in ["no newline", "raw", "DEBUG loaded", "from a child"] {
        assert!(ran.stderr.contains(line), "{line}\n{}", ran.snapshot());
    }
    let ran = cli(&shop)
        .args([
            "run",
            "--no-backup",
            "--acknowledge-no-backup",
            "--format",
            "json",
        ])
        .run()
        .expect(0);
    let lines = ran.json_lines();
    assert!(
        lines.iter().all(|line| line["kind"].is_string()),
        "{}",
        ran.snapshot()
    );
    assert_eq!(lines.last().unwrap()["kind"], "run_finished");
}

#[test]
fn a_secret_of_the_environment_is_not_shown_by_settings_that_raise() {
    let shop = with_settings(
        "import os\nprint('from', os.environ['DATABASE_URL'])\nraise ValueError('cannot parse ' + os.environ['DATABASE_URL'])",
    );
    let url = "postgres://shop:tr0ub4dor@db.internal:5432/shop";
    let cli = cli(&shop).env("DATABASE_URL", url);
    for arguments in [&["run"][..], &["run", "-v"], &["check"]] {
        let halt = halts_with(&cli, &shop, arguments, 21, "project-failed");
        halt.says(&["cannot parse"]);
        no_secret(&shop, &halt.ran, "tr0ub4dor");
    }
    let dies = "import os\nos.write(2, os.environ['DATABASE_URL'].encode())\nos._exit(3)\n";
    shop.write_file("config/dies.py", dies).unwrap();
    let halt = halts_with(
        &cli,
        &shop,
        &["run", "--settings", "config.dies"],
        21,
        "project-failed",
    );
    halt.says(&["it said last", "postgres://shop:***@db.internal:5432/shop"]);
    no_secret(&shop, &halt.ran, "tr0ub4dor");
}

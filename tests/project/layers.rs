//! Settings in layers: flags, environment, pyproject.toml, defaults; a wrong one names its place.

use super::halt::{halts, halts_with};
use crate::support::{cli, shop, shop_with};

#[test]
fn a_bad_value_names_its_layer() {
    let shop = shop("5.2", 15);
    halts(&shop, &["run", "--lock-timeout", "soon"], 2, "settings").says(&[
        "lock_timeout",
        "\"soon\"",
        "(--lock-timeout)",
        "500ms, 2s or 10m",
    ]);
    let environment = cli(&shop).env("DJANGO_MIGRATE_TEST_TIMEOUT", "forever");
    halts_with(&environment, &shop, &["run"], 2, "settings").says(&[
        "test_timeout",
        "forever",
        "environment DJANGO_MIGRATE_TEST_TIMEOUT",
        "--test-timeout",
    ]);
    shop.write_file(
        "pyproject.toml",
        "[tool.django-migrate]\ncompress = \"rar\"\n",
    )
    .unwrap();
    halts(&shop, &["run"], 2, "settings").says(&[
        "compress",
        "rar",
        "pyproject.toml",
        "gzip:1 to gzip:9",
    ]);
    halts(&shop, &["check"], 2, "settings").says(&["rar"]);
    // a layer above hides it
    cli(&shop)
        .args(["check", "--compress", "none"])
        .run()
        .expect(0);
    halts(
        &shop,
        &["check", "--compress", "none", "--fail-on", "panic"],
        2,
        "settings",
    )
    .says(&["fail_on", "note, ask, stop or never"]);
}

#[test]
fn an_unknown_key_is_refused() {
    let shop = shop("5.2", 15);
    shop.write_file(
        "pyproject.toml",
        "[tool.django-migrate]\nlock_timeut = \"2s\"\n",
    )
    .unwrap();
    for command in ["run", "check", "status", "preview", "backup"] {
        halts(&shop, &[command], 2, "settings").says(&[
            "lock_timeut",
            "pyproject.toml",
            "lock_timeout",
        ]);
    }
}

#[test]
fn a_pyproject_that_is_no_toml() {
    let shop = shop("5.2", 15);
    shop.write_file("pyproject.toml", "[tool.django-migrate\n")
        .unwrap();
    halts(&shop, &["run"], 2, "settings").says(&["pyproject.toml", "no valid TOML"]);
}

#[test]
fn other_tables_of_pyproject_are_left_alone() {
    let file = "[project]\nname = \"shop\"\n\n[tool.ruff]\nline-length = 100\n\n[tool.django-migrate]\nskip_tests = true\n";
    let shop = shop_with("5.2", 15, |builder| builder.file("pyproject.toml", file));
    cli(&shop).args(["check"]).run().expect(0);
}

#[test]
fn a_run_follows_file_environment_and_flag() {
    let shop = shop("5.2", 15);
    let file =
        "[tool.django-migrate]\napp_name = \"auth\"\nrun_dir = \"runs\"\nbackup_first = true\n";
    shop.write_file("pyproject.toml", file).unwrap();
    let ran = cli(&shop).args(["run"]).run().expect(0);
    assert!(
        ran.stdout.contains("No migrations to apply"),
        "the file names auth\n{}",
        ran.snapshot()
    );
    assert!(shop.folder().join("runs").is_dir());
    let ran = cli(&shop)
        .env("DJANGO_MIGRATE_APP_NAME", "contenttypes")
        .args(["run", "-v"])
        .run()
        .expect(0);
    assert!(ran.stderr.contains("contenttypes"), "{}", ran.snapshot());
    let ran = cli(&shop)
        .args([
            "run",
            "shop",
            "0004",
            "--no-backup",
            "--acknowledge-no-backup",
            "--run-dir",
            "mine",
        ])
        .run()
        .expect(0);
    assert!(
        ran.stdout.contains("0004_item_description"),
        "{}",
        ran.snapshot()
    );
    assert!(shop.folder().join("mine").is_dir());
    let report = cli(&shop)
        .args(["report", "latest", "--run-dir", "mine"])
        .run()
        .expect(0);
    assert!(
        report.stdout.contains("0004_item_description"),
        "{}",
        report.snapshot()
    );
}

#[test]
fn a_misspelt_variable_is_told_on_stderr() {
    let shop = shop("5.2", 15);
    let status = cli(&shop)
        .env("DJANGO_MIGRATE_RUNDIR", "elsewhere")
        .arg("status");
    let ran = status.run().expect(0);
    for word in ["note:", "DJANGO_MIGRATE_RUNDIR", "DJANGO_MIGRATE_RUN_DIR"] {
        assert!(ran.stderr.contains(word), "{word}\n{}", ran.snapshot());
    }
    let ran = status.clone().arg("-q").run().expect(0);
    assert_eq!(ran.stderr, "", "{}", ran.snapshot());
}

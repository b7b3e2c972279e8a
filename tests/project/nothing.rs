//! "No migrations to apply" ends well: 0, no backup, no tests, no lock, a report.

use crate::support::{MATRIX, Shop, cli, shop};

/// The shop after its own `migrate`.
#[track_caller]
fn migrated(version: &str, major: u32) -> Shop {
    let shop = shop(version, major);
    shop.manage(&["migrate"]).expect("migrate");
    shop
}

#[track_caller]
fn nothing_happens(shop: &Shop, arguments: &[&str]) {
    let ran = cli(shop)
        .args(arguments)
        .args(["--format", "json"])
        .run()
        .expect(0);
    let lines = ran.json_lines();
    let kinds: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["kind"].as_str())
        .collect();
    for kind in [
        "lock_taken",
        "backup_started",
        "tests_started",
        "tests_finished",
        "migration_started",
    ] {
        assert!(!kinds.contains(&kind), "{kind}\n{}", ran.snapshot());
    }
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["exit_code"], &last["changed"]),
        (&0.into(), &"no".into()),
        "{}",
        ran.snapshot()
    );
    let report =
        fs_err::read_to_string(shop.folder().join(last["report"].as_str().unwrap())).unwrap();
    assert!(report.contains("No migrations to apply"), "{report}");
    assert!(
        !shop.folder().join("backups").exists(),
        "a backup of nothing"
    );
}

#[test]
fn nothing_pending_is_well_and_leaves_a_report() {
    for (major, version) in MATRIX {
        let shop = migrated(version, major);
        nothing_happens(&shop, &["run"]);
        nothing_happens(&shop, &["run", "--apply", "--yes"]);
    }
}

#[test]
fn nothing_pending_in_one_app() {
    let shop = shop("5.2", 15);
    nothing_happens(&shop, &["run", "auth", "--apply", "--yes"]);
}

#[test]
fn what_a_person_sees_when_nothing_is_pending() {
    let shop = migrated("5.2", 15);
    let ran = cli(&shop)
        .filter(&format!("{}@", shop.server().user()), "[USER]@")
        .filter(r"PostgreSQL \d+\.\d+", "PostgreSQL [PG_VERSION]")
        .filter(
            r"Django 5\.2\.\d+, Python [\d.]+, psycopg [\d.]+",
            "Django [DJANGO], Python [PYTHON], psycopg [PSYCOPG]",
        )
        .filter(r"django-migrate \d+\.\d+\.\d+", "django-migrate [VERSION]")
        .filter(r"[\d.]+ MB", "[SIZE]")
        .args(["run", "--apply", "--yes"])
        .run();
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 0
    ----- stdout -----
    No migrations to apply.
      time       [TIME]
      mode       apply, apps: all
      database   [USER]@127.0.0.1:[PORT]/[DATABASE] (PostgreSQL [PG_VERSION])
      backup     none was taken in this run
      run        [RUN]

    report: .django-migrate/runs/[RUN]/report.md
    ----- stderr -----
    django-migrate [VERSION]
      app_name      all apps
      dry_run       false: the migrations are applied
      backup_first  true
      database      default
    [1/7] Pending migrations
          Django [DJANGO], Python [PYTHON], psycopg [PSYCOPG], settings config.settings
          [USER]@127.0.0.1:[PORT]/[DATABASE], PostgreSQL [PG_VERSION], [SIZE]
          No migrations to apply
          passed [SECONDS]
    [7/7] Report
          passed [SECONDS]
    ");
}

#[test]
fn preview_and_check_of_nothing() {
    let shop = migrated("5.2", 15);
    let ran = cli(&shop)
        .args(["preview", "--format", "json", "--fail-on", "note"])
        .run()
        .expect(0);
    let document = ran.json();
    assert_eq!(
        (&document["verdict"], &document["migrations"]),
        (&"go".into(), &serde_json::json!([]))
    );
    let ran = cli(&shop).args(["preview"]).run().expect(0);
    assert!(
        ran.stdout.contains("No migrations to apply"),
        "{}",
        ran.snapshot()
    );
    let ran = cli(&shop)
        .args(["check", "--format", "json"])
        .run()
        .expect(0);
    assert_eq!(
        ran.json()["checks"][3]["detail"],
        "22 migrations, 0 pending",
        "{}",
        ran.snapshot()
    );
}

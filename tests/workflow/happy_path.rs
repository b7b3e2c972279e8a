//! `run --apply` on the shop, on each pair of server and Django: every step passes, and what each promises is there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use super::common::{Told, applied, apply_shop, files, in_order, read, script, text};
use crate::support::{self, MATRIX, SHOP_APPLIED, SHOP_PENDING, Shop};

#[test]
#[expect(clippy::print_stdout, reason = "names the pair that fails")]
fn heavy_a_run_applies_verifies_tests_and_reports_on_every_pair() {
    for (major, django) in MATRIX {
        println!("PostgreSQL {major}, Django {django}");
        let shop = support::shop(django, major);
        let told = Told::by(apply_shop(&shop).args(["--format", "json"]).run(), 0);
        assert_eq!(told.finished["changed"], "yes");
        the_lines_are_as_promised(&told);
        the_database_is_migrated(&shop);
        the_backup_is_whole_and_private(&shop, &told);
        the_report_says_all_of_it(&shop, &told);
        the_run_folder_is_private(&shop, &told);
    }
}

fn the_lines_are_as_promised(told: &Told) {
    const PROMISED: [&str; 11] = [
        "run_started",
        "step_started",
        "step_finished",
        "backup_finished",
        "preview_finished",
        "migration_started",
        "migration_applied",
        "migration_failed",
        "lock_waiting",
        "tests_finished",
        "run_finished",
    ];
    assert!(
        told.said
            .iter()
            .all(|line| PROMISED.contains(&text(&line["kind"]))),
        "{:#?}",
        told.said
    );
    let mut elapsed = 0;
    for line in &told.said {
        assert_eq!(line["schema_version"], 1, "{line}");
        assert!(
            text(&line["at"]).ends_with('Z') && text(&line["at"]).len() > 19,
            "{line}"
        );
        let now = line["elapsed_ms"].as_u64().expect("a number");
        assert!(now >= elapsed, "time goes on: {line}");
        elapsed = now;
    }
    assert_eq!(told.lines[0]["kind"], "run_started");
    let steps = [
        "pending", "backup", "preview", "apply", "verify", "tests", "report",
    ];
    let begun: Vec<&str> = told
        .of_kind("step_started")
        .iter()
        .map(|l| text(&l["step"]))
        .collect();
    assert_eq!(begun, steps);
    for (line, step) in told.of_kind("step_finished").iter().zip(steps) {
        assert_eq!(
            (text(&line["step"]), &line["ok"]),
            (step, &Value::Bool(true))
        );
    }
    let all: Vec<String> = SHOP_PENDING
        .iter()
        .map(|name| format!("shop.{name}"))
        .collect();
    assert_eq!(told.migrations("migration_started"), all);
    assert_eq!(told.migrations("migration_applied"), all);
    assert!(
        told.of_kind("migration_applied")
            .iter()
            .all(|line| line["seconds"].is_number())
    );
    let preview = told.of_kind("preview_finished")[0];
    assert_eq!(preview["verdict"], "ask");
    assert!(!text(&preview["plan_fingerprint"]).is_empty());
    let tests = told.of_kind("tests_finished")[0];
    assert_eq!(
        (&tests["passed"], &tests["failed"], &tests["skipped"]),
        (&3.into(), &0.into(), &0.into())
    );
    assert!(told.finished["run"].is_string() && told.finished["report"].is_string());
}

fn the_database_is_migrated(shop: &Shop) {
    let all: Vec<&str> = SHOP_APPLIED.into_iter().chain(SHOP_PENDING).collect();
    assert_eq!(applied(&shop.database, "shop"), all);
    let filled = shop
        .database
        .scalar("SELECT count(*) FROM shop_item WHERE description LIKE 'Item%(%)'");
    assert_eq!(filled.expect("a count"), "500");
    let shown = shop
        .manage(&["showmigrations", "shop"])
        .expect("showmigrations");
    assert!(!shown.contains("[ ]"), "{shown}");
}

fn the_backup_is_whole_and_private(shop: &Shop, told: &Told) {
    let backup = told.of_kind("backup_finished")[0];
    let folder = shop.folder().join("backups");
    let path = shop.folder().join(text(&backup["file"]));
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(read(&folder.join(".gitignore")).trim(), "*");
    let name = path
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let stamp = name
        .strip_prefix(&format!("backup_{}_", shop.database.name()))
        .expect("the database's name");
    assert!(
        stamp.ends_with(".sql.gz") && stamp.len() == "20261122_093000.sql.gz".len(),
        "{name}"
    );
    assert_eq!(
        backup["bytes"],
        std::fs::metadata(&path).expect("the file").len()
    );
    assert_eq!(text(&backup["sha256"]).len(), 64);
    let rows = shop
        .database
        .scalar("SELECT count(*) FROM shop_item")
        .expect("rows");
    assert!(backup["rows"].as_u64().expect("rows") > rows.parse().expect("a number"));
    support::cli(shop)
        .args(["backup", "verify", &path.display().to_string()])
        .run()
        .expect(0);
    assert!(!files(&folder).iter().any(|name| name.ends_with(".partial")));
}

fn the_report_says_all_of_it(shop: &Shop, told: &Told) {
    let report = told.report(shop);
    in_order(
        &report,
        &[
            "## Migration Complete",
            "5 migrations were applied and verified.",
            "**Timestamp**",
            "**Apps**: shop",
            "**Mode**: apply",
            "### Migrations Applied",
            "- [x] `shop.0004_item_description`",
            "- [x] `shop.0008_remove_item_legacy_code`",
            "**destroys** column",
            "### Backup",
            "**File**: `backup_",
            "**Size**",
            "**Location**",
            "verify the backup",
            "### Verification",
            "- [x] **Migration status**",
            "- [x] **Post-migration tests**: passed: 3 passed, 0 failed",
            "- [x] **Database connectivity**",
            "### Rollback (if needed)",
            "migrate shop 0003_order",
            "does not bring back",
            "django-migrate restore",
            "rows written after the backup",
        ],
    );
    assert!(!report.contains("- [ ]"), "nothing is left open:\n{report}");
    let again = support::cli(shop)
        .args(["report", "latest", "--format", "markdown"])
        .run()
        .expect(0);
    assert_eq!(without_its_time(&again.stdout), without_its_time(&report));
    let json = support::cli(shop)
        .args(["report", text(&told.finished["run"]), "--format", "json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(
        (&json["exit_code"], &json["changed"]),
        (&0.into(), &"yes".into())
    );
    assert_eq!(json["migrations"].as_array().expect("a list").len(), 5);
}

/// The file is stamped before the last event is, by a few milliseconds.
fn without_its_time(report: &str) -> String {
    report
        .lines()
        // the file is written before the step that writes it is over
        .filter(|line| !line.contains("**Timestamp**") && !line.starts_with("| 7. Report |"))
        .collect()
}

fn the_run_folder_is_private(shop: &Shop, told: &Told) {
    let state = shop.folder().join(".django-migrate");
    assert_eq!(read(&state.join(".gitignore")).trim(), "*");
    let folder = state.join("runs").join(text(&told.finished["run"]));
    assert_eq!(mode(&folder), 0o700);
    for name in [
        "journal.jsonl",
        "preview.sql",
        "report.md",
        "report.json",
        "tests.log",
    ] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    let journal = read(&folder.join("journal.jsonl"));
    let lines: Vec<Value> = journal
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert_eq!(lines.last().expect("lines")["kind"], "run_finished");
    let report: Value = serde_json::from_str(&read(&folder.join("report.json"))).expect("JSON");
    assert_eq!(report["run"], told.finished["run"]);
}

fn mode(path: &Path) -> u32 {
    let meta = std::fs::metadata(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    meta.permissions().mode() & 0o777
}

/// Inspect, migrate, verify; the project's tests come on top.
#[test]
fn a_full_run_starts_python_three_times_besides_the_tests() {
    let shop = support::shop("5.2", 15);
    let venv = tempfile::tempdir().expect("a folder");
    let (bin, count) = (venv.path().join("bin"), venv.path().join("count"));
    std::fs::create_dir(&bin).expect("a folder");
    let real = shop.venv().bin().join("python");
    script(
        &bin.join("python"),
        &format!(
            "#!/bin/sh\necho \"$1 $2\" | head -1 >>{}\nexec {} \"$@\"\n",
            count.display(),
            real.display()
        ),
    );
    let cli = apply_shop(&shop).env("VIRTUAL_ENV", &venv.path().display().to_string());
    cli.run().expect(0);
    let log = read(&count);
    let tests = log
        .lines()
        .filter(|line| line.starts_with("-m pytest"))
        .count();
    assert_eq!(tests, 1, "{log}");
    assert!(log.lines().count() - tests <= 3, "{log}");
}

#[test]
fn nothing_pending_ends_well_without_backup_and_tests() {
    let shop = support::shop("5.2", 15);
    shop.manage(&["migrate"]).expect("migrate");
    let told = Told::by(
        support::cli(&shop)
            .args(["run", "--apply", "--yes", "--format", "json"])
            .run(),
        0,
    );
    assert_eq!(told.finished["changed"], "no");
    assert!(told.of_kind("backup_started").is_empty() && told.of_kind("tests_started").is_empty());
    assert!(!shop.folder().join("backups").exists());
    assert!(
        told.report(&shop).contains("No migrations to apply."),
        "{}",
        told.report(&shop)
    );
    let shown = support::cli(&shop)
        .args(["run", "--apply", "--yes"])
        .run()
        .expect(0);
    assert!(
        shown.stdout.contains("No migrations to apply"),
        "{}",
        shown.snapshot()
    );
}

#[test]
fn one_app_up_to_one_migration_applies_only_that() {
    let shop = support::shop("5.2", 15);
    let run = [
        "run",
        "shop",
        "0004",
        "--apply",
        "--yes",
        "--skip-tests",
        "--format",
        "json",
    ];
    let told = Told::by(support::cli(&shop).args(run).run(), 0);
    assert_eq!(
        told.migrations("migration_applied"),
        ["shop.0004_item_description"]
    );
    assert_eq!(applied(&shop.database, "shop").len(), 4);
    let report = told.report(&shop);
    in_order(
        &report,
        &[
            "**Apps**: shop (asked for: shop up to 0004",
            "- [x] `shop.0004_item_description`",
        ],
    );
}

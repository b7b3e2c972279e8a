//! Without a terminal nothing is asked: each question without an answer ends with 11 and names the flag.

use super::common::{Told, applied, fingerprint};
use crate::support::{self, SHOP_APPLIED, Shop};

/// The run ends with 11 for this reason, says these words, and nothing was changed.
#[track_caller]
fn refused(shop: &Shop, flags: &[&str], class: &str, words: &[&str]) {
    let ran = support::cli(shop)
        .arg("run")
        .args(flags)
        .args(["--format", "json"])
        .run();
    Told::by(ran, 11).because(class, "no").says(words);
    assert_eq!(applied(&shop.database, "shop"), SHOP_APPLIED);
}

#[test]
fn apply_without_yes_names_yes() {
    let shop = support::shop("5.2", 15);
    refused(&shop, &["--apply"], "not-confirmed", &["--yes"]);
    assert!(!shop.folder().join("backups").exists());
}

#[test]
fn destructive_without_the_phrase_names_its_flag() {
    let shop = support::shop("5.2", 15);
    let plan = fingerprint(&shop);
    let flags = ["--apply", "--yes", "--plan", &plan];
    refused(
        &shop,
        &flags,
        "not-confirmed",
        &["--confirm-destructive", "I understand"],
    );
}

#[test]
fn the_phrase_without_a_plan_names_plan() {
    let shop = support::shop("5.2", 15);
    let flags = ["--apply", "--yes", "--confirm-destructive", "I understand"];
    refused(&shop, &flags, "not-confirmed", &["--plan", "dry run"]);
}

#[test]
fn another_phrase_declines() {
    let shop = support::shop("5.2", 15);
    let plan = fingerprint(&shop);
    for phrase in ["i understand", "I understand ", "yes", ""] {
        let flags = [
            "--apply",
            "--yes",
            "--plan",
            &plan,
            "--confirm-destructive",
            phrase,
        ];
        refused(&shop, &flags, "declined", &["I understand"]);
    }
}

#[test]
fn another_plan_stops_before_the_backup_and_names_both() {
    let shop = support::shop("5.2", 15);
    let plan = fingerprint(&shop);
    let flags = [
        "--apply",
        "--yes",
        "--plan",
        "0123456789abcdef",
        "--confirm-destructive",
        "I understand",
    ];
    refused(&shop, &flags, "plan-changed", &["0123456789abcdef", &plan]);
    assert!(!shop.folder().join("backups").exists());
}

#[test]
fn a_plan_that_grew_since_the_dry_run_stops() {
    let shop = support::shop("5.2", 15);
    let plan = fingerprint(&shop);
    let more = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    \
                dependencies = [('shop', '0008_remove_item_legacy_code')]\n    operations = []\n";
    shop.write_file("shop/migrations/0009_more.py", more)
        .expect("written");
    let flags = [
        "--apply",
        "--yes",
        "--plan",
        &plan,
        "--confirm-destructive",
        "I understand",
    ];
    refused(&shop, &flags, "plan-changed", &[&plan]);
}

/// The fingerprint alone says that something is another, not what.
#[test]
fn what_became_another_since_the_dry_run_has_its_name() {
    let shop = support::shop("5.2", 15);
    let plan = fingerprint(&shop);
    let again = [
        "--apply",
        "--yes",
        "--plan",
        &plan,
        "--confirm-destructive",
        "I understand",
    ];
    let path = "shop/migrations/0008_remove_item_legacy_code.py";
    let code = shop.read_file(path).expect("the file");
    shop.write_file(path, &format!("{code}\n# a comment\n"))
        .expect("written");
    let edited = "shop.0008_remove_item_legacy_code: the file is another";
    refused(&shop, &again, "plan-changed", &["agreed in", edited]);
    shop.write_file(path, &code).expect("written");
    let first = support::cli(&shop)
        .args(["run", "shop", "0004"])
        .args(["--apply", "--yes", "--no-backup", "--acknowledge-no-backup"])
        .arg("--skip-tests")
        .args(["--format", "json"]);
    let told = Told::by(first.run(), 0);
    let run = super::common::text(&told.finished["run"]).to_owned();
    let ran = support::cli(&shop)
        .arg("run")
        .args(again)
        .args(["--format", "json"])
        .run();
    let applied = format!("shop.0004_item_description, by run {run}");
    let told = Told::by(ran, 11)
        .because("plan-changed", "no")
        .says(&["applied", &applied]);
    assert!(!told.error().contains("edited"), "{}", told.error());
}

/// The fingerprint of another machine's run folder.
#[test]
fn a_plan_that_no_run_here_has_printed_is_said_to_be_unknown() {
    let shop = support::shop("5.2", 15);
    let flags = ["--apply", "--yes", "--plan", "0123456789abcdef"];
    refused(
        &shop,
        &flags,
        "plan-changed",
        &["no run folder here has printed that fingerprint"],
    );
}

/// However it was said, and in a dry run too.
#[test]
fn each_way_to_skip_the_backup_must_be_acknowledged() {
    let shop = support::shop("5.2", 15);
    let words = ["--acknowledge-no-backup", "--backup-first"];
    refused(&shop, &["--backup-first=false"], "not-confirmed", &words);
    refused(
        &shop,
        &["--backup-first=false", "--yes"],
        "not-confirmed",
        &words,
    );
    let ran = support::cli(&shop)
        .env("DJANGO_MIGRATE_BACKUP_FIRST", "false")
        .args(["run", "--format", "json"])
        .run();
    Told::by(ran, 11)
        .because("not-confirmed", "no")
        .says(&words);
    support::cli(&shop)
        .args(["run", "--backup-first=false", "--acknowledge-no-backup"])
        .run()
        .expect(0);
    assert!(!shop.folder().join("backups").exists());
}

#[test]
fn no_backup_without_acknowledgement_names_its_flag() {
    let shop = support::shop("5.2", 15);
    refused(
        &shop,
        &["--no-backup"],
        "not-confirmed",
        &["--acknowledge-no-backup"],
    );
    refused(
        &shop,
        &["--apply", "--yes", "--no-backup"],
        "not-confirmed",
        &["--acknowledge-no-backup"],
    );
}

#[test]
fn flags_at_odds_are_a_usage_error_that_leaves_no_run() {
    let shop = support::shop("5.2", 15);
    for flags in [["--dry-run", "--apply"], ["--backup-first", "--no-backup"]] {
        let ran = support::cli(&shop)
            .arg("run")
            .args(flags)
            .args(["--format", "json"])
            .run();
        Told::by(ran, 2).because("usage", "no").says(&flags);
    }
    assert!(!shop.folder().join(".django-migrate").exists());
}

#[test]
fn a_flag_that_is_unknown_has_a_last_line_too() {
    let shop = support::shop("5.2", 15);
    let ran = support::cli(&shop)
        .args(["run", "--aply", "--format", "json"])
        .run();
    let told = Told::by(ran, 2);
    assert_eq!(told.finished["error"]["class"], "usage");
    assert!(told.error().contains("--aply"), "{}", told.error());
}

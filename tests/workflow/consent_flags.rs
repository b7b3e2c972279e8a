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

//! Questions at a terminal: what is asked, in which order, and that only the exact words go on.

use super::common::{applied, contents, files, in_order, read};
use crate::support::{self, SHOP_APPLIED, Shop, Terminal};

const PARAMETERS: &str = "Go on with these parameters? [Y/n]";
const APPLY: &str = "[y/N]";
const DESTRUCTIVE: &str = "Type exactly \"I understand\"";

/// `run --apply` at a terminal, answered up to the phrase.
#[track_caller]
fn at_the_phrase(shop: &Shop) -> Terminal {
    let mut terminal = support::cli(shop)
        .args(["run", "--apply", "--skip-tests"])
        .tty();
    terminal.wait_for(PARAMETERS);
    terminal.type_line("y");
    terminal.wait_for(APPLY);
    terminal.type_line("y");
    terminal.wait_for(DESTRUCTIVE);
    terminal
}

#[track_caller]
fn declined(shop: &Shop, mut terminal: Terminal, before: &str) {
    assert_eq!(terminal.finish(), 11, "{}", terminal.output());
    assert_eq!(contents(&shop.database), before);
    let report = support::cli(shop)
        .args(["report", "latest", "--format", "json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(
        (&report["error"]["class"], &report["changed"]),
        (&"declined".into(), &"no".into())
    );
    assert!(
        terminal.output().contains("database was not changed"),
        "{}",
        terminal.output()
    );
}

#[test]
fn the_exact_phrase_applies() {
    let shop = support::shop("5.2", 15);
    let mut terminal = at_the_phrase(&shop);
    terminal.type_line("I understand");
    assert_eq!(terminal.finish(), 0, "{}", terminal.output());
    assert_eq!(applied(&shop.database, "shop").len(), 8);
    let report = support::cli(&shop)
        .args(["report", "latest", "--format", "markdown"])
        .run()
        .expect(0)
        .stdout;
    assert!(
        report.contains("### Consent") && report.contains("I understand (typed)"),
        "{report}"
    );
}

/// What is destroyed stands above the first question, is counted in the second alone, and nothing is asked twice.
#[test]
fn the_questions_come_in_the_order_of_the_steps_and_each_once() {
    let shop = support::shop("5.2", 15);
    let mut terminal = support::cli(&shop)
        .args(["run", "--apply", "--no-backup", "--skip-tests"])
        .tty_of(200, 120);
    terminal.wait_for(PARAMETERS);
    terminal.type_line("y");
    terminal.wait_for("Type exactly \"no backup\"");
    assert!(
        !terminal.output().contains("[1/7]"),
        "before anything is looked at"
    );
    terminal.type_line("no backup");
    terminal.wait_for(APPLY);
    terminal.type_line("y");
    terminal.wait_for(DESTRUCTIVE);
    terminal.type_line("no");
    assert_eq!(terminal.finish(), 11, "{}", terminal.output());
    let output = terminal.output();
    in_order(
        &output,
        &[
            PARAMETERS,
            "Type exactly \"no backup\"",
            "[1/7]",
            "[2/7]",
            "[3/7]",
            "DESTRUCTIVE",
            "column legacy_code",
            "public.shop_item",
            "Apply 5 migrations despite 1 finding that asks (what it destroys is asked next)? [y/N]",
            "This destroys data. Type exactly \"I understand\"",
        ],
    );
    for question in [PARAMETERS, "Type exactly \"no backup\"", APPLY] {
        assert_eq!(output.matches(question).count(), 1, "{question}\n{output}");
    }
}

#[test]
fn the_phrase_in_another_case_declines() {
    let shop = support::shop("5.2", 15);
    let before = contents(&shop.database);
    let mut terminal = at_the_phrase(&shop);
    terminal.type_line("i understand");
    declined(&shop, terminal, &before);
}

#[test]
fn the_phrase_with_a_blank_behind_it_declines() {
    let shop = support::shop("5.2", 15);
    let before = contents(&shop.database);
    let mut terminal = at_the_phrase(&shop);
    terminal.type_line("I understand ");
    declined(&shop, terminal, &before);
}

#[test]
fn return_alone_does_not_apply() {
    let shop = support::shop("5.2", 15);
    let before = contents(&shop.database);
    let mut terminal = support::cli(&shop).args(["run", "--apply"]).tty();
    terminal.wait_for(PARAMETERS);
    terminal.type_line("");
    terminal.wait_for(APPLY);
    terminal.type_line("");
    declined(&shop, terminal, &before);
}

/// The parameters come first: before Python, before the backup.
#[test]
fn declined_parameters_end_the_run_before_it_looks_at_anything() {
    let shop = support::shop("5.2", 15);
    let mut terminal = support::cli(&shop).args(["run", "--apply"]).tty();
    terminal.wait_for(PARAMETERS);
    let shown = terminal.output();
    in_order(
        &shown,
        &[
            "app_name",
            "all apps",
            "dry_run",
            "false",
            "backup_first",
            "true",
            "database",
            "default",
        ],
    );
    terminal.type_line("n");
    assert_eq!(terminal.finish(), 11, "{}", terminal.output());
    assert!(!shop.folder().join("backups").exists());
    let journal = files(&shop.folder().join(".django-migrate/runs"))
        .into_iter()
        .find(|name| name.ends_with("journal.jsonl"))
        .expect("a journal");
    let journal = read(&shop.folder().join(".django-migrate/runs").join(journal));
    assert!(
        !journal.contains("step_started\",\"step\":\"pending"),
        "{journal}"
    );
}

#[test]
fn a_dry_run_at_a_terminal_asks_for_the_parameters_alone() {
    let shop = support::shop("5.2", 15);
    let mut terminal = support::cli(&shop).args(["run"]).tty();
    terminal.wait_for(PARAMETERS);
    terminal.type_line("");
    assert_eq!(terminal.finish(), 0, "{}", terminal.output());
    assert_eq!(applied(&shop.database, "shop"), SHOP_APPLIED);
}

#[test]
fn no_backup_must_be_typed() {
    let shop = support::shop("5.2", 15);
    for (typed, code) in [("No backup", 11), ("yes", 11), ("no backup", 0)] {
        let mut terminal = support::cli(&shop).args(["run", "--no-backup"]).tty();
        terminal.wait_for(PARAMETERS);
        terminal.type_line("");
        terminal.wait_for("Type exactly \"no backup\"");
        terminal.type_line(typed);
        assert_eq!(terminal.finish(), code, "{typed}: {}", terminal.output());
    }
    assert!(!shop.folder().join("backups").exists());
}

#[test]
fn ctrl_c_at_a_question_is_an_interruption() {
    let shop = support::shop("5.2", 15);
    let before = contents(&shop.database);
    let mut terminal = at_the_phrase(&shop);
    terminal.ctrl_c();
    assert_eq!(terminal.finish(), 130, "{}", terminal.output());
    assert_eq!(contents(&shop.database), before);
    let report = support::cli(&shop)
        .args(["report", "latest", "--format", "json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(
        (&report["error"]["class"], &report["changed"]),
        (&"interrupted".into(), &"no".into())
    );
}

#[test]
fn ctrl_d_at_a_question_is_no_answer() {
    let shop = support::shop("5.2", 15);
    let before = contents(&shop.database);
    let mut terminal = at_the_phrase(&shop);
    terminal.type_bytes(b"\x04");
    declined(&shop, terminal, &before);
}

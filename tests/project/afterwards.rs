//! What stays of a run that halted in its first step: a report that says so, and nothing else.

use super::halt::{files, halts};
use crate::support::{Shop, cli, shop, shop_with};

/// The shop with two ends.
fn conflicted() -> Shop {
    let shop = shop("5.2", 15);
    let text = shop
        .read_file("shop/migrations/0008_remove_item_legacy_code.py")
        .unwrap();
    shop.write_file("shop/migrations/0008_other_branch.py", &text)
        .unwrap();
    shop
}

#[test]
fn the_report_of_a_halt_says_what_went_wrong_and_what_to_do() {
    let shop = conflicted();
    halts(&shop, &["run", "--apply", "--yes"], 22, "plan-conflict");
    let markdown = cli(&shop)
        .args(["report", "latest", "--format", "markdown"])
        .run()
        .expect(0)
        .stdout;
    for words in [
        "## Migration Halted",
        "exit code 22: the database was not changed",
        "**plan-conflict**",
        "0008_other_branch, 0008_remove_item_legacy_code in shop",
        "makemigrations --merge",
        "Not known: the run halted before it had a plan.",
        "Nothing to roll back.",
        "| 1. Pending migrations | **halted** |",
    ] {
        assert!(markdown.contains(words), "{words}\n{markdown}");
    }
    let json = cli(&shop)
        .args(["report", "latest", "--format", "json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(json["exit_code"], 22, "{json:#}");
    assert_eq!(json["changed"], "no");
    assert_eq!(json["error"]["class"], "plan-conflict");
    let names: Vec<String> = files(&shop.folder().join(".django-migrate"))
        .iter()
        .filter_map(|path| {
            path.file_name()
                .map(|name| name.to_string_lossy().into_owned())
        })
        .collect();
    assert_eq!(
        names,
        [".gitignore", "journal.jsonl", "report.json", "report.md"]
    );
}

#[test]
fn what_a_person_sees_at_a_halt() {
    let shop = conflicted();
    let ran = cli(&shop)
        .filter(r"django-migrate \d+\.\d+\.\d+", "django-migrate [VERSION]")
        .args(["run"])
        .run();
    insta::assert_snapshot!(ran.snapshot(), @r"
    exit code: 22
    ----- stdout -----
    Halted with exit code 22: the database was not changed.
      time       [TIME]
      mode       dry run, apps: all
      backup     none was taken in this run
      run        [RUN]

    report: .django-migrate/runs/[RUN]/report.md
    ----- stderr -----
    django-migrate [VERSION]
      app_name      all apps
      dry_run       true: nothing in the database is changed
      backup_first  true
      database      default
    [1/7] Pending migrations
          halted [SECONDS]
    [7/7] Report
          passed [SECONDS]
    error: Conflicting migrations detected; multiple leaf nodes in the migration graph: (0008_other_branch, 0008_remove_item_legacy_code in shop).
      ends:     shop.0008_other_branch, shop.0008_remove_item_legacy_code
      settings: config.settings
    hint: `manage.py makemigrations --merge` joins the two ends; look at what both do first
    ");
}

#[test]
fn a_halt_fits_a_narrow_terminal() {
    let shop = conflicted();
    let mut terminal = cli(&shop).args(["run"]).tty();
    terminal.wait_for("Go on with these parameters?");
    terminal.type_line("y");
    assert_eq!(terminal.finish(), 22);
    let screen = terminal.screen();
    for words in [
        "error:",
        "0008_other_branch",
        "hint:",
        "makemigrations --merge",
        "the database was not changed",
    ] {
        assert!(screen.contains(words), "{words}\n{screen}");
    }
}

#[test]
fn a_no_to_the_parameters_starts_nothing() {
    let shop = shop_with("5.2", 15, |builder| {
        builder.settings("open('started', 'w').close()")
    });
    let mut terminal = cli(&shop).args(["run"]).tty();
    terminal.wait_for("Go on with these parameters?");
    terminal.type_line("n");
    assert_eq!(terminal.finish(), 11);
    assert!(!shop.folder().join("started").exists(), "not even Python");
}

//! Whole screens: exit code, stdout and stderr together, as a person sees them without a terminal.
//!
//! A change of words shows here as a difference to be read. `INSTA_UPDATE=always cargo xtask test screens` takes them
//! anew.

use crate::support::{self, Shop, TestCli};

/// What differs from machine to machine although the harness pins it where it can.
fn screen(shop: &Shop) -> TestCli {
    support::cli(shop)
        .filter(r"Python \d+\.\d+\.\d+", "Python [VERSION]")
        .filter(r"Django \d+\.\d+(\.\d+)?", "Django [VERSION]")
        .filter(r"psycopg \d+\.\d+\.\d+", "psycopg [VERSION]")
        .filter(r"PostgreSQL \d+\.\d+", "PostgreSQL [VERSION]")
        .filter(r"pg_dump \d+\.\d+", "pg_dump [VERSION]")
        .filter(r"\d+(\.\d+)? (kB|MB)", "[SIZE]")
}

#[test]
fn a_check() {
    let shop = support::shop("5.2", 15);
    insta::assert_snapshot!(screen(&shop).arg("check").run().snapshot());
}

#[test]
fn a_status() {
    let shop = support::shop("5.2", 15);
    insta::assert_snapshot!(screen(&shop).args(["status", "shop"]).run().snapshot());
}

#[test]
fn a_dry_run() {
    let shop = support::shop("5.2", 15);
    insta::assert_snapshot!(screen(&shop).arg("run").run().snapshot());
}

#[test]
fn an_apply_that_was_not_confirmed() {
    let shop = support::shop("5.2", 15);
    let flags = [
        "-q",
        "run",
        "--apply",
        "--yes",
        "--no-backup",
        "--acknowledge-no-backup",
    ];
    insta::assert_snapshot!(screen(&shop).args(flags).run().snapshot());
}

#[test]
fn a_folder_that_is_no_project() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = support::cli_in(folder.path())
        .filter(&regex_of(folder.path()), "[FOLDER]")
        .arg("run")
        .run();
    insta::assert_snapshot!(ran.snapshot());
}

fn regex_of(path: &std::path::Path) -> String {
    path.display().to_string().replace('.', r"\.")
}

//! What a question is about stands before it, however little of the talk was asked for.

use super::common::{applied, in_order};
use crate::support::{self, SHOP_APPLIED};

/// A person at a terminal who kept the talk away says yes to all but the phrase.
#[track_caller]
fn asks_openly(flags: &[&str]) {
    let shop = support::shop("5.2", 15);
    let mut terminal = support::cli(&shop)
        .args(["run", "--apply", "--no-backup", "--acknowledge-no-backup"])
        .args(flags)
        .tty();
    terminal.wait_for("Go on with these parameters? [Y/n]");
    let shown = terminal.output();
    in_order(
        &shown,
        &[
            "app_name",
            "all apps",
            "dry_run",
            "false",
            "backup_first",
            "false",
            "Go on",
        ],
    );
    terminal.type_line("y");
    terminal.wait_for("[y/N]");
    let shown = terminal.output();
    for pending in ["[ ] shop.0004", "[ ] shop.0008", "ask "] {
        assert!(shown.contains(pending), "no `{pending}` in:\n{shown}");
    }
    terminal.type_line("y");
    terminal.wait_for("Type exactly");
    let shown = terminal.output();
    in_order(
        &shown,
        &[
            "[y/N]",
            "DESTRUCTIVE",
            "shop_",
            "brings it back",
            "Type exactly",
        ],
    );
    terminal.type_line("no");
    assert_eq!(terminal.finish(), 11, "{}", terminal.output());
    assert_eq!(applied(&shop.database, "shop").len(), SHOP_APPLIED.len());
}

#[test]
fn a_quiet_run_shows_what_it_asks_about() {
    asks_openly(&["-q"]);
}

#[test]
fn a_run_for_a_script_shows_what_it_asks_about() {
    asks_openly(&["--format", "json"]);
}

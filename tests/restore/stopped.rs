//! A restore that is interrupted: nothing stands under the name that was wanted, and what is left is said.

use rustix::process::Signal;

use super::common::Scene;
use crate::workflow::common::{in_order, until};

/// A dump that takes a minute in the middle.
const SLOW: &str = "CREATE TABLE public.a (id integer);\nSELECT pg_catalog.pg_sleep(60);\n";

#[test]
fn ctrl_c_leaves_nothing() {
    let scene = Scene::new();
    let file = scene.foreign("slow.sql", SLOW);
    for flags in [&["--jobs", "2"][..], &["--single-transaction"]] {
        let mut terminal = scene.restore_file(&file).args(flags).tty_of(120, 40);
        until("the load has begun", || sleeping(&scene) == 1);
        terminal.ctrl_c();
        assert_eq!(terminal.finish(), 130, "{}", terminal.screen());
        in_order(
            &terminal.output(),
            &["interrupted (Ctrl-C)", "nothing of the restore is left"],
        );
        assert!(scene.databases().is_empty(), "{:?}", scene.databases());
        assert_eq!(sleeping(&scene), 0);
    }
}

#[test]
fn sigterm_leaves_what_it_was_told_to_keep() {
    let scene = Scene::new();
    let file = scene.foreign("slow.sql", SLOW);
    let cli = scene
        .restore_file(&file)
        .args(["--jobs", "1", "--keep-unfinished"]);
    let mut terminal = cli.tty_of(120, 40);
    until("the load has begun", || sleeping(&scene) == 1);
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.finish(), 143, "{}", terminal.screen());
    let left = scene.databases();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_ne!(left[0], scene.into);
    in_order(&terminal.output(), &["terminated", &left[0]]);
}

/// Sessions of the restore that sleep.
fn sleeping(scene: &Scene) -> usize {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep' \
         AND starts_with(datname, '{}')",
        scene.into
    );
    let count = scene.server().scalar("postgres", &sql).expect("sessions");
    count.parse().expect("a number")
}

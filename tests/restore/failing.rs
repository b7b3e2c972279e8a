//! Statements that fail: which line, which error, what is left.

use super::common::{Scene, because};
use crate::workflow::common::{in_order, text};

const BROKEN: &str = "CREATE TABLE public.a (id integer);\n\
                      SELECT nothing_of_that_name();\n\
                      CREATE TABLE public.b (id integer);\n\
                      SELECT 1/0;\n\
                      CREATE TABLE public.c (id integer);\n";

#[test]
fn the_first_error_ends_it_and_nothing_is_left() {
    let scene = Scene::new();
    let file = scene.foreign("broken.sql", BROKEN);
    for flags in [&["--jobs", "2"][..], &["--single-transaction"]] {
        let document = because(
            &scene.restore_file(&file).args(flags),
            70,
            "restore-failed",
            "no",
            &[
                "line 9",
                "nothing_of_that_name",
                "42883",
                "--keep-unfinished",
            ],
        );
        let errors = document["errors"].as_array().expect("errors");
        assert_eq!(errors.len(), 1, "{document:#}");
        assert_eq!(
            (&errors[0]["line"], &errors[0]["sqlstate"]),
            (&9.into(), &"42883".into())
        );
        assert!(scene.databases().is_empty());
    }
    let ran = scene.restore_file(&file).run().expect(70);
    in_order(
        &ran.stderr,
        &["error:", "line 9", "42883", "SELECT nothing_of_that_name()"],
    );
    assert_eq!(ran.stdout, "");
}

#[test]
fn what_did_not_come_to_its_end_may_be_kept_under_a_name_that_says_so() {
    let scene = Scene::new();
    let file = scene.foreign("broken.sql", BROKEN);
    let document = because(
        &scene
            .restore_file(&file)
            .args(["--jobs", "1", "--keep-unfinished"]),
        70,
        "restore-failed",
        "yes",
        &["line 9"],
    );
    let left = scene.databases();
    let [name] = left.as_slice() else {
        panic!("one database: {left:?}");
    };
    assert_ne!(*name, scene.into);
    assert!(
        text(&document["error"]["message"]).contains(name.as_str()),
        "{document:#}"
    );
    let kept = scene.server().scalar(
        name,
        "SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b')",
    );
    assert_eq!(kept.expect("its tables"), "1");
}

#[test]
fn errors_that_are_passed_over_are_never_success() {
    let scene = Scene::new();
    let file = scene.foreign("broken.sql", BROKEN);
    let cli = scene.restore_file(&file).arg("--keep-going");
    let document = because(
        &cli,
        70,
        "restore-errors-kept-going",
        "yes",
        &["2 statements", &scene.into],
    );
    let errors: Vec<(u64, &str)> = document["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|e| (e["line"].as_u64().expect("a line"), text(&e["sqlstate"])))
        .collect();
    assert_eq!(errors, [(9, "42883"), (11, "22012")]);
    assert_eq!(document["database"], scene.into.as_str());
    assert_eq!(
        scene.scalar("SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b', 'c')"),
        "3"
    );
    scene.on_server(&format!("DROP DATABASE \"{}\"", scene.into));
    let ran = scene
        .restore_file(&file)
        .arg("--keep-going")
        .run()
        .expect(70);
    in_order(
        &ran.stderr,
        &["line 9", "42883", "line 11", "22012", "error: 2 statements"],
    );
    in_order(&ran.stdout, &[&scene.into, "line 9", "line 11"]);
}

#[test]
fn a_row_that_does_not_fit_is_told_by_its_line() {
    let scene = Scene::new();
    let file = scene.foreign(
        "rows.sql",
        "CREATE TABLE public.a (id integer);\nCOPY public.a (id) FROM stdin;\n1\nseven\n\\.\n",
    );
    because(
        &scene.restore_file(&file),
        70,
        "restore-failed",
        "no",
        &["line 11", "seven", "22P02"],
    );
    assert!(scene.databases().is_empty());
}

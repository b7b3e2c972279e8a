//! What is refused before anything is loaded; the server is as it was.

use super::common::{Scene, because};
use crate::support;
use crate::workflow::common::{contents, in_order};

#[test]
fn a_database_that_is_not_empty_is_left_alone() {
    let mut scene = Scene::new();
    scene.into = scene.blog.database.name().to_owned();
    let before = contents(&scene.blog.database);
    because(
        &scene.restore(),
        10,
        "restore-target-not-empty",
        "no",
        &[&scene.into, "--clean"],
    );
    assert_eq!(contents(&scene.blog.database), before);
    scene.into.push_str("_back");
}

#[test]
fn usage_is_refused_with_what_is_allowed() {
    let scene = Scene::new();
    for (flags, words) in [
        (&["--jobs", "0"][..], &["jobs", "1 to 64"][..]),
        (
            &["--jobs", "2", "--single-transaction"],
            &["--jobs", "cannot be used"],
        ),
        (
            &["--keep-going", "--single-transaction"],
            &["cannot be used", "--single-transaction"],
        ),
        (&["--terminate-sessions"], &["--clean"]),
        (&["--confirm-database", "x"], &["--clean"]),
    ] {
        let ran = scene.restore().args(flags).run().expect(2);
        in_order(&ran.stderr, words);
    }
    for name in ["postgres", "template1", "", &"x".repeat(64)] {
        let ran = support::cli(&scene.blog.project)
            .args(["restore", &scene.file.display().to_string(), "--into", name])
            .run()
            .expect(2);
        in_order(&ran.stderr, &["--into", name]);
    }
    assert!(scene.databases().is_empty());
}

#[test]
fn a_file_that_is_not_there_is_no_damaged_backup() {
    let scene = Scene::new();
    let gone = scene.blog.project.folder().join("gone.sql.gz");
    because(
        &scene.restore_file(&gone),
        2,
        "usage",
        "no",
        &["gone.sql.gz", "backup list"],
    );
}

#[test]
fn a_damaged_file_is_not_restored() {
    let scene = Scene::new();
    let bytes = std::fs::read(&scene.file).expect("the file");
    let middle = bytes.len() / 2;
    let mut flipped = bytes.clone();
    flipped[middle] ^= 0x10;
    for wrong in [&bytes[..middle], &flipped, &[]] {
        std::fs::write(&scene.file, wrong).expect("written");
        because(
            &scene.restore(),
            41,
            "backup-unverified",
            "no",
            &[".sql.gz"],
        );
        assert!(scene.databases().is_empty());
    }
}

#[test]
fn a_meta_command_of_psql_is_refused_by_its_line() {
    let scene = Scene::new();
    let file = scene.foreign(
        "evil.sql",
        "CREATE TABLE public.a (id integer);\n\\! touch owned\n",
    );
    let document = scene.restore_file(&file).args(["--format", "json"]).run();
    assert!(
        [41, 70].contains(&document.code()),
        "{}",
        document.snapshot()
    );
    assert!(
        document.stdout.contains("line 9"),
        "{}",
        document.snapshot()
    );
    assert_eq!(document.json()["changed"], "no");
    assert!(!scene.blog.project.folder().join("owned").exists());
    assert!(scene.databases().is_empty());
}

#[test]
fn a_role_that_is_not_there_is_missed_before_the_first_statement() {
    let scene = Scene::new();
    let file = scene.foreign(
        "owned.sql",
        "CREATE TABLE public.a (id integer);\nALTER TABLE public.a OWNER TO nobody_here;\n\
         GRANT SELECT ON TABLE public.a TO reader_not_here;\n",
    );
    because(
        &scene.restore_file(&file),
        70,
        "restore-needs-missing",
        "no",
        &["nobody_here", "reader_not_here", "--no-owner"],
    );
    because(
        &scene.restore_file(&file).arg("--no-owner"),
        70,
        "restore-needs-missing",
        "no",
        &["reader_not_here"],
    );
    assert!(scene.databases().is_empty());
    let ran = scene
        .restore_file(&file)
        .args(["--no-owner", "--no-privileges", "--format", "json"])
        .run()
        .expect(0);
    assert_eq!(
        ran.json()["skipped"].as_array().map(Vec::len),
        Some(2),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_role_that_may_not_make_databases_is_told_so() {
    let scene = Scene::new();
    let role = format!("maker_{}", scene.blog.database.name());
    scene
        .server()
        .create_role(&role, "PASSWORD 'makes'")
        .expect("a role");
    let dsn = scene.server().dsn_as(&role, "makes", "postgres");
    let cli = scene.restore().args(["--dsn", &dsn, "--no-owner"]);
    let ran = cli.args(["--format", "json"]).run();
    let document = ran.json();
    scene.on_server(&format!("DROP ROLE {role}"));
    assert_eq!(document["changed"], "no", "{document:#}");
    assert!(ran.stdout.contains("CREATEDB"), "{document:#}");
    assert!(!ran.stdout.contains("'makes'") && !ran.stderr.contains("makes@"));
    assert!([31, 70].contains(&ran.code()), "{}", ran.snapshot());
}

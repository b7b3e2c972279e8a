//! A backup comes back as it was.

use super::common::Scene;
use crate::support;
use crate::workflow::common::{in_order, text};

#[test]
fn each_format_comes_back_into_a_new_database() {
    for format in ["plain", "custom", "directory"] {
        let scene = Scene::taken(&["--backup-format", format]);
        let ran = scene
            .restore()
            .args(["--jobs", "2", "--format", "json"])
            .run()
            .expect(0);
        let document = ran.json();
        assert_eq!(
            (
                &document["schema_version"],
                &document["command"],
                &document["database"]
            ),
            (&1.into(), &"restore".into(), &scene.into.as_str().into())
        );
        assert_eq!(
            (&document["rows"], &document["tables"]),
            (&21.into(), &2.into()),
            "{document:#}"
        );
        assert_eq!(document["errors"], serde_json::json!([]));
        assert!(document["statements"].as_u64() > Some(5), "{document:#}");
        assert!(document["seconds"].as_f64() > Some(0.0), "{document:#}");
        assert!(document.get("error").is_none() && document.get("changed").is_none());
        assert_eq!(scene.databases(), [scene.into.as_str()], "{format}");
        scene.is_the_same();
    }
}

#[test]
fn each_way_of_loading_gives_the_same() {
    for flags in [
        &["--single-transaction"][..],
        &["--jobs", "1", "--no-analyze"],
        &["--jobs", "4", "--keep-going", "--keep-unfinished"],
        &["--no-owner", "--no-privileges"],
    ] {
        let scene = Scene::new();
        scene.restore().args(flags).run().expect(0);
        scene.is_the_same();
        let analyzed = scene.scalar("SELECT count(*) FROM pg_stats WHERE tablename = 'blog_post'");
        assert_eq!(
            analyzed == "0",
            flags.contains(&"--no-analyze"),
            "{flags:?}: {analyzed}"
        );
    }
}

#[test]
fn an_empty_database_is_filled() {
    let scene = Scene::new();
    scene.on_server(&format!("CREATE DATABASE \"{}\"", scene.into));
    let ran = scene.restore().run().expect(0);
    in_order(&ran.stderr, &["which is there and has to be empty"]);
    scene.is_the_same();
}

#[test]
fn a_person_reads_what_the_file_is_and_what_came_of_it() {
    let scene = Scene::new();
    let ran = scene.restore().run().expect(0);
    in_order(
        &ran.stderr,
        &[
            ".sql.gz",
            "database ",
            "ago)",
            "plain gzip:",
            "2 tables, 21 rows",
            "verified when it was taken: counts",
            "the project's database default",
            "a new database",
        ],
    );
    in_order(
        &ran.stdout,
        &[
            &scene.into,
            "2 tables, 21 rows",
            "1 migration recorded in it, as the project has them on disk",
        ],
    );
}

/// A restore is wanted most when the database is gone.
#[test]
fn the_projects_own_database_comes_back_after_it_was_dropped() {
    let mut scene = Scene::new();
    scene.into = scene.blog.database.name().to_owned();
    let before = crate::workflow::common::contents(&scene.blog.database);
    scene.on_server(&format!("DROP DATABASE \"{}\"", scene.into));
    let document = scene
        .restore()
        .args(["--format", "json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(
        document["history"]["pending"],
        serde_json::json!([]),
        "{document:#}"
    );
    assert_eq!(
        crate::workflow::common::contents(&scene.blog.database),
        before
    );
    // the scene's own database is dropped with it
    scene.into.push_str("_back");
}

#[test]
fn a_dump_of_somebody_elses_is_read_first() {
    let scene = Scene::new();
    let file = scene.foreign(
        "theirs.sql",
        "CREATE TABLE public.a (id integer);\nCOPY public.a (id) FROM stdin;\n1\n2\n\\.\n",
    );
    let ran = scene.restore_file(&file).run().expect(0);
    in_order(
        &ran.stderr,
        &["theirs.sql", "no manifest of ours beside it"],
    );
    in_order(
        &ran.stdout,
        &["1 table, 2 rows", "no table django_migrations in it"],
    );
    assert_eq!(scene.scalar("SELECT sum(id) FROM public.a"), "3");
}

#[test]
fn the_password_is_in_no_output() {
    let scene = Scene::new();
    let server = support::shared(15);
    let ran = scene.restore().arg("-v").run().expect(0);
    let again = scene.restore().arg("-v").run();
    for out in [&ran.stdout, &ran.stderr, &again.stdout, &again.stderr] {
        assert!(!out.contains(server.password()), "{out}");
    }
    let document = scene
        .restore()
        .args(["--dsn", &server.dsn("postgres"), "--format", "json"])
        .run()
        .expect(10);
    assert!(
        !document.stdout.contains(server.password())
            && !document.stderr.contains(server.password())
    );
    assert_eq!(text(&document.json()["command"]), "restore");
}

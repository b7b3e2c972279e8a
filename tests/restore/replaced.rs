//! `--clean`: a database takes the place of another once its name was typed.

use super::common::{Scene, because};
use crate::workflow::common::in_order;

impl Scene {
    /// A database with something in it stands under the name that is wanted.
    #[track_caller]
    fn occupied() -> Self {
        let scene = Self::new();
        scene.on_server(&format!("CREATE DATABASE \"{}\"", scene.into));
        scene
            .server()
            .execute(&scene.into, "CREATE TABLE public.old AS SELECT 1 AS n")
            .expect("a table");
        scene
    }

    #[track_caller]
    fn is_as_it_was(&self) {
        assert_eq!(self.scalar("SELECT n FROM public.old"), "1");
        assert_eq!(self.databases(), [self.into.as_str()]);
    }
}

#[test]
fn without_the_name_nothing_is_replaced() {
    let scene = Scene::occupied();
    let clean = scene.restore().arg("--clean");
    because(
        &clean,
        11,
        "not-confirmed",
        "no",
        &["--confirm-database", &scene.into],
    );
    for wrong in ["", "yes", &scene.into.to_uppercase()] {
        let cli = clean.clone().args(["--confirm-database", wrong]);
        because(&cli, 11, "declined", "no", &["not exactly"]);
    }
    scene.is_as_it_was();
}

#[test]
fn a_name_that_is_given_is_enough_without_a_terminal() {
    let scene = Scene::occupied();
    scene
        .restore()
        .args(["--clean", "--confirm-database", &scene.into])
        .run()
        .expect(0);
    scene.is_the_same();
}

/// What the backup lacks is gone with the old database: that is said however quiet it is to be.
#[test]
fn a_backup_of_a_part_says_so_before_it_takes_the_place_of_a_whole() {
    let scene = Scene::taken(&["--schema-only"]);
    scene.on_server(&format!("CREATE DATABASE \"{}\"", scene.into));
    let told = scene.restore().args(["--clean", "-q"]).run().expect(11);
    let of = format!(
        "The backup is of database \"{}\"",
        scene.blog.database.name()
    );
    for words in [
        of.as_str(),
        "does not hold everything: definitions only, no rows",
    ] {
        let said = told.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_name_is_typed_on_a_terminal() {
    let scene = Scene::occupied();
    let mut terminal = scene.restore().arg("--clean").tty_of(120, 40);
    terminal.wait_for("Type the name of the database");
    in_order(&terminal.screen(), &[&scene.into, "which nobody uses now"]);
    terminal.type_line("yes");
    assert_eq!(terminal.finish(), 11);
    scene.is_as_it_was();

    let mut terminal = scene.restore().arg("--clean").tty_of(120, 40);
    terminal.wait_for("Type the name of the database");
    terminal.type_line(&scene.into);
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    scene.is_the_same();
}

#[test]
fn an_interrupt_at_the_question_changes_nothing() {
    let scene = Scene::occupied();
    let mut terminal = scene.restore().arg("--clean").tty_of(120, 40);
    terminal.wait_for("Type the name of the database");
    terminal.ctrl_c();
    assert_eq!(terminal.finish(), 130);
    scene.is_as_it_was();
}

#[test]
fn a_database_in_use_is_replaced_only_where_its_sessions_may_be_ended() {
    let scene = Scene::occupied();
    let clean = scene
        .restore()
        .args(["--clean", "--confirm-database", &scene.into]);
    let name = scene.into.clone();
    let ran = scene.server().with_client(&name, |client| {
        client.batch_execute("SET application_name = 'gunicorn'")?;
        because(
            &clean,
            10,
            "restore-target-in-use",
            "no",
            &["in use", "gunicorn", "--terminate-sessions"],
        );
        let ends = scene.restore().args(["--clean", "--terminate-sessions"]);
        let mut terminal = ends.tty_of(160, 40);
        terminal.wait_for("Type the name of the database");
        in_order(
            &terminal.screen(),
            &["1 session of", "gunicorn", "will be ended"],
        );
        terminal.type_line(&scene.into);
        let code = terminal.finish();
        let cut = client.batch_execute("SELECT 1").is_err();
        Ok((code, terminal.screen(), cut))
    });
    let (code, screen, cut) = ran.expect("a session");
    assert_eq!(code, 0, "{screen}");
    assert!(cut, "the old session is gone");
    scene.is_the_same();
}

/// There is nothing to replace, and so nothing to ask.
#[test]
fn clean_without_a_database_of_that_name_makes_one() {
    let scene = Scene::new();
    scene.restore().arg("--clean").run().expect(0);
    scene.is_the_same();
}

/// A load that fails leaves the old one in its place.
#[test]
fn a_replacement_that_fails_replaces_nothing() {
    let scene = Scene::occupied();
    let file = scene.foreign(
        "broken.sql",
        "CREATE TABLE public.a (id integer);\nSELECT 1/0;\n",
    );
    let cli = scene
        .restore_file(&file)
        .args(["--clean", "--confirm-database", &scene.into]);
    because(&cli, 70, "restore-failed", "no", &["division by zero"]);
    scene.is_as_it_was();
}

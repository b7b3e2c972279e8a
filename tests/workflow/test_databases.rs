//! Where the project's tests go, what they get from us, and what they must not give away.

use std::fmt::Write as _;

use super::common::{Blog, Told, blog, files, models, read, text};
use crate::support::{self, TestCli};

const PASSES: &str = "from django.test import TestCase


class ModelTests(TestCase):
    def test_model(self):
        pass
";

/// A blog with one pending migration, a test that passes, and these settings below its own.
fn with_settings(settings: &str) -> Blog {
    let blog = blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations(
                "0002_likes",
                "migrations.AddField('post', 'likes', models.IntegerField(null=True))",
            )
    });
    let path = blog.project.folder().join("config/settings.py");
    let mut all = read(&path);
    let _ = write!(all, "\n{settings}\n");
    std::fs::write(path, all).expect("written");
    write_test(&blog, PASSES);
    blog
}

fn write_test(blog: &Blog, test: &str) {
    blog.project
        .write_file("blog/tests.py", test)
        .expect("written");
}

fn run(blog: &Blog) -> TestCli {
    support::cli(&blog.project).args([
        "run",
        "--no-backup",
        "--acknowledge-no-backup",
        "--format",
        "json",
    ])
}

fn apply(blog: &Blog) -> TestCli {
    run(blog).args(["--apply", "--yes"])
}

/// Everything that notes say.
fn notes(told: &Told) -> String {
    let notes = told.of_kind("note");
    notes
        .iter()
        .map(|line| text(&line["message"]).to_owned() + "\n")
        .collect()
}

#[test]
fn a_dry_run_names_the_server_and_the_database_of_the_tests() {
    let blog = with_settings("");
    let told = Told::by(run(&blog).run(), 0);
    let place = format!(
        "would make and remove test_{} on {}:{}",
        blog.database.name(),
        blog.database.server().host(),
        blog.database.server().port()
    );
    assert!(notes(&told).contains(&place), "{}", notes(&told));
}

#[test]
fn the_test_database_of_another_alias_is_kept_too() {
    let blog = with_settings("");
    let logs = format!("logs_{}", blog.database.name());
    let path = blog.project.folder().join("config/settings.py");
    let settings = read(&path)
        + &format!("\nDATABASES['logs'] = {{**DATABASES['default'], 'NAME': '{logs}'}}\n");
    std::fs::write(path, settings).expect("written");
    let precious = blog
        .database
        .server()
        .named_database(&format!("test_{logs}"))
        .expect("a database");
    precious
        .execute("CREATE TABLE precious (n int)")
        .expect("a table");
    let told = Told::by(run(&blog).run(), 0);
    let warned = format!("will not run: the database `test_{logs}` exists already");
    assert!(notes(&told).contains(&warned), "{}", notes(&told));
    let told = Told::by(apply(&blog).run(), 61)
        .because("tests-unsafe", "yes")
        .says(&[precious.name(), "alias logs", "--skip-tests"]);
    assert!(told.of_kind("tests_started").is_empty());
    let rows = precious.scalar("SELECT count(*) FROM precious");
    assert_eq!(rows.expect("it is there"), "0");
    drop(precious);
    // it is gone: now both are named, and both are made and removed
    blog.execute("ALTER TABLE blog_post DROP COLUMN likes");
    blog.execute("DELETE FROM django_migrations WHERE name = '0002_likes'");
    let told = Told::by(apply(&blog).run(), 0);
    let databases = told.of_kind("tests_started")[0]["databases"].clone();
    let names: Vec<&str> = databases
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| text(&d["database"]))
        .collect();
    let default = format!("test_{}", blog.database.name());
    assert_eq!(names, [default, format!("test_{logs}")]);
}

#[test]
fn an_alias_that_cannot_be_asked_stops_the_tests() {
    let blog = with_settings(
        "DATABASES['far'] = {**DATABASES['default'], 'HOST': '127.0.0.1', 'PORT': '1', 'NAME': 'far'}",
    );
    let told = Told::by(apply(&blog).run(), 61)
        .because("tests-unsafe", "yes")
        .says(&["test_far", "127.0.0.1:1", "alias far", "cannot be checked"]);
    assert!(told.of_kind("tests_started").is_empty());
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
}

#[test]
fn a_mirror_has_no_test_database_of_its_own() {
    let blog = with_settings(
        "DATABASES['replica'] = {**DATABASES['default'], 'PORT': '1', 'TEST': {'MIRROR': 'default'}}",
    );
    let told = Told::by(apply(&blog).run(), 0);
    let databases = &told.of_kind("tests_started")[0]["databases"];
    assert_eq!(databases.as_array().map(Vec::len), Some(1), "{databases}");
}

#[test]
fn pythonpath_reaches_the_tests() {
    let blog = with_settings("");
    blog.project
        .write_file("lib/beside.py", "HERE = 'found beside'\n")
        .expect("written");
    write_test(
        &blog,
        &format!("import beside\nprint(beside.HERE)\n{PASSES}"),
    );
    let told = Told::by(apply(&blog).args(["--pythonpath", "lib"]).run(), 0);
    assert!(told.tests_log(&blog.project).contains("found beside"));
}

#[test]
fn what_the_tests_print_holds_no_secret() {
    const OTHER: &str = "0ther-al1as-pass";
    const TOKEN: &str = "t0ken-0f-payment";
    let blog = with_settings(&format!(
        "DATABASES['replica'] = {{**DATABASES['default'], 'PASSWORD': '{OTHER}', 'TEST': {{'MIRROR': 'default'}}}}"
    ));
    let shouts = "        import os
        from django.conf import settings
        print('said', settings.DATABASES['replica']['PASSWORD'], flush=True)
        self.fail('failed with ' + os.environ['PAYMENT_TOKEN'])
";
    write_test(&blog, &PASSES.replace("        pass\n", shouts));
    let ran = apply(&blog).arg("-v").env("PAYMENT_TOKEN", TOKEN).run();
    let mut places = vec![
        ("stdout".to_owned(), ran.stdout.clone()),
        ("stderr".to_owned(), ran.stderr.clone()),
    ];
    let told = Told::by(ran, 61)
        .because("tests-failed", "yes")
        .says(&["failed with ***"]);
    assert!(told.tests_log(&blog.project).contains("said ***"));
    let folder = blog.project.folder().join(".django-migrate");
    for name in files(&folder) {
        let bytes = std::fs::read(folder.join(&name)).expect("a file");
        places.push((name, String::from_utf8_lossy(&bytes).into_owned()));
    }
    for (place, text) in places {
        for secret in [OTHER, TOKEN] {
            assert!(!text.contains(secret), "{secret} is in {place}");
        }
    }
}

/// Settings that print the password do so before the bridge can say what the password is.
#[test]
fn check_shows_no_password_that_settings_print() {
    const PASSWORD: &str = "s3ttings-print-it";
    let server = support::shared(15);
    server
        .create_role(
            "prints_password",
            &format!("SUPERUSER PASSWORD '{PASSWORD}'"),
        )
        .expect("a role");
    let shop = support::shop_with("5.2", 15, |builder| {
        builder
            .login("prints_password", PASSWORD)
            .settings("print('connecting with', DATABASES['default']['PASSWORD'])")
    });
    let ran = support::cli(&shop).args(["check", "-v"]).run();
    assert!(
        ran.stderr.contains("connecting with ***"),
        "{}",
        ran.snapshot()
    );
    assert!(!ran.stderr.contains(PASSWORD), "{}", ran.snapshot());
}

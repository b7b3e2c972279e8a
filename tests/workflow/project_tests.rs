//! Step 6: the project's own tests, found or named, and each of their ends.

use super::common::{Blog, Told, blog, in_order, models, text};
use crate::support::{self, Project, TestCli};

const TESTS: &str = "from django.test import TestCase

from blog.models import Post


class ModelTests(TestCase):
    def test_model_post(self):
        self.assertEqual(Post.objects.create(title='a', slug='b').likes, None)

    def test_database_is_empty(self):
        self.assertEqual(Post.objects.count(), EXPECTED)


EXPECTED = 0
";

/// A blog with one pending migration and these test files.
fn with(files: &[(&str, &str)]) -> Blog {
    let blog = blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations(
                "0002_likes",
                "migrations.AddField('post', 'likes', models.IntegerField(null=True))",
            )
    });
    for (path, text) in files {
        blog.project.write_file(path, text).expect("written");
    }
    blog
}

fn apply(project: &Project) -> TestCli {
    support::cli(project).args([
        "run",
        "--apply",
        "--yes",
        "--no-backup",
        "--acknowledge-no-backup",
        "--format",
        "json",
    ])
}

/// The tests were not green: 61, and the migration stays.
#[track_caller]
fn not_green(blog: &Blog, cli: &TestCli, class: &str, words: &[&str]) -> Told {
    let told = Told::by(cli.run(), 61).because(class, "yes").says(words);
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
    let report = told.report(&blog.project);
    in_order(
        &report,
        &[
            "## Migration Halted",
            "- [x] `blog.0002_likes`",
            "- [ ] **Post-migration tests**",
        ],
    );
    no_test_database(blog);
    told
}

#[track_caller]
fn no_test_database(blog: &Blog) {
    let name = format!(
        "SELECT count(*) FROM pg_database WHERE datname = 'test_{}'",
        blog.database.name()
    );
    assert_eq!(blog.scalar(&name), "0");
}

#[track_caller]
fn counts(told: &Told) -> (String, [u64; 3]) {
    let line = told.of_kind("tests_finished")[0];
    let number = |name: &str| line[name].as_u64().expect("a number");
    (
        text(&line["outcome"]).to_owned(),
        [number("passed"), number("failed"), number("skipped")],
    )
}

#[test]
fn pytest_runs_the_tests_about_the_database_where_it_is_configured() {
    let other = "def test_colour():\n    assert False, 'not about what was migrated'\n";
    for (name, config) in [
        (
            "pytest.ini",
            "[pytest]\nDJANGO_SETTINGS_MODULE = config.settings\n",
        ),
        (
            "pyproject.toml",
            "[tool.pytest.ini_options]\nDJANGO_SETTINGS_MODULE = \"config.settings\"\n",
        ),
        (
            "setup.cfg",
            "[tool:pytest]\nDJANGO_SETTINGS_MODULE = config.settings\n",
        ),
        (
            "tox.ini",
            "[pytest]\nDJANGO_SETTINGS_MODULE = config.settings\n",
        ),
    ] {
        let blog = with(&[
            (name, config),
            ("tests/test_posts.py", TESTS),
            ("tests/test_other.py", other),
        ]);
        let told = Told::by(apply(&blog.project).run(), 0);
        let started = told.of_kind("tests_started")[0];
        assert!(
            text(&started["command"])
                .contains("-m pytest tests/ -v --tb=short -k \"db or database or model\""),
            "{started}"
        );
        assert!(text(&started["command"]).contains(name), "{started}");
        assert_eq!(
            started["databases"][0]["database"],
            format!("test_{}", blog.database.name())
        );
        assert!(
            text(&started["databases"][0]["server"])
                .contains(&blog.database.server().port().to_string()),
            "{started}"
        );
        assert_eq!(counts(&told), ("passed".to_owned(), [2, 0, 0]), "{name}");
        no_test_database(&blog);
    }
}

#[test]
fn manage_py_test_runs_where_no_pytest_is_configured() {
    let blog = with(&[("blog/tests.py", TESTS)]);
    let told = Told::by(apply(&blog.project).run(), 0);
    assert!(
        text(&told.of_kind("tests_started")[0]["command"]).contains("manage.py test --noinput")
    );
    assert_eq!(counts(&told), ("passed".to_owned(), [2, 0, 0]));
    assert!(told.tests_log(&blog.project).contains("Ran 2 tests"));
    assert!(told.report(&blog.project).contains("2 passed, 0 failed"));
    no_test_database(&blog);
}

#[test]
fn failing_tests_are_counted_and_shown() {
    let blog = with(&[(
        "blog/tests.py",
        &TESTS.replace("EXPECTED = 0", "EXPECTED = 7"),
    )]);
    let told = not_green(
        &blog,
        &apply(&blog.project),
        "tests-failed",
        &["exit code 1", "FAILED (failures=1)", "tests.log"],
    );
    assert_eq!(counts(&told), ("failed".to_owned(), [1, 1, 0]));
    let log = blog
        .project
        .folder()
        .join(".django-migrate/runs")
        .join(text(&told.finished["run"]))
        .join("tests.log");
    assert!(super::common::read(&log).contains("AssertionError: 0 != 7"));
}

#[test]
fn failing_tests_under_pytest_are_counted() {
    let ini = "[pytest]\nDJANGO_SETTINGS_MODULE = config.settings\n";
    let blog = with(&[
        ("pytest.ini", ini),
        (
            "tests/test_posts.py",
            &TESTS.replace("EXPECTED = 0", "EXPECTED = 7"),
        ),
    ]);
    let told = not_green(
        &blog,
        &apply(&blog.project),
        "tests-failed",
        &["exit code 1", "1 failed, 1 passed"],
    );
    assert_eq!(counts(&told), ("failed".to_owned(), [1, 1, 0]));
}

/// pytest's exit code 5 is no pass.
#[test]
fn a_selection_that_finds_no_test_is_no_pass() {
    let ini = "[pytest]\nDJANGO_SETTINGS_MODULE = config.settings\n";
    let blog = with(&[
        ("pytest.ini", ini),
        (
            "tests/test_other.py",
            "def test_colour():\n    assert True\n",
        ),
    ]);
    let told = not_green(
        &blog,
        &apply(&blog.project),
        "tests-not-run",
        &["no tests ran", "--test-command", "--skip-tests"],
    );
    assert_eq!(counts(&told), ("not_run".to_owned(), [0, 0, 0]));
}

#[test]
fn tests_that_take_too_long_are_ended() {
    let slow = TESTS.replace("    def test_database", "    def test_model_slow(self):\n        import time\n        time.sleep(300)\n\n    def test_database");
    let blog = with(&[("blog/tests.py", &slow)]);
    not_green(
        &blog,
        &apply(&blog.project).args(["--test-timeout", "6s"]),
        "tests-not-run",
        &["--test-timeout"],
    );
}

#[test]
fn a_test_database_that_exists_already_is_kept() {
    let blog = with(&[("blog/tests.py", TESTS)]);
    let server = blog.database.server();
    let precious = server
        .named_database(&format!("test_{}", blog.database.name()))
        .expect("a database");
    precious
        .execute("CREATE TABLE precious (n int)")
        .expect("a table");
    let told = Told::by(apply(&blog.project).run(), 61)
        .because("tests-unsafe", "yes")
        .says(&[precious.name(), "--skip-tests"]);
    assert!(told.of_kind("tests_started").is_empty());
    assert_eq!(
        precious
            .scalar("SELECT count(*) FROM precious")
            .expect("it is there"),
        "0"
    );
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
}

#[test]
fn skipped_tests_are_in_the_report() {
    let blog = with(&[("blog/tests.py", TESTS)]);
    let told = Told::by(apply(&blog.project).arg("--skip-tests").run(), 0);
    assert!(told.of_kind("tests_started").is_empty());
    assert_eq!(counts(&told).0, "skipped");
    assert!(
        told.report(&blog.project)
            .contains("- [ ] **Post-migration tests**: skipped: --skip-tests")
    );
}

#[test]
fn a_project_without_tests_is_told_so() {
    let blog = with(&[]);
    let told = Told::by(apply(&blog.project).run(), 0);
    assert_eq!(counts(&told).0, "none");
    assert!(
        told.report(&blog.project)
            .contains("- [ ] **Post-migration tests**: none: no tests found")
    );
}

#[test]
fn a_command_of_the_user_s_own_is_what_runs() {
    let blog = with(&[
        ("blog/tests.py", TESTS),
        ("check.sh", "echo \"I got: $1\"\n"),
    ]);
    let told = Told::by(
        apply(&blog.project)
            .args(["--test-command", "sh check.sh 'two words'"])
            .run(),
        0,
    );
    assert_eq!(told.tests_log(&blog.project), "I got: two words\n");
    assert_eq!(counts(&told).0, "passed");
    let told = Told::by(
        apply(&blog.project)
            .args(["--test-command", "sh check.sh"])
            .run(),
        0,
    );
    assert!(
        told.of_kind("tests_started").is_empty(),
        "nothing was pending"
    );
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let blog = with(&[]);
    let cli = apply(&blog.project).args(["--test-command", "no-such-runner --all"]);
    Told::by(cli.run(), 61)
        .because("tests-not-run", "yes")
        .says(&["no-such-runner --all", "--test-command"]);
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
}

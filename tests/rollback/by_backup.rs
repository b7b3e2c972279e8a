//! The second leg: the backup of a run, beside the live database, compared with it, and put in its place once its name was
//! typed.

use std::process::Command;

use serde_json::Value;

use super::common::applied_run;
use crate::support::{self, TestCli};
use crate::workflow::common::{Blog, Told, blog, blog_on, in_order, models, text};

const LIKES: &str = "migrations.AddField('Post', 'likes', models.IntegerField(null=True))";

/// A run with its backup, and five posts that were written since.
struct Scene {
    blog: Blog,
    run: String,
    file: String,
}

fn scene() -> Scene {
    scene_on("5.2", 15)
}

fn scene_on(version: &str, major: u32) -> Scene {
    let blog = blog_on(support::shared(major), version, |app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations("0002_likes", LIKES)
    });
    let cli = support::cli(&blog.project).args([
        "run",
        "--apply",
        "--yes",
        "--skip-tests",
        "--format",
        "json",
    ]);
    let told = Told::by(cli.run(), 0);
    blog.execute("INSERT INTO blog_post (title, slug, likes) SELECT 'new', 'new', 1 FROM generate_series(1, 5)");
    Scene {
        run: text(&told.finished["run"]).to_owned(),
        file: text(&told.of_kind("backup_finished")[0]["file"]).to_owned(),
        blog,
    }
}

impl Scene {
    fn leg(&self) -> TestCli {
        support::cli(&self.blog.project).args(["rollback", &self.run, "--restore"])
    }

    /// With `--apply`, in JSON lines.
    fn apply(&self) -> TestCli {
        self.leg().args(["--apply", "--yes", "--format", "json"])
    }

    /// A database that holds the backup, made by the server's own means.
    fn loaded_by_psql(&self) -> String {
        let name = format!("{}_copy", self.blog.database.name());
        let server = self.blog.database.server();
        server
            .execute("postgres", &format!("CREATE DATABASE \"{name}\""))
            .expect("a database");
        let path = self.blog.project.folder().join(&self.file);
        // the server's own, where there is one
        let psql = server.bin_dir().join("psql");
        let psql = if psql.exists() { psql } else { "psql".into() };
        let load = format!(
            "gunzip -c '{}' | '{}' -qX -v ON_ERROR_STOP=1 '{}'",
            path.display(),
            psql.display(),
            server.dsn(&name)
        );
        let done = Command::new("sh")
            .args(["-c", &load])
            .output()
            .expect("psql");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        name
    }

    fn databases(&self) -> Vec<String> {
        let sql = format!(
            "SELECT datname FROM pg_database WHERE datname LIKE '{}%' ORDER BY 1",
            self.blog.database.name()
        );
        let rows = self
            .blog
            .database
            .server()
            .query("postgres", &sql)
            .expect("names");
        rows.into_iter().flatten().collect()
    }

    fn posts(&self, database: &str) -> String {
        let rows = self
            .blog
            .database
            .server()
            .query(database, "SELECT count(*) FROM blog_post")
            .expect("posts");
        rows[0][0].clone()
    }

    fn live(&self) -> &str {
        self.blog.database.name()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for name in self.databases().iter().filter(|name| *name != self.live()) {
            let sql = format!("DROP DATABASE \"{name}\" (FORCE)");
            let _ = self.blog.database.server().execute("postgres", &sql);
        }
    }
}

#[test]
fn without_apply_the_backup_is_read_whole_and_nothing_is_made() {
    let scene = scene();
    let document = scene
        .leg()
        .args(["--format", "json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(document["command"], "rollback");
    let restore = &document["restore"];
    assert_eq!(
        (&restore["database"], &restore["rows"]),
        (&scene.live().into(), &21.into()),
        "{document:#}"
    );
    let into = text(&restore["into"]);
    assert!(
        into.starts_with(&format!("{}_restored_20", scene.live())),
        "{into}"
    );
    let words = scene.leg().run().expect(0).stdout;
    in_order(
        &words,
        &[
            &scene.file,
            "is whole",
            "beside",
            "--restore --apply",
            "--swap",
        ],
    );
    assert_eq!(scene.databases(), [scene.live()]);
}

#[test]
fn a_file_that_is_not_that_of_the_run_is_not_restored() {
    let scene = scene();
    let path = scene.blog.project.folder().join(&scene.file);
    let whole = std::fs::read(&path).expect("a backup");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(&path, &flipped).expect("written");
    Told::by(scene.apply().run(), 41).because("backup-unverified", "no");
    std::fs::remove_file(&path).expect("removed");
    Told::by(scene.apply().run(), 70)
        .because("rollback-without-backup", "no")
        .says(&[&scene.file]);
    assert_eq!(scene.databases(), [scene.live()]);
    let none = applied_run_without_backup();
    let told = support::cli(&none.0.project).args([
        "rollback",
        &none.1,
        "--restore",
        "--apply",
        "--yes",
        "--format",
        "json",
    ]);
    Told::by(told.run(), 70)
        .because("rollback-without-backup", "no")
        .says(&["took no backup"]);
}

/// Whole as well, and of the same database, but taken later: without its manifest only its own bytes can tell.
#[test]
fn another_backup_in_the_place_of_the_runs_own_is_not_restored() {
    let scene = scene();
    let taken = support::cli(&scene.blog.project)
        .args(["backup", "--backup-dir", "later", "--format", "json"])
        .run()
        .expect(0)
        .json();
    let folder = scene.blog.project.folder();
    let own = folder.join(&scene.file);
    std::fs::copy(folder.join(text(&taken["file"])), &own).expect("copied");
    for entry in std::fs::read_dir(own.parent().expect("a folder")).expect("entries") {
        let path = entry.expect("an entry").path();
        if path != own && path.extension().is_some_and(|end| end == "json") {
            std::fs::remove_file(&path).expect("removed");
        }
    }
    Told::by(scene.apply().run(), 41)
        .because("backup-unverified", "no")
        .says(&["not the file that the run wrote"]);
    assert_eq!(scene.databases(), [scene.live()]);
}

fn applied_run_without_backup() -> (Blog, String) {
    let blog = blog(|app| {
        app.operations("0002_likes", LIKES)
            .models(&models("likes = models.IntegerField(null=True)"))
    });
    let run = applied_run(&blog.project);
    (blog, run)
}

#[track_caller]
fn compared(told: &Told) -> &Value {
    let lines = told.of_kind("compared");
    assert_eq!(lines.len(), 1);
    lines[0]
}

#[test]
fn a_restored_database_is_compared_by_rows_schema_and_history() {
    let scene = scene();
    let copy = scene.loaded_by_psql();
    let told = Told::by(scene.apply().args(["--restored", &copy]).run(), 0);
    assert_eq!(told.finished["changed"], "no");
    let found = compared(&told);
    assert_eq!(
        found["rows_more_in_live"],
        5 + 1,
        "posts, and a row of the history: {found:#}"
    );
    let schema = found["schema"].as_array().expect("lines");
    assert_eq!(schema.len(), 1, "{schema:#?}");
    assert_eq!(
        (&schema[0]["name"], &schema[0]["restored"]),
        (&"public.blog_post.likes".into(), &Value::Null)
    );
    assert_eq!(found["applied_in_live_alone"][0], "blog.0002_likes");
    let words = scene
        .leg()
        .args(["--apply", "--yes", "--restored", &copy])
        .run()
        .expect(0);
    in_order(
        &words.stdout,
        &[
            "beside",
            "public.blog_post",
            "25",
            "20",
            "column public.blog_post.likes: in the live one alone",
            "blog.0002_likes",
            "6 rows more in 2 tables",
        ],
    );
    assert!(
        words
            .stderr
            .contains(&format!("--restore --apply --swap --restored {copy}")),
        "{}",
        words.stderr
    );
    assert_eq!(scene.posts(scene.live()), "25");
}

#[test]
fn the_live_one_gives_its_name_away_only_where_that_is_typed_and_is_kept() {
    let scene = scene();
    let copy = scene.loaded_by_psql();
    let swap = |more: &[&str]| {
        scene
            .apply()
            .args(["--swap", "--restored", &copy])
            .args(more)
            .run()
    };
    let before = scene.databases();
    Told::by(swap(&[]), 11)
        .because("not-confirmed", "no")
        .says(&[
            "6 rows more in 2 tables",
            &format!("--confirm-database {}", scene.live()),
        ]);
    Told::by(swap(&["--confirm-database", "blog"]), 11)
        .because("declined", "no")
        .says(&["is not exactly"]);
    assert_eq!(scene.databases(), before);
    // somebody works on it
    let held = scene
        .blog
        .database
        .server()
        .with_client(scene.live(), |client| {
            client.batch_execute("SET application_name = 'gunicorn'")?;
            Told::by(swap(&["--confirm-database", scene.live()]), 10)
                .because("restore-target-in-use", "no")
                .says(&["(gunicorn)", "--terminate-sessions"]);
            let told = Told::by(
                swap(&["--confirm-database", scene.live(), "--terminate-sessions"]),
                0,
            );
            assert_eq!(told.finished["changed"], "yes");
            assert_eq!(told.of_kind("swapped")[0]["ended_sessions"], 1);
            assert!(
                client.batch_execute("SELECT 1").is_err(),
                "its session was ended"
            );
            let kept = text(&told.of_kind("swapped")[0]["kept_as"]).to_owned();
            assert_eq!(scene.databases(), [scene.live().to_owned(), kept.clone()]);
            assert_eq!(
                (scene.posts(scene.live()), scene.posts(&kept)),
                ("20".into(), "25".into())
            );
            in_order(
                &told.report(&scene.blog.project),
                &[
                    "## Rollback Complete",
                    "the old database is kept, whole, as",
                    &kept,
                    "| public.blog_post | 25 | 20 |",
                ],
            );
            Ok(())
        });
    held.expect("a session");
    // it is the state of before the run: its migrations are pending again
    assert_eq!(scene.blog.applied(), ["0001_initial"]);
    assert_eq!(scene.blog.columns(), "id title slug");
}

#[test]
fn at_a_terminal_the_name_is_typed_after_the_loss_was_told() {
    let scene = scene();
    let copy = scene.loaded_by_psql();
    for (typed, code) in [("yes", 11), (scene.live(), 0)] {
        let mut terminal = scene
            .leg()
            .args(["--apply", "--swap", "--restored", &copy])
            .tty_of(200, 100);
        terminal.wait_for("Go on with these parameters? [Y/n]");
        terminal.type_line("y");
        terminal.wait_for("Type the name of the live database");
        terminal.type_line(typed);
        assert_eq!(terminal.finish(), code, "{}", terminal.output());
        let kept = format!("{}_before_20", scene.live());
        in_order(
            &terminal.output(),
            &[
                "by its backup",
                "[1/5] Database",
                "[2/5] Backup of the run",
                "[4/5] Compare",
                "is kept, whole, as",
                &kept,
                "nobody is on",
                "6 rows more",
            ],
        );
    }
    assert_eq!(scene.posts(scene.live()), "20");
}

#[test]
fn the_backup_is_restored_beside_the_live_database() {
    for (major, django) in [support::MATRIX[0], support::MATRIX[3]] {
        let scene = scene_on(django, major);
        let told = Told::by(scene.apply().run(), 0);
        assert_eq!(told.finished["changed"], "yes");
        let restored = text(&told.of_kind("restore_finished")[0]["database"]).to_owned();
        assert!(
            restored.starts_with(&format!("{}_restored_20", scene.live())),
            "{restored}"
        );
        assert_eq!(
            scene.databases(),
            [scene.live().to_owned(), restored.clone()]
        );
        assert_eq!(
            (scene.posts(scene.live()), scene.posts(&restored)),
            ("25".into(), "20".into())
        );
        assert_eq!(compared(&told)["rows_more_in_live"], 6);
        in_order(
            &told.report(&scene.blog.project),
            &[
                "## Rollback Complete",
                &restored,
                "beside the live database",
                "### Restored",
                "### Compared With the Live Database",
            ],
        );
        // the one that stands there is taken, and not restored again
        let swap = scene.apply().args([
            "--swap",
            "--restored",
            &restored,
            "--confirm-database",
            scene.live(),
        ]);
        let told = Told::by(swap.run(), 0);
        assert!(told.of_kind("restore_finished").is_empty());
        assert_eq!(scene.posts(scene.live()), "20");
        assert_eq!(scene.databases().len(), 2, "{:?}", scene.databases());
        // and the run can be run again
        applied_run(&scene.blog.project);
        assert_eq!(scene.blog.columns(), "id title slug likes");
    }
}

#[test]
fn a_database_that_does_not_hold_the_backup_takes_no_place() {
    let scene = scene();
    let server = scene.blog.database.server();
    let copy = scene.loaded_by_psql();
    let swap = || {
        scene
            .apply()
            .args(["--swap", "--confirm-database", scene.live()])
            .args(["--restored", &copy])
            .run()
    };
    server
        .execute(&copy, "DROP TABLE blog_post CASCADE")
        .expect("no table");
    let before = scene.databases();
    Told::by(swap(), 70)
        .because("restore-rows-differ", "no")
        .says(&[&copy, "lacks 1 table of ", "public.blog_post"]);
    assert_eq!(scene.databases(), before);
    // newer rows that somebody carried over are told, and theirs to keep
    let again = "CREATE TABLE blog_post (id bigint PRIMARY KEY, title text, slug text); INSERT INTO blog_post VALUES (1, 'a', 'a')";
    server.execute(&copy, again).expect("a table");
    let told = Told::by(swap(), 0);
    let notes = told.of_kind("note");
    let warned = notes.iter().find(|note| note["level"] == "warning");
    assert!(
        text(&warned.expect("a warning")["message"])
            .contains("public.blog_post (backup 20, now 1)"),
        "{notes:?}"
    );
    assert_eq!(scene.posts(scene.live()), "1");
}

#[test]
fn restored_and_swapped_in_one_go() {
    let scene = scene();
    let swap = scene
        .apply()
        .args(["--swap", "--confirm-database", scene.live()]);
    let told = Told::by(swap.run(), 0);
    assert_eq!(
        (
            told.of_kind("restore_finished").len(),
            told.of_kind("swapped").len()
        ),
        (1, 1)
    );
    assert_eq!(scene.posts(scene.live()), "20");
    let kept = text(&told.of_kind("swapped")[0]["kept_as"]);
    assert_eq!(scene.posts(kept), "25");
}

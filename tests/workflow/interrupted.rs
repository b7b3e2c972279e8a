//! Ctrl-C and SIGTERM, in each step where a run can be for long.

use rustix::process::Signal;

use super::common::{
    Blog, Running, Told, backends, blog, children, in_order, is_alive, no_backup_left, script,
    text, until,
};
use crate::support::{self, TestCli};

/// A column, then a wait until the test lets go of the advisory lock 42.
const GATE: &str = "migrations.AddField('post', 'gate', models.IntegerField(null=True)), \
                    migrations.RunSQL('SELECT pg_advisory_xact_lock(42)')";
const LATER: &str = "migrations.AddField('post', 'later', models.IntegerField(null=True))";

fn gated() -> Blog {
    blog(|app| {
        app.operations("0002_gate", GATE)
            .operations("0003_later", LATER)
    })
}

/// Runs it up to the gate, does this, opens the gate where that is asked for, and gives the end.
#[track_caller]
fn at_the_gate(
    blog: &Blog,
    code: i32,
    then: impl FnOnce(&mut Running, &mut dyn FnMut()) + Send,
) -> Told {
    let cli = blog.apply().args(["--lock-timeout", "60s"]);
    let told = blog.database.server().with_client(blog.database.name(), |client| {
        client.batch_execute("SELECT pg_advisory_lock(42)")?;
        let mut running = Running::start(&cli);
        running.wait_for("the gate", |line| text(&line["sql"]).contains("(42)"));
        let waiting = format!(
            "SELECT 1 FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock' AND query LIKE '%(42)'",
            blog.database.name()
        );
        let server = blog.database.server();
        until("it waits at the gate", || server.query("postgres", &waiting).is_ok_and(|rows| rows.len() == 1));
        then(&mut running, &mut || {
            client.batch_execute("SELECT pg_advisory_unlock(42)").expect("unlocked");
        });
        let told = running.told(code);
        assert_eq!(backends(&blog.database), 0, "the backend is gone before the run is");
        Ok(told)
    });
    told.expect("a session")
}

#[test]
fn ctrl_c_once_lets_the_current_migration_finish() {
    let blog = gated();
    let told = at_the_gate(&blog, 130, |running, open| {
        running.signal(Signal::INT);
        running.wait_for("word of it", |line| {
            text(&line["message"]).contains("after the current migration")
        });
        open();
    });
    let told = told
        .because("interrupted", "yes")
        .says(&["1 of 2 migrations"]);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_gate"]);
    assert_eq!(blog.applied(), ["0001_initial", "0002_gate"]);
    assert_eq!(blog.columns(), "id title slug gate");
    let report = told.report(&blog.project);
    in_order(
        &report,
        &[
            "1 of 2 migrations are applied",
            "- [x] `blog.0002_gate`",
            "- [ ] `blog.0003_later` — not applied",
        ],
    );
}

#[test]
fn ctrl_c_twice_rolls_the_current_migration_back() {
    let blog = gated();
    let told = at_the_gate(&blog, 130, |running, _| {
        running.signal(Signal::INT);
        running.wait_for("word of it", |line| {
            text(&line["message"]).contains("after the current migration")
        });
        running.signal(Signal::INT);
    });
    let told = told
        .because("interrupted", "no")
        .says(&["blog.0002_gate", "rolled back"]);
    assert_eq!(
        (blog.applied().len(), &*blog.columns()),
        (1, "id title slug")
    );
    assert!(
        told.report(&blog.project)
            .contains("the database was not changed"),
        "{}",
        told.report(&blog.project)
    );
}

/// What came to its end outside a transaction stays, and nobody says that it is rolled back.
#[test]
fn ctrl_c_twice_in_a_migration_that_is_not_atomic_says_what_stays() {
    let half = format!(
        "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    atomic = False\n    \
         dependencies = [('blog', '0001_initial')]\n    operations = [{GATE}]\n"
    );
    let blog = blog(|app| app.migration("0002_gate", &half));
    let told = at_the_gate(&blog, 130, |running, _| {
        running.signal(Signal::INT);
        running.wait_for("word of it", |line| {
            text(&line["message"])
                .contains("it is not atomic: Ctrl-C again cancels its running statement")
        });
        running.signal(Signal::INT);
    });
    let told = told.because("interrupted", "yes").says(&[
        "blog.0002_gate",
        "is not atomic: 1 statement of it stayed",
        "ADD COLUMN",
    ]);
    let notes = format!("{:?}", told.of_kind("note"));
    assert!(
        notes.contains("what came to its end before stays"),
        "{notes}"
    );
    let report = told.report(&blog.project);
    for words in [&notes, &told.error(), &report] {
        for wrong in ["rolled back", "rolls it back"] {
            assert!(!words.contains(wrong), "{words}");
        }
    }
    assert_eq!(blog.columns(), "id title slug gate");
    assert_eq!(blog.applied(), ["0001_initial"]);
}

#[test]
fn sigterm_rolls_the_current_migration_back() {
    let blog = gated();
    let told = at_the_gate(&blog, 143, |running, _| running.signal(Signal::TERM));
    told.because("terminated", "no")
        .says(&["blog.0002_gate", "rolled back"]);
    assert_eq!(
        (blog.applied().len(), &*blog.columns()),
        (1, "id title slug")
    );
}

/// An ssh session that is cut off sends SIGHUP: it ends like SIGTERM, with a report.
#[test]
fn a_lost_terminal_rolls_the_current_migration_back() {
    for signal in [Signal::HUP, Signal::QUIT] {
        let blog = gated();
        let told = at_the_gate(&blog, 143, |running, _| running.signal(signal));
        let told = told
            .because("terminated", "no")
            .says(&["blog.0002_gate", "rolled back"]);
        assert_eq!(
            (blog.applied().len(), &*blog.columns()),
            (1, "id title slug")
        );
        let report = told.report(&blog.project);
        assert!(report.contains("the database was not changed"), "{report}");
    }
}

/// A shell starts `cmd &` with SIGINT ignored, and psycopg 2 does not return to Python before a statement ends.
#[test]
fn ctrl_c_reaches_a_statement_through_psycopg_2() {
    let blog = super::common::blog_in("django42-psycopg2", |app| app.operations("0002_gate", GATE));
    let told = at_the_gate(&blog, 130, |running, _| {
        running.signal(Signal::INT);
        running.wait_for("word of it", |line| {
            text(&line["message"]).contains("after the current migration")
        });
        running.signal(Signal::INT);
    });
    told.because("interrupted", "no");
    assert_eq!(
        (blog.applied().len(), &*blog.columns()),
        (1, "id title slug")
    );
}

/// Ctrl-C at a terminal goes to the whole foreground group; the project's Python must not die of it.
#[test]
fn ctrl_c_at_a_terminal_lets_the_current_migration_finish() {
    let blog = gated();
    let cli = blog.apply_text().args(["--lock-timeout", "60s"]);
    let output = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute("SELECT pg_advisory_lock(42)")?;
            let mut terminal = cli.tty();
            terminal.wait_for("waits for a lock");
            terminal.ctrl_c();
            terminal.wait_for("after the current migration");
            client.batch_execute("SELECT pg_advisory_unlock(42)")?;
            assert_eq!(terminal.finish(), 130, "{}", terminal.output());
            Ok(terminal.output())
        });
    assert_eq!(blog.applied(), ["0001_initial", "0002_gate"]);
    assert!(
        output
            .expect("a session")
            .contains("1 of 2 migrations are applied")
    );
}

fn with_a_slow_pg_dump(blog: &Blog, folder: &std::path::Path) -> TestCli {
    let dump = "#!/bin/sh\ncase \"$1\" in --version|-V) echo 'pg_dump (PostgreSQL) 18.0'; exit;; esac\n\
                echo '-- PostgreSQL database dump'\nexec sleep 300\n";
    let dump = script(&folder.join("pg_dump"), dump);
    support::cli(&blog.project).args([
        "run",
        "--apply",
        "--yes",
        "--format",
        "json",
        "--pg-dump",
        &dump,
    ])
}

#[track_caller]
fn during_the_backup(signal: Signal, code: i32, class: &str) {
    let (blog, folder) = (gated(), tempfile::tempdir().expect("a folder"));
    let mut running = Running::start(&with_a_slow_pg_dump(&blog, folder.path()));
    running.wait_for("the backup", |line| line["kind"] == "backup_started");
    let dumping = |pid| {
        children(pid)
            .into_iter()
            .find(|(_, words)| words.contains("sleep 300"))
    };
    until("pg_dump runs", || dumping(running.pid()).is_some());
    let (pg_dump, _) = dumping(running.pid()).expect("it was there");
    running.signal(signal);
    let told = running.told(code).because(class, "no");
    assert!(!is_alive(pg_dump), "pg_dump is gone");
    assert!(told.of_kind("backup_finished").is_empty());
    no_backup_left(&blog.project);
    assert_eq!(blog.applied(), ["0001_initial"]);
}

#[test]
fn ctrl_c_during_the_backup_leaves_no_file() {
    during_the_backup(Signal::INT, 130, "interrupted");
}

#[test]
fn sigterm_during_the_backup_leaves_no_file() {
    during_the_backup(Signal::TERM, 143, "terminated");
}

#[test]
fn ctrl_c_while_the_project_is_read_ends_its_python() {
    let blog = gated();
    let settings = blog
        .project
        .read_file("config/settings.py")
        .expect("settings");
    blog.project
        .write_file(
            "config/settings.py",
            &format!("import time\ntime.sleep(300)\n{settings}"),
        )
        .expect("written");
    let mut running = Running::start(&blog.apply());
    let python = |pid| {
        children(pid)
            .into_iter()
            .find(|(_, words)| words.contains("python"))
    };
    until("Python runs", || python(running.pid()).is_some());
    let (pid, _) = python(running.pid()).expect("it was there");
    running.signal(Signal::INT);
    running.told(130).because("interrupted", "no");
    until("Python is gone", || !is_alive(pid));
}

#[test]
fn ctrl_c_during_the_tests_says_that_the_migrations_are_applied() {
    let blog = blog(|app| {
        app.models(&super::common::models(
            "later = models.IntegerField(null=True)",
        ))
        .operations("0002_later", LATER)
    });
    let cli = support::cli(&blog.project).args([
        "run",
        "--apply",
        "--yes",
        "--no-backup",
        "--acknowledge-no-backup",
    ]);
    let mut running =
        Running::start(&cli.args(["--format", "json", "--test-command", "sleep 300"]));
    running.wait_for("the tests", |line| line["kind"] == "tests_started");
    let testing = |pid| {
        children(pid)
            .into_iter()
            .find(|(_, words)| words.contains("sleep 300"))
    };
    until("the tests run", || testing(running.pid()).is_some());
    let (tests, _) = testing(running.pid()).expect("they were there");
    running.signal(Signal::INT);
    let told = running.told(130).because("interrupted", "yes");
    assert!(!is_alive(tests), "the tests are gone");
    assert_eq!(told.of_kind("tests_finished")[0]["outcome"], "interrupted");
    // another run would have nothing pending, and run no tests
    let folder = blog.project.folder().display().to_string();
    let told = told.says(&[
        "another run has nothing pending",
        &format!("cd {folder} && sleep 300"),
    ]);
    in_order(
        &told.report(&blog.project),
        &["**Post-migration tests**: interrupted: sleep 300"],
    );
    assert_eq!(blog.applied(), ["0001_initial", "0002_later"]);
}

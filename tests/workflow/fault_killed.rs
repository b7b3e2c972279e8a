//! kill -9 of the tool, and of the project's Python, in each step: the next run says how far the killed one came and what
//! is true now, and then does the work.

use rustix::process::Signal;

use super::common::{
    Blog, Running, Told, backends, blog, children, files, in_order, is_alive, models, script, send,
    text, until,
};
use crate::support::{self, TestCli};

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";

fn likes() -> Blog {
    blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations("0002_likes", ADD)
    })
}

fn notes(told: &Told) -> String {
    let notes = told.of_kind("note");
    let notes: Vec<&str> = notes.iter().map(|line| text(&line["message"])).collect();
    notes.join("\n")
}

/// Kills it with SIGKILL and waits until nothing of it is left.
#[track_caller]
fn kill(blog: &Blog, running: &mut Running) {
    let below: Vec<u32> = children(running.pid())
        .into_iter()
        .map(|(pid, _)| pid)
        .collect();
    running.signal(Signal::KILL);
    assert_eq!(running.end().0, 137);
    for pid in below {
        until("its children are gone", || !is_alive(pid));
    }
    until("its backends are gone", || backends(&blog.database) == 0);
}

/// The next run tells this of the killed one, in this order, applies what is left, and the one after it is silent.
#[track_caller]
fn the_next_run_tells(blog: &Blog, words: &[&str], applies: &[&str]) {
    let told = Told::by(blog.apply().run(), 0);
    in_order(&notes(&told), words);
    assert_eq!(told.migrations("migration_applied"), applies);
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
    assert_eq!(blog.columns(), "id title slug likes");
    let report = told.report(&blog.project);
    assert!(report.contains("was cut off"), "{report}");
    let last = Told::by(blog.apply().run(), 0);
    assert!(!notes(&last).contains("was cut off"), "{}", notes(&last));
}

/// Adds this to the settings, and gives what they were.
fn with_settings(blog: &Blog, more: &str) -> String {
    let path = "config/settings.py";
    let text = blog.project.read_file(path).expect("settings");
    blog.project
        .write_file(path, &format!("{text}\n{more}\n"))
        .expect("written");
    text
}

fn restore_settings(blog: &Blog, text: &str) {
    blog.project
        .write_file("config/settings.py", text)
        .expect("written");
}

/// The child whose command line has this, once it is there.
#[track_caller]
fn child(running: &Running, words: &str) -> u32 {
    let find = || {
        children(running.pid())
            .into_iter()
            .find(|(_, line)| line.contains(words))
    };
    until(words, || find().is_some());
    find().expect("it was there").0
}

#[test]
fn killed_while_the_project_is_read() {
    let blog = likes();
    let settings = with_settings(&blog, "import time\ntime.sleep(300)");
    let mut running = Running::start(&blog.apply());
    child(&running, "python");
    kill(&blog, &mut running);
    restore_settings(&blog, &settings);
    let words = [
        "was cut off in step 1, Pending migrations: no migration had begun",
        "nothing of the database was changed",
    ];
    the_next_run_tells(&blog, &words, &["blog.0002_likes"]);
}

#[test]
fn python_killed_while_the_project_is_read_stops_the_run_before_anything() {
    let blog = likes();
    let settings = with_settings(&blog, "import time\ntime.sleep(300)");
    let mut running = Running::start(&blog.apply());
    send(child(&running, "python"), Signal::KILL);
    let told = running.told(21).because("project-failed", "no");
    assert!(told.error().contains("signal: 9"), "{}", told.error());
    restore_settings(&blog, &settings);
    Told::by(blog.apply().run(), 0);
}

fn with_a_slow_pg_dump(blog: &Blog, folder: &std::path::Path) -> TestCli {
    let dump = "#!/bin/sh\ncase \"$1\" in --version|-V) echo 'pg_dump (PostgreSQL) 18.0'; exit;; esac\n\
                echo '-- PostgreSQL database dump'\nexec sleep 300\n";
    let dump = script(&folder.join("pg_dump"), dump);
    support::cli(&blog.project).args([
        "run",
        "--apply",
        "--yes",
        "--skip-tests",
        "--format",
        "json",
        "--pg-dump",
        &dump,
    ])
}

#[test]
fn killed_during_the_backup_names_the_file_that_is_no_backup() {
    let (blog, folder) = (likes(), tempfile::tempdir().expect("a folder"));
    let mut running = Running::start(&with_a_slow_pg_dump(&blog, folder.path()));
    child(&running, "sleep 300");
    running.signal(Signal::KILL);
    let dumping = child_pids(&running);
    assert_eq!(running.end().0, 137);
    let left: Vec<String> = files(&blog.project.folder().join("backups"))
        .into_iter()
        .filter(|name| name.ends_with(".partial"))
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    for pid in dumping {
        // pg_dump's stand-in would sleep on; the real one ends with its pipe
        if is_alive(pid) {
            send(pid, Signal::KILL);
        }
    }
    let words = [
        "was cut off in step 2, Backup: no migration had begun",
        &left[0],
        "no whole backup",
    ];
    the_next_run_tells(&blog, &words, &["blog.0002_likes"]);
}

fn child_pids(running: &Running) -> Vec<u32> {
    children(running.pid())
        .into_iter()
        .map(|(pid, _)| pid)
        .collect()
}

#[test]
fn killed_while_it_asks_for_consent() {
    let blog = likes();
    let cli = support::cli(&blog.project).args([
        "run",
        "--apply",
        "--no-backup",
        "--acknowledge-no-backup",
        "--skip-tests",
    ]);
    let mut terminal = cli.tty();
    terminal.wait_for("?");
    terminal.type_line("y");
    let journal = || {
        let runs = blog.project.folder().join(".django-migrate/runs");
        let journals = files(&runs)
            .into_iter()
            .find(|name| name.ends_with("journal.jsonl"));
        journals.map_or(String::new(), |name| {
            std::fs::read_to_string(runs.join(name)).unwrap_or_default()
        })
    };
    until("the preview is over", || {
        journal().contains("\"preview_finished\"")
    });
    terminal.signal(Signal::KILL);
    drop(terminal);
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    until("its lock is free", || blog.scalar(held) == "0");
    let words = ["was cut off in step 3, SQL preview: no migration had begun"];
    the_next_run_tells(&blog, &words, &["blog.0002_likes"]);
}

#[test]
fn killed_at_the_gate_before_the_first_statement() {
    let blog = likes();
    let done = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute("BEGIN; SELECT FROM blog_post LIMIT 1")?;
            let mut running = Running::start(&blog.apply());
            running.wait_for("the gate", |line| line["kind"] == "lock_waiting");
            kill(&blog, &mut running);
            Ok(())
        });
    done.expect("a session");
    let words = [
        "was cut off in step 4, Apply, in migration blog.0002_likes",
        "blog.0002_likes is not recorded: its transaction was rolled back",
    ];
    the_next_run_tells(&blog, &words, &["blog.0002_likes"]);
}

#[test]
fn killed_in_a_statement_after_another() {
    let nap = format!("{ADD}, migrations.RunSQL('SELECT pg_sleep(seconds) FROM nap')");
    let blog = blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations("0002_likes", &nap)
    });
    blog.execute("CREATE TABLE nap (seconds int); INSERT INTO nap VALUES (300)");
    let mut running = Running::start(&blog.apply());
    let asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    until("it sleeps", || blog.scalar(asleep) == "1");
    kill(&blog, &mut running);
    blog.execute("UPDATE nap SET seconds = 0");
    // a dry run says it too, and it is still said after that
    let dry = [
        "run",
        "--no-backup",
        "--acknowledge-no-backup",
        "--format",
        "json",
    ];
    let dry = Told::by(support::cli(&blog.project).args(dry).run(), 0);
    let words = [
        "was cut off in step 4, Apply, in migration blog.0002_likes",
        "blog.0002_likes was rolled back whole",
    ];
    in_order(&notes(&dry), &words);
    the_next_run_tells(&blog, &words, &["blog.0002_likes"]);
}

/// Runs until its Python verifies, and sleeps there; does this; the settings are as before afterwards.
#[track_caller]
fn in_the_verification<T: Send>(
    blog: &Blog,
    then: impl FnOnce(&mut Running, u32) -> T + Send,
) -> T {
    // the marker is made while the run waits at the gate: whatever starts later is what verifies
    let wait = "import os, sys, time\nif os.path.exists('verifying') and 'migrate' not in sys.argv:\n    time.sleep(300)";
    let settings = with_settings(blog, wait);
    let done = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute("BEGIN; SELECT FROM blog_post LIMIT 1")?;
            let mut running = Running::start(&blog.apply());
            running.wait_for("the gate", |line| line["kind"] == "lock_waiting");
            blog.project.write_file("verifying", "").expect("written");
            client.batch_execute("COMMIT")?;
            running.wait_for("the verification", |line| {
                line["kind"] == "step_started" && line["step"] == "verify"
            });
            let python = child(&running, "python");
            Ok(then(&mut running, python))
        });
    restore_settings(blog, &settings);
    done.expect("a session")
}

#[test]
fn killed_while_it_verifies_says_that_all_is_applied() {
    let blog = likes();
    in_the_verification(&blog, |running, _| kill(&blog, running));
    let words = [
        "was cut off in step 5, Verify",
        "blog.0002_likes is applied and recorded",
    ];
    the_next_run_tells(&blog, &words, &[]);
}

#[test]
fn python_killed_while_it_verifies_says_that_all_is_applied_and_not_verified() {
    let blog = likes();
    let told = in_the_verification(&blog, |running, python| {
        send(python, Signal::KILL);
        running.told(60)
    });
    let told = told.because("verification-differs", "yes");
    assert!(told.error().contains("signal: 9"), "{}", told.error());
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
    in_order(
        &told.report(&blog.project),
        &["1 of 1 migration is applied", "- [x] `blog.0002_likes`"],
    );
    let last = Told::by(blog.apply().run(), 0);
    assert!(last.of_kind("migration_started").is_empty());
}

#[test]
fn killed_while_the_projects_tests_run_says_that_all_is_applied() {
    let blog = likes();
    let cli = support::cli(&blog.project).args([
        "run",
        "--apply",
        "--yes",
        "--no-backup",
        "--acknowledge-no-backup",
        "--format",
        "json",
        "--test-command",
        "sleep 300",
    ]);
    let mut running = Running::start(&cli);
    running.wait_for("the tests", |line| line["kind"] == "tests_started");
    let tests = child(&running, "sleep 300");
    running.signal(Signal::KILL);
    assert_eq!(running.end().0, 137);
    if is_alive(tests) {
        send(tests, Signal::KILL);
    }
    let words = [
        "was cut off in step 6, Tests",
        "blog.0002_likes is applied and recorded",
    ];
    the_next_run_tells(&blog, &words, &[]);
}

//! One run at a time on a database: 32, and who is at work.

use super::halt::halts;
use crate::support::{Shop, Terminal, cli, shop};

/// A run that waits for the phrase, and so holds the lock as long as the test wants.
#[track_caller]
fn at_work(shop: &Shop) -> Terminal {
    let apply = [
        "run",
        "--apply",
        "--yes",
        "--no-backup",
        "--acknowledge-no-backup",
    ];
    let mut terminal = cli(shop).args(apply).tty();
    terminal.wait_for("I understand");
    terminal
}

/// The holder's backend, as the server knows it.
fn holder(shop: &Shop) -> String {
    let sql = "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database \
               WHERE locktype = 'advisory' AND granted AND datname = current_database()";
    shop.database.scalar(sql).expect("a holder")
}

/// Its id and the plan's fingerprint.
#[track_caller]
fn journal_of_the_only_run(shop: &Shop) -> (String, String) {
    let runs = shop.folder().join(".django-migrate/runs");
    let names = std::fs::read_dir(&runs).expect("runs").flatten();
    let mut names = names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != ".gitignore");
    let run = names.next().expect("a run");
    assert_eq!(names.next(), None);
    let journal =
        std::fs::read_to_string(runs.join(&run).join("journal.jsonl")).expect("a journal");
    let lines = journal
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line"));
    let planned = lines
        .into_iter()
        .find(|line: &serde_json::Value| line["kind"] == "planned")
        .expect("a plan");
    let plan = planned["plan_fingerprint"].as_str().expect("a fingerprint");
    (run, plan.to_owned())
}

#[test]
fn another_run_holds_the_lock() {
    let shop = shop("5.2", 15);
    let mut first = at_work(&shop);
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let (run, plan) = journal_of_the_only_run(&shop);
    let pid = run.rsplit('-').next().expect("a pid").to_owned();
    for command in [&["run"][..], &["run", "--apply", "--yes"]] {
        let halt = halts(&shop, command, 32, "another-run");
        halt.says(&[
            "another run of django-migrate is at work",
            "wait for it to end",
        ]);
        halt.talks(&[
            "held by:",
            &format!("run {run} (pid {pid} on {host}"),
            &format!("plan {}", &plan[..8]),
            "role ",
            "since 20",
        ]);
        halt.talks(&[
            &format!("backend {}", holder(&shop)),
            &format!("/{}", shop.database.name()),
        ]);
    }
    // who only reads is not in the way
    for command in ["check", "status", "preview"] {
        cli(&shop).arg(command).run().expect(0);
    }
    first.ctrl_c();
    assert_eq!(first.finish(), 130);
    let ran = cli(&shop).args(["run"]).run().expect(0);
    assert!(ran.stdout.contains("Dry run"), "{}", ran.snapshot());
}

#[test]
fn a_run_on_another_database_of_the_server_is_not_in_the_way() {
    let (one, other) = (shop("5.2", 15), shop("5.2", 15));
    let mut first = at_work(&one);
    cli(&other).args(["run"]).run().expect(0);
    first.ctrl_c();
    first.finish();
}

#[test]
fn a_run_that_was_killed_lets_go() {
    let shop = shop("5.2", 15);
    let first = at_work(&shop);
    first.signal(rustix::process::Signal::KILL);
    drop(first);
    let ended = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let gone = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database \
                WHERE locktype = 'advisory' AND datname = current_database()";
    while shop.database.scalar(gone).unwrap() != "0" {
        assert!(
            std::time::Instant::now() < ended,
            "the lock outlives its run"
        );
        std::thread::yield_now();
    }
    cli(&shop).args(["run"]).run().expect(0);
}

//! Interrupted while the guard waits at the gate: nothing has begun, so nothing has to be rolled back; and a lock that is
//! held for longer than all retries.

use rustix::process::Signal;

use super::common::{Blog, Running, Told, backends, blog, in_order, models, text};

const TAG: &str = "migrations.CreateModel('Tag', [('id', models.BigAutoField(primary_key=True, serialize=False))])";
const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";

fn likes() -> Blog {
    blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations("0002_likes", ADD)
    })
}

/// Waits at the gate behind a reader; does this; gives the end, and what waited in the queue meanwhile.
#[track_caller]
fn at_the_gate(blog: &Blog, arguments: &[&str], then: impl FnOnce(&Running) + Send) -> (i32, Told) {
    let cli = blog.apply().args(arguments);
    let done = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute("BEGIN; SELECT FROM blog_post LIMIT 1")?;
            let mut running = Running::start(&cli);
            let wait = running.wait_for("the gate", |line| line["kind"] == "lock_waiting");
            assert_eq!(wait["place"], "outside_queue", "{wait}");
            then(&running);
            let (code, lines) = running.end();
            assert_eq!(
                backends(&blog.database),
                0,
                "the backend is gone before the run is"
            );
            Ok((code, Told::of(&lines, code)))
        });
    done.expect("a session")
}

#[track_caller]
fn nothing_stayed_and_the_next_run_works(blog: &Blog, told: &Told) {
    assert_eq!(
        (blog.applied().len(), &*blog.columns()),
        (1, "id title slug")
    );
    in_order(
        &told.report(&blog.project),
        &[
            "## Migration Halted",
            "the database was not changed",
            "`blog.0002_likes` — ",
        ],
    );
    let report = told.report(&blog.project);
    assert!(!report.contains("its end is unknown"), "{report}");
    let told = Told::by(blog.apply().run(), 0);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_likes"]);
}

/// One is enough: no migration is under way that would have to finish.
#[test]
fn ctrl_c_at_the_gate_ends_the_run_at_once() {
    let blog = likes();
    let (code, told) = at_the_gate(&blog, &[], |running| running.signal(Signal::INT));
    assert_eq!(code, 130);
    let told = told.because("interrupted", "no");
    let mut begun = told.of_kind("statement_started");
    begun.retain(|line| line["name"] == "0002_likes");
    assert!(begun.is_empty(), "{begun:#?}");
    nothing_stayed_and_the_next_run_works(&blog, &told);
}

#[test]
fn ctrl_c_twice_at_the_gate_is_no_more_than_once() {
    let blog = likes();
    let (code, told) = at_the_gate(&blog, &[], |running| {
        running.signal(Signal::INT);
        running.signal(Signal::INT);
    });
    assert_eq!(code, 130);
    let told = told.because("interrupted", "no");
    nothing_stayed_and_the_next_run_works(&blog, &told);
}

#[test]
fn sigterm_at_the_gate_ends_the_run_at_once() {
    let blog = likes();
    let (code, told) = at_the_gate(&blog, &[], |running| running.signal(Signal::TERM));
    assert_eq!(code, 143);
    let told = told.because("terminated", "no");
    nothing_stayed_and_the_next_run_works(&blog, &told);
}

#[test]
fn ctrl_c_at_the_second_gate_says_what_the_first_migration_left() {
    let blog = blog(|app| {
        app.operations("0002_tag", TAG)
            .operations("0003_likes", ADD)
    });
    let (code, told) = at_the_gate(&blog, &[], |running| running.signal(Signal::INT));
    assert_eq!(code, 130);
    let told = told
        .because("interrupted", "yes")
        .says(&["1 of 2 migrations"]);
    assert_eq!(blog.applied(), ["0001_initial", "0002_tag"]);
    in_order(
        &told.report(&blog.project),
        &["- [x] `blog.0002_tag`", "- [ ] `blog.0003_likes` — "],
    );
}

#[test]
fn a_lock_that_is_held_for_longer_than_all_retries_ends_the_run_and_not_the_site() {
    let blog = likes();
    let (code, told) = at_the_gate(&blog, &["--max-wait", "3s", "--retries", "2"], |_| {});
    assert_eq!(code, 53);
    let told = told.because("migration-lock-timeout", "no").says(&[
        "public.blog_post",
        "blocked by",
        "--max-wait",
    ]);
    let queued = told
        .of_kind("lock_waiting")
        .into_iter()
        .filter(|line| text(&line["place"]) == "in_queue");
    assert_eq!(queued.count(), 0, "nobody stood behind us");
    nothing_stayed_and_the_next_run_works(&blog, &told);
}

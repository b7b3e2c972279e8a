//! The guard of `run` at work on the way back.

use std::time::Duration;

use xtask::load::{Clients, Load};

use super::common::{applied_run, back, confirmed};
use crate::workflow::common::{Blog, Running, Told, blog, models};

const INDEX: &str = "migrations.AddIndex('Post', models.Index(fields=['slug'], name='blog_slug'))";

fn indexed() -> (Blog, String) {
    let blog = blog(|app| app.operations("0002_index", INDEX));
    let run = applied_run(&blog.project);
    (blog, run)
}

#[track_caller]
fn holder(blog: &Blog) -> Clients {
    let reader = Load::idle("BEGIN; SELECT FROM blog_post LIMIT 1");
    Clients::start(&blog.database.dsn(), 1, reader).unwrap_or_else(|why| panic!("{why:#}"))
}

#[test]
fn it_waits_outside_the_queue_and_then_goes_back() {
    let (blog, run) = indexed();
    let holder = holder(&blog);
    let mut running = Running::start(&back(&blog.project, &run));
    let wait = running.wait_for("word of the wait", |line| line["kind"] == "lock_waiting");
    assert_eq!(wait["place"], "outside_queue", "{wait}");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(blog.applied().len(), 2);
    holder.stop().expect("the holder");
    let told = running.told(0);
    assert_eq!(told.migrations("migration_unapplied"), ["blog.0002_index"]);
    assert_eq!(told.of_kind("lock_held")[0]["end"], "committed");
}

#[test]
fn a_wait_that_is_over_ends_with_53_and_nothing_changed() {
    let (blog, run) = indexed();
    let holder = holder(&blog);
    let told = back(&blog.project, &run).args(["--max-wait", "2s"]);
    Told::by(told.run(), 53)
        .because("migration-lock-timeout", "no")
        .says(&["0 of 1 migrations", "nothing of its way back was run"]);
    assert_eq!(blog.applied().len(), 2);
    holder.stop().expect("the holder");
}

/// A second run, in either direction, does not wait for the lock of the first.
#[test]
fn one_at_a_time() {
    let blog = blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations(
                "0002_likes",
                "migrations.AddField('Post', 'likes', models.IntegerField(null=True))",
            )
    });
    let run = applied_run(&blog.project);
    let holder = holder(&blog);
    let mut running = Running::start(&confirmed(&blog.project, &run));
    running.wait_for("word of the wait", |line| line["kind"] == "lock_waiting");
    Told::by(confirmed(&blog.project, &run).run(), 32).because("another-run", "no");
    holder.stop().expect("the holder");
    running.told(0);
}

//! The guard waits outside the queue of a lock: whoever uses the table meanwhile does not notice, and what it waits for,
//! for how long, and why it gave up are said.
//!
//! Absent here: figures against plain `migrate`, which `cargo xtask bench locks` measures.

use std::time::{Duration, Instant};

use xtask::load::{Clients, Load};

use super::common::{Blog, Running, blog, in_order, text};

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";
const READ: &str = "SELECT title FROM blog_post WHERE id = 7";
/// A reader that waits in a lock's queue waits for as long as the lock is held, which is longer.
const NOTICED: Duration = Duration::from_millis(800);

fn reader() -> Load {
    Load::idle("BEGIN; SELECT FROM blog_post LIMIT 1")
}

#[track_caller]
fn start(blog: &Blog, count: usize, load: Load) -> Clients {
    Clients::start(&blog.database.dsn(), count, load).unwrap_or_else(|why| panic!("{why:#}"))
}

fn blog_with_likes() -> Blog {
    let models = super::common::models("likes = models.IntegerField(null=True)");
    blog(|app| app.models(&models).operations("0002_likes", ADD))
}

/// Somebody stands in the queue for the posts.
fn queued(blog: &Blog) -> bool {
    blog.scalar(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' \
         AND relation = 'blog_post'::regclass",
    ) != "0"
}

#[test]
fn who_reads_the_table_does_not_notice_that_a_migration_waits_for_it() {
    let blog = blog_with_likes();
    let clients = start(&blog, 8, Load::reads(READ));
    let holder = start(&blog, 1, reader());
    let mut running = Running::start(&blog.apply());
    running.wait_for("word of the wait", |line| line["kind"] == "lock_waiting");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(2500) {
        assert!(!queued(&blog), "it stands in the queue");
        std::thread::sleep(Duration::from_millis(50));
    }
    holder.stop().expect("the holder");
    let told = running.told(0);
    let suffered = clients.stop().expect("all are served");
    assert!(suffered.answers().len() > 100, "they read all the time");
    assert!(suffered.worst() < NOTICED, "{:?}", suffered.worst());
    let waits = told.of_kind("lock_waiting");
    let longest = waits
        .iter()
        .filter_map(|line| line["waited_ms"].as_u64())
        .max();
    assert!(
        longest >= Some(2000),
        "a wait is told as long as it lasts: {longest:?}"
    );
    assert!(
        waits.iter().all(|line| line["place"] == "outside_queue"),
        "{waits:#?}"
    );
    let held = told.of_kind("lock_held")[0];
    assert_eq!(held["relation"], "public.blog_post");
    assert_eq!(held["mode"], "AccessExclusiveLock");
    assert_eq!(held["end"], "committed");
    in_order(
        &told.report(&blog.project),
        &[
            "### Lock waits",
            "outside the queue",
            "### Lock timeline",
            "public.blog_post",
            "ACCESS EXCLUSIVE",
        ],
    );
}

/// The gap between two lines that say so is never over a second, beyond what a busy machine adds.
#[test]
fn it_is_never_silent_while_it_waits() {
    let blog = blog_with_likes();
    let holder = start(&blog, 1, reader());
    let mut running = Running::start(&blog.apply().args(["--max-wait", "4s"]));
    let told = running.told(53);
    let waited: Vec<u64> = told
        .of_kind("lock_waiting")
        .iter()
        .filter_map(|line| line["waited_ms"].as_u64())
        .collect();
    assert!(waited.len() >= 4, "{waited:?}");
    assert!(waited[0] < 1000, "{waited:?}");
    assert!(
        waited.windows(2).all(|two| two[1] - two[0] < 1600),
        "{waited:?}"
    );
    holder.stop().expect("the holder");
}

#[test]
fn it_gets_through_between_readers_who_overlap_without_end() {
    let blog = blog_with_likes();
    let readers = start(&blog, 6, Load::long_reads(READ, Duration::from_millis(500)));
    let told = Running::start(&blog.apply().args(["--max-wait", "60s"])).told(0);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_likes"]);
    let suffered = readers.stop().expect("all are served");
    assert!(
        suffered.worst() < Duration::from_secs(2),
        "{:?}",
        suffered.worst()
    );
}

#[test]
fn a_lock_that_never_comes_ends_it_with_nobody_behind_it() {
    let blog = blog_with_likes();
    let before = super::common::contents(&blog.database);
    let clients = start(&blog, 8, Load::reads(READ));
    let holder = start(&blog, 1, reader());
    let mut running = Running::start(&blog.apply().args(["--max-wait", "2s"]));
    running.wait_for("word of the wait", |line| line["kind"] == "lock_waiting");
    let told = running
        .told(53)
        .because("migration-lock-timeout", "no")
        .says(&[
            "blog.0002_likes",
            "public.blog_post",
            "2.0 s (--max-wait)",
            "blocked by",
            "idle in transaction",
            "--on-blocker",
        ]);
    let suffered = clients.stop().expect("all are served");
    assert!(suffered.worst() < NOTICED, "{:?}", suffered.worst());
    holder.stop().expect("the holder");
    assert_eq!(super::common::contents(&blog.database), before);
    assert!(told.of_kind("lock_held").is_empty(), "it held nothing");
}

/// Where a lock cannot be foreseen, the statement stands in the queue for no longer than `--lock-timeout`.
#[test]
fn a_statement_that_nobody_can_read_is_bound_by_the_lock_timeout_and_tried_again() {
    let hidden = "migrations.RunSQL('DO $$ BEGIN EXECUTE $q$LOCK TABLE blog_post$q$; END $$')";
    let blog = blog(|app| app.operations("0002_hidden", hidden));
    let holder = start(&blog, 1, reader());
    let mut running = Running::start(&blog.apply().args(["--lock-timeout", "300ms"]));
    running.wait_for("a second attempt", |line| line["kind"] == "retrying");
    let waits = running.wait_for("word of the wait", |line| line["kind"] == "lock_waiting");
    assert_eq!(waits["place"], "in_queue");
    holder.stop().expect("the holder");
    let told = running.told(0);
    let retrying = told.of_kind("retrying")[0];
    assert_eq!(
        (text(&retrying["app"]), text(&retrying["name"])),
        ("blog", "0002_hidden")
    );
    assert_eq!(
        (&retrying["what"], &retrying["attempt"]),
        (&"migration".into(), &2.into())
    );
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_hidden"]);
    in_order(
        &told.report(&blog.project),
        &["### Tried again", "blog.0002_hidden, attempt 2"],
    );
}

/// What goes past Django's cursors, as COPY and the driver's own do, is bound by `--lock-timeout` after a gated statement too.
#[test]
fn what_no_hook_sees_keeps_the_lock_timeout() {
    let migration = |atomic: &str, name: &str, after: &str, operation: &str| {
        let file = format!(
            "from django.contrib.postgres.operations import AddIndexConcurrently\nfrom django.db import migrations, models\n\n\n\
             def look(apps, schema_editor):\n    with schema_editor.connection.connection.cursor() as cursor:\n        \
             cursor.execute(\"INSERT INTO seen SELECT '{name}', current_setting('lock_timeout')\")\n\n\n\
             class Migration(migrations.Migration):\n    atomic = {atomic}\n    dependencies = [('blog', '{after}')]\n    \
             operations = [\n        {operation},\n        migrations.RunPython(look, migrations.RunPython.noop),\n    ]\n"
        );
        (name.to_owned(), file)
    };
    let field = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";
    let index = "AddIndexConcurrently('post', models.Index(fields=['title'], name='post_title'))";
    let files = [
        migration("True", "0002_field", "0001_initial", field),
        migration("False", "0003_index", "0002_field", index),
    ];
    let models = format!(
        "{}    class Meta:\n        indexes = [models.Index(fields=['title'], name='post_title')]\n",
        super::common::models("likes = models.IntegerField(null=True)")
    );
    for venv in ["5.2", "4.2"] {
        let blog = super::common::blog_on(crate::support::shared(15), venv, |app| {
            files.iter().fold(app.models(&models), |app, (name, file)| {
                app.migration(name, file)
            })
        });
        blog.execute("CREATE TABLE seen (migration text, lock_timeout text)");
        Running::start(&blog.apply().args(["--lock-timeout", "1700ms"])).told(0);
        let seen = blog.scalar(
            "SELECT string_agg(migration || ' ' || lock_timeout, ', ' ORDER BY migration) FROM seen",
        );
        assert_eq!(seen, "0002_field 1700ms, 0003_index 1700ms");
    }
}

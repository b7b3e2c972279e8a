//! The guard lets go of a lock that it holds, or waits for, before others suffer from it: `--max-blocking`,
//! `--max-blocked`.

use std::time::Duration;

use xtask::load::{Clients, Load};

use super::common::{Blog, Running, Told, blog, contents, in_order, text};

const READ: &str = "SELECT title FROM blog_post WHERE id = 7";
/// Twenty rows, half a second each: under ACCESS EXCLUSIVE for ten seconds.
const REWRITE: &str =
    "migrations.RunSQL('ALTER TABLE blog_post ADD COLUMN n text DEFAULT pg_sleep(0.5)::text')";

#[track_caller]
fn readers(blog: &Blog, count: usize) -> Clients {
    Clients::start(&blog.database.dsn(), count, Load::reads(READ))
        .unwrap_or_else(|why| panic!("{why:#}"))
}

/// Runs it while clients read; nothing of it stays, and all are served afterwards.
#[track_caller]
fn lets_go(blog: &Blog, clients: usize, flags: &[&str]) -> (Told, Duration) {
    let before = contents(&blog.database);
    let load = readers(blog, clients);
    let told = Running::start(&blog.apply().args(flags)).told(53);
    let now = std::time::Instant::now();
    std::thread::sleep(Duration::from_millis(300));
    let suffered = load.stop().expect("all are served");
    assert_eq!(suffered.from(now).unserved(), 0);
    assert_eq!(contents(&blog.database), before, "nothing is half-applied");
    assert!(told.of_kind("retrying").is_empty(), "it would be so again");
    (told, suffered.worst())
}

#[test]
fn a_rewrite_that_keeps_others_waiting_for_too_long_is_cancelled_and_rolled_back() {
    let blog = blog(|app| app.operations("0002_rewrite", REWRITE));
    let (told, worst) = lets_go(&blog, 5, &["--max-blocking", "1s"]);
    let told = told.because("blast-radius", "no").says(&[
        "blog.0002_rewrite",
        "let go of its locks",
        "a session waited behind it for",
        "(--max-blocking 1.0 s)",
        "smaller steps",
    ]);
    assert!(
        worst > Duration::from_secs(1),
        "not before its time: {worst:?}"
    );
    assert!(
        worst < Duration::from_secs(4),
        "far from the rewrite's ten seconds: {worst:?}"
    );
    let behind = told.of_kind("blocking");
    assert!(
        behind.iter().any(|line| line["waiting"].as_u64() > Some(0)),
        "{behind:#?}"
    );
    let held = told.of_kind("lock_held");
    let held = held
        .iter()
        .find(|line| line["relation"] == "public.blog_post");
    let held = held.unwrap_or_else(|| panic!("{:#?}", told.lines));
    assert_eq!(
        (text(&held["mode"]), text(&held["end"])),
        ("AccessExclusiveLock", "rolled_back")
    );
    assert!(held["longest_wait_ms"].as_u64() >= Some(1000), "{held}");
}

#[test]
fn too_many_behind_it_are_too_many_however_short() {
    let blog = blog(|app| app.operations("0002_rewrite", REWRITE));
    let (told, worst) = lets_go(&blog, 5, &["--max-blocked", "2"]);
    told.because("blast-radius", "no")
        .says(&["sessions stood behind it", "(--max-blocked 2)"]);
    assert!(worst < Duration::from_secs(4), "{worst:?}");
}

/// The lock stays after its statement: another statement, or Python, goes on in the transaction.
#[test]
fn a_lock_that_is_only_kept_counts_as_much() {
    let kept = "migrations.AddField('post', 'likes', models.IntegerField(null=True)), migrations.RunSQL('SELECT pg_sleep(10)')";
    let blog = blog(|app| app.operations("0002_kept", kept));
    let (told, _) = lets_go(&blog, 3, &["--max-blocking", "500ms"]);
    told.because("blast-radius", "no")
        .says(&["blog.0002_kept", "(--max-blocking 0.5 s)"]);
}

#[test]
fn python_that_goes_on_with_a_lock_in_hand_is_stopped_too() {
    let slow = "from django.db import migrations, models\nimport time\n\n\ndef slow(apps, schema_editor):\n    time.sleep(10)\n\n\n\
                class Migration(migrations.Migration):\n    dependencies = [('blog', '0001_initial')]\n    operations = [\n        \
                migrations.AddField('post', 'likes', models.IntegerField(null=True)),\n        migrations.RunPython(slow, migrations.RunPython.noop),\n    ]\n";
    let blog = blog(|app| app.migration("0002_slow", slow));
    let (told, worst) = lets_go(&blog, 3, &["--max-blocking", "500ms"]);
    told.because("blast-radius", "no").says(&["blog.0002_slow"]);
    assert!(worst < Duration::from_secs(5), "{worst:?}");
}

/// No signal reaches Python in its own C code: there the session ends, and the locks with it.
#[test]
fn python_that_hears_nothing_loses_its_session() {
    let deaf = "from django.db import migrations, models\nimport hashlib\n\n\ndef deaf(apps, schema_editor):\n    \
                hashlib.pbkdf2_hmac('sha256', b'x', b'y', 60_000_000)\n\n\n\
                class Migration(migrations.Migration):\n    dependencies = [('blog', '0001_initial')]\n    operations = [\n        \
                migrations.AddField('post', 'likes', models.IntegerField(null=True)),\n        migrations.RunPython(deaf, migrations.RunPython.noop),\n    ]\n";
    let blog = blog(|app| app.migration("0002_deaf", deaf));
    let (told, worst) = lets_go(&blog, 3, &["--max-blocking", "500ms"]);
    told.because("blast-radius", "no").says(&[
        "blog.0002_deaf",
        "(--max-blocking 0.5 s)",
        "its session was ended",
    ]);
    assert!(worst < Duration::from_secs(5), "{worst:?}");
}

#[test]
fn nobody_behind_it_is_no_reason_to_let_go() {
    let kept = "migrations.AddField('post', 'likes', models.IntegerField(null=True)), migrations.RunSQL('SELECT pg_sleep(3)')";
    let models = super::common::models("likes = models.IntegerField(null=True)");
    let blog = blog(|app| app.models(&models).operations("0002_kept", kept));
    let told =
        Running::start(
            &blog
                .apply()
                .args(["--max-blocking", "500ms", "--max-blocked", "0"]),
        )
        .told(0);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_kept"]);
    assert!(told.of_kind("blocking").is_empty());
}

/// What the project's own code catches is its business: the run goes on, and says what it let go of.
#[test]
fn code_that_catches_the_end_of_its_statement_goes_on() {
    let catches = "from django.db import DatabaseError, migrations\n\n\ndef tries(apps, schema_editor):\n    try:\n        \
                   schema_editor.execute('ALTER TABLE blog_post ADD COLUMN n text DEFAULT pg_sleep(0.5)::text')\n    \
                   except DatabaseError:\n        schema_editor.execute('CREATE TABLE later (id int)')\n\n\n\
                   class Migration(migrations.Migration):\n    atomic = False\n    \
                   dependencies = [('blog', '0001_initial')]\n    operations = [\n        \
                   migrations.RunPython(tries, migrations.RunPython.noop),\n    ]\n";
    let blog = blog(|app| app.migration("0002_tries", catches));
    let load = readers(&blog, 3);
    let told = Running::start(&blog.apply().args(["--max-blocking", "500ms"])).told(0);
    load.stop().expect("all are served");
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_tries"]);
    assert_eq!(blog.scalar("SELECT to_regclass('later')"), "later");
    in_order(
        &told.report(&blog.project),
        &[
            "went on after a statement was given up",
            "let go of its locks",
        ],
    );
}

#[test]
fn whoever_waits_for_rows_stands_in_the_timeline_too() {
    let rows = "migrations.RunSQL('UPDATE blog_post SET title = title WHERE id > 0'), migrations.RunSQL('SELECT pg_sleep(2)')";
    let blog = blog(|app| app.operations("0002_rows", rows));
    let write = "UPDATE blog_post SET slug = slug WHERE id = 7";
    let load = Clients::start(&blog.database.dsn(), 2, Load::reads(write)).expect("writers");
    let told = Running::start(&blog.apply()).told(0);
    load.stop().expect("all are served");
    let held = told.of_kind("lock_held");
    let rows = held.iter().find(|line| line["relation"].is_null());
    let rows = rows.unwrap_or_else(|| panic!("{held:#?}"));
    assert_eq!(
        (text(&rows["mode"]), text(&rows["end"])),
        ("ExclusiveLock", "committed")
    );
    assert_eq!(rows["waiters"], 2, "{rows}");
    assert!(rows["longest_wait_ms"].as_u64() >= Some(500), "{rows}");
    in_order(
        &told.report(&blog.project),
        &["### Lock timeline", "| rows |"],
    );
}

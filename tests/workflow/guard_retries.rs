//! What failed for want of a lock is tried again where it was rolled back whole, and only there.

use std::time::Duration;

use super::common::{Blog, Running, blog, in_order, text, until};

/// Locks that no reader of SQL foresees.
fn hidden(lock: &str) -> String {
    format!("migrations.RunSQL('DO $$ BEGIN EXECUTE $q$LOCK TABLE {lock}$q$; END $$')")
}

/// The run's transaction holds the posts.
fn holds_posts(blog: &Blog) -> bool {
    blog.scalar("SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = 'blog_post'::regclass")
        != "0"
}

#[test]
fn the_victim_of_a_deadlock_is_tried_again() {
    let operations = [
        hidden("blog_post"),
        "migrations.RunSQL('SELECT pg_sleep(1.5)')".to_owned(),
        hidden("other"),
    ];
    let blog = blog(|app| app.operations("0002_both", &operations.join(", ")));
    blog.execute("CREATE TABLE other (id int)");
    let told = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            // it waits for longer than the run, whose own check finds the deadlock then
            client.batch_execute("SET deadlock_timeout = '60s'; BEGIN; LOCK TABLE other")?;
            let mut running = Running::start(&blog.apply());
            until("the posts are locked", || holds_posts(&blog));
            client.batch_execute("SELECT FROM blog_post LIMIT 1")?;
            client.batch_execute("COMMIT")?;
            Ok(running.told(0))
        });
    let told = told.expect("a session");
    let retrying = told.of_kind("retrying");
    assert_eq!(retrying.len(), 1, "{retrying:#?}");
    assert_eq!(retrying[0]["why"], "deadlock detected");
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_both"]);
    in_order(
        &told.report(&blog.project),
        &["### Tried again", "deadlock detected"],
    );
}

#[test]
fn as_often_as_asked_and_no_more() {
    let blog = blog(|app| app.operations("0002_hidden", &hidden("blog_post")));
    let told = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute(
                "SET application_name = 'the long report'; BEGIN; SELECT FROM blog_post LIMIT 1",
            )?;
            Ok(Running::start(
                &blog
                    .apply()
                    .args(["--lock-timeout", "200ms", "--retries", "2"]),
            )
            .told(53))
        });
    let told = told
        .expect("a session")
        .because("migration-lock-timeout", "no")
        .says(&["blog.0002_hidden", "blocked by", "the long report"]);
    let attempts: Vec<Option<u64>> = told
        .of_kind("retrying")
        .iter()
        .map(|line| line["attempt"].as_u64())
        .collect();
    assert_eq!(attempts, [Some(2), Some(3)]);
    let notes: Vec<&str> = told
        .of_kind("note")
        .iter()
        .map(|line| text(&line["message"]))
        .collect();
    assert!(
        notes.contains(&"tried again 2 times (--retries)"),
        "{notes:?}"
    );
    assert_eq!(blog.applied(), ["0001_initial"]);
}

/// What it did outside the database cannot be rolled back.
#[test]
fn a_migration_with_code_of_its_own_is_not_run_twice() {
    let code = format!(
        "from django.db import migrations\n\n\ndef count(apps, schema_editor):\n    with open('entered', 'a') as file:\n        file.write('x')\n\n\n\
         class Migration(migrations.Migration):\n    dependencies = [('blog', '0001_initial')]\n    operations = [\n        \
         migrations.RunPython(count, migrations.RunPython.noop),\n        {},\n    ]\n",
        hidden("blog_post")
    );
    let blog = blog(|app| app.migration("0002_code", &code));
    let told = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute("BEGIN; SELECT FROM blog_post LIMIT 1")?;
            Ok(Running::start(&blog.apply().args(["--lock-timeout", "300ms"])).told(53))
        });
    let told = told
        .expect("a session")
        .because("migration-lock-timeout", "no");
    assert!(told.of_kind("retrying").is_empty());
    assert_eq!(blog.project.read_file("entered").expect("it ran"), "x");
    let notes: Vec<&str> = told
        .of_kind("note")
        .iter()
        .map(|line| text(&line["message"]))
        .collect();
    assert!(
        notes.iter().any(
            |note| note.starts_with("not tried again: its own code has run (")
                && note.contains("count")
        ),
        "{notes:?}"
    );
}

/// It holds the posts and needs another table that is busy: it waits for that with nothing in hand.
#[test]
fn a_transaction_that_meets_a_busy_table_lets_go_of_what_it_holds_first() {
    let operations = "migrations.AddField('post', 'likes', models.IntegerField(null=True)), \
                      migrations.RunSQL('ALTER TABLE late ADD COLUMN n int')";
    let blog = blog(|app| app.operations("0002_two", operations));
    blog.execute("CREATE TABLE late (id int)");
    let told = blog
        .database
        .server()
        .with_client(blog.database.name(), |client| {
            client.batch_execute("BEGIN; SELECT FROM late")?;
            let mut running = Running::start(&blog.apply());
            running.wait_for("word of the wait", |line| {
                line["kind"] == "lock_waiting" && line["relation"] == "public.late"
            });
            let begun = std::time::Instant::now();
            while begun.elapsed() < Duration::from_millis(1500) {
                std::thread::sleep(Duration::from_millis(50));
            }
            assert!(
                !holds_posts(&blog),
                "the posts are free while it waits for the other table"
            );
            client.batch_execute("COMMIT")?;
            Ok(running.told(0))
        });
    assert_eq!(
        told.expect("a session").migrations("migration_applied"),
        ["blog.0002_two"]
    );
}

/// An operation of the project's own may do what RunPython's functions may.
#[test]
fn a_migration_with_an_operation_of_its_own_is_not_run_twice() {
    let own = "from django.db import migrations\nfrom django.db.migrations.operations.base import Operation\n\n\n\
               class Counts(Operation):\n    reversible = True\n\n    def state_forwards(self, app_label, state):\n        pass\n\n    \
               def database_forwards(self, app_label, schema_editor, old, new):\n        \
               if not schema_editor.collect_sql:\n            with open('entered', 'a') as file:\n                file.write('x')\n        \
               schema_editor.execute('DO $$ BEGIN EXECUTE $q$LOCK TABLE blog_post$q$; END $$')\n\n    \
               def database_backwards(self, app_label, schema_editor, old, new):\n        pass\n\n\n\
               class Migration(migrations.Migration):\n    dependencies = [('blog', '0001_initial')]\n    operations = [Counts()]\n";
    let blog = blog(|app| app.migration("0002_own", own));
    let (server, name) = (blog.database.server(), blog.database.name());
    let told = server.with_client(name, |client| {
        client.batch_execute("BEGIN; SELECT FROM blog_post LIMIT 1")?;
        Ok(Running::start(&blog.apply().args(["--lock-timeout", "300ms"])).told(53))
    });
    let told = told
        .expect("a session")
        .because("migration-lock-timeout", "no")
        .says(&[
            "nothing of it stayed in this database",
            "0002_own.Counts) did elsewhere",
        ]);
    assert!(told.of_kind("retrying").is_empty());
    assert_eq!(blog.project.read_file("entered").expect("it ran"), "x");
}

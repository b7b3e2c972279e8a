//! Code of a migration that works with sessions of its own, in threads, processes and copies of the connection: it runs to
//! its end as under plain `migrate`, and the guard goes on watching the session of the migrations.
//!
//! Absent here: what such sessions do to each other, which is the project's business.

use std::time::{Duration, Instant};

use super::common::{Blog, Running, blog_in};

/// A migration by the body of `forwards()`, then these operations.
fn blog(venv: &str, forwards: &str, after: &str) -> Blog {
    let text = format!(
        "import threading\nfrom concurrent.futures import ThreadPoolExecutor\nfrom multiprocessing import get_context\n\
         from django.db import connection, migrations, transaction\n\n\n\
         def work(number):\n    own = connection.copy() if threading.current_thread() is threading.main_thread() else connection\n    \
         with own.cursor() as cursor:\n        for _ in range(20):\n            \
         cursor.execute(\"UPDATE blog_post SET slug = slug || 'x' WHERE id = %s\", [number])\n    own.close()\n\n\n\
         def together(number):\n    with transaction.atomic(), connection.cursor() as cursor:\n        \
         cursor.execute(\"UPDATE blog_post SET slug = slug || 'x' WHERE id = 1\")\n        barrier.wait(30) if number == 0 else None\n        \
         cursor.execute(\"UPDATE blog_post SET slug = slug || 'x' WHERE id = 2\")\n    connection.close()\n\n\n\
         def forwards(apps, schema_editor):\n    {}\n\n\n\
         class Migration(migrations.Migration):\n    dependencies = [('blog', '0001_initial')]\n    \
         operations = [migrations.RunPython(forwards){after}]\n",
        forwards.replace('\n', "\n    ")
    );
    blog_in(venv, |app| app.migration("0002_beside", &text))
}

#[track_caller]
fn all_were_written(blog: &Blog) {
    Running::start(&blog.apply()).told(0);
    let written = format!(
        "SELECT count(*) FROM blog_post WHERE slug LIKE '%{}'",
        "x".repeat(20)
    );
    assert_eq!(blog.scalar(&written), "8");
    assert_eq!(blog.applied(), ["0001_initial", "0002_beside"]);
}

#[test]
fn threads_are_not_mixed_up() {
    let threads =
        "with ThreadPoolExecutor(4) as threads:\n    list(threads.map(work, range(1, 9)))";
    for venv in ["django52", "django42-psycopg2"] {
        all_were_written(&blog(venv, threads, ""));
    }
}

#[test]
fn processes_that_it_forks_are_not_asked() {
    let processes = "with get_context('fork').Pool(3) as pool:\n    pool.map(work, range(1, 9))";
    all_were_written(&blog("django52", processes, ""));
}

/// Whoever waits for a row here waits for another thread, which must not wait for its turn to be asked.
#[test]
fn one_thread_may_wait_for_another() {
    let threads = "global barrier\nbarrier = threading.Barrier(2)\n\
        first = threading.Thread(target=together, args=[0])\nsecond = threading.Thread(target=together, args=[1])\n\
        first.start()\nsecond.start()\n\
        with schema_editor.connection.cursor() as cursor:\n    while True:\n        \
        cursor.execute(\"SELECT count(*) FROM pg_locks w JOIN pg_locks r USING (pid) WHERE NOT w.granted AND r.relation = 'blog_post'::regclass \
        AND r.database = (SELECT oid FROM pg_database WHERE datname = current_database())\")\n        \
        if cursor.fetchone()[0] or not (first.is_alive() and second.is_alive()):\n            break\n\
        barrier.wait(30) if first.is_alive() else None\nfirst.join()\nsecond.join()";
    let blog = blog("django52", threads, "");
    let flags = ["--lock-timeout", "20s"];
    Running::start(&blog.apply().args(flags)).told(0);
    assert_eq!(
        blog.scalar("SELECT slug FROM blog_post WHERE id = 2"),
        "post-2xx"
    );
}

/// Another session that came last is not the one whose locks others wait for.
#[test]
fn the_session_of_the_migrations_is_watched_all_the_same() {
    let after = ", migrations.RunSQL('ALTER TABLE blog_post ADD COLUMN n int'), migrations.RunSQL('SELECT pg_sleep(30)')";
    for beside in [
        "other = threading.Thread(target=work, args=[0])\nother.start()\nother.join()",
        "global other\nother = connection.copy()\nother.cursor().execute('SELECT 1')",
    ] {
        let blog = blog("django52", beside, after);
        let mut running = Running::start(&blog.apply().args(["--max-blocking", "1s"]));
        running.wait_for("the table to be held", |line| {
            line["kind"] == "statement_started"
                && line["sql"]
                    .as_str()
                    .is_some_and(|sql| sql.contains("pg_sleep"))
        });
        let began = Instant::now();
        blog.execute("SELECT FROM blog_post LIMIT 1");
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
        running.told(53).because("blast-radius", "no");
    }
}

/// `psycopg.sql` shows its parts where it is asked for a string.
#[test]
fn sql_that_is_put_together_by_psycopg_waits_outside_the_queue() {
    let compose = "from psycopg import sql\n\
        with schema_editor.connection.cursor() as cursor:\n    \
        cursor.execute(sql.SQL('ALTER TABLE {} ALTER slug SET DEFAULT NULL').format(sql.Identifier('blog_post')))";
    let blog = blog("django52", compose, "");
    let (server, name) = (blog.database.server(), blog.database.name());
    let told = server.with_client(name, |client| {
        client.batch_execute("BEGIN; SELECT FROM blog_post LIMIT 1")?;
        let mut running = Running::start(&blog.apply());
        running.wait_for("word of the wait", |line| line["kind"] == "lock_waiting");
        client.batch_execute("COMMIT")?;
        Ok(running.told(0))
    });
    let told = told.expect("a holder");
    let places: Vec<_> = told
        .of_kind("lock_waiting")
        .iter()
        .map(|line| line["place"].clone())
        .collect();
    assert!(
        places.iter().all(|place| place == "outside_queue"),
        "{places:?}"
    );
    let sql = "ALTER TABLE \"blog_post\" ALTER slug SET DEFAULT NULL";
    assert!(
        told.of_kind("statement_started")
            .iter()
            .any(|line| line["sql"] == sql)
    );
}

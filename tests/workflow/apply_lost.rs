//! The connection goes while a migration runs: cut by an administrator, or with the whole server.

use super::common::{Blog, Running, Told, backends, blog, blog_on, in_order, until};
use crate::support::{Env, TempServer};

/// A column, then a statement that lasts.
const SLOW: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True)), migrations.RunSQL('SELECT pg_sleep(300)')";

/// Starts the run and waits until its backend sleeps; gives the backend's pid.
#[track_caller]
fn asleep(blog: &Blog, running: &mut Running) -> String {
    running.wait_for("the long statement", |line| {
        line["sql"] == "SELECT pg_sleep(300)"
    });
    let sleeper = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND query = 'SELECT pg_sleep(300)' AND state = 'active'",
        blog.database.name()
    );
    let find = || {
        blog.database
            .server()
            .query("postgres", &sleeper)
            .unwrap_or_default()
            .into_iter()
            .flatten()
            .next()
    };
    until("the backend sleeps", || find().is_some());
    find().expect("it was there")
}

/// Nothing of the migration is there; the report says so, and `report latest` the same.
#[track_caller]
fn nothing_stayed(blog: &Blog, told: &Told) {
    assert_eq!(
        (blog.applied().len(), &*blog.columns()),
        (1, "id title slug")
    );
    assert_eq!(backends(&blog.database), 0);
    in_order(
        &told.report(&blog.project),
        &[
            "## Migration Halted",
            "the database was not changed",
            "`blog.0002_slow`",
        ],
    );
}

#[test]
fn a_backend_that_is_terminated_rolls_its_migration_back() {
    let blog = blog(|app| app.operations("0002_slow", SLOW));
    let mut running = Running::start(&blog.apply());
    let pid = asleep(&blog, &mut running);
    assert_eq!(
        blog.scalar(&format!("SELECT pg_terminate_backend({pid})")),
        "t"
    );
    let told = running
        .told(50)
        .because("migration-connection-lost", "no")
        .says(&["blog.0002_slow", "server's log"]);
    nothing_stayed(&blog, &told);
}

#[test]
fn a_backend_that_is_terminated_after_another_migration_says_what_stayed() {
    let blog = blog(|app| {
        app.operations(
            "0002_more",
            "migrations.AddField('post', 'more', models.IntegerField(null=True))",
        )
        .operations("0003_slow", SLOW)
    });
    let mut running = Running::start(&blog.apply());
    let pid = asleep(&blog, &mut running);
    assert_eq!(
        blog.scalar(&format!("SELECT pg_terminate_backend({pid})")),
        "t"
    );
    running
        .told(51)
        .because("migration-connection-lost", "yes")
        .says(&["blog.0003_slow", "1 of 2 migrations"]);
    assert_eq!(blog.applied(), ["0001_initial", "0002_more"]);
    assert_eq!(blog.columns(), "id title slug more");
}

/// The statement never came to its COMMIT, and that is known though nobody can be asked any more.
#[test]
fn a_server_that_stops_rolls_the_migration_back() {
    let install = Env::open()
        .and_then(|env| env.postgres(15))
        .expect("a server");
    let mut server = TempServer::start(&install).expect("a server");
    let blog = blog_on(&server, "5.2", |app| app.operations("0002_slow", SLOW));
    let mut running = Running::start(&blog.apply());
    asleep(&blog, &mut running);
    server.stop_immediate().expect("stopped");
    let told = running.told(50).because("migration-connection-lost", "no");
    server.restart().expect("started");
    nothing_stayed(&blog, &told);
}

/// The run holds its lock on a connection of its own; without it nobody keeps a second run away.
#[test]
fn a_run_that_loses_its_advisory_lock_stops_itself() {
    let blog = blog(|app| app.operations("0002_slow", SLOW));
    let mut running = Running::start(&blog.apply());
    asleep(&blog, &mut running);
    let holder = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND granted \
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(blog.scalar(holder), "1");
    let told = running
        .told(50)
        .because("migration-connection-lost", "no")
        .says(&["advisory lock"]);
    nothing_stayed(&blog, &told);
}

//! Somebody kills the project's Python, or the tool itself, with SIGKILL while a migration runs.

use rustix::process::Signal;

use super::common::{
    Blog, Running, Told, backends, blog, children, in_order, is_alive, models, send, until,
};
use crate::support;

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";
/// Sleeps as long as the table says: the first run is killed in it, the next one is not held up.
const NAP: &str = "migrations.RunSQL('SELECT pg_sleep(seconds) FROM nap')";

fn napping() -> Blog {
    let models = models("likes = models.IntegerField(null=True)");
    let blog = blog(|app| {
        app.models(&models)
            .operations("0002_nap", &format!("{ADD}, {NAP}"))
    });
    blog.execute("CREATE TABLE nap (seconds int); INSERT INTO nap VALUES (300)");
    blog
}

/// Starts the run; gives it, and its Python's pid, once its backend sleeps.
#[track_caller]
fn asleep(blog: &Blog) -> (Running, u32) {
    let mut running = Running::start(&blog.apply());
    running.wait_for("the nap", |line| {
        line["sql"]
            .as_str()
            .is_some_and(|sql| sql.contains("FROM nap"))
    });
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    until("the backend sleeps", || blog.scalar(sleeping) == "1");
    let python: Vec<u32> = children(running.pid())
        .into_iter()
        .filter(|(_, words)| words.contains("python"))
        .map(|(pid, _)| pid)
        .collect();
    assert_eq!(python.len(), 1, "{:?}", children(running.pid()));
    (running, python[0])
}

#[track_caller]
fn the_next_run_works(blog: &Blog) {
    blog.execute("UPDATE nap SET seconds = 0");
    let told = Told::by(blog.apply().run(), 0);
    assert_eq!(told.migrations("migration_applied"), ["blog.0002_nap"]);
    assert_eq!(blog.columns(), "id title slug likes");
}

#[test]
fn python_that_is_killed_leaves_no_backend_and_no_half_migration() {
    let blog = napping();
    let (mut running, python) = asleep(&blog);
    send(python, Signal::KILL);
    let told = running
        .told(50)
        .because("migration-connection-lost", "no")
        .says(&["blog.0002_nap", "signal: 9"]);
    assert_eq!(
        backends(&blog.database),
        0,
        "the backend is gone before the run ends"
    );
    assert_eq!(
        (blog.applied().len(), &*blog.columns()),
        (1, "id title slug")
    );
    in_order(
        &told.report(&blog.project),
        &["## Migration Halted", "the database was not changed"],
    );
    the_next_run_works(&blog);
}

#[test]
fn a_tool_that_is_killed_takes_python_and_backend_with_it() {
    let blog = napping();
    let (mut running, python) = asleep(&blog);
    running.signal(Signal::KILL);
    assert_eq!(running.end().0, 137);
    until("Python is gone", || !is_alive(python));
    until("the backend is gone", || backends(&blog.database) == 0);
    assert_eq!(
        (blog.applied().len(), &*blog.columns()),
        (1, "id title slug")
    );
    let report = support::cli(&blog.project)
        .args(["report", "latest", "--format", "json"])
        .run()
        .expect(0)
        .json();
    assert!(
        report["exit_code"].is_null() && report["finished_at"].is_null(),
        "{report:#}"
    );
    assert_eq!(report["changed"], "unknown");
    assert_eq!(report["migrations"][0]["progress"], "unknown");
    let shown = support::cli(&blog.project)
        .args(["report", "latest", "--format", "markdown"])
        .run()
        .expect(0);
    in_order(
        &shown.stdout,
        &[
            "## Migration Broke Off",
            "`blog.0002_nap`",
            "begun, its end is unknown",
        ],
    );
    the_next_run_works(&blog);
}

/// A COMMIT was never sent: whatever Python did, the server took it back.
#[test]
fn python_that_dies_between_statements_is_rolled_back() {
    let code = "import os\n\nfrom django.db import migrations, models\n\n\ndef die(apps, editor):\n    \
                apps.get_model('blog', 'Post').objects.update(title='changed')\n    os._exit(9)\n\n\n\
                class Migration(migrations.Migration):\n    dependencies = [('blog', '0001_initial')]\n    \
                operations = [migrations.RunPython(die)]\n";
    let blog = blog(|app| app.migration("0002_dies", code));
    Told::by(blog.apply().run(), 50)
        .because("migration-connection-lost", "no")
        .says(&["blog.0002_dies", "exit status: 9"]);
    assert_eq!(blog.applied().len(), 1);
    assert_eq!(
        blog.scalar("SELECT count(*) FROM blog_post WHERE title = 'changed'"),
        "0"
    );
}

/// A migration whose SQL is deferred to its end is recorded in a second transaction.
fn deferring(settings: &str) -> Blog {
    let index = "migrations.CreateModel('Tag', [('id', models.BigAutoField(primary_key=True, serialize=False)), \
                 ('post', models.ForeignKey('blog.post', models.CASCADE))])";
    let blog = blog(|app| app.operations("0002_tag", index));
    let text = blog
        .project
        .read_file("config/settings.py")
        .expect("settings");
    blog.project
        .write_file("config/settings.py", &format!("{text}\n{settings}"))
        .expect("written");
    blog
}

/// Dies where this method of Django's is called within `migrate`, after its migration began.
fn dying_in(module: &str, class: &str, method: &str, before: &str) -> String {
    format!(
        "import os, sys\nif 'migrate' in sys.argv:\n    from {module} import {class}\n    real = {class}.{method}\n\n    \
         def {method}(self, *args, **kwargs):\n        {before}\n        os._exit(9)\n\n    {class}.{method} = {method}\n"
    )
}

#[test]
fn python_that_dies_between_commit_and_recording_leaves_the_outcome_unknown() {
    let dies = dying_in(
        "django.db.migrations.executor",
        "MigrationExecutor",
        "record_migration",
        "pass",
    );
    let blog = deferring(&dies);
    let told = Told::by(blog.apply().run(), 52).because("outcome-unknown", "unknown");
    let told = told.says(&["blog.0002_tag", "compare the schema", "--fake"]);
    assert_eq!(
        blog.scalar("SELECT to_regclass('blog_tag') IS NOT NULL"),
        "t",
        "applied"
    );
    assert_eq!(blog.applied(), ["0001_initial"], "and not recorded");
    in_order(
        &told.report(&blog.project),
        &["whether the database was changed is unknown"],
    );
    // once the database can be asked in peace, the catalog settles it
    let checked = support::cli(&blog.project)
        .args(["check", "--format", "json"])
        .run()
        .expect(0)
        .json();
    let findings = checked["findings"].to_string();
    in_order(
        &findings,
        &[
            "run-cut-off",
            "blog.0002_tag is applied but not recorded: table public.blog_tag is there",
            "manage.py migrate blog 0002_tag --fake",
        ],
    );
}

#[test]
fn python_that_dies_in_the_recording_after_a_commit_says_that_it_is_applied() {
    let before = "self.connection.cursor().execute('SELECT 1')";
    let dies = dying_in(
        "django.db.migrations.executor",
        "MigrationExecutor",
        "record_migration",
        before,
    );
    let blog = deferring(&dies);
    Told::by(blog.apply().run(), 51)
        .because("migration-connection-lost", "yes")
        .says(&["blog.0002_tag", "applied but not recorded", "--fake"]);
    assert_eq!(
        blog.scalar("SELECT to_regclass('blog_tag') IS NOT NULL"),
        "t",
        "applied"
    );
    assert_eq!(blog.applied(), ["0001_initial"], "and not recorded");
}

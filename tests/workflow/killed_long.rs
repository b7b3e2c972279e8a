//! A run of many migrations that was killed: what stayed is counted, a squash among it is known to be applied, and the
//! plan that was agreed to then is said to be applied in part.

use rustix::process::Signal;

use super::common::{Blog, Running, Told, backends, blog, fingerprint, in_order, text, until};
use crate::support;

const SQUASH: &str = "from django.db import migrations


class Migration(migrations.Migration):
    replaces = [('blog', '0002_a'), ('blog', '0003_b')]
    dependencies = [('blog', '0001_initial')]
    operations = [migrations.RunSQL('SELECT 1')]
";

/// A squash whose replaced files are gone, seven more, and one that does not end.
fn long() -> Blog {
    let blog = blog(|app| app);
    let write = |name: &str, code: &str| {
        let path = format!("blog/migrations/{name}.py");
        blog.project.write_file(&path, code).expect("written");
    };
    write("0002_squashed_0003_b", SQUASH);
    let mut before = "0002_squashed_0003_b".to_owned();
    for (number, sql) in (4..=10).map(|n| (n, "SELECT 1")).chain([(11, SLEEP)]) {
        let name = format!("{number:04}_more");
        let code = format!(
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    \
             dependencies = [('blog', '{before}')]\n    operations = [migrations.RunSQL('{sql}')]\n"
        );
        write(&name, &code);
        before = name;
    }
    blog
}

const SLEEP: &str = "SELECT pg_sleep(300)";

#[test]
fn what_a_killed_run_applied_is_counted_and_a_squash_is_no_loss() {
    let blog = long();
    let plan = fingerprint(&blog.project);
    let mut running = Running::start(&blog.apply());
    running.wait_for("the last one", |line| {
        line["kind"] == "statement_started" && text(&line["sql"]).contains("pg_sleep")
    });
    running.signal(Signal::KILL);
    assert_eq!(running.end().0, 137);
    until("its backend is gone", || {
        blog.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name LIKE 'django-migrate %' AND datname = current_database()",
        );
        backends(&blog.database) == 0
    });
    let checked = support::cli(&blog.project)
        .args(["check", "--format", "json"])
        .run();
    let checked = checked.expect(0).stdout;
    assert!(!checked.contains("somebody took it back"), "{checked}");
    assert!(
        checked.contains("8 migrations of it are applied and recorded"),
        "{checked}"
    );
    let ran = blog.apply().args(["--plan", &plan]).run();
    let told = Told::by(ran, 11).because("plan-changed", "no").says(&[
        "agreed in",
        "applied",
        "blog.0002_squashed_0003_b, blog.0004_more",
        "3 more, by run ",
    ]);
    let notes = told.of_kind("note").into_iter();
    let notes: Vec<&str> = notes.map(|line| text(&line["message"])).collect();
    let notes = notes.join("\n");
    in_order(
        &notes,
        &[
            "was cut off in step 4, Apply, in migration blog.0011_more",
            "8 migrations of it are applied and recorded, blog.0002_squashed_0003_b to blog.0010_more",
            "blog.0011_more is not recorded",
        ],
    );
    assert!(!notes.contains("somebody took it back"), "{notes}");
    assert!(!notes.contains("blog.0005_more"), "{notes}");
}

//! A transaction that has only read holds its locks too, while the migration waits at the gate for its next statement.
//!
//! Absent here: transactions that have changed rows or hold stronger locks (see `guard_holds`).

use std::time::{Duration, Instant};

use super::common::{Blog, Running, blog, until};

/// Reads the posts, and goes on to `held` once somebody holds that.
fn reads(query: &str) -> Blog {
    let text = format!(
        "import pathlib\nimport time\nfrom django.db import migrations\n\n\n\
         def forwards(apps, schema_editor):\n    list({query})\n    pathlib.Path('has-read').touch()\n    \
         until = time.monotonic() + 30\n    while not pathlib.Path('is-held').exists() and time.monotonic() < until:\n        \
         time.sleep(0.02)\n\n\n\
         class Migration(migrations.Migration):\n    dependencies = [('blog', '0001_initial')]\n    \
         operations = [migrations.RunPython(forwards), migrations.RunSQL('ALTER TABLE held ADD COLUMN n int')]\n"
    );
    let blog = blog(|app| app.migration("0002_reads", &text));
    blog.execute("CREATE TABLE held ()");
    blog
}

/// How long `sql` waits for the migration, which waits for `held`, and how the run ends.
#[track_caller]
fn waits(blog: &Blog, sql: &str) -> (Duration, super::common::Told) {
    let (server, name) = (blog.database.server(), blog.database.name());
    let ran = server.with_client(name, |holder| {
        let mut running =
            Running::start(
                &blog
                    .apply()
                    .args(["--max-wait", "30s", "--max-blocking", "1s"]),
            );
        until("the posts are read", || {
            blog.project.folder().join("has-read").exists()
        });
        holder.batch_execute("BEGIN; LOCK TABLE held IN ACCESS SHARE MODE")?;
        blog.project.write_file("is-held", "")?;
        let began = Instant::now();
        blog.execute(sql);
        let waited = began.elapsed();
        Ok((waited, running.told(53)))
    });
    ran.unwrap_or_else(|why| panic!("{why:#}"))
}

#[test]
fn whoever_waits_behind_a_read_is_counted() {
    let blog = reads("apps.get_model('blog', 'Post').objects.all()");
    let (waited, told) = waits(&blog, "BEGIN; LOCK TABLE blog_post; COMMIT");
    assert!(waited < Duration::from_secs(8), "{waited:?}");
    told.because("blast-radius", "no").says(&["--max-blocking"]);
    assert_eq!(blog.applied(), ["0001_initial"]);
}

#[test]
fn locked_rows_are_not_kept_at_the_gate() {
    let blog = reads("apps.get_model('blog', 'Post').objects.select_for_update()");
    let (waited, _) = waits(&blog, "UPDATE blog_post SET title = title");
    assert!(waited < Duration::from_secs(8), "{waited:?}");
    assert_eq!(blog.applied(), ["0001_initial"]);
}

//! Ways that are closed: files that are gone or others, another database, a history that does not fit.

use super::common::{applied_run, back};
use crate::workflow::common::{Blog, Told, blog};

const INDEX: &str = "migrations.AddIndex('Post', models.Index(fields=['slug'], name='blog_slug'))";
const FILE: &str = "blog/migrations/0002_index.py";

fn indexed() -> (Blog, String) {
    let blog = blog(|app| app.operations("0002_index", INDEX));
    let run = applied_run(&blog.project);
    (blog, run)
}

#[track_caller]
fn refused(blog: &Blog, run: &str, code: i32, class: &str, words: &[&str]) {
    let told = Told::by(back(&blog.project, run).run(), code)
        .because(class, "no")
        .says(words);
    assert!(told.of_kind("migration_started").is_empty());
    assert_eq!(blog.applied().len(), 2);
}

#[test]
fn a_file_that_is_gone_knows_no_way_back() {
    let (blog, run) = indexed();
    blog.project.remove_file(FILE).expect("removed");
    refused(
        &blog,
        &run,
        22,
        "missing-migration",
        &["blog.0002_index", "check out the release"],
    );
}

#[test]
fn a_file_that_was_edited_since_takes_back_something_else() {
    let (blog, run) = indexed();
    let text = blog.project.read_file(FILE).expect("a file");
    blog.project
        .write_file(FILE, &format!("{text}\n# edited\n"))
        .expect("written");
    refused(
        &blog,
        &run,
        70,
        "rollback-files-changed",
        &["blog.0002_index", "check out the release"],
    );
}

/// The same project led to a copy of the database: neither its number nor its name is that of the run.
#[test]
fn another_database_is_not_that_of_the_run() {
    let (blog, run) = indexed();
    let copy = format!("{}_copy", blog.database.name());
    let server = blog.database.server();
    server
        .query(
            "postgres",
            &format!(
                "CREATE DATABASE \"{copy}\" TEMPLATE \"{}\"",
                blog.database.name()
            ),
        )
        .expect("a copy");
    let settings = blog
        .project
        .read_file("config/settings.py")
        .expect("settings");
    blog.project
        .write_file(
            "config/settings.py",
            &format!("{settings}\nDATABASES['default']['NAME'] = '{copy}'\n"),
        )
        .expect("written");
    refused(
        &blog,
        &run,
        31,
        "not-the-same-database",
        &[&copy, blog.database.name()],
    );
    // under its name, but not it
    server
        .query(
            "postgres",
            &format!(
                "ALTER DATABASE \"{}\" RENAME TO \"{copy}_old\"",
                blog.database.name()
            ),
        )
        .expect("renamed");
    server
        .query(
            "postgres",
            &format!(
                "ALTER DATABASE \"{copy}\" RENAME TO \"{}\"",
                blog.database.name()
            ),
        )
        .expect("renamed");
    blog.project
        .write_file("config/settings.py", &settings)
        .expect("written");
    refused(&blog, &run, 31, "not-the-same-database", &["the oid"]);
    server
        .query("postgres", &format!("DROP DATABASE \"{copy}_old\""))
        .expect("dropped");
}

#[test]
fn another_alias_is_named() {
    let (blog, run) = indexed();
    let settings = blog
        .project
        .read_file("config/settings.py")
        .expect("settings");
    blog.project
        .write_file(
            "config/settings.py",
            &format!("{settings}\nDATABASES['other'] = DATABASES['default']\n"),
        )
        .expect("written");
    let told = back(&blog.project, &run).args(["--database", "other"]);
    Told::by(told.run(), 31)
        .because("not-the-same-database", "no")
        .says(&["--database default"]);
}

#[test]
fn a_history_that_does_not_fit_is_refused() {
    let (blog, run) = indexed();
    blog.execute("DELETE FROM django_migrations WHERE name = '0001_initial'");
    let told = Told::by(back(&blog.project, &run).run(), 22).because("inconsistent-history", "no");
    assert!(told.of_kind("migration_started").is_empty());
}

/// Its replaced migrations are not in the graph any more.
#[test]
fn a_squash_that_stands_for_it_now_is_named() {
    let (blog, run) = indexed();
    blog.project
        .write_file(
            "blog/migrations/0001_squashed.py",
            "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    initial = True\n    \
             replaces = [('blog', '0001_initial'), ('blog', '0002_index')]\n    dependencies = []\n    operations = [\n        \
             migrations.CreateModel('Post', [('id', models.BigAutoField(primary_key=True, serialize=False)),\n            \
             ('title', models.CharField(max_length=80)), ('slug', models.CharField(max_length=80))],\n            \
             options={'indexes': [models.Index(fields=['slug'], name='blog_slug')]})]\n",
        )
        .expect("a squash");
    refused(
        &blog,
        &run,
        70,
        "rollback-blocked",
        &["blog.0001_squashed stands for blog.0002_index"],
    );
}

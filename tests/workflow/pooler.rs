//! A run through PgBouncer: what works in transaction pooling, that nothing stays behind there, and session pooling.

use std::collections::BTreeSet;

use serde_json::Value;

use super::common::{BARE, Blog, Told, blog, blog_in};
use crate::support::{App, PoolMode, Pooler, Ran, cli, lead_through, pooler};

/// What a session could be told, and others of the pool must not find.
const SETTINGS: &str = "current_setting('lock_timeout'), current_setting('statement_timeout'), \
     current_setting('default_transaction_read_only'), current_setting('transaction_read_only'), \
     current_setting('idle_in_transaction_session_timeout'), current_setting('client_connection_check_interval'), \
     current_setting('application_name')";
const UNTOUCHED: [&str; 6] = ["0", "0", "off", "off", "0", "0"];
/// The name that a client gives when it connects is PgBouncer's to pass on: it leaves it to the next one without a name.
/// What is set later, the run's own name, must not be there.
const NAMES: [&str; 2] = ["", "django-migrate"];

/// Reads back what is in force, also after a rollback to a savepoint; then a foreign key, whose SQL Django defers.
fn migrations(app: App) -> App {
    app.operations(
        "0002_seen",
        "migrations.AddField('Post', 'likes', models.IntegerField(null=True)), migrations.RunPython(look)",
    )
    .operations(
        "0003_comment",
        "migrations.CreateModel('Comment', [('id', models.BigAutoField(primary_key=True, serialize=False)), \
         ('post', models.ForeignKey('blog.Post', models.CASCADE))])",
    )
    .models(&format!(
        "{}\n\nclass Comment(models.Model):\n    id = models.BigAutoField(primary_key=True)\n    \
         post = models.ForeignKey(Post, models.CASCADE)\n",
        super::common::models("likes = models.IntegerField(null=True)")
    ))
}

const LOOK: &str = "from django.db import Error, migrations, models, transaction


def look(apps, schema_editor):
    def note():
        with schema_editor.connection.cursor() as cursor:
            for name in ('lock_timeout', 'statement_timeout', 'application_name', 'default_transaction_read_only'):
                cursor.execute('SHOW ' + name)
                found.append(name + '=' + cursor.fetchone()[0])
    found = []
    note()
    try:
        with transaction.atomic():
            with schema_editor.connection.cursor() as cursor:
                cursor.execute('SELECT 1 / 0')
    except Error:
        note()
    with open('seen.txt', 'a') as file:
        file.write('\\n'.join(found) + '\\n')
";

fn with_look(blog: Blog) -> Blog {
    let path = "blog/migrations/0002_seen.py";
    let text = blog.project.read_file(path).unwrap();
    let text = text.replacen("from django.db import migrations, models\n", LOOK, 1);
    assert!(text.contains("def look"), "{text}");
    blog.project.write_file(path, &text).unwrap();
    blog
}

#[track_caller]
fn nothing_stayed_behind(blog: &Blog, pooler: &Pooler) {
    let (server, name) = (blog.database.server(), blog.database.name());
    let rows = pooler.visit(server, name, SETTINGS).expect("a visit");
    let backends: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(backends.len(), Pooler::POOL_SIZE, "{rows:?}");
    for row in &rows {
        assert_eq!(row[1..7], UNTOUCHED, "{rows:?}");
        assert!(NAMES.contains(&row[7].as_str()), "{rows:?}");
    }
}

#[test]
fn heavy_a_whole_run_through_a_transaction_pooler() {
    for venv in ["django52", "django42-psycopg2"] {
        let blog = with_look(blog_in(venv, migrations));
        let Some(pooler) = pooler(blog.database.server(), PoolMode::Transaction) else {
            return;
        };
        lead_through(&blog.project, &pooler);
        let ran = cli(&blog.project)
            .args([
                "run",
                "--apply",
                "--yes",
                "--skip-tests",
                "--format",
                "json",
            ])
            .args(["--lock-timeout", "1500ms", "--statement-timeout", "40s"])
            .args(["--dsn", &blog.database.dsn()])
            .run();
        let told = Told::by(ran, 0);
        assert_eq!(told.finished["changed"], "yes");
        assert_eq!(blog.applied().len(), 3);
        let run = told.finished["run"].as_str().expect("a run");
        in_force(&blog, run);
        assert!(blog.project.folder().join("backups").exists());
        nothing_stayed_behind(&blog, &pooler);
    }
}

/// A statement gets the timeout of its attempt, which is at most what was asked for, and never none.
#[track_caller]
fn in_force(blog: &Blog, run: &str) {
    let seen = blog.project.read_file("seen.txt").expect("what was seen");
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines.len(), 8, "{seen}");
    for line in lines {
        let (name, value) = line.split_once('=').expect("a value");
        match name {
            "lock_timeout" => {
                let milliseconds = value.strip_suffix("ms").map(str::parse::<u32>);
                let milliseconds = milliseconds.unwrap_or_else(|| {
                    Ok(1000 * value.trim_end_matches('s').parse::<u32>().expect(value))
                });
                assert!((1..=1500).contains(&milliseconds.expect(value)), "{seen}");
            }
            "statement_timeout" => assert_eq!(value, "40s"),
            "application_name" => assert_eq!(value, format!("django-migrate {run}")),
            _ => assert_eq!(value, "off"),
        }
    }
}

#[test]
fn looks_through_a_transaction_pooler_leave_nothing_behind() {
    let blog = with_look(blog(migrations));
    let Some(pooler) = pooler(blog.database.server(), PoolMode::Transaction) else {
        return;
    };
    lead_through(&blog.project, &pooler);
    let look = |arguments: &[&str], code: i32| -> Ran {
        let ran = cli(&blog.project).args(arguments).run().expect(code);
        nothing_stayed_behind(&blog, &pooler);
        ran
    };
    let status = look(&["status", "--format", "json"], 0).json();
    let states: Vec<&Value> = status["migrations"]
        .as_array()
        .expect("migrations")
        .iter()
        .filter(|m| m["app"] == "blog")
        .map(|m| &m["state"])
        .collect();
    assert_eq!(states, ["applied", "pending", "pending"]);
    let preview = look(&["preview", "--format", "json"], 0).json();
    assert_eq!(preview["migrations"].as_array().map(Vec::len), Some(2));
    // everything is looked at, and only pg_dump cannot go there
    let check = look(&["check", "--format", "json"], 31).json();
    let failing: Vec<&Value> = check["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter(|check| check["ok"] != true)
        .map(|check| &check["name"])
        .collect();
    assert_eq!(failing, ["pg_dump"], "{check}");
    look(&["locks", "--format", "json"], 0);
    look(&["run", "--no-backup", "--acknowledge-no-backup"], 0);
}

#[test]
fn a_lock_is_waited_for_through_a_transaction_pooler() {
    let blog = blog(|app| {
        app.operations(
            "0002_likes",
            "migrations.AddField('Post', 'likes', models.IntegerField(null=True))",
        )
        .models(&super::common::models(
            "likes = models.IntegerField(null=True)",
        ))
    });
    let Some(pooler) = pooler(blog.database.server(), PoolMode::Transaction) else {
        return;
    };
    lead_through(&blog.project, &pooler);
    let (server, name) = (blog.database.server(), blog.database.name());
    let ran = server
        .with_client(name, |client| {
            let mut held = client.transaction()?;
            held.batch_execute("LOCK TABLE blog_post IN ACCESS SHARE MODE")?;
            let ran = cli(&blog.project)
                .args(BARE)
                .args(["--max-wait", "2s", "--format", "json"])
                .run();
            held.rollback()?;
            Ok(ran)
        })
        .expect("a holder");
    let told = Told::by(ran, 53);
    assert_eq!(told.finished["changed"], "no");
    assert_eq!(blog.applied(), ["0001_initial"]);
    nothing_stayed_behind(&blog, &pooler);
}

#[test]
fn heavy_session_pooling_is_as_good_as_none() {
    let blog = with_look(blog(|app| {
        migrations(app).body(
            "0004_idx",
            "atomic = False\noperations = [migrations.RunSQL('CREATE INDEX CONCURRENTLY blog_slug ON blog_post (slug)')]",
        )
    }));
    let Some(pooler) = pooler(blog.database.server(), PoolMode::Session) else {
        return;
    };
    lead_through(&blog.project, &pooler);
    let ran = cli(&blog.project)
        .args([
            "run",
            "--apply",
            "--yes",
            "--skip-tests",
            "--format",
            "json",
        ])
        .args(["--lock-timeout", "1500ms", "--statement-timeout", "40s"])
        .run();
    let told = Told::by(ran, 0);
    assert_eq!(blog.applied().len(), 4);
    in_force(&blog, told.finished["run"].as_str().expect("a run"));
    assert!(blog.project.folder().join("backups").exists());
}

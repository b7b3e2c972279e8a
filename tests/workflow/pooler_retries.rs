//! A migration that is tried again through a transaction pooler, on another server connection each time: it begins with
//! the models as they were, and what comes out is what plain `migrate` makes.

use super::common::{Blog, Running, blog_in, models};
use crate::support::{App, PoolMode, lead_through, pooler};

/// Renames write into the models' states in place, also into fields of other models; the lock is met after them.
fn migrations(app: App) -> App {
    let id = "('id', models.BigAutoField(primary_key=True, serialize=False))";
    app.operations(
        "0002_topic",
        &format!(
            "migrations.CreateModel('Topic', [{id}, ('code', models.CharField(max_length=9, unique=True))]), \
             migrations.CreateModel('Entry', [{id}, \
             ('topic', models.ForeignKey('blog.Topic', models.CASCADE, to_field='code'))])"
        ),
    )
    .operations(
        "0003_renamed",
        "migrations.RenameField('Topic', 'code', 'key'), migrations.RenameModel('Entry', 'Remark'), \
         migrations.AddField('Post', 'topic', models.ForeignKey('blog.Topic', models.SET_NULL, null=True, to_field='key')), \
         migrations.RunSQL('DO $$ BEGIN EXECUTE $q$LOCK TABLE held$q$; END $$'), \
         migrations.AddField('Remark', 'post', models.ForeignKey('blog.Post', models.CASCADE, null=True))",
    )
    .operations(
        "0004_after",
        "migrations.RenameField('Topic', 'key', 'slug'), \
         migrations.AlterField('Topic', 'slug', models.CharField(max_length=20, unique=True)), \
         migrations.RenameField('Remark', 'topic', 'about')",
    )
    .models(&format!(
        "{}\n\nclass Topic(models.Model):\n    id = models.BigAutoField(primary_key=True)\n    \
         slug = models.CharField(max_length=20, unique=True)\n\n\nclass Remark(models.Model):\n    \
         id = models.BigAutoField(primary_key=True)\n    \
         about = models.ForeignKey(Topic, models.CASCADE, to_field='slug')\n    \
         post = models.ForeignKey(Post, models.CASCADE, null=True)\n",
        models("topic = models.ForeignKey('blog.Topic', models.SET_NULL, null=True, to_field='slug')")
    ))
}

fn prepared(venv: &str) -> Blog {
    let blog = blog_in(venv, migrations);
    blog.execute("CREATE TABLE held ()");
    blog
}

/// Columns, indexes and constraints, by their names.
fn schema(blog: &Blog) -> Vec<Vec<String>> {
    blog.database
        .query(
            "SELECT table_name, column_name, data_type || coalesce(character_maximum_length::text, '') || is_nullable \
             FROM information_schema.columns WHERE table_schema = 'public' \
             UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' \
             UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint \
             WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2, 3",
        )
        .expect("the schema")
}

#[test]
fn heavy_it_begins_with_the_models_as_they_were() {
    for venv in ["django52", "django42-psycopg2"] {
        let (blog, plain) = (prepared(venv), prepared(venv));
        let Some(pooler) = pooler(blog.database.server(), PoolMode::Transaction) else {
            return;
        };
        plain.project.manage(&["migrate"]).expect("plain migrate");
        lead_through(&blog.project, &pooler);
        let (server, name) = (blog.database.server(), blog.database.name());
        let told = server.with_client(name, |client| {
            client.batch_execute("BEGIN; LOCK TABLE held")?;
            let flags = ["--lock-timeout", "200ms", "--retries", "9"];
            let mut running = Running::start(&blog.apply().args(flags));
            running.wait_for("third try", |line| {
                line["kind"] == "retrying" && line["attempt"] == 3
            });
            client.batch_execute("COMMIT")?;
            Ok(running.told(0))
        });
        let told = told.expect("a holder");
        assert_eq!(
            told.migrations("migration_applied"),
            ["blog.0002_topic", "blog.0003_renamed", "blog.0004_after"]
        );
        assert_eq!(schema(&blog), schema(&plain));
    }
}

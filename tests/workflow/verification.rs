//! Step 5: what was applied is looked at again; what is new and wrong ends with 60, what is old is a note.

use super::common::{Blog, Told, blog, in_order, models, text};
use crate::support::App;

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";
const LIKES: &str = "likes = models.IntegerField(null=True)";

/// A blog whose pending migration is fine.
fn fine(describe: impl FnOnce(App) -> App) -> Blog {
    blog(|app| describe(app.models(&models(LIKES)).operations("0002_likes", ADD)))
}

/// The check of this name in the last verification.
#[track_caller]
fn check(told: &Told, name: &str) -> (bool, String) {
    let checks = told.of_kind("verified")[0]["checks"]
        .as_array()
        .expect("a list")
        .clone();
    let found = checks
        .into_iter()
        .find(|check| check["name"] == name)
        .unwrap_or_else(|| panic!("no check `{name}`"));
    (found["ok"] == true, text(&found["detail"]).to_owned())
}

#[track_caller]
fn notes(told: &Told, name: &str, words: &str) {
    let (ok, detail) = check(told, name);
    assert!(ok && detail.contains(words), "{name}: {detail}");
}

/// A `migrate` of the project's own that stops one short.
#[test]
fn a_migration_that_is_still_pending_afterwards_is_found() {
    let command = "from django.core.management.commands.migrate import Command as Migrate\n\n\n\
                   class Command(Migrate):\n    def handle(self, *args, **options):\n        \
                   options.update(app_label='blog', migration_name='0002')\n        super().handle(*args, **options)\n";
    let later = "later = models.IntegerField(null=True)";
    let blog = blog(|app| {
        app.models(&models(&format!("{LIKES}\n    {later}")))
            .operations("0002_likes", ADD)
            .operations(
                "0003_later",
                "migrations.AddField('post', 'later', models.IntegerField(null=True))",
            )
            .file("management/__init__.py", "")
            .file("management/commands/__init__.py", "")
            .file("management/commands/migrate.py", command)
    });
    let told = Told::by(blog.apply().run(), 60)
        .because("still-pending", "yes")
        .says(&["still pending: blog.0003_later"]);
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
    let report = told.report(&blog.project);
    in_order(
        &report,
        &[
            "## Migration Halted",
            "- [x] `blog.0002_likes`",
            "- [ ] `blog.0003_later`",
            "- [ ] **Migration status**",
        ],
    );
}

/// Recorded, and yet not there: as where somebody runs `migrate --fake`.
#[test]
fn a_migrate_that_only_fakes_is_found() {
    let command = "from django.core.management.commands.migrate import Command as Migrate\n\n\n\
                   class Command(Migrate):\n    def handle(self, *args, **options):\n        \
                   options['fake'] = True\n        super().handle(*args, **options)\n";
    let blog = fine(|app| {
        app.file("management/__init__.py", "")
            .file("management/commands/__init__.py", "")
            .file("management/commands/migrate.py", command)
    });
    Told::by(blog.apply().run(), 60)
        .because("verification-differs", "yes")
        .says(&["blog_post", "likes"]);
    assert_eq!(blog.columns(), "id title slug");
}

#[test]
fn a_column_that_a_migration_took_behind_the_models_back_is_found() {
    let blog = blog(|app| {
        app.operations(
            "0002_sql",
            "migrations.RunSQL('ALTER TABLE blog_post DROP COLUMN slug')",
        )
    });
    let plan = super::common::fingerprint(&blog.project);
    let cli = blog
        .apply()
        .args(["--plan", &plan, "--confirm-destructive", "I understand"]);
    let told = Told::by(cli.run(), 60)
        .because("verification-differs", "yes")
        .says(&["Live schema", "blog_post.slug"]);
    assert!(
        !check(&told, "Database connectivity").0,
        "a model that cannot be read does not answer"
    );
    in_order(
        &told.report(&blog.project),
        &[
            "- [ ] **Live schema**",
            "### Rollback (if needed)",
            "migrate blog 0001_initial",
        ],
    );
}

/// The migration swallows the failure, and an INVALID index stays.
#[test]
fn an_invalid_index_that_a_migration_left_is_found() {
    let code = "from django.db import migrations\n\n\ndef index(apps, editor):\n    with editor.connection.cursor() as cursor:\n        \
                try:\n            cursor.execute('CREATE UNIQUE INDEX CONCURRENTLY post_slug_uniq ON blog_post (slug)')\n        \
                except Exception:\n            pass\n\n\n\
                class Migration(migrations.Migration):\n    atomic = False\n    dependencies = [('blog', '0001_initial')]\n    \
                operations = [migrations.RunPython(index, atomic=False)]\n";
    let blog = blog(|app| app.migration("0002_index", code));
    let told = Told::by(blog.apply().run(), 60).because("verification-differs", "yes");
    told.says(&["Indexes", "post_slug_uniq", "INVALID"]);
}

#[test]
fn differences_that_were_there_before_are_notes() {
    let blog = fine(|app| {
        app.models(&format!(
            "{}\n    class Meta:\n        ordering = ['title']\n",
            models(LIKES)
        ))
    });
    let build = blog
        .database
        .execute("CREATE UNIQUE INDEX CONCURRENTLY old_invalid ON blog_post (slug)");
    assert!(build.is_err(), "two posts have one slug");
    blog.execute(
        "ALTER TABLE blog_post ALTER COLUMN title TYPE text, ADD COLUMN forgotten int;
         ALTER TABLE blog_post ADD CONSTRAINT old_check CHECK (id > 0) NOT VALID",
    );
    let told = Told::by(blog.apply().run(), 0);
    notes(&told, "Live schema", "blog_post.forgotten");
    notes(&told, "Live schema", "blog_post.title");
    notes(
        &told,
        "Indexes",
        "as before the run, INVALID, to be dropped or reindexed: public.old_invalid",
    );
    notes(&told, "Constraints", "old_check");
    notes(&told, "Model drift", "as before");
}

/// A model that could not be read before the run is no news after it.
#[test]
fn a_model_that_did_not_answer_before_is_a_note() {
    let blog = fine(|app| app);
    blog.execute("ALTER TABLE blog_post DROP COLUMN slug");
    let told = Told::by(blog.apply().run(), 0);
    notes(&told, "Live schema", "blog_post.slug");
    notes(&told, "Database connectivity", "blog.Post");
}

/// NOT VALID is often meant: VALIDATE comes with a later migration.
#[test]
fn a_constraint_that_is_not_validated_yet_is_a_note() {
    let sql = "migrations.RunSQL('ALTER TABLE blog_post ADD CONSTRAINT new_check CHECK (id > 0) NOT VALID')";
    let blog = blog(|app| app.operations("0002_check", sql));
    let told = Told::by(blog.apply().run(), 0);
    notes(&told, "Constraints", "new_check");
}

#[test]
fn a_warning_of_a_migration_is_in_the_report() {
    let code = "import warnings\n\nfrom django.db import migrations\n\n\ndef warn(apps, editor):\n    \
                warnings.warn('the posts look old')\n\n\n\
                class Migration(migrations.Migration):\n    dependencies = [('blog', '0001_initial')]\n    \
                operations = [migrations.RunPython(warn)]\n";
    let blog = blog(|app| app.migration("0002_warns", code));
    let told = Told::by(blog.apply().run(), 0);
    notes(&told, "Warnings", "the posts look old");
    assert!(told.report(&blog.project).contains("the posts look old"));
}

/// From nothing: there is no table yet that could differ.
#[test]
fn an_empty_database_is_migrated_whole() {
    for django in ["4.2", "newest"] {
        let (project, database) = crate::support::project(django, 15, "blog", |app| {
            app.models("class Tag(models.Model):\n    name = models.CharField(max_length=20)\n").operations(
                "0001_initial",
                "migrations.CreateModel('Tag', [('id', models.BigAutoField(auto_created=True, primary_key=True, \
                 serialize=False, verbose_name='ID')), ('name', models.CharField(max_length=20))])",
            )
        });
        let ran = crate::support::cli(&project)
            .args(super::common::BARE)
            .args(["--format", "json"])
            .run();
        let told = Told::by(ran, 0);
        assert!(
            told.migrations("migration_applied")
                .contains(&"blog.0001_initial".to_owned())
        );
        assert_eq!(super::common::applied(&database, "blog"), ["0001_initial"]);
    }
}

/// As where an app's migrations are older than DEFAULT_AUTO_FIELD: the schema is as they say, and it is they that the
/// models have left behind.
#[test]
fn models_that_have_drifted_do_not_make_the_schema_wrong() {
    let (project, database) = crate::support::project("5.2", 15, "blog", |app| {
        app.models("class Tag(models.Model):\n    pass\n\n\nclass Use(models.Model):\n    tag = models.ForeignKey(Tag, models.CASCADE)\n")
            .operations(
                "0001_initial",
                "migrations.CreateModel('Tag', [('id', models.AutoField(primary_key=True))]), \
                 migrations.CreateModel('Use', [('id', models.BigAutoField(primary_key=True)), \
                 ('tag', models.ForeignKey('blog.Tag', models.CASCADE))])",
            )
    });
    let cli = crate::support::cli(&project)
        .args(super::common::BARE)
        .args(["--format", "json"]);
    let told = Told::by(cli.run(), 0);
    notes(&told, "Model drift", "Alter field id on tag");
    notes(&told, "Live schema", "");
    let kind = "SELECT atttypid::regtype FROM pg_attribute WHERE attrelid = 'blog_use'::regclass AND attname = 'tag_id'";
    assert_eq!(database.scalar(kind).expect("a type"), "integer");
}

//! What a restored database is to the project that it was restored for.

use super::common::Scene;
use crate::workflow::common::in_order;

#[test]
fn what_a_run_would_apply_to_it_is_said() {
    let scene = Scene::new();
    scene
        .blog
        .project
        .write_file(
            "blog/migrations/0002_likes.py",
            "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    \
             dependencies = [('blog', '0001_initial')]\n    operations = [migrations.AddField('post', 'likes', \
             models.IntegerField(null=True))]\n",
        )
        .expect("written");
    let ran = scene.restore().run().expect(0);
    in_order(
        &ran.stdout,
        &["1 migration of the project is pending in it: blog.0002_likes"],
    );
}

#[test]
fn a_migration_without_a_file_is_said() {
    let scene = Scene::new();
    scene.blog.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('blog', '0009_gone', now())",
    );
    let taken = crate::support::cli(&scene.blog.project)
        .args(["backup", "-q"])
        .run()
        .expect(0);
    let file = scene.blog.project.folder().join(taken.stdout.trim());
    let document = scene
        .restore_file(&file)
        .args(["--format", "json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(
        document["history"],
        serde_json::json!({"applied": 2, "missing_on_disk": ["blog.0009_gone"], "pending": []})
    );
}

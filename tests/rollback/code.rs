//! RunPython and RunSQL: with a way back, with one that does nothing, and without.

use super::common::{applied_run, back, names, shown};
use crate::workflow::common::{Blog, Told, blog, text};

const UP: &str = "def up(apps, editor):
    apps.get_model('blog', 'Post').objects.update(title='up')


def down(apps, editor):
    apps.get_model('blog', 'Post').objects.update(title='down')
";

fn with_code(operation: &str) -> Blog {
    let text = format!(
        "from django.db import migrations, models\n\n\n{UP}\n\nclass Migration(migrations.Migration):\n    \
         dependencies = [('blog', '0001_initial')]\n    operations = [{operation}]\n"
    );
    blog(|app| app.migration("0002_code", &text))
}

fn titles(blog: &Blog) -> String {
    blog.scalar("SELECT string_agg(DISTINCT title, ' ') FROM blog_post")
}

#[test]
fn code_with_a_reverse_is_run_backwards() {
    let blog = with_code("migrations.RunPython(up, down)");
    let run = applied_run(&blog.project);
    assert_eq!(titles(&blog), "up");
    let document = shown(&blog.project, &run);
    let m = &document["migrations"][0];
    assert_eq!(
        m["complete"], false,
        "what its code sends is not known before"
    );
    assert!(
        text(&m["missing"][0]["why"]).contains("0002_code.down"),
        "{m:#}"
    );
    Told::by(back(&blog.project, &run).run(), 0);
    assert_eq!(titles(&blog), "down");
    assert_eq!(blog.applied(), ["0001_initial"]);
}

#[test]
fn a_reverse_that_does_nothing_is_told_as_what_does_not_come_back() {
    let blog = with_code("migrations.RunPython(up, migrations.RunPython.noop)");
    let run = applied_run(&blog.project);
    let document = shown(&blog.project, &run);
    let m = &document["migrations"][0];
    assert_eq!(m["complete"], true, "{m:#}");
    assert!(
        text(&m["not_brought_back"][0]).contains("its reverse does nothing"),
        "{m:#}"
    );
    let told = Told::by(back(&blog.project, &run).run(), 0);
    assert_eq!(titles(&blog), "up");
    assert!(
        told.report(&blog.project)
            .contains("**does not bring back** what")
    );
}

/// As a whole it is impossible; what could go back before it is said, and so is the other leg.
#[test]
fn what_has_no_reverse_closes_the_way() {
    for (operation, words) in [
        ("migrations.RunPython(up)", "Raw Python operation"),
        (
            "migrations.RunSQL('UPDATE blog_post SET slug = title WHERE id = 1')",
            "Raw SQL operation",
        ),
    ] {
        let text_of = |operation: &str| {
            format!(
                "from django.db import migrations, models\n\n\n{UP}\n\nclass Migration(migrations.Migration):\n    \
                 dependencies = [('blog', '0001_initial')]\n    operations = [{operation}]\n"
            )
        };
        let blog = blog(|app| {
            app.migration("0002_code", &text_of(operation)).operations(
                "0003_likes",
                "migrations.AddField('Post', 'likes', models.IntegerField(null=True))",
            )
        });
        let run = applied_run(&blog.project);
        let document = shown(&blog.project, &run);
        assert_eq!(names(&document), ["blog.0003_likes", "blog.0002_code"]);
        assert_eq!(
            (&document["possible"], &document["verdict"]),
            (&false.into(), &"stop".into()),
            "{document:#}"
        );
        assert!(
            text(&document["migrations"][1]["irreversible"][0]).contains(words),
            "{document:#}"
        );
        let told = Told::by(back(&blog.project, &run).run(), 70)
            .because("rollback-irreversible", "no")
            .says(&[
                "blog.0002_code",
                words,
                "only blog.0003_likes could go back",
                "took none",
            ]);
        assert!(told.of_kind("migration_started").is_empty());
        assert_eq!(blog.applied().len(), 3);
    }
}

//! What runs is what was agreed to: a file that comes or changes while the run waits is not applied.

use super::common::{Blog, blog, models};
use crate::support::{self, TestCli};

const HARMLESS: &str = "migrations.AddField('Post', 'likes', models.IntegerField(null=True))";
const EVIL: &str = "from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [('blog', '0002_likes')]
    operations = [migrations.RunSQL('DROP TABLE blog_post')]
";

fn pending() -> Blog {
    blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations("0002_likes", HARMLESS)
    })
}

fn asking(blog: &Blog) -> TestCli {
    support::cli(&blog.project).args([
        "run",
        "--apply",
        "--no-backup",
        "--acknowledge-no-backup",
        "--skip-tests",
    ])
}

/// Lets `change` happen while the last question waits for its answer; the run must end with 11 and change nothing.
#[track_caller]
fn changed_while_asked(change: impl FnOnce(&Blog)) -> String {
    let blog = pending();
    let mut terminal = asking(&blog).tty();
    terminal.wait_for("Go on with these parameters?");
    terminal.type_line("y");
    terminal.wait_for("Apply 1 migration");
    change(&blog);
    terminal.type_line("y");
    assert_eq!(terminal.finish(), 11, "{}", terminal.output());
    assert_eq!(blog.applied(), ["0001_initial"]);
    assert_eq!(blog.scalar("SELECT count(*) FROM blog_post"), "20");
    terminal.output()
}

#[test]
fn a_migration_that_comes_while_the_run_waits_is_not_applied() {
    let output = changed_while_asked(|blog| {
        blog.project
            .write_file("blog/migrations/0003_evil.py", EVIL)
            .expect("a file");
    });
    assert!(
        output.contains("blog.0003_evil") && output.contains("agreed to"),
        "{output}"
    );
}

#[test]
fn a_migration_that_is_edited_while_the_run_waits_is_not_applied() {
    let output = changed_while_asked(|blog| {
        let path = "blog/migrations/0002_likes.py";
        let text = blog.project.read_file(path).expect("a file");
        let edited = text.replace(
            "operations = [",
            "operations = [migrations.RunSQL('DROP TABLE blog_post'), ",
        );
        assert_ne!(text, edited);
        blog.project.write_file(path, &edited).expect("a file");
    });
    assert!(output.contains("blog.0002_likes"), "{output}");
}

#[test]
fn the_fingerprint_follows_what_runsql_does() {
    let fingerprint = |sql: &str| {
        let blog = blog(|app| app.operations("0002_sql", &format!("migrations.RunSQL('{sql}')")));
        let ran = support::cli(&blog.project)
            .args(["preview", "--format", "json"])
            .run()
            .expect(0);
        ran.json()["plan_fingerprint"]
            .as_str()
            .expect("a fingerprint")
            .to_owned()
    };
    assert_eq!(fingerprint("SELECT 1"), fingerprint("SELECT 1"));
    assert_ne!(fingerprint("SELECT 1"), fingerprint("SELECT 2"));
}

#[test]
fn a_role_that_may_not_alter_a_table_is_refused_before_the_backup() {
    let blog = pending();
    let server = blog.project.server();
    server
        .create_role("reader", "NOSUPERUSER PASSWORD 'reader'")
        .expect("a role");
    blog.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; GRANT ALL ON SCHEMA public TO reader");
    let settings = blog
        .project
        .read_file("config/settings.py")
        .expect("settings");
    let weaker =
        format!("{settings}\nDATABASES['default'].update(USER='reader', PASSWORD='reader')\n");
    blog.project
        .write_file("config/settings.py", &weaker)
        .expect("settings");
    let ran = support::cli(&blog.project)
        .args(["run", "--format", "json"])
        .run()
        .expect(31);
    let lines = ran.json_lines();
    let last = lines.last().expect("run_finished");
    assert_eq!(last["error"]["class"], "privilege", "{last}");
    assert!(
        last["error"]["message"]
            .to_string()
            .contains("public.blog_post"),
        "{last}"
    );
    assert!(!blog.project.folder().join("backups").exists());
}

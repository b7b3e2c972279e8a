//! An INVALID index of the name that a plan needs: found before anything is tried, also where no journal knows of it.

use serde_json::Value;

use super::common::{Blog, Told, blog, text};
use crate::support;

const DROP: &str = "DROP INDEX CONCURRENTLY IF EXISTS \"blog_slug\";";
const CODE: &str = "invalid-index-in-the-way";

fn migration(before: &str, index: &str) -> String {
    format!(
        "from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [('blog', '0001_initial')]
    operations = [{before}{index}]
"
    )
}

const DJANGOS: &str =
    "AddIndexConcurrently('post', models.Index(fields=['slug'], name='blog_slug'))";

/// The blog whose plan needs the name, after a build by hand that failed over its rows.
#[track_caller]
fn with_leftover(before: &str, index: &str) -> Blog {
    let text = migration(before, index);
    let blog = blog(|app| app.migration("0002_index", &text));
    let build = "CREATE UNIQUE INDEX CONCURRENTLY blog_slug ON blog_post (slug)";
    assert!(
        blog.database.execute(build).is_err(),
        "two slugs are the same"
    );
    assert_eq!(
        blog.scalar("SELECT indisvalid FROM pg_index WHERE indexrelid = 'blog_slug'::regclass"),
        "f"
    );
    blog
}

fn found(document: &Value) -> usize {
    let findings = document["findings"].as_array().expect("findings");
    let ours = findings.iter().filter(|f| f["code"] == CODE);
    ours.inspect(|f| assert!(text(&f["remedy"]).contains(DROP), "{f}"))
        .count()
}

fn asked(blog: &Blog, verb: &str, code: i32) -> Value {
    let cli = support::cli(&blog.project).args([verb, "--format", "json"]);
    cli.run().expect(code).json()
}

#[test]
fn an_invalid_index_of_the_same_name_is_found_before_anything_is_tried() {
    let blog = with_leftover("", DJANGOS);
    assert_eq!(found(&asked(&blog, "check", 12)), 1);
    assert_eq!(found(&asked(&blog, "preview", 0)), 1);
    let told = Told::by(blog.apply().run(), 10).because("policy-refused", "no");
    assert!(told.of_kind("migration_started").is_empty());
    told.says(&[CODE, "public.blog_slug", DROP]);
    blog.execute(DROP);
    assert_eq!(found(&asked(&blog, "check", 0)), 0);
    Told::by(blog.apply().run(), 0);
}

/// IF NOT EXISTS would leave it as it is, and the migration would be recorded.
#[test]
fn in_sql_of_the_projects_it_is_found_too_also_with_if_not_exists() {
    let sql = "migrations.RunSQL('CREATE INDEX CONCURRENTLY IF NOT EXISTS blog_slug ON blog_post (slug)')";
    let blog = with_leftover("", sql);
    let told = Told::by(blog.apply().run(), 10).because("policy-refused", "no");
    told.says(&[CODE, DROP]);
    assert_eq!(blog.applied(), ["0001_initial"]);
}

#[test]
fn a_plan_that_takes_it_out_itself_is_not_stopped() {
    let before = "migrations.RunSQL('DROP INDEX CONCURRENTLY IF EXISTS blog_slug'), ";
    let blog = with_leftover(before, DJANGOS);
    // check renders no SQL: it can only ask
    let checked = asked(&blog, "check", 0);
    assert_eq!((found(&checked), &checked["verdict"]), (1, &"ask".into()));
    assert_eq!(found(&asked(&blog, "preview", 0)), 0);
    Told::by(blog.apply().run(), 0);
    assert_eq!(
        blog.scalar("SELECT indisvalid FROM pg_index WHERE indexrelid = 'blog_slug'::regclass"),
        "t"
    );
}

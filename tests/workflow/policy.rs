//! The project's policy in a run: what it turns down, what it stops, what it waives, and that the report tells.

use super::common::{Blog, blog, text};
use crate::support;

const CHECK: &str = "ALTER TABLE blog_post ADD CONSTRAINT c CHECK (id > 0)";

fn with(pyproject: &str) -> Blog {
    let blog = blog(|app| {
        app.operations(
            "0002_next",
            &format!("migrations.RunSQL(\"{CHECK}\", migrations.RunSQL.noop)"),
        )
    });
    // so large that the check would take a while, as far as the planner knows
    blog.execute(
        "UPDATE pg_class SET relpages = 200000, reltuples = 1e7 WHERE relname = 'blog_post'",
    );
    says(&blog, pyproject);
    blog
}

fn says(blog: &Blog, pyproject: &str) {
    std::fs::write(blog.project.folder().join("pyproject.toml"), pyproject).unwrap();
}

#[track_caller]
fn preview(blog: &Blog) -> serde_json::Value {
    let cli = support::cli(&blog.project).args(["preview", "--format", "json"]);
    cli.run().expect(0).json()
}

fn rule(lines: &str) -> String {
    format!("[[tool.django-migrate.policy]]\n{lines}\n")
}

#[test]
fn rules_go_by_code_app_table_and_size() {
    let blog = with("");
    assert_eq!(preview(&blog)["verdict"], "ask");
    for (lines, verdict) in [
        ("code = \"add-check\"\nseverity = \"note\"", "go"),
        ("app = \"shop\"\nseverity = \"note\"", "ask"),
        (
            "app = \"blog\"\ntable = \"blog_*\"\nsmaller_than = \"2 GB\"\nseverity = \"note\"",
            "go",
        ),
        ("larger_than = \"2 GB\"\nseverity = \"stop\"", "ask"),
        ("larger_than = \"1 GB\"\nseverity = \"stop\"", "stop"),
    ] {
        says(&blog, &rule(lines));
        assert_eq!(preview(&blog)["verdict"], verdict, "{lines}");
    }
    let ran = blog.apply_text().run().expect(10);
    assert!(
        ran.stderr.contains("blog.0002_next: add-check"),
        "{}",
        ran.snapshot()
    );
    assert_eq!(blog.applied(), ["0001_initial"]);
}

#[test]
fn a_waiver_is_bound_to_its_sql_and_shown_in_the_report() {
    let blog = with("");
    let hash = preview(&blog)["migrations"][0]["waiver_hashes"]["add-check"].clone();
    let waiver = |sql: &str| {
        format!(
            "[[tool.django-migrate.waivers]]\ncode = \"add-check\"\nmigration = \"blog.0002_next\"\n{sql}\nreason = \
             \"read at night\"\nexpires = \"2999-12-31\"\n"
        )
    };
    says(&blog, &waiver(""));
    let document = preview(&blog);
    assert_eq!(document["verdict"], "ask");
    let findings = document["findings"].as_array().unwrap();
    let told = findings
        .iter()
        .find(|f| f["code"] == "waiver-not-bound")
        .unwrap();
    assert!(text(&told["message"]).contains(text(&hash)), "{told}");
    says(&blog, &waiver(&format!("sql = \"{}\"", text(&hash))));
    assert_eq!(preview(&blog)["verdict"], "go");
    blog.apply_text().run().expect(0);
    let report = support::cli(&blog.project).args(["report", "latest", "--format", "markdown"]);
    let report = report.run().expect(0).stdout;
    assert!(report.contains("waived ask `add-check`"), "{report}");
    assert!(
        report.contains("(read at night, until 2999-12-31)"),
        "{report}"
    );
    let run = support::cli(&blog.project).args(["report", "latest"]);
    assert!(run.run().expect(0).stdout.contains("read at night"));
}

#[test]
fn no_waiver_stands_in_for_the_phrase() {
    let blog = blog(|app| {
        app.operations(
            "0002_next",
            "migrations.RunSQL('ALTER TABLE blog_post DROP COLUMN slug', migrations.RunSQL.noop)",
        )
    });
    let hash = preview(&blog)["migrations"][0]["waiver_hashes"]["drop-column"].clone();
    says(
        &blog,
        &format!(
            "[[tool.django-migrate.waivers]]\ncode = \"drop-column\"\nstatement = \"{}\"\nreason = \"nobody reads \
             it\"\nexpires = 2999-12-31\n",
            text(&hash)
        ),
    );
    let ran = blog.apply_text().run().expect(11);
    assert!(ran.stderr.contains("I understand"), "{}", ran.snapshot());
    assert_eq!(blog.applied(), ["0001_initial"]);
}

//! Rows that a statement would fail on are told in the preview, with a few of their keys; those that the plan mends itself
//! are not.

use serde_json::Value;

use super::common::{Blog, Told, blog, text};
use crate::support;

/// One statement, in a migration of its own.
fn with(sql: &str) -> Blog {
    blog(|app| {
        app.operations(
            "0002_next",
            &format!("migrations.RunSQL(\"{sql}\", migrations.RunSQL.noop)"),
        )
    })
}

/// Code and message of what is said of the rows.
#[track_caller]
fn said(blog: &Blog) -> Vec<(String, String)> {
    let cli = support::cli(&blog.project).args(["preview", "--format", "json"]);
    let document = cli.run().expect(0).json();
    let findings = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let migrations = findings(&document["migrations"]).into_iter();
    let statements = migrations.flat_map(|m| findings(&m["statements"]));
    let all = statements.flat_map(|s| findings(&s["findings"]));
    let codes = ["rows-", "duplicate-", "orphan-", "values-"];
    all.map(|f| {
        (
            text(&f["code"]).to_owned(),
            format!("{}: {}", text(&f["severity"]), text(&f["message"])),
        )
    })
    .filter(|(code, _)| codes.iter().any(|start| code.starts_with(start)))
    .collect()
}

#[track_caller]
fn check(blog: &Blog, code: &str, words: &[&str]) {
    let said = said(blog);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].0, code, "{said:?}");
    for word in words {
        assert!(said[0].1.contains(word), "{word}: {said:?}");
    }
}

#[test]
fn duplicates_are_told_with_their_value() {
    let expected = [
        "ask: 1 value of slug stands in more than one row of public.blog_post (slug post-19 (2 rows))",
    ];
    check(
        &with("ALTER TABLE blog_post ADD CONSTRAINT u UNIQUE (slug)"),
        "duplicate-rows",
        &expected,
    );
    check(
        &with("CREATE UNIQUE INDEX u ON blog_post (slug)"),
        "duplicate-rows",
        &expected,
    );
    assert!(said(&with("CREATE UNIQUE INDEX u ON blog_post (title)")).is_empty());
    assert!(
        said(&with(
            "CREATE UNIQUE INDEX u ON blog_post (slug) WHERE id < 5"
        ))
        .is_empty()
    );
    assert!(said(&with("CREATE INDEX u ON blog_post (slug)")).is_empty());
}

#[test]
fn nulls_are_told_unless_the_plan_fills_them() {
    let set = "ALTER TABLE blog_post ALTER COLUMN likes SET NOT NULL";
    let blog = with(set);
    blog.execute("ALTER TABLE blog_post ADD likes int");
    blog.execute("UPDATE blog_post SET likes = 1 WHERE id > 3");
    check(
        &blog,
        "rows-with-null",
        &[
            "ask: 3 rows of public.blog_post have NULL in likes",
            "id 1; id 2; id 3",
            "the statement fails",
        ],
    );
    // what was said is true
    Told::by(blog.apply().run(), 50);
    blog.execute("UPDATE blog_post SET likes = 1");
    assert!(said(&blog).is_empty());
    let filled = with(&format!(
        "UPDATE blog_post SET likes = 0 WHERE likes IS NULL; {set}"
    ));
    filled.execute("ALTER TABLE blog_post ADD likes int");
    assert!(said(&filled).is_empty());
}

#[test]
fn code_that_runs_before_may_mend_it() {
    let blog = blog(|app| {
        app.operations("0002_fill", "migrations.RunPython(print, print)")
            .operations("0003_next", "migrations.RunSQL('ALTER TABLE blog_post ADD CONSTRAINT u UNIQUE (slug)', migrations.RunSQL.noop)")
    });
    check(
        &blog,
        "duplicate-rows",
        &["note: ", "code that runs before it may change that"],
    );
}

#[test]
fn orphans_and_values_that_do_not_fit_are_told() {
    let blog = with(
        "ALTER TABLE blog_post ADD CONSTRAINT f FOREIGN KEY (other_id) REFERENCES blog_other (id)",
    );
    blog.execute("CREATE TABLE blog_other (id bigint PRIMARY KEY)");
    blog.execute("INSERT INTO blog_other VALUES (1)");
    blog.execute("ALTER TABLE blog_post ADD other_id bigint");
    blog.execute(
        "UPDATE blog_post SET other_id = CASE WHEN id < 10 THEN 1 WHEN id = 10 THEN 7 END",
    );
    check(
        &blog,
        "orphan-rows",
        &[
            "ask: 1 row of public.blog_post has a other_id that public.blog_other has not",
            "id 10",
        ],
    );

    let blog = with("ALTER TABLE blog_post ALTER COLUMN title TYPE varchar(6)");
    check(
        &blog,
        "values-too-long",
        &[
            "11 rows of public.blog_post have more than 6 characters in title",
            "; …",
        ],
    );
    assert!(
        said(&with(
            "ALTER TABLE blog_post ALTER COLUMN title TYPE varchar(7)"
        ))
        .is_empty()
    );

    let blog = with("ALTER TABLE blog_post ALTER COLUMN n TYPE smallint");
    blog.execute("ALTER TABLE blog_post ADD n int");
    blog.execute("UPDATE blog_post SET n = 40000 - id");
    check(
        &blog,
        "values-out-of-range",
        &["20 rows", "from -32768 to 32767"],
    );

    let blog = with("ALTER TABLE blog_post ALTER COLUMN n TYPE numeric(4, 2)");
    blog.execute("ALTER TABLE blog_post ADD n numeric(6, 2)");
    blog.execute("UPDATE blog_post SET n = 90 + id");
    check(&blog, "values-out-of-range", &["11 rows", "numeric(4, 2)"]);

    let blog = with("ALTER TABLE blog_post ADD COLUMN must int NOT NULL");
    check(&blog, "rows-without-value", &["public.blog_post has rows"]);
    blog.execute("DELETE FROM blog_post");
    assert!(said(&blog).is_empty());
}

#[test]
fn a_table_that_is_locked_is_not_waited_for() {
    let blog = with("ALTER TABLE blog_post ADD CONSTRAINT u UNIQUE (slug)");
    let server = blog.database.server();
    let held = server.with_client(blog.database.name(), |client| {
        client.batch_execute("BEGIN; LOCK TABLE blog_post")?;
        check(
            &blog,
            "rows-not-looked-at",
            &["note: ", "public.blog_post", "the table is locked"],
        );
        client.batch_execute("ROLLBACK")?;
        Ok(())
    });
    held.expect("a session");
}

//! The preview of somebody else's plan: all of it is read, and against what really runs it has no silent gap.

use std::collections::BTreeMap;

use serde_json::Value;
use xtask::project::{Foreign, plan};

use super::apply::{made, migration, of_kind};
use crate::support::{self, Project};

#[test]
fn heavy_wagtail_is_previewed_whole_from_an_empty_database() {
    whole(Foreign::Wagtail);
}

#[test]
fn heavy_oscar_is_previewed_whole_from_an_empty_database() {
    whole(Foreign::Oscar);
}

#[test]
fn heavy_pulp_is_previewed_whole_from_an_empty_database() {
    whole(Foreign::Pulp);
}

#[track_caller]
fn whole(foreign: Foreign) {
    let database = made(support::shared(15).database());
    let project = made(foreign.project(&database));
    let previewed = Previewed::of(&project);
    let migrations: Vec<_> = previewed.migrations().iter().map(migration).collect();
    assert_eq!(migrations, made(plan(&project)));
    let statements = previewed.each_statement_is_read();
    assert!(statements > 400, "{statements} statements");
    let tables = database.scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'");
    assert_eq!(made(tables), "0", "a preview changes nothing");
}

/// What `preview --format json` said.
pub(super) struct Previewed(Value);

impl Previewed {
    #[track_caller]
    pub(super) fn of(project: &Project) -> Self {
        let cli = support::cli(project).args(["preview", "--format", "json"]);
        Self(cli.run().expect(0).json())
    }

    pub(super) fn fingerprint(&self) -> &str {
        self.0["plan_fingerprint"].as_str().expect("a fingerprint")
    }

    pub(super) fn migrations(&self) -> &[Value] {
        self.0["migrations"].as_array().expect("migrations")
    }

    pub(super) fn is_destructive(&self) -> bool {
        let mut all = self.migrations().iter().flat_map(statements);
        all.any(|statement| statement["destructive"] == true)
    }

    /// Fails unless each statement is understood, or the document says that it is not; and each migration is complete,
    /// or the document says why not. Gives the number of statements.
    #[track_caller]
    pub(super) fn each_statement_is_read(&self) -> usize {
        for one in self.migrations() {
            let missing = one["missing"].as_array().expect("missing");
            assert_eq!(one["complete"] == true, missing.is_empty(), "{one:#}");
            for why in missing {
                assert!(
                    why["why"].as_str().is_some_and(|why| !why.is_empty()),
                    "{why:#}"
                );
            }
            for statement in statements(one).filter(|statement| statement["parsed"] != true) {
                let findings = statement["findings"].to_string();
                assert!(findings.contains("unreadable-statement"), "{statement:#}");
            }
        }
        self.migrations().iter().flat_map(statements).count()
    }
}

fn statements(one: &Value) -> impl Iterator<Item = &Value> {
    one["statements"].as_array().into_iter().flatten()
}

/// Fails unless each migration that the preview called complete ran exactly what the preview showed. Look-ups in the
/// catalog and Django's own record are no part of a migration.
#[track_caller]
pub(super) fn no_silent_gap(previewed: &Previewed, lines: &[Value]) {
    let mut ran: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for line in of_kind(lines, "statement_started").filter(|line| line["name"].is_string()) {
        ran.entry(migration(line)).or_default().extend(shapes(line));
    }
    let mut complete = 0;
    for one in previewed.migrations() {
        if one["complete"] == true {
            let mut expected: Vec<String> = statements(one).flat_map(shapes).collect();
            let mut found = ran.remove(&migration(one)).unwrap_or_default();
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "what ran and what was shown of {one:#}");
            complete += expected.len();
        }
    }
    assert!(complete > 0, "nothing was complete: this compared nothing");
}

/// The statements of a text with their literals left out: Django sends some as parameters, draws some anew each time,
/// and sends some statements in pairs.
fn shapes(line: &Value) -> Vec<String> {
    let text = without_literals(line["sql"].as_str().expect("SQL"));
    let words = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts = text.split(';').map(words);
    parts.filter(|part| is_the_migrations_own(part)).collect()
}

/// `%s` in place of each quoted string (a doubled quote makes two, side by side) with its cast.
fn without_literals(sql: &str) -> String {
    let mut text = String::new();
    for (at, piece) in sql.split('\'').enumerate() {
        if at % 2 == 1 {
            text.push_str("%s");
        } else if let Some(cast) = piece.strip_prefix("::").filter(|_| at > 0) {
            text.push_str(cast.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'));
        } else {
            text.push_str(piece);
        }
    }
    text.replace("%s%s", "%s")
}

fn is_the_migrations_own(sql: &str) -> bool {
    let looks_up = sql.starts_with("SELECT ") && sql.contains("pg_");
    !sql.is_empty() && !looks_up && !sql.starts_with("INSERT INTO \"django_migrations\"")
}

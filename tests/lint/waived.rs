//! The project's policy, where SQL has no app and no migration.

use super::{folder, write};

const SQL: &str = "ALTER TABLE shop_item ADD CONSTRAINT c CHECK (price > 0);\n";

/// The hash that `-v` tells.
fn hash(stdout: &str) -> String {
    let told = stdout.split("to waive one: statement = \"").nth(1);
    let told = told.unwrap_or_else(|| panic!("no hash is told\n{stdout}"));
    told.split('"').next().unwrap().to_owned()
}

#[test]
fn a_waiver_takes_a_finding_out_of_the_verdict_until_its_day() {
    let (place, cli) = folder(SQL);
    let cli = cli.args(["a.sql", "--fail-on", "ask"]);
    let told = cli.clone().arg("-v").run().expect(12).stdout;
    let waiver = |hash: &str, expires: &str| {
        let text = format!(
            "[[tool.django-migrate.waivers]]\ncode = \"add-check\"\nstatement = \"{hash}\"\nreason = \"a small table\"\nexpires = {expires}\n"
        );
        write(place.path(), "pyproject.toml", text.as_bytes());
        cli.clone().run()
    };
    let hash = hash(&told);
    let waived = waiver(&hash, "2999-12-31").expect(0);
    let words = "waived add-check: a check is verified";
    assert!(waived.stdout.contains(words), "{}", waived.snapshot());
    assert!(
        waived.stdout.contains("a small table, until 2999-12-31"),
        "{}",
        waived.snapshot()
    );
    waiver(&hash, "2020-01-01").expect(12);
    waiver("0123456789abcdef", "2999-12-31").expect(12);
    let json = cli
        .clone()
        .args(["--format", "json"])
        .run()
        .expect(12)
        .json();
    assert_eq!(json["verdict"], "ask");
    waiver(&hash, "2999-12-31");
    let json = cli.args(["--format", "json"]).run().expect(0).json();
    assert_eq!(json["verdict"], "go");
    assert_eq!(json["findings"][0]["waived"]["reason"], "a small table");
}

#[test]
fn a_policy_that_is_not_understood_is_two() {
    let (place, cli) = folder(SQL);
    let policy = "[[tool.django-migrate.policy]]\ncode = \"drop-table\"\nseverity = \"note\"\n";
    write(place.path(), "pyproject.toml", policy.as_bytes());
    let ran = cli.arg("a.sql").run().expect(2);
    let words =
        "tool.django-migrate.policy[1] in pyproject.toml: drop-table is never less than ask";
    assert!(ran.stderr.contains(words), "{}", ran.snapshot());
}

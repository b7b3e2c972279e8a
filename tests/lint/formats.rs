//! What other programs read.

use serde_json::json;

use super::{GRAVE, folder};

#[test]
fn sarif_has_rule_level_and_words() {
    let (_place, cli) = folder(GRAVE);
    let ran = cli
        .args(["a.sql", "--format", "sarif", "--fail-on", "never"])
        .run();
    let log = ran.expect(0).json();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    let of = |code: &str| {
        results
            .iter()
            .find(|result| result["ruleId"] == code)
            .unwrap()
    };
    let (stop, ask) = (of("not-in-transaction"), of("drop-column"));
    assert_eq!(
        (&stop["level"], &ask["level"]),
        (&json!("error"), &json!("warning"))
    );
    let region = &ask["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        *region,
        json!({"startLine": 4, "startColumn": 23, "endLine": 4, "endColumn": 40})
    );
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        let rule = &run["tool"]["driver"]["rules"][index];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(
            !rule["shortDescription"]["text"]
                .as_str()
                .unwrap()
                .is_empty()
        );
    }
}

#[test]
fn github_has_a_line_for_each_finding() {
    let (_place, cli) = folder(GRAVE);
    let ran = cli.args(["a.sql", "--format", "github"]).run().expect(12);
    let stop = "::error file=a.sql,line=2,endLine=2,title=not-in-transaction%3A a.sql::";
    assert!(ran.stdout.contains(stop), "{}", ran.snapshot());
    assert!(
        ran.stdout.lines().all(|line| line.starts_with("::")),
        "{}",
        ran.snapshot()
    );
    let (_place, cli) = folder("SELECT 1;");
    let ran = cli.args(["a.sql", "--format", "github"]).run().expect(0);
    assert_eq!(ran.stdout, "");
}

#[test]
fn junit_fails_what_fail_on_fails() {
    let (_place, cli) = folder(GRAVE);
    let with = |words: &[&str]| {
        cli.clone()
            .args(["-", "--stdin-filepath", "db/a.sql", "--format", "junit"])
            .args(words)
            .stdin(GRAVE)
            .run()
    };
    let stopped = with(&[]).expect(12);
    assert!(
        stopped.stdout.contains("tests=\"4\" failures=\"1\""),
        "{}",
        stopped.snapshot()
    );
    assert!(
        stopped.stdout.contains("classname=\"db/a.sql\""),
        "{}",
        stopped.snapshot()
    );
    let asked = with(&["--fail-on", "ask"]).expect(12);
    assert!(
        asked.stdout.contains("tests=\"4\" failures=\"2\""),
        "{}",
        asked.snapshot()
    );
}

use super::{github, in_scripts, junit, sarif};
use crate::hazards::{self, Atomic, Context, Severity};
use crate::sql::Statement;
use serde_json::{Value, json};

fn statements(sql: &str) -> Vec<Statement> {
    hazards::assess_script(sql, &Context::default(), Atomic::No).collect()
}

fn results(sql: &str) -> Vec<Value> {
    let statements = statements(sql);
    let log = sarif(&in_scripts(&[("a b/ü.sql", &statements)]));
    log["runs"][0]["results"].as_array().unwrap().clone()
}

#[test]
fn a_result_names_its_rule_and_the_words_that_it_is_about() {
    let statements =
        statements("SELECT 1;\n\n/* ü */ ALTER TABLE shop_item\n  DROP COLUMN\n  price;");
    let log = sarif(&in_scripts(&[("a b/ü.sql", &statements)]));
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "drop-column");
    let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "drop-column");
    assert_eq!(result["level"], "warning");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b/%C3%BC.sql");
    let region = json!({"startLine": 4, "startColumn": 3, "endLine": 5, "endColumn": 8});
    assert_eq!(place["region"], region);
}

#[test]
fn a_column_counts_what_stands_before_the_statement_on_its_line() {
    let result = &results("SELECT 1; /* ü */ DROP TABLE a;")[0];
    let region = &result["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        (&region["startColumn"], &region["endColumn"]),
        (&json!(19), &json!(31))
    );
}

#[test]
fn what_cannot_be_read_is_a_result_too() {
    let codes = results("FROB THE TABLE;")
        .iter()
        .map(|result| result["ruleId"].as_str().unwrap().to_owned())
        .collect::<Vec<_>>();
    assert!(
        codes.contains(&"unreadable-statement".to_owned()),
        "{codes:?}"
    );
}

#[test]
fn a_fingerprint_stays_when_lines_move_and_differs_for_the_same_again() {
    let print = |result: &Value| result["partialFingerprints"].clone();
    let here = results("DROP TABLE a;");
    let moved = results("SELECT 1;\n\n\nDROP  TABLE -- why\n a;");
    assert_eq!(print(&here[0]), print(&moved[0]));
    let twice = results("BEGIN; DELETE FROM a; DELETE FROM a; COMMIT;");
    let prints: std::collections::BTreeSet<_> = twice
        .iter()
        .map(|result| print(result).to_string())
        .collect();
    assert_eq!(prints.len(), twice.len());
}

#[test]
fn an_annotation_escapes_what_would_end_it() {
    let statements = statements("SELECT 1;\nDROP TABLE\nshop_item;");
    let text = github(&in_scripts(&[("a,b:c%.sql", &statements)]));
    let first = text.lines().next().unwrap();
    let begins =
        "::warning file=a%2Cb%3Ac%25.sql,line=2,endLine=3,title=drop-table%3A a%2Cb%3Ac%25.sql::";
    assert!(first.starts_with(begins), "{first}");
    assert_eq!(text.lines().count(), statements[1].findings.len());
}

#[test]
fn a_report_fails_where_a_finding_is_grave_enough() {
    let statements = statements("SELECT 1;\nDROP TABLE \"<a & b>\";\nALTER SEQUENCE s RESTART;");
    let places = in_scripts(&[("-", &statements)]);
    let grave = |at: Severity| junit(&places, |finding| finding.severity >= at);
    let asked = grave(Severity::Ask);
    assert!(
        asked.contains("tests=\"3\" failures=\"1\" errors=\"0\""),
        "{asked}"
    );
    assert!(asked.contains("&lt;a &amp; b&gt;"), "{asked}");
    assert!(asked.contains("<system-out>note alter-sequence"), "{asked}");
    assert!(grave(Severity::Stop).contains("failures=\"0\""));
}

//! Files, stdin, a database, and everything that is none of these.

use super::{GRAVE, folder, write};
use crate::support;

#[test]
fn files_and_stdin_are_each_a_script_of_their_own() {
    let (place, cli) = folder("CREATE TABLE a (b int);\nDROP TABLE a;\n");
    write(place.path(), "b.sql", b"\xef\xbb\xbfDROP TABLE a;\n");
    let read = cli.args([
        "a.sql",
        "b.sql",
        "-",
        "--format",
        "json",
        "--fail-on",
        "never",
    ]);
    let document = read
        .stdin("SELECT 1;\nDROP TABLE c;")
        .run()
        .expect(0)
        .json();
    let files = document["files"].as_array().unwrap();
    let said: Vec<(&str, usize)> = files
        .iter()
        .map(|file| {
            let statements = file["statements"].as_array().unwrap();
            let findings = statements
                .iter()
                .map(|s| s["findings"].as_array().unwrap().len());
            (file["path"].as_str().unwrap(), findings.sum())
        })
        .collect();
    assert_eq!(said[0], ("a.sql", 0), "its own table is nobody's loss");
    assert_eq!((said[1].0, said[2].0), ("b.sql", "-"));
    assert!(said[1].1 > 0 && said[2].1 > 0, "{said:?}");
    assert_eq!(files[2]["statements"][1]["line"], 2);
    assert_eq!(document["verdict"], "ask");
}

#[test]
fn the_code_follows_fail_on() {
    let (_place, cli) = folder(GRAVE);
    let with = |words: &[&str]| cli.clone().arg("a.sql").args(words).run().code();
    assert_eq!(with(&[]), 12, "a stop, and stop is the default");
    assert_eq!(with(&["--fail-on", "never"]), 0);
    let (_place, cli) = folder("DROP TABLE a;");
    let with = |words: &[&str]| cli.clone().arg("a.sql").args(words).run().code();
    assert_eq!(with(&[]), 0);
    assert_eq!(with(&["--fail-on", "ask"]), 12);
    let (_place, cli) = folder("-- nothing\n");
    let ran = cli.args(["a.sql", "--fail-on", "note"]).run().expect(0);
    assert!(ran.stdout.contains("0 statements"), "{}", ran.snapshot());
}

#[test]
fn what_cannot_be_read_is_refused_by_its_name() {
    let (place, cli) = folder("");
    write(place.path(), "latin.sql", b"SELECT 1;\nSELECT '\xe9';\n");
    let refused = |file: &str, words: &str| {
        let ran = cli.clone().arg(file).run().expect(2);
        assert!(ran.stderr.contains(words), "{}", ran.snapshot());
        assert_eq!(ran.stdout, "");
    };
    refused("missing.sql", "missing.sql: there is no such file");
    refused(".", ".: that is a folder");
    refused("latin.sql", "latin.sql: line 2 is not valid UTF-8");
    let json = cli.clone().args(["missing.sql", "--format", "json"]).run();
    assert_eq!(json.expect(2).json()["error"]["class"], "usage");
    cli.run().expect(2);
}

#[test]
fn with_a_database_it_knows_what_is_there() {
    let shop = support::shop("5.2", 15);
    let (_place, cli) = folder(
        "ALTER TABLE shop_item ALTER COLUMN name TYPE varchar(500);\nDROP TABLE shop_nowhere;\n",
    );
    let dsn = shop.database.dsn();
    let read = cli.args([
        "a.sql",
        "--format",
        "json",
        "--fail-on",
        "never",
        "--dsn",
        &dsn,
    ]);
    let statements = &read.run().expect(0).json()["files"][0]["statements"];
    assert_eq!(statements[0]["evidence"], "catalog");
    assert_eq!(statements[0]["rewrites"], serde_json::json!([]));
}

#[test]
fn the_rows_of_the_database_are_looked_at() {
    let shop = support::shop("5.2", 15);
    let tables = "CREATE TABLE log (k text NOT NULL) PARTITION BY LIST (k);
        CREATE TABLE log_rest PARTITION OF log DEFAULT;
        CREATE TABLE twice (n int);
        INSERT INTO twice VALUES (7), (7), (NULL)";
    shop.database.execute(tables).unwrap();
    let (_place, cli) = folder(
        "ALTER TABLE twice ADD UNIQUE (n);
         ALTER TABLE twice ALTER n SET NOT NULL;
         CREATE TABLE log_d PARTITION OF log FOR VALUES IN ('d');
         ALTER TABLE shop_item ALTER id SET NOT NULL",
    );
    let dsn = shop.database.dsn();
    let flags = ["a.sql", "--dsn", &dsn, "--format", "json"];
    let document = cli.args(flags).run().expect(0).json();
    let codes = |at: usize| -> Vec<&str> {
        let findings = document["files"][0]["statements"][at]["findings"].as_array();
        let codes = findings.unwrap().iter();
        codes
            .map(|finding| finding["code"].as_str().unwrap())
            .collect()
    };
    assert_eq!(codes(0), ["add-unique", "duplicate-rows"]);
    assert_eq!(codes(1), ["set-not-null", "rows-with-null"]);
    assert_eq!(codes(2), ["long-lock"], "the default partition is read");
    assert!(codes(3).is_empty(), "it is so already: {document:#}");
}

#[test]
fn a_script_may_be_one_transaction() {
    let (_place, cli) = folder(
        "ALTER TABLE a ADD b int CONSTRAINT b_is_positive CHECK (b > 0) NOT VALID;
         CREATE INDEX CONCURRENTLY i ON a (b)",
    );
    let code = |words: &[&str]| cli.clone().arg("a.sql").args(words).run().code();
    assert_eq!(code(&["--fail-on", "stop"]), 0);
    assert_eq!(code(&["--fail-on", "stop", "--in-transaction"]), 12);
}

#[test]
fn a_database_that_is_not_there_is_thirty() {
    let (_place, cli) = folder("SELECT 1;");
    let dsn = "postgresql://nobody:geheim@127.0.0.1:1/none";
    let ran = cli.args(["a.sql", "--dsn", dsn]).run().expect(30);
    assert!(!ran.stderr.contains("geheim"), "{}", ran.snapshot());
}

#[test]
fn many_statements_are_folded_until_all_are_wanted() {
    let many: String = (0..500)
        .map(|n| format!("CREATE TABLE t{n} (id int);\n"))
        .collect();
    let (_place, cli) = folder(&format!("{many}DROP TABLE a;\n"));
    let short = cli.clone().arg("a.sql").run().expect(0);
    assert!(
        short.stdout.contains("and 500 other statements"),
        "{}",
        short.snapshot()
    );
    assert!(
        short.stdout.contains("DROP TABLE a;\n  ^^^^^^^^^^^^"),
        "{}",
        short.snapshot()
    );
    let whole = cli.args(["a.sql", "-v"]).run().expect(0);
    assert!(whole.stdout.contains("CREATE TABLE t499"), "-v shows all");
}

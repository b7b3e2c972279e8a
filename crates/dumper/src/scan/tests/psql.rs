//! What psql sends of a file is what the Splitter makes of it: psql itself is asked, on servers of two versions.
//!
//! Four differences are meant: comments before a statement are left out, empty lines in it are not, a string that goes on in another line stays of
//! its kind (see `sql`), and `standard_conforming_strings` holds from the next statement on, as on the server; psql looks
//! at it once a line.

use std::path::Path;
use std::process::{Command, Stdio};

use xtask::servers::{Database, available, shared};

use crate::scan::{Piece, Splitter};

/// Tables for the COPYs; psql asks the server whether rows follow.
const TABLES: &str =
    "CREATE TABLE a (t text); CREATE SCHEMA \"S\"; CREATE TABLE \"S\".\"T \"\"\" (\"from\" text)";

const FILES: [&str; 24] = [
    "SELECT 1; SELECT 2;SELECT 3\n;\n;;\n SELECT 4 ;",
    "SELECT 'a;''b', E'c\\';''d', \"e;\"\"f\", 'g\\'; SELECT E'\\\\'; SELECT '\\'';';",
    "SELECT $$;$$, $a$;$$;$b$;$a$, $a$$a$; SELECT $1; SELECT 1 AS a$b$; SELECT $a$ $a $a$;",
    "SELECT $é$;$é$; SELECT $1$;$; SELECT 1; SELECT 1$$;$$;",
    "SELECT 1 -- ; '\n; SELECT 2 --\n;-- SELECT\nSELECT 3; SELECT 4 --- x\n+1; SELECT 1/--;\n2;",
    "SELECT 1 /* ; /* ' */ ; */; SELECT 2 /*/ ; */ ; SELECT /***/ 3; SELECT /* **/ 4; SELECT 1 +/* ; */ 2; SELECT /*/**/*/ 5;",
    "SELECT (1; 2); SELECT ((3;);); SELECT 4); SELECT 5; SELECT [1; SELECT 6;",
    "CREATE FUNCTION f1() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END; SELECT 1;",
    "create or replace procedure p1() language sql begin atomic begin; select 1; end; end; SELECT 2;",
    "CREATE FUNCTION \"begin\"() RETURNS int LANGUAGE sql AS 'x;'; CREATE FUNCTION f(a int DEFAULT (begin)) x; SELECT 1;",
    "CREATE VIEW begin AS SELECT 1; BEGIN; SELECT 2; END; CREATE OR FUNCTION begin x; end; CREATE x FUNCTION begin;",
    "CREATE FUNCTION case begin case end; end; SELECT 1; CREATE FUNCTION end; SELECT 2;",
    "CREATE PROCEDURE x BEGIN 1begin; END; SELECT $1begin; SELECT 1;",
    "SET standard_conforming_strings = off;\nSELECT 'a\\';b'; SELECT N'\\';'; SELECT b'\\', 'c;\\';'; \
     SET standard_conforming_strings = on;\nSELECT 'a\\'; SELECT 1;",
    "SET SESSION standard_conforming_strings TO 'off';\nSELECT 'a\\';b'; RESET standard_conforming_strings;\nSELECT 'a\\'; SELECT 1;",
    "SELECT U&'\\0041;', u&\"d;\\0061\", U&'!;' UESCAPE '!', u & 'x;', u&1; SELECT b'1;', B'0'';', x'f;', N'n;', e'\\';'; SELECT some'x\\'; SELECT 1;",
    "SELECT 1e'x\\'; SELECT 1.e'x\\'; SELECT 1; SELECT a.e'\\';'; SELECT 1..e'\\';'; SELECT 0x1f'\\'; SELECT 1_0'\\'; SELECT 1;",
    "SELECT :name, :'name', :\"name\", a[1:2], 'x'::text, :'na me;', b[:x]; SELECT 1;",
    "COPY a FROM stdin;\n1;\n'\n\\\\.\n\\.\nSELECT 1;\ncopy \"S\".\"T \"\"\" (\"from\") FROM STDIN (FORMAT text);\n\\.\nSELECT 2;",
    "COPY a FROM stdin WITH NULL 'csv';\n1\n'\n\\.\nSELECT 1;\nCOPY a\nFROM\nstdin\n;\nx\n\\.\nSELECT 3;",
    "\u{feff}SELECT 1;\r\nSELECT '\r\n;' -- x\r\n;\r\nCOPY a FROM stdin;\r\n1\r\n\\.\r\nSELECT 2;\r\n",
    "SELECT 'a'\n';b', 'c' -- x\n';d', 'e' /* y */\n';f'; SELECT 1;",
    "SELECT 1 \u{b} ; SELECT é;\u{a0}SELECT 2; SELECT ~!@#^&|`?;SELECT <-- ;\n1; SELECT @/* ; */ 1;",
    "\n\n  SELECT\n1\n;\n\n\t SELECT 2\n  \n, '\n\n';",
];

#[test]
fn statements_are_those_that_psql_sends() {
    for major in majors() {
        for file in FILES {
            let database = shared(major).database().unwrap();
            database.execute(TABLES).unwrap();
            check(&database, file.as_bytes());
        }
    }
}

#[test]
fn dumps_are_split_as_psql_splits_them() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/dump");
    for major in majors() {
        let database = shared(major).database().unwrap();
        let dump = fs_err::read(corpus.join(format!("pg_dump-{major}.sql"))).unwrap();
        // before the dump stands the fuzzer's byte
        assert!(check(&database, &dump[1..]) > 20);
    }
}

/// The versions to ask: none where there is no psql.
fn majors() -> Vec<u32> {
    if Command::new("psql").arg("--version").output().is_err() {
        skipped("there is no psql");
        return Vec::new();
    }
    let majors = [14, 18].into_iter();
    majors.filter(|it| available().contains(it)).collect()
}

/// How many statements there were.
#[track_caller]
fn check(database: &Database, file: &[u8]) -> usize {
    let ours = split(file);
    let theirs = sent(database, file);
    let text = String::from_utf8_lossy(file);
    assert_eq!(
        ours,
        theirs,
        "PostgreSQL {}: {text}",
        database.server().major()
    );
    ours.len()
}

fn split(file: &[u8]) -> Vec<String> {
    let mut statements = Vec::new();
    let mut splitter = Splitter::new(1 << 20);
    let fed = splitter.feed(file, &mut |piece| {
        let text = match piece {
            Piece::Statement(statement) => statement.text,
            Piece::Copy(copy) => copy.statement,
            _ => return,
        };
        statements.push(String::from_utf8(text).unwrap());
    });
    fed.unwrap();
    statements
}

/// psql's own record of what it sent.
fn sent(database: &Database, file: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let (log, input) = (folder.path().join("log"), folder.path().join("input.sql"));
    fs_err::write(&input, file).unwrap();
    let mut psql = Command::new("psql");
    database.environment(&mut psql);
    // its errors do not matter: most of these statements are nonsense
    let ran = psql
        .args(["-X", "-q", "-A", "-t", "-o", "/dev/null", "-L"])
        .arg(&log)
        .arg("-f")
        .arg(&input)
        .env("PGCLIENTENCODING", "UTF8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let log = String::from_utf8(fs_err::read(&log).unwrap()).unwrap();
    queries(&log)
}

/// Without the semicolon, comments before the first word, and statements of nothing.
fn queries(log: &str) -> Vec<String> {
    let after = |text: &'static str| log.split(text).skip(1);
    let old = after("********* QUERY **********\n")
        .map(|rest| rest.split("\n**************************\n"));
    let new = after("/******** QUERY *********/\n")
        .map(|rest| rest.split("\n/************************/\n"));
    let queries = old.chain(new).filter_map(|mut parts| parts.next());
    queries
        .filter_map(|query| {
            let query = without_comments(query);
            let statement = query.strip_suffix(';').unwrap_or(query);
            (!statement.is_empty()).then(|| statement.to_owned())
        })
        .collect()
}

fn without_comments(mut query: &str) -> &str {
    loop {
        query = query.trim_ascii_start();
        match query
            .strip_prefix("/*")
            .and_then(|rest| rest.split_once("*/"))
        {
            Some((_, rest)) => query = rest,
            None => return query,
        }
    }
}

#[allow(clippy::print_stderr)]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

//! What a server refuses because something else stands on it, and whether it was said before.

use serde_json::Value;

use super::{Truth, measure};
use crate::support;

/// Beside the fixture.
const MORE: &str = "
    CREATE TABLE used (id bigint PRIMARY KEY, a varchar(10), b varchar(10), c varchar(10), d varchar(10), e varchar(10), f varchar(10), g varchar(10), h varchar(20) GENERATED ALWAYS AS (g || 'x') STORED, seen boolean);
    CREATE VIEW used_a AS SELECT id, a FROM used;
    CREATE MATERIALIZED VIEW used_b AS SELECT id, b FROM used;
    CREATE POLICY used_c ON used USING (c = 'x');
    CREATE TRIGGER used_d BEFORE UPDATE OF d ON used FOR EACH ROW EXECUTE FUNCTION trg();
    CREATE TRIGGER used_e BEFORE UPDATE ON used FOR EACH ROW WHEN (new.e = 'x') EXECUTE FUNCTION trg();
    CREATE RULE used_f AS ON DELETE TO used WHERE old.f = 'x' DO ALSO NOTHING;
    CREATE FUNCTION used_by_body() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT seen::text FROM used; END;
    CREATE TABLE refers (used_id bigint REFERENCES used (id) DEFERRABLE INITIALLY DEFERRED, n int);
    INSERT INTO used (id, a) VALUES (1, 'x');
    INSERT INTO refers VALUES (1, 1);
    CREATE SCHEMA inhabited;
    CREATE TABLE inhabited.one (id int)";

type Case = (&'static str, Option<(&'static str, &'static str)>);

/// SQL, the SQLSTATE with which it is refused, and the finding that tells it.
const CASES: &[Case] = &[
    ("ALTER TABLE used ALTER a TYPE varchar(20)", COLUMN),
    ("ALTER TABLE used ALTER b TYPE text", COLUMN),
    ("ALTER TABLE used ALTER c TYPE text", COLUMN),
    ("ALTER TABLE used ALTER d TYPE text", COLUMN),
    ("ALTER TABLE used ALTER e TYPE text", COLUMN),
    ("ALTER TABLE used ALTER f TYPE text", COLUMN),
    ("ALTER TABLE used ALTER seen TYPE text", COLUMN),
    ("ALTER TABLE used ALTER h TYPE text", None),
    (
        "DROP VIEW used_a; ALTER TABLE used ALTER a TYPE varchar(20)",
        None,
    ),
    (
        "DROP MATERIALIZED VIEW used_b CASCADE; ALTER TABLE used ALTER b TYPE text",
        None,
    ),
    (
        "DROP TRIGGER used_d ON used; ALTER TABLE used ALTER d TYPE text",
        None,
    ),
    (
        "DROP POLICY used_c ON used; ALTER TABLE used ALTER c TYPE text",
        None,
    ),
    (
        "DROP RULE used_f ON used; ALTER TABLE used ALTER f TYPE text",
        None,
    ),
    (
        "DROP FUNCTION used_by_body(); ALTER TABLE used ALTER seen TYPE text",
        None,
    ),
    ("ALTER TABLE used ALTER a SET DEFAULT 'x'", None),
    ("ALTER TABLE used DROP COLUMN a", DEPENDENTS),
    ("ALTER TABLE used DROP COLUMN b", DEPENDENTS),
    ("ALTER TABLE used DROP COLUMN c", DEPENDENTS),
    ("ALTER TABLE used DROP COLUMN id", DEPENDENTS),
    ("ALTER TABLE used DROP COLUMN a CASCADE", None),
    ("ALTER TABLE used DROP COLUMN h", None),
    ("ALTER TABLE used DROP CONSTRAINT used_pkey", DEPENDENTS),
    (
        "ALTER TABLE refers DROP CONSTRAINT refers_used_id_fkey",
        None,
    ),
    ("ALTER TABLE refers DROP COLUMN used_id", None),
    ("DROP TABLE used", DEPENDENTS),
    ("DROP TABLE used CASCADE", None),
    ("DROP TABLE refers", None),
    ("DROP TABLE shop", DEPENDENTS),
    ("DROP TABLE item_tag", None),
    ("DROP TABLE item_tag, tag", None),
    ("DROP TABLE parent", None),
    ("DROP TABLE inh_parent", DEPENDENTS),
    ("DROP TABLE ser", None),
    ("DROP SEQUENCE ser_id_seq", DEPENDENTS),
    ("DROP VIEW v1", DEPENDENTS),
    ("DROP VIEW v_over; DROP VIEW v1", None),
    ("DROP VIEW v1, v_over", None),
    ("DROP FUNCTION trg()", DEPENDENTS),
    ("DROP DOMAIN posint", DEPENDENTS),
    ("DROP DOMAIN unused_domain", None),
    ("DROP TYPE mood", DEPENDENTS),
    ("DROP EXTENSION hstore", None),
    ("DROP SCHEMA inhabited", DEPENDENTS),
    ("DROP SCHEMA vacant", None),
    ("DROP INDEX used_pkey", DEPENDENTS),
    ("DROP INDEX item_tag_uniq", DEPENDENTS),
    ("DROP INDEX item_code", None),
    (
        "INSERT INTO refers VALUES (1, 2); ALTER TABLE refers ADD m int",
        PENDING,
    ),
    (
        "INSERT INTO refers VALUES (1, 2); CREATE INDEX i ON refers (n)",
        PENDING,
    ),
    ("INSERT INTO refers VALUES (1, 2); TRUNCATE refers", PENDING),
    (
        "INSERT INTO refers VALUES (1, 2); DROP TABLE refers",
        PENDING,
    ),
    (
        "INSERT INTO refers VALUES (1, 2); ALTER TABLE refers ALTER n SET NOT NULL",
        PENDING,
    ),
    (
        "INSERT INTO refers VALUES (1, 2); ALTER TABLE refers RENAME n TO m",
        None,
    ),
    (
        "INSERT INTO refers VALUES (1, 2); ALTER TABLE refers RENAME TO refers2",
        None,
    ),
    (
        "INSERT INTO refers VALUES (1, 2); SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE refers ADD m int",
        None,
    ),
    (
        "UPDATE refers SET n = 3; ALTER TABLE refers ADD m int",
        None,
    ),
    (
        "ALTER TABLE item ADD COLUMN x integer DEFAULT 7 NOT NULL UNIQUE",
        UNIQUE,
    ),
    (
        "ALTER TABLE item ADD COLUMN x uuid DEFAULT gen_random_uuid() NOT NULL UNIQUE",
        None,
    ),
    ("ALTER TABLE item ADD COLUMN x integer UNIQUE", None),
    (
        "ALTER TYPE mood ADD VALUE 'new'; ALTER TABLE item ALTER feeling SET DEFAULT 'new'",
        ENUM,
    ),
    (
        "ALTER TYPE mood ADD VALUE 'new'; UPDATE item SET feeling = 'new'",
        ENUM,
    ),
    (
        "ALTER TYPE mood ADD VALUE 'new'; UPDATE item SET feeling = 'a'",
        None,
    ),
];

const UNIQUE: Option<(&str, &str)> = Some(("23505", "unique-default"));
const ENUM: Option<(&str, &str)> = Some(("55P04", "enum-value-in-transaction"));
const COLUMN: Option<(&str, &str)> = Some(("0A000", "column-in-use"));
const DEPENDENTS: Option<(&str, &str)> = Some(("2BP01", "dependents-in-the-way"));
const PENDING: Option<(&str, &str)> = Some(("55006", "pending-triggers"));

/// What a generated column is made of.
const GENERATED: [&str; 2] = [
    "ALTER TABLE used ALTER g TYPE text",
    "ALTER TABLE used DROP COLUMN g",
];

/// A value of an enum that is as new as the enum: from PostgreSQL 17 on it may be used at once.
const NEW_ENUM: &str = "CREATE TYPE tone AS ENUM ('a'); ALTER TYPE tone ADD VALUE 'new'; ALTER TABLE item ADD COLUMN x tone DEFAULT 'new'";

/// The findings that say of a form that the server refuses it.
pub(super) const CODES: [&str; 2] = ["column-in-use", "dependents-in-the-way"];

/// The same, where it hangs on rows, or on what a literal means.
const PERHAPS: [&str; 3] = [
    "pending-triggers",
    "unique-default",
    "enum-value-in-transaction",
];

#[track_caller]
fn check(major: u32) {
    let truth = Truth::on(major);
    truth.database.execute(MORE).unwrap();
    let mut bench = measure::Bench::new(truth.server, truth.database.name());
    let new_enum = match major {
        ..17 => ENUM,
        _ => None,
    };
    let generated = match major {
        ..15 => [Some(("42601", "column-in-use")), None],
        _ => [COLUMN, DEPENDENTS],
    };
    let more = GENERATED.into_iter().zip(generated);
    let more = more.chain([(NEW_ENUM, new_enum)]);
    let cases: Vec<_> = CASES.iter().copied().chain(more).collect();
    let told = told(&truth, &cases);
    let mut wrong = Vec::new();
    for ((sql, expected), told) in cases.iter().zip(told) {
        let is = bench.measure(sql).err();
        let state = is.as_ref().map(|error| error[..5].to_owned());
        if state.as_deref() != expected.map(|(state, _)| state)
            || told.as_deref() != expected.map(|(_, code)| code)
        {
            wrong.push(format!("{sql}\n    is {is:?}\n    told {told:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "on PostgreSQL {major}:\n{}",
        wrong.join("\n")
    );
}

/// For each case the finding that says that it is refused.
fn told(truth: &Truth, cases: &[Case]) -> Vec<Option<String>> {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..cases.len()).map(|at| format!("{at:04}.sql")).collect();
    for (name, (sql, _)) in names.iter().zip(cases) {
        fs_err::write(folder.path().join(name), sql).unwrap();
    }
    let dsn = truth.database.dsn();
    let words = [
        "lint",
        "--format",
        "json",
        "--in-transaction",
        "--dsn",
        &dsn,
    ];
    let cli = support::cli_in(folder.path()).args(words);
    let document: Value = cli.args(&names).run().expect(0).json();
    let files = document["files"].as_array().unwrap();
    let code = |file: &Value| {
        let statements = file["statements"].as_array().unwrap().iter();
        let findings = statements.flat_map(|statement| statement["findings"].as_array().unwrap());
        let mut codes = findings.map(|finding| finding["code"].as_str().unwrap());
        let code = codes.find(|code| CODES.contains(code) || PERHAPS.contains(code));
        code.map(str::to_owned)
    };
    files.iter().map(code).collect()
}

#[test]
fn what_is_refused_was_said_on_15() {
    check(15);
}

#[test]
fn what_is_refused_was_said_on_18() {
    check(18);
}

#[test]
#[ignore = "test --all"]
fn what_is_refused_was_said_on_14() {
    check(14);
}

#[test]
#[ignore = "test --all"]
fn what_is_refused_was_said_on_16() {
    check(16);
}

#[test]
#[ignore = "test --all"]
fn what_is_refused_was_said_on_17() {
    check(17);
}

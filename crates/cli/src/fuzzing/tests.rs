//! The fuzzer's functions without a fuzzer: every seed and every input that once broke something, and mutations of them.
//!
//! `SQL_FUZZ_SECONDS` makes it longer; where there is no C++ compiler for libFuzzer, this is what `cargo xtask fuzz`
//! runs.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::{query, script};

/// Words that turn a script into another.
const WORDS: &[&str] = &[
    "'",
    "''",
    "\"",
    "$$",
    "$a$",
    "$",
    "$1",
    "1$a$",
    "E'",
    "e'\\",
    "U&'",
    "u&\"",
    "B'",
    "x'",
    "n'",
    "\\",
    "\\.\n",
    "\\;",
    "\\\\",
    "\\gexec\n",
    "\\copy t from stdin\n",
    "\\connect a\n",
    "--",
    "-",
    "/*",
    "*/",
    "/",
    "*",
    ";",
    "(",
    ")",
    "[",
    "]",
    ",",
    ".",
    ":",
    "::",
    ":=",
    "=>",
    "->>",
    "@>",
    "?",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\u{b}",
    "\u{c}",
    "\0",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "é",
    "1",
    "1e",
    "1_0",
    "0x",
    ".5",
    "COPY t FROM stdin;\n",
    "COPY ",
    "FROM ",
    "stdin ",
    "CREATE FUNCTION f() ",
    "CREATE OR REPLACE PROCEDURE p() ",
    "BEGIN ATOMIC ",
    "BEGIN;",
    "COMMIT;",
    "CASE ",
    " END",
    " AS ",
    "ALTER TABLE t ",
    "ADD COLUMN c ",
    "DROP ",
    "CASCADE ",
    "CONCURRENTLY ",
    "IF NOT EXISTS ",
    "ONLY ",
    "SELECT ",
    "WITH a AS (",
    "INSERT INTO t ",
    "VALUES (",
    "UPDATE t SET ",
    "DELETE FROM t ",
    "MERGE INTO t USING u ON ",
    "WHEN MATCHED THEN ",
    "NOT ",
    "NULL ",
    "DEFAULT ",
    "CHECK (",
    "REFERENCES u ",
    "CONSTRAINT k ",
    "DO ",
    "LANGUAGE sql ",
    "EXPLAIN ",
    "ANALYZE ",
    "EXECUTE ",
    "IF ",
    "THEN ",
    "LOOP ",
    "PERFORM ",
    "DECLARE ",
    "PARTITION ",
    "VACUUM ",
    "(FULL) ",
    "GRANT ",
    "COMMENT ON ",
    "SET ",
    "TO ",
    "IS ",
    "COLLATE ",
    "USING ",
    "INTERVAL ",
];

fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["fuzz/corpus/sql", "src/sql/spellings"] {
        let found = fs_err::read_dir(root.join(folder)).unwrap();
        files.extend(found.map(|entry| entry.unwrap().path()));
    }
    files.sort();
    let text = |path: &std::path::PathBuf| {
        String::from_utf8_lossy(&fs_err::read(path).unwrap()).into_owned()
    };
    files.iter().map(text).collect()
}

/// The corpus, and statements of it alone: what is far from each other mutates nothing.
fn seeds() -> Vec<String> {
    let mut seeds = Vec::new();
    for text in corpus() {
        let statements: Vec<_> = text.split_inclusive(";\n").collect();
        seeds.extend(statements.chunks(4).map(<[&str]>::concat));
    }
    assert!(seeds.len() > 200, "{}", seeds.len());
    seeds
}

/// Where, what, and how much is replaced.
type Change = (prop::sample::Index, String, usize);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let what = prop_oneof![
        6 => prop::sample::select(WORDS).prop_map(str::to_owned),
        1 => ".{0,3}",
    ];
    prop::collection::vec((any::<prop::sample::Index>(), what, 0_usize..12), 1..8)
}

fn changed(seed: &str, changes: &[Change]) -> String {
    let mut text: Vec<char> = seed.chars().collect();
    for (place, what, length) in changes {
        let at = place.index(text.len() + 1);
        let end = (at + length).min(text.len());
        text.splice(at..end, what.chars());
    }
    text.into_iter().collect()
}

/// Runs for so long; a failure is made small by proptest, and told with the text that fails.
fn mutate(seconds: u64, target: impl Fn(&[u8])) {
    let told = std::env::var("SQL_FUZZ_SECONDS").ok();
    let seconds = told.and_then(|it| it.parse().ok()).unwrap_or(seconds);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let strategy = (prop::sample::select(seeds()), changes());
    let mut rounds = 0_u32;
    while rounds == 0 || Instant::now() < deadline {
        let config = Config {
            cases: 64,
            failure_persistence: None,
            ..Config::default()
        };
        // the first round is the same everywhere; the others are of another seed each time
        let rng = match rounds {
            0 => TestRng::deterministic_rng(RngAlgorithm::ChaCha),
            _ => TestRng::from_seed(RngAlgorithm::ChaCha, &seed()),
        };
        rounds += 1;
        TestRunner::new_with_rng(config, rng)
            .run(&strategy, |(seed, changes)| {
                let text = changed(&seed, &changes);
                let run = std::panic::AssertUnwindSafe(|| target(text.as_bytes()));
                std::panic::catch_unwind(run).map_err(|_| TestCaseError::fail(format!("{text:?}")))
            })
            .unwrap();
    }
}

/// From the hasher's own, which the system gives.
fn seed() -> [u8; 32] {
    use std::hash::{BuildHasher, RandomState};
    let mut seed = [0; 32];
    for part in seed.chunks_exact_mut(8) {
        part.copy_from_slice(&RandomState::new().hash_one(0).to_le_bytes());
    }
    seed
}

#[test]
fn scripts_of_the_corpus() {
    for text in corpus() {
        script(text.as_bytes());
        query(text.as_bytes());
    }
}

#[test]
fn mutated_scripts() {
    mutate(2, script);
}

#[test]
fn mutated_queries() {
    mutate(1, query);
}

/// Twice the script takes about twice the time. What is exponential never ends here, and what recurses has no stack.
#[test]
fn large_scripts_take_linear_time() {
    for (before, part, behind) in LARGE {
        takes_linear_time(&|size| format!("{before}{}{behind}", part.repeat(size)));
    }
    for (before, open, inside, close) in DEEP {
        for depth in [10, 20, 50] {
            script(
                format!(
                    "{before}{}{inside}{}",
                    open.repeat(depth),
                    close.repeat(depth)
                )
                .as_bytes(),
            );
        }
        takes_linear_time(&|size| {
            let (open, close) = (open.repeat(size), close.repeat(size));
            format!("{before}{open}{inside}{close}")
        });
    }
}

/// The world that a script makes grows with it: what is looked up in it must not cost more for that.
#[test]
fn many_objects_take_linear_time() {
    for part in MANY {
        takes_linear_time(&|size| {
            let one = |at: usize| part.replace('#', &at.to_string());
            (0..size / 10).map(one).collect()
        });
    }
}

/// From a size on that the clock can tell. A cache that is full, or a neighbour, makes one look wrong: the best of
/// several counts, and three times as much is not yet the four times of quadratic time. What is promised, 2.2 times, is
/// measured by `cargo xtask bench lint`.
#[track_caller]
fn takes_linear_time(make: &dyn Fn(usize) -> String) {
    const LOOKS: usize = 8;
    const TOLD: Duration = Duration::from_millis(40);
    let mut size = 10_000;
    while size < 320_000 && cost(&make(size)) < TOLD {
        size *= 2;
    }
    let (once, twice) = (make(size), make(2 * size));
    let (mut least, mut least_twice) = (Duration::MAX, Duration::MAX);
    for _ in 0..LOOKS {
        least = least.min(cost(&once));
        least_twice = least_twice.min(cost(&twice));
        if least_twice <= least.mul_f64(3.0) + Duration::from_millis(8) {
            return;
        }
    }
    let begin: String = once.chars().take(60).collect();
    panic!("{least:?}, and {least_twice:?} for twice as much: {begin}");
}

/// On a processor, where the system tells it of a thread.
fn cost(text: &str) -> Duration {
    let spent = || {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(told.split(' ').next()?.parse().ok()?))
    };
    let (before, begun) = (spent(), Instant::now());
    script(text.as_bytes());
    match (before, spent()) {
        (Some(before), Some(after)) => after - before,
        _ => begun.elapsed(),
    }
}

/// `#` is another number each time.
const MANY: &[&str] = &[
    "CREATE TABLE t# (id bigint PRIMARY KEY, a text NOT NULL);\n",
    "CREATE TABLE t# (id int); DROP TABLE t#;\n",
    "ALTER TABLE t# ADD COLUMN a int NULL; ALTER TABLE t# ALTER COLUMN a SET NOT NULL;\n",
    "ALTER TABLE t ADD CONSTRAINT k# CHECK (a > #);\n",
    "ALTER TABLE t# ADD CONSTRAINT k# FOREIGN KEY (a) REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED;\n",
    "CREATE INDEX i# ON t (a);\n",
    "CREATE VIEW v# AS SELECT a FROM t;\n",
    "CREATE TABLE t# (id int REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED); INSERT INTO t# VALUES (1);\n",
    "CREATE DOMAIN d# AS text CHECK (VALUE > ''); ALTER TABLE t# ADD COLUMN a d#;\n",
    "CREATE FUNCTION f#() RETURNS int LANGUAGE sql AS 'SELECT 1';\n",
    "CREATE SCHEMA s#; CREATE SEQUENCE s#.q; ALTER SEQUENCE s#.q RESTART;\n",
];

const DEEP: &[(&str, &str, &str, &str)] = &[
    ("", "(", "SELECT 1", ")"),
    ("SELECT ", "(", "1", ")"),
    ("SELECT ", "f(", "1", ")"),
    ("SELECT ", "CASE WHEN ", "1", " THEN 1 END"),
    ("SELECT * FROM ", "(", "a", ")"),
    ("SELECT * FROM ", "(SELECT * FROM ", "a", ") x"),
    ("", "WITH a AS (", "SELECT 1", ") SELECT 1"),
    ("EXPLAIN ", "(", "SELECT 1", ")"),
    ("CREATE TABLE t (a int CHECK ", "(", "true", "))"),
    ("DO $$ BEGIN ", "IF a THEN ", "NULL; ", "END IF; "),
    ("", "/* ", "SELECT 1", " */"),
];

const LARGE: &[(&str, &str, &str)] = &[
    ("", "SELECT 1;\n", ""),
    ("", "ALTER TABLE t ADD c int;\n", ""),
    ("ALTER TABLE t ", "ADD c int, ", "ADD d int"),
    ("CREATE TABLE t (", "c int, ", "d int)"),
    ("CREATE TABLE t ", "(", ""),
    ("CREATE TABLE t (c int DEFAULT ", "(", ""),
    ("SELECT ", "(", ""),
    ("SELECT * FROM ", "(", ""),
    ("SELECT 1", " + 1", ""),
    ("SELECT 1 WHERE true", " OR a = 1", ""),
    ("SELECT ", "- ", "1"),
    ("SELECT ", "NOT ", "true"),
    ("SELECT 1", "::int", ""),
    ("SELECT 1", " UNION SELECT 1", ""),
    ("SELECT a", "[1]", ""),
    ("SELECT a", ".b", ""),
    ("SELECT ", "CASE WHEN ", ""),
    ("SELECT ", "f(", ""),
    ("SELECT ", "1, ", "1"),
    ("INSERT INTO t VALUES ", "(1, 'a'), ", "(2, 'b')"),
    ("", "EXPLAIN ", "SELECT 1"),
    ("", "WITH a AS (", ""),
    ("SELECT * FROM a", " JOIN b ON true", ""),
    ("SELECT * FROM ", "a, ", "b"),
    ("DO $$ BEGIN ", "IF a THEN ", "$$"),
    ("DO $$ BEGIN ", "DROP TABLE t; ", "END $$"),
    ("COMMENT ON TABLE t IS '", "''", "'"),
    ("SELECT '", "a'\n'", "'"),
    ("", "COPY t FROM stdin;\n", ""),
    ("", "COPY t FROM stdin;\n1\n\\.\n", ""),
    ("GRANT ", "a, ", "b TO c"),
    ("DROP TABLE ", "t, ", "u"),
];

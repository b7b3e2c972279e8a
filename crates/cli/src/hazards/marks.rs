//! Where in its statement a finding points: the words that make the hazard.
//!
//! A code that has no words here points at the name of its table. Absent: drawing it.

use std::ops::Range;

use super::Finding;
use crate::sql::{Statement, phrases};

/// Of [`phrases`]; of several that fit at one place the first counts.
const WORDS: &[(&str, &[&str])] = &[
    (
        "drop-table",
        &[
            "DROP TABLE IF EXISTS _",
            "DROP TABLE _",
            "DROP FOREIGN TABLE IF EXISTS _",
            "DROP FOREIGN TABLE _",
        ],
    ),
    ("drop-column", DROP_COLUMN),
    ("column-in-use", TYPE),
    (
        "drop-contents",
        &["DROP * IF EXISTS _", "DROP OWNED BY _", "DROP * _"],
    ),
    (
        "truncate",
        &[
            "TRUNCATE TABLE ONLY _",
            "TRUNCATE ONLY _",
            "TRUNCATE TABLE _",
            "TRUNCATE _",
        ],
    ),
    ("delete-all-rows", &["DELETE FROM ONLY _", "DELETE FROM _"]),
    ("update-all-rows", &["UPDATE ONLY _", "UPDATE _"]),
    (
        "drop-object",
        &[
            "DROP MATERIALIZED VIEW IF EXISTS _",
            "DROP MATERIALIZED VIEW _",
            "DROP * IF EXISTS _",
            "DROP * _",
        ],
    ),
    ("cascade", &["CASCADE"]),
    ("narrowing-type-change", TYPE),
    (
        "destructive-code",
        &["DROP *", "TRUNCATE *", "DELETE FROM _", "DO", "CALL _"],
    ),
    (
        "not-in-transaction",
        &[
            "CONCURRENTLY",
            "VACUUM",
            "ALTER SYSTEM",
            "CREATE DATABASE",
            "DROP DATABASE",
            "CREATE TABLESPACE",
            "DROP TABLESPACE",
        ],
    ),
    (
        "transaction-control",
        &[
            "BEGIN",
            "START TRANSACTION",
            "COMMIT",
            "END",
            "ROLLBACK",
            "ABORT",
            "PREPARE TRANSACTION",
        ],
    ),
    (
        "guard-changed",
        &[
            "SET LOCAL *",
            "SET SESSION *",
            "SET *",
            "RESET *",
            "DISCARD *",
            "set_config",
        ],
    ),
    (
        "disable-trigger",
        &["DISABLE TRIGGER *", "DISABLE RULE *", "ENABLE * TRIGGER *"],
    ),
    ("alter-column-type", TYPE),
    (
        "rewrite-table",
        &[
            "SET TABLESPACE _",
            "SET ACCESS METHOD _",
            "SET LOGGED",
            "SET UNLOGGED",
            "ALTER COLUMN _ TYPE *",
            "ALTER COLUMN _ SET DATA TYPE *",
            "VACUUM FULL",
            "CLUSTER",
            "SET EXPRESSION",
            "ADD COLUMN _ *",
            "ADD _ *",
        ],
    ),
    ("add-column-volatile-default", ADD_COLUMN),
    ("add-column-domain", ADD_COLUMN),
    ("unique-default", ADD_COLUMN),
    ("add-column-serial", ADD_COLUMN),
    ("add-column-generated", ADD_COLUMN),
    ("add-column-not-null", ADD_COLUMN),
    (
        "set-not-null",
        &[
            "ALTER COLUMN _ SET NOT NULL",
            "ALTER _ SET NOT NULL",
            "PRIMARY KEY",
        ],
    ),
    (
        "add-check",
        &[
            "ADD CONSTRAINT _ CHECK",
            "ADD CHECK",
            "CHECK",
            "VALIDATE CONSTRAINT _",
        ],
    ),
    (
        "add-foreign-key",
        &[
            "ADD CONSTRAINT _ FOREIGN KEY",
            "ADD FOREIGN KEY",
            "REFERENCES _",
            "VALIDATE CONSTRAINT _",
        ],
    ),
    (
        "add-unique",
        &[
            "ADD CONSTRAINT _ UNIQUE",
            "ADD CONSTRAINT _ PRIMARY KEY",
            "ADD UNIQUE",
            "ADD PRIMARY KEY",
            "UNIQUE",
            "PRIMARY KEY",
        ],
    ),
    (
        "add-exclude",
        &["ADD CONSTRAINT _ EXCLUDE", "ADD EXCLUDE", "EXCLUDE"],
    ),
    (
        "create-index",
        &[
            "CREATE UNIQUE INDEX IF NOT EXISTS _",
            "CREATE UNIQUE INDEX _",
            "CREATE INDEX IF NOT EXISTS _",
            "CREATE INDEX _",
            "CREATE INDEX",
        ],
    ),
    ("validate-with-add", &["VALIDATE CONSTRAINT _"]),
    ("rename-table", &["RENAME TO _", "SET SCHEMA _"]),
    ("rename-column", &["RENAME COLUMN _ TO _", "RENAME _ TO _"]),
    (
        "drop-index",
        &[
            "DROP INDEX CONCURRENTLY IF EXISTS _",
            "DROP INDEX CONCURRENTLY _",
            "DROP INDEX IF EXISTS _",
            "DROP INDEX _",
        ],
    ),
    ("drop-foreign-key", DROP_CONSTRAINT),
    ("foreign-key-locks-parent", &["REFERENCES _"]),
    ("attach-partition", &["ATTACH PARTITION _"]),
    ("detach-partition", &["DETACH PARTITION _"]),
    (
        "lock-table",
        &[
            "IN * MODE",
            "IN * EXCLUSIVE MODE",
            "IN * UPDATE EXCLUSIVE MODE",
            "IN SHARE ROW EXCLUSIVE MODE",
            "LOCK TABLE _",
            "LOCK _",
        ],
    ),
    ("reindex", &["REINDEX *"]),
    ("refresh-view", &["REFRESH MATERIALIZED VIEW _"]),
    (
        "alter-sequence",
        &["ALTER SEQUENCE IF EXISTS _", "ALTER SEQUENCE _"],
    ),
    (
        "alter-domain",
        &[
            "ADD CONSTRAINT _ CHECK",
            "SET NOT NULL",
            "ADD CHECK",
            "ALTER DOMAIN _",
        ],
    ),
    ("rows-with-null", &["SET NOT NULL", "NOT NULL"]),
    ("duplicate-rows", &["UNIQUE", "PRIMARY KEY"]),
    ("orphan-rows", &["REFERENCES _"]),
    ("values-too-long", TYPE),
    ("values-out-of-range", TYPE),
    ("rows-without-value", ADD_COLUMN),
];

const DROP_COLUMN: &[&str] = &[
    "DROP COLUMN IF EXISTS _",
    "DROP COLUMN _",
    "DROP IF EXISTS _",
    "DROP ATTRIBUTE _",
    "DROP _",
];
const ADD_COLUMN: &[&str] = &[
    "ADD COLUMN IF NOT EXISTS _ *",
    "ADD COLUMN _ *",
    "ADD IF NOT EXISTS _ *",
    "ADD _ *",
];
const TYPE: &[&str] = &[
    "ALTER COLUMN _ TYPE *",
    "ALTER COLUMN _ SET DATA TYPE *",
    "ALTER _ TYPE *",
    "ALTER _ SET DATA TYPE *",
];
const DROP_CONSTRAINT: &[&str] = &[
    "DROP CONSTRAINT IF EXISTS _",
    "DROP CONSTRAINT _",
    "DROP TABLE _",
];

/// For each finding of a statement the bytes of its SQL that it is about, as far as they can be told.
pub(crate) fn marks(statement: &Statement) -> Vec<Option<Range<usize>>> {
    let findings = &statement.findings;
    let nth = |at: usize| {
        let alike = |other: &&Finding| other.code == findings[at].code;
        findings[..at].iter().filter(alike).count()
    };
    (0..findings.len())
        .map(|at| mark(&statement.sql, &findings[at], nth(at)))
        .collect()
}

/// Findings of one code come in the order of what they are about.
fn mark(sql: &str, finding: &Finding, nth: usize) -> Option<Range<usize>> {
    let words = WORDS.iter().find(|(code, _)| *code == finding.code);
    let mut places = words.map_or_else(Vec::new, |(_, words)| phrases(sql, words));
    if places.is_empty() {
        let name = finding.relation.as_ref()?.name();
        let is_it = |at: &Range<usize>| {
            let last = sql[at.clone()].rsplit('.').next().unwrap_or_default();
            last.trim_matches('"') == name
        };
        places = phrases(sql, &["_"]);
        places.retain(is_it);
    }
    let last = places.len().checked_sub(1)?;
    Some(places.swap_remove(nth.min(last)))
}

#[cfg(test)]
mod tests {
    use super::{WORDS, marks};
    use crate::hazards::{self, Atomic, Context, all, beyond};

    fn marked(sql: &str) -> Vec<(&'static str, Option<String>)> {
        let statements: Vec<_> =
            hazards::assess_script(sql, &Context::default(), Atomic::No).collect();
        let last = statements.last().unwrap();
        let places = marks(last).into_iter();
        let words = places.map(|place| place.map(|place| last.sql[place].to_owned()));
        last.findings.iter().map(|f| f.code).zip(words).collect()
    }

    #[test]
    fn each_finding_points_at_its_own_words() {
        let found = marked("ALTER TABLE item DROP COLUMN a, DROP COLUMN \"B\" CASCADE");
        let columns: Vec<_> = found
            .iter()
            .filter(|(code, _)| *code == "drop-column")
            .collect();
        assert_eq!(columns[0].1.as_deref(), Some("DROP COLUMN a"), "{found:?}");
        assert_eq!(
            columns[1].1.as_deref(),
            Some("DROP COLUMN \"B\""),
            "{found:?}"
        );
        let cascade = found.iter().find(|(code, _)| *code == "cascade").unwrap();
        assert_eq!(cascade.1.as_deref(), Some("CASCADE"));
    }

    #[test]
    fn a_finding_without_words_points_at_its_table() {
        let sql =
            "BEGIN; ALTER TABLE item ADD b int; UPDATE public.\"order\" SET b = 1 WHERE c > 2";
        let found = marked(sql);
        let work = found.iter().find(|(code, _)| *code == "work-under-lock");
        assert_eq!(
            work.unwrap().1.as_deref(),
            Some("public.\"order\""),
            "{found:?}"
        );
    }

    #[test]
    fn words_are_of_codes_that_exist() {
        let hazards = all().iter().map(|hazard| hazard.code);
        let codes: Vec<&str> = hazards.chain(beyond::all().map(|row| row.code)).collect();
        for (code, _) in WORDS {
            assert!(codes.contains(code), "{code}");
        }
    }
}

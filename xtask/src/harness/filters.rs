//! What changes from run to run and from machine to machine, by names in brackets.

use std::sync::OnceLock;

use regex::Regex;

use crate::project::Project;

/// Replacements, applied in order: the given ones first, then those that every text gets.
#[derive(Debug, Clone, Default)]
pub struct Filters {
    own: Vec<(Regex, String)>,
}

/// Times, process ids, run ids, hashes and fingerprints, wherever they stand.
const COMMON: [(&str, &str); 9] = [
    (r"\x1b\[[0-9;?]*[A-Za-z]", ""),
    (
        r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?( ?UTC)?",
        "[TIME]",
    ),
    (r"\b\d{8}-\d{6}-\d+(-\d+)?\b", "[RUN]"),
    (r"(\D)\d{8}_\d{6}\b", "$1[STAMP]"),
    (r"\b[0-9a-f]{64}\b", "[SHA256]"),
    (r"\b[0-9a-f]{16}\b", "[FINGERPRINT]"),
    (r"(?i)\b(pid|process)([ :=]+)\d+\b", "$1$2[PID]"),
    (
        r#""(elapsed_ms|seconds|waited_ms|xact_age_ms|cpu_seconds)":\s*[0-9.e-]+"#,
        "\"$1\":[N]",
    ),
    (
        r"\b\d+(\.\d+)? ?(ms|s|min|seconds|milliseconds)\b",
        "[SECONDS]",
    ),
];

impl Filters {
    /// What is a project's own: its folder, database, port, password, Python and versions.
    pub fn of(project: &Project) -> Self {
        let (server, mut filters) = (project.server(), Self::default());
        let literal = [
            (project.folder().display().to_string(), "[PROJECT]"),
            (project.venv().folder.display().to_string(), "[VENV]"),
            (server.bin_dir().display().to_string(), "[PG_BIN]"),
            (server.password().to_owned(), "[LEAKED PASSWORD]"),
            (project.database().to_owned(), "[DATABASE]"),
            (server.install().version.clone(), "[PG_VERSION]"),
        ];
        for (text, name) in literal.iter().filter(|(text, _)| !text.is_empty()) {
            filters.add(&regex::escape(text), name);
        }
        filters.add(&format!(r"\b{}\b", server.port()), "[PORT]");
        filters
    }

    /// One more: every match of the pattern becomes the replacement (`$1` is the first group).
    ///
    /// # Panics
    /// When the pattern is not a regular expression.
    #[track_caller]
    pub fn add(&mut self, pattern: &str, replacement: &str) {
        let pattern = Regex::new(pattern).unwrap_or_else(|why| panic!("{why}"));
        self.own.push((pattern, replacement.to_owned()));
    }

    /// The text with every filter applied.
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (pattern, replacement) in &self.own {
            text = pattern.replace_all(&text, &**replacement).into_owned();
        }
        for (pattern, replacement) in common() {
            text = pattern.replace_all(&text, *replacement).into_owned();
        }
        text
    }
}

fn common() -> &'static [(Regex, &'static str)] {
    static COMPILED: OnceLock<Vec<(Regex, &'static str)>> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let compile = |(pattern, replacement)| {
            (
                Regex::new(pattern).expect("the table's patterns are tested"),
                replacement,
            )
        };
        COMMON.map(compile).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(Filters::default().apply(text), expected);
    }

    #[test]
    fn what_changes_gets_a_name() {
        check(
            "done in 1.24 s, backend pid 4711",
            "done in [SECONDS], backend pid [PID]",
        );
        check(
            "run 20261122-093015-4711 at 2026-11-22T09:30:15Z",
            "run [RUN] at [TIME]",
        );
        check(
            "backup_shop_20261122_093015.sql.gz",
            "backup_shop_[STAMP].sql.gz",
        );
        check("plan 0123456789abcdef", "plan [FINGERPRINT]");
        check(r#"{"elapsed_ms":12,"x":1}"#, r#"{"elapsed_ms":[N],"x":1}"#);
        check("\x1b[1;31merror\x1b[0m", "error");
    }

    #[test]
    fn what_stays_the_same_stays() {
        for text in [
            "0004_item_description",
            "500 rows",
            "exit code 51",
            "s3",
            "3 migrations",
            "shop.0008",
        ] {
            check(text, text);
        }
    }
}

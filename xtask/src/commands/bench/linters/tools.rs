//! Each linter: where it comes from, how it is asked, and how its answer is read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use xtask::env::Env;
use xtask::process;

use super::MAJOR;
use super::truth::Form;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Squawk,
    Pgsafe,
    Eugene,
    Pgfence,
    Ours,
}

pub(super) const WITH_CATALOG: &str = "django-migrate lint --dsn";

/// A tool as it is asked.
pub(super) struct Linter {
    pub(super) tool: Tool,
    program: PathBuf,
    dsn: Option<String>,
}

/// A row of the table; without a linter where it cannot be had here.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) linter: Result<Linter>,
}

/// What a tool says of a form.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) rules: BTreeSet<String>,
    /// It could not read it, or says that it cannot tell what it does.
    pub(super) unread: bool,
}

pub(super) fn all(env: &Env, ours: &Path, dsn: &str) -> Vec<Row> {
    let linter = |tool, program: Result<PathBuf>| {
        program.map(|program| Linter {
            tool,
            program,
            dsn: None,
        })
    };
    let squawk = env.venv("squawk").map(|venv| venv.bin().join("squawk"));
    let row = |name, linter| Row { name, linter };
    vec![
        row("squawk", linter(Tool::Squawk, squawk)),
        row(
            "eugene lint",
            linter(Tool::Eugene, env.cargo_program("eugene")),
        ),
        row("pgfence", linter(Tool::Pgfence, env.npm_program("pgfence"))),
        row("pgsafe", linter(Tool::Pgsafe, env.cargo_program("pgsafe"))),
        row(
            "django-migrate lint",
            linter(Tool::Ours, Ok(ours.to_owned())),
        ),
        row(
            WITH_CATALOG,
            Ok(Linter {
                tool: Tool::Ours,
                program: ours.to_owned(),
                dsn: Some(dsn.to_owned()),
            }),
        ),
    ]
}

impl Tool {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Squawk => "squawk",
            Self::Pgsafe => "pgsafe",
            Self::Eugene => "eugene",
            Self::Pgfence => "pgfence",
            Self::Ours => "django-migrate",
        }
    }

    /// The form as a file. One knows of a transaction only what stands in the file.
    pub(super) fn text(self, form: &Form) -> String {
        let sql = form.sql.trim_end_matches(';');
        match self {
            Self::Pgfence if !form.outside => format!("BEGIN;\n{sql}\n;\nCOMMIT;\n"),
            // a line of its own, since a form may end with a comment
            _ => format!("{sql}\n;\n"),
        }
    }
}

impl Linter {
    /// `2.70.0`.
    pub(super) fn version(&self) -> Result<String> {
        let said = process::stdout(Command::new(&self.program).arg("--version"))?;
        let version = said
            .split_whitespace()
            .find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        Ok(version
            .with_context(|| format!("no version in `{said}`"))?
            .to_owned())
    }

    /// With its default rules, the server's version where it asks for one, and in a transaction where the form can run in
    /// one.
    pub(super) fn ask(&self, form: &Form, file: &Path) -> Result<Answer> {
        let mut command = Command::new(&self.program);
        if let Some(folder) = file.parent() {
            command.current_dir(folder);
        }
        let inside = !form.outside;
        match self.tool {
            Tool::Squawk => {
                command.args(["--reporter", "json", "--pg-version", &MAJOR.to_string()]);
                command.args(inside.then_some("--assume-in-transaction"));
            }
            Tool::Pgsafe => {
                command.args(["--no-config", "--format", "json"]);
                command.args(inside.then_some("--in-transaction"));
            }
            // it takes every file for one transaction
            Tool::Eugene => drop(command.args(["lint", "--format", "json", "--accept-failures"])),
            Tool::Pgfence => {
                command.args(["analyze", "--format", "sql", "--output", "json"]);
                command.args(["--min-pg-version", &MAJOR.to_string()]);
            }
            Tool::Ours => {
                command.args(["lint", "--format", "json", "--fail-on", "never"]);
                command.args(inside.then_some("--in-transaction"));
                if let Some(dsn) = &self.dsn {
                    command.args(["--dsn", dsn]);
                }
            }
        }
        let said = command.arg(file).output()?;
        if said.stdout.is_empty() {
            return refused(self.tool, &said.stderr);
        }
        let document: Value = serde_json::from_slice(&said.stdout).with_context(|| {
            format!(
                "{}: {}",
                self.tool.name(),
                String::from_utf8_lossy(&said.stdout)
            )
        })?;
        self.tool.read(&document)
    }
}

/// Without an answer in JSON: these two say so of what their parser does not take.
fn refused(tool: Tool, stderr: &[u8]) -> Result<Answer> {
    let stderr = String::from_utf8_lossy(stderr);
    let parser = match tool {
        Tool::Eugene => stderr.contains("SqlText("),
        Tool::Pgfence => stderr.contains("syntax error"),
        Tool::Squawk | Tool::Pgsafe | Tool::Ours => false,
    };
    ensure!(parser, "{} said: {stderr}", tool.name());
    Ok(Answer {
        unread: true,
        ..Answer::default()
    })
}

impl Tool {
    fn read(self, document: &Value) -> Result<Answer> {
        let mut answer = Answer::default();
        match self {
            Self::Squawk => {
                answer.take(list(document, "")?, "rule_name")?;
                answer.unread = answer.rules.remove("syntax-error");
            }
            Self::Pgsafe => {
                for file in list(document, "/files")? {
                    answer.take(list(file, "/findings")?, "rule_id")?;
                    answer.unread |= file.get("error").is_some();
                }
            }
            Self::Eugene => {
                for statement in list(document, "/statements")? {
                    answer.take(list(statement, "/triggered_rules")?, "id")?;
                }
            }
            Self::Pgfence => {
                for file in list(document, "/results")? {
                    // what it calls LOW or SAFE is told, and no warning
                    let checks = list(file, "/checks")?.iter();
                    answer.take(
                        checks.filter(|check| check["risk"] != "LOW" && check["risk"] != "SAFE"),
                        "ruleId",
                    )?;
                    answer.take(list(file, "/policyViolations")?, "ruleId")?;
                    answer.unread |= file.get("extractionWarnings").is_some();
                }
            }
            Self::Ours => {
                for file in list(document, "/files")? {
                    for statement in list(file, "/statements")? {
                        answer.take(list(statement, "/findings")?, "code")?;
                    }
                }
                for code in ["unreadable-statement", "unknown-effect"] {
                    answer.unread |= answer.rules.remove(code);
                }
            }
        }
        Ok(answer)
    }
}

impl Answer {
    fn take<'a>(&mut self, findings: impl IntoIterator<Item = &'a Value>, key: &str) -> Result<()> {
        for finding in findings {
            let Some(rule) = finding[key].as_str() else {
                bail!("a finding without `{key}`: {finding}");
            };
            self.rules.insert(rule.to_owned());
        }
        Ok(())
    }
}

fn list<'a>(value: &'a Value, pointer: &str) -> Result<&'a Vec<Value>> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.with_context(|| format!("no list at `{pointer}`: {value}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(tool: Tool, document: &Value) -> (Vec<String>, bool) {
        let answer = tool.read(document).unwrap();
        (answer.rules.into_iter().collect(), answer.unread)
    }

    #[test]
    fn what_cannot_be_read_is_neither_a_warning_nor_silence() {
        let squawk = json!([{ "rule_name": "syntax-error" }]);
        assert_eq!(read(Tool::Squawk, &squawk), (vec![], true));
        let pgsafe = json!({ "files": [{ "findings": [], "error": "parse error" }] });
        assert_eq!(read(Tool::Pgsafe, &pgsafe), (vec![], true));
        let ours = json!({ "files": [{ "statements": [{ "findings": [{ "code": "unknown-effect" }] }] }] });
        assert_eq!(read(Tool::Ours, &ours), (vec![], true));
        assert!(refused(Tool::Eugene, b"SqlText(Split(..))").unwrap().unread);
        assert!(refused(Tool::Eugene, b"no such file").is_err());
    }

    #[test]
    fn of_pgfence_a_low_risk_is_no_warning() {
        let document = json!({ "results": [{
            "checks": [
                { "ruleId": "rename-column", "risk": "LOW" },
                { "ruleId": "alter-column-type", "risk": "MEDIUM" },
            ],
            "policyViolations": [{ "ruleId": "statement-after-access-exclusive" }],
        }] });
        let rules = ["alter-column-type", "statement-after-access-exclusive"];
        assert_eq!(
            read(Tool::Pgfence, &document),
            (rules.map(str::to_owned).to_vec(), false)
        );
    }

    #[test]
    fn an_answer_of_another_shape_is_no_clean_bill() {
        for tool in [
            Tool::Squawk,
            Tool::Pgsafe,
            Tool::Eugene,
            Tool::Pgfence,
            Tool::Ours,
        ] {
            assert!(
                tool.read(&json!({ "other": [] })).is_err(),
                "{}",
                tool.name()
            );
        }
    }
}

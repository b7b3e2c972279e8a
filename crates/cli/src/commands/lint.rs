//! `lint`: the assessment of a migration for SQL that no migration has. Runs nothing, and needs no Django.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use jiff::civil::Date;

use super::{Context, findings, steps};
use crate::args::{FindingFormat, LintArgs};
use crate::database::{self, Direct};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::hazards::{self, Atomic, Finding, Severity};
use crate::policy::{self, Policy};
use crate::preview::Verdict;
use crate::settings::{self, FailOn, Layers};
use crate::sql::Statement;
use crate::ui::{self, Detail, out};

mod document;

use document::Document;

/// A script with the name that it was given by.
struct Script {
    path: String,
    sql: String,
    /// What the rows of the database say to the statements, by their place in the script.
    rows: BTreeMap<usize, Vec<Finding>>,
}

/// How scripts are read.
struct Reading {
    known: hazards::Context,
    atomic: Atomic,
    policy: Policy,
    today: Date,
}

impl Reading {
    /// Each file is a script of its own: what one creates is not there for the next.
    fn statements<'a>(&'a self, script: &'a Script) -> impl Iterator<Item = Statement> + 'a {
        let assessed = hazards::assess_script(&script.sql, &self.known, self.atomic);
        assessed.enumerate().map(|(place, mut statement)| {
            let rows = script.rows.get(&place).into_iter().flatten();
            statement.findings.extend(rows.cloned());
            self.policy.judge_statement(&mut statement, self.today);
            statement
        })
    }
}

pub(crate) async fn lint(
    args: LintArgs,
    mut layers: Layers,
    context: &Context,
) -> Result<u8, Failure> {
    let LintArgs {
        files,
        dsn,
        findings,
        stdin_filepath,
        in_transaction,
        format,
    } = args;
    let fail_on = settings::fail_on(findings, FailOn::Stop, &mut layers)?;
    steps::tell_settings(&layers, context);
    let mut scripts = files
        .iter()
        .map(|file| script(file, stdin_filepath.as_deref()))
        .collect::<Result<Vec<_>, Failure>>()?;
    let mut reading = Reading {
        known: hazards::Context::default(),
        atomic: match in_transaction {
            true => Atomic::Yes,
            false => Atomic::No,
        },
        policy: layers.policy().clone(),
        today: policy::today(),
    };
    if let Some(dsn) = dsn.as_deref() {
        look(dsn, &mut reading, &mut scripts, context).await?;
    }
    let worst = match format {
        FindingFormat::Json => {
            let document = Document::new(&scripts, &reading);
            out::long_document(&document);
            document.worst()
        }
        _ => {
            let judged: Vec<(&str, Vec<Statement>)> = scripts
                .iter()
                .map(|script| (script.path.as_str(), reading.statements(script).collect()))
                .collect();
            whole(&judged, format, fail_on, context)
        }
    };
    let over = worst.is_some_and(|worst| findings::reaches(worst, fail_on));
    Ok(match over {
        true => Class::Findings.code(Changed::No),
        false => 0,
    })
}

fn whole(
    files: &[(&str, Vec<Statement>)],
    format: FindingFormat,
    fail_on: FailOn,
    context: &Context,
) -> Option<Severity> {
    let statements = files.iter().flat_map(|(_, statements)| statements);
    let worst = statements.flat_map(|statement| &statement.findings);
    let worst = worst.map(Finding::counts).max();
    let files: Vec<(&str, &[Statement])> = files
        .iter()
        .map(|(path, statements)| (*path, statements.as_slice()))
        .collect();
    let is_told = findings::tell(format, fail_on, || ui::in_scripts(&files));
    if !is_told {
        let detail = match context.is_verbose() {
            true => Detail::Whole,
            false => Detail::Folded,
        };
        out::answer(ui::scripts(&files, detail, Verdict::of(worst)));
    }
    worst
}

/// Reads the catalog, and looks for rows that the statements would fail on.
async fn look(
    dsn: &str,
    reading: &mut Reading,
    scripts: &mut [Script],
    context: &Context,
) -> Result<(), Failure> {
    let direct = Direct::of(Some(dsn))?;
    let looking = async {
        let observer = direct.observer().await?;
        reading.known = database::context(&observer).await?;
        for script in scripts {
            let sql = &script.sql;
            let statements = hazards::assess_script(sql, &reading.known, reading.atomic);
            script.rows = database::look_in(&observer, &reading.known, statements).await;
        }
        Ok(())
    };
    let looking = context.signals.or_stop(looking);
    steps::working(context, "reading the catalog", looking).await
}

/// What is read from stdin may have a name of its own.
fn script(file: &Path, stdin_filepath: Option<&Path>) -> Result<Script, Failure> {
    let named = match is_stdin(file) {
        true => stdin_filepath.unwrap_or(file),
        false => file,
    };
    let path = named.display().to_string();
    let sql = read(file, &path)?;
    Ok(Script {
        path,
        sql,
        rows: BTreeMap::new(),
    })
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str().as_encoded_bytes() == b"-"
}

fn read(file: &Path, name: &str) -> Result<String, Failure> {
    let bytes = match is_stdin(file) {
        true => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map(|_| bytes)
        }
        false => std::fs::read(file),
    };
    let refused = |why: &str| Failure::new(Class::Usage, format!("{name}: {why}"));
    let mut bytes = bytes.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            refused("there is no such file").hint("say files of SQL, or - for what is piped in")
        }
        ErrorKind::IsADirectory => refused("that is a folder")
            .hint(format!("say its files: django-migrate lint {name}/*.sql")),
        _ => refused(&error.to_string()),
    })?;
    // psql leaves a byte order mark out, too
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        refused(&format!("line {line} is not valid UTF-8"))
            .hint("convert it first: iconv -f latin1 -t utf-8, or whatever it is written in")
    })
}

#[cfg(test)]
mod tests {
    use super::{Atomic, Document, Policy, Reading, Script, hazards, policy, read};
    use std::collections::BTreeMap;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_statement() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sql");
        fs_err::write(&path, "\u{feff}SELECT 1;").unwrap();
        assert_eq!(read(&path, "a.sql").unwrap(), "SELECT 1;");
    }

    #[test]
    fn a_document_that_is_written_while_it_is_made_is_whole() {
        let script = |path: &str, sql: &str| Script {
            path: path.to_owned(),
            sql: sql.to_owned(),
            rows: BTreeMap::new(),
        };
        let scripts = [
            script("a.sql", "CREATE TABLE a (b int); DROP TABLE a;"),
            script("-", "DROP TABLE a; SELECT 1;"),
        ];
        let reading = Reading {
            known: hazards::Context::default(),
            atomic: Atomic::No,
            policy: Policy::default(),
            today: policy::today(),
        };
        let document = serde_json::to_value(Document::new(&scripts, &reading)).unwrap();
        let files = document["files"].as_array().unwrap();
        let counts = files
            .iter()
            .map(|file| file["statements"].as_array().unwrap().len());
        assert_eq!(counts.collect::<Vec<_>>(), [2, 2]);
        assert_eq!(files[0]["statements"][1]["findings"], serde_json::json!([]));
        assert_eq!(document["findings"], files[1]["statements"][0]["findings"]);
        assert_eq!(document["findings"][0]["code"], "drop-table");
        assert_eq!(document["verdict"], "ask");
    }
}

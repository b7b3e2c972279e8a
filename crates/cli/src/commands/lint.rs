//! `lint`: the assessment of a migration for SQL that no migration has. Runs nothing, and needs no Django.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use super::{Context, findings, steps};
use crate::args::{FindingFormat, LintArgs};
use crate::database::{self, Direct};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::hazards::{self, Severity};
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
        format,
    } = args;
    let fail_on = settings::fail_on(findings, FailOn::Stop, &mut layers)?;
    steps::tell_settings(&layers, context);
    let scripts = files
        .iter()
        .map(|file| script(file, stdin_filepath.as_deref()))
        .collect::<Result<Vec<_>, Failure>>()?;
    let known = match dsn.as_deref() {
        Some(dsn) => catalog(dsn, context).await?,
        None => hazards::Context::default(),
    };
    let worst = match format {
        FindingFormat::Json => {
            let document = Document::new(&scripts, &known, layers.policy());
            out::document(&document);
            document.worst()
        }
        _ => {
            let judged = judged(&scripts, &known, layers.policy());
            whole(&judged, format, fail_on, context)
        }
    };
    let over = worst.is_some_and(|worst| findings::reaches(worst, fail_on));
    Ok(match over {
        true => Class::Findings.code(Changed::No),
        false => 0,
    })
}

/// Each file is a script of its own: what one creates is not there for the next.
fn judged<'a>(
    scripts: &'a [Script],
    known: &hazards::Context,
    policy: &Policy,
) -> Vec<(&'a str, Vec<Statement>)> {
    let today = policy::today();
    let of = |script: &'a Script| {
        let mut statements: Vec<_> = hazards::assess_script(&script.sql, known).collect();
        for statement in &mut statements {
            policy.judge_statement(statement, today);
        }
        (script.path.as_str(), statements)
    };
    scripts.iter().map(of).collect()
}

fn whole(
    files: &[(&str, Vec<Statement>)],
    format: FindingFormat,
    fail_on: FailOn,
    context: &Context,
) -> Option<Severity> {
    let statements = files.iter().flat_map(|(_, statements)| statements);
    let worst = statements.flat_map(|statement| &statement.findings);
    let worst = worst.map(hazards::Finding::counts).max();
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

async fn catalog(dsn: &str, context: &Context) -> Result<hazards::Context, Failure> {
    let direct = Direct::of(Some(dsn))?;
    let reading = async {
        let observer = direct.observer().await?;
        database::context(&observer).await
    };
    let reading = context.signals.or_stop(reading);
    steps::working(context, "reading the catalog", reading).await
}

/// What is read from stdin may have a name of its own.
fn script(file: &Path, stdin_filepath: Option<&Path>) -> Result<Script, Failure> {
    let named = match is_stdin(file) {
        true => stdin_filepath.unwrap_or(file),
        false => file,
    };
    let path = named.display().to_string();
    let sql = read(file, &path)?;
    Ok(Script { path, sql })
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
    use super::{Document, Policy, Script, hazards, read};

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
        };
        let scripts = [
            script("a.sql", "CREATE TABLE a (b int); DROP TABLE a;"),
            script("-", "DROP TABLE a; SELECT 1;"),
        ];
        let known = hazards::Context::default();
        let document =
            serde_json::to_value(Document::new(&scripts, &known, &Policy::default())).unwrap();
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

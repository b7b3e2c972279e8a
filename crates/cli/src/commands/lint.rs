//! `lint`: the assessment of a migration for SQL that no migration has. Runs nothing, and needs no Django.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Context, preview, steps};
use crate::args::{Format, LintArgs};
use crate::database::{self, Direct};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::hazards::{self, Severity};
use crate::preview::Verdict;
use crate::settings::{self, FailOn, Layers};
use crate::sql::Statement;
use crate::ui::{self, out};

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
        format,
    } = args;
    let fail_on = settings::fail_on(findings, FailOn::Stop, &mut layers)?;
    steps::tell_settings(&layers, context);
    let scripts = files
        .iter()
        .map(|path| {
            let (path, sql) = (shown(path), read(path)?);
            Ok(Script { path, sql })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let known = match dsn.as_deref() {
        Some(dsn) => catalog(dsn, context).await?,
        None => hazards::Context::default(),
    };
    let worst = match format {
        Format::Json => {
            let document = Document::new(&scripts, &known);
            out::document(&document);
            document.worst()
        }
        Format::Text => text(&scripts, &known),
    };
    let over = worst.is_some_and(|worst| preview::reaches(worst, fail_on));
    Ok(match over {
        true => Class::Findings.code(Changed::No),
        false => 0,
    })
}

/// Each file is a script of its own: what one creates is not there for the next.
fn text(scripts: &[Script], known: &hazards::Context) -> Option<Severity> {
    let files: Vec<(&str, Vec<Statement>)> = scripts
        .iter()
        .map(|script| {
            let statements = hazards::assess_script(&script.sql, known);
            (script.path.as_str(), statements.collect())
        })
        .collect();
    let statements = files.iter().flat_map(|(_, statements)| statements);
    let worst = statements.flat_map(|statement| &statement.findings);
    let worst = worst.map(|finding| finding.severity).max();
    let files = files
        .iter()
        .map(|(path, statements)| (*path, statements.as_slice()));
    out::answer(ui::scripts(files, Verdict::of(worst)));
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

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn read(path: &PathBuf) -> Result<String, Failure> {
    let bytes = match path.as_os_str().as_encoded_bytes() {
        b"-" => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map(|_| bytes)
        }
        _ => std::fs::read(path),
    };
    let name = shown(path);
    let refused = |why: String| Failure::new(Class::Usage, format!("{name}: {why}"));
    let mut bytes = bytes.map_err(|error| refused(error.to_string()))?;
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
        refused(format!("line {line} is not valid UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::{Document, Script, hazards, read};

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_statement() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sql");
        fs_err::write(&path, "\u{feff}SELECT 1;").unwrap();
        assert_eq!(read(&path).unwrap(), "SELECT 1;");
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
        let document = serde_json::to_value(Document::new(&scripts, &known)).unwrap();
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

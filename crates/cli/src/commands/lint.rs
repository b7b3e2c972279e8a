//! `lint`: the assessment of a migration for SQL that no migration has. Runs nothing, and needs no Django.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Context, preview, steps};
use crate::args::{Format, LintArgs};
use crate::database::{self, Direct};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::hazards::{self, Finding};
use crate::preview::Verdict;
use crate::settings::{self, FailOn, Layers};
use crate::sql::Statement;
use crate::ui::{self, out};

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema_version: u32,
    command: &'static str,
    files: &'a [File],
    verdict: Verdict,
    findings: Vec<&'a Finding>,
}

/// A script, statement by statement.
#[derive(Debug, Serialize)]
struct File {
    path: String,
    statements: Vec<Statement>,
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
        .map(|path| Ok((shown(path), read(path)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let known = match dsn.as_deref() {
        Some(dsn) => catalog(dsn, context).await?,
        None => hazards::Context::default(),
    };
    // each file is a script of its own: what one creates is not there for the next
    let files: Vec<File> = scripts
        .into_iter()
        .map(|(path, sql)| File {
            statements: hazards::assess_script(&sql, &known),
            path,
        })
        .collect();
    let findings: Vec<&Finding> = files
        .iter()
        .flat_map(|file| &file.statements)
        .flat_map(|statement| &statement.findings)
        .collect();
    let worst = findings.iter().map(|finding| finding.severity).max();
    let verdict = Verdict::of(worst);
    match format {
        Format::Json => out::document(&Document {
            schema_version: 1,
            command: "lint",
            files: &files,
            verdict,
            findings,
        }),
        Format::Text => {
            let files = files
                .iter()
                .map(|file| (file.path.as_str(), file.statements.as_slice()));
            out::answer(ui::scripts(files, verdict));
        }
    }
    let over = worst.is_some_and(|worst| preview::reaches(worst, fail_on));
    Ok(match over {
        true => Class::Findings.code(Changed::No),
        false => 0,
    })
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
            std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        }
        _ => std::fs::read(path),
    };
    let name = shown(path);
    let refused = |why: String| Failure::new(Class::Usage, format!("{name}: {why}"));
    let bytes = bytes.map_err(|error| refused(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count();
        refused(format!("line {line} is not valid UTF-8"))
    })
}

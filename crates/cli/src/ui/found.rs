//! Findings for other programs: SARIF 2.1.0 for code scanning, workflow commands for GitHub's annotations, JUnit's
//! reports for what shows tests.
//!
//! A finding of a script stands at its statement's lines, one of a plan at its operation's line in the migration's file.
//! Absent: `--fail-on`'s exit code, and which findings there are.

mod github;
mod junit;
mod sarif;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;

pub(crate) use github::github;
pub(crate) use junit::junit;
pub(crate) use sarif::sarif;

use crate::hazards::{self, Finding};
use crate::preview::{Preview, PreviewMigration};
use crate::sql::Statement;

/// A statement, or a whole migration, and what is said of it.
pub(crate) struct Place<'a> {
    /// Relative to the folder of the project, or as it was given; none where there is no file.
    path: Option<String>,
    /// The migration, or the path again.
    of: String,
    /// `add_column`, or the operation.
    name: String,
    region: Option<Region>,
    sql: Option<&'a str>,
    findings: Vec<Found<'a>>,
}

/// Lines of the file, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Region {
    first: usize,
    last: usize,
}

struct Found<'a> {
    finding: &'a Finding,
    /// Where it points, where that is known and the SQL is the file's own.
    within: Option<Within>,
}

/// From a character to the one behind the last, lines and columns from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Within {
    begin: (usize, usize),
    end: (usize, usize),
}

/// Of `lint`: each statement of each file.
pub(crate) fn in_scripts<'a>(files: &[(&'a str, &'a [Statement])]) -> Vec<Place<'a>> {
    let statements = files
        .iter()
        .flat_map(|&(path, statements)| statements.iter().map(move |statement| (path, statement)));
    statements
        .map(|(path, statement)| in_script(path, statement))
        .collect()
}

fn in_script<'a>(path: &str, statement: &'a Statement) -> Place<'a> {
    let marks = hazards::marks(statement).into_iter();
    let findings = statement.findings.iter().zip(marks);
    Place {
        path: (path != "-").then(|| path.to_owned()),
        of: path.to_owned(),
        name: statement.kind.to_string(),
        region: Some(Region {
            first: statement.line,
            last: statement.line + statement.sql.matches('\n').count(),
        }),
        sql: Some(&statement.sql),
        findings: findings
            .map(|(finding, mark)| Found {
                finding,
                within: mark.map(|mark| within(statement, &mark)),
            })
            .collect(),
    }
}

fn within(statement: &Statement, mark: &Range<usize>) -> Within {
    let position = |at: usize| {
        let before = &statement.sql[..at];
        let line = statement.line + before.matches('\n').count();
        let begin = before.rfind('\n').map_or(0, |newline| newline + 1);
        // only of the first line it is not known how far in the file it begins
        let indent = if begin == 0 { statement.column } else { 1 };
        (line, indent + before[begin..].chars().count())
    };
    Within {
        begin: position(mark.start),
        end: position(mark.end),
    }
}

/// Of `preview`: each migration, and each of its statements.
pub(crate) fn in_plan<'a>(preview: &'a Preview, root: &Path) -> Vec<Place<'a>> {
    let migrations = preview.migrations.iter();
    migrations.flat_map(|m| in_migration(m, root)).collect()
}

fn in_migration<'a>(m: &'a PreviewMigration, root: &Path) -> impl Iterator<Item = Place<'a>> {
    let path = m.file.as_ref().map(|file| {
        let inside = Path::new(file).strip_prefix(root).ok();
        inside.map_or_else(|| file.clone(), |inside| inside.display().to_string())
    });
    let plain = |finding| Found {
        finding,
        within: None,
    };
    let at = |line: Option<usize>| {
        Some(Region {
            first: line.unwrap_or(1),
            last: line.unwrap_or(1),
        })
    };
    let whole = Place {
        path: path.clone(),
        of: m.id.to_string(),
        name: "the migration".to_owned(),
        region: at(None),
        sql: None,
        findings: m.findings.iter().map(plain).collect(),
    };
    let statements = m.statements.iter().map(move |statement| {
        let operation = statement.operation.and_then(|at| m.operations.get(at));
        Place {
            path: path.clone(),
            of: m.id.to_string(),
            name: operation.map_or_else(
                || statement.kind.to_string(),
                |operation| operation.describe.clone(),
            ),
            region: at(operation.and_then(|operation| operation.line)),
            sql: Some(&statement.sql),
            findings: statement.findings.iter().map(plain).collect(),
        }
    });
    std::iter::once(whole).chain(statements)
}

/// What it says, and what to do instead.
fn message(finding: &Finding) -> String {
    match finding.remedy.is_empty() {
        true => finding.message.clone(),
        false => format!("{}\n{}", finding.message, finding.remedy),
    }
}

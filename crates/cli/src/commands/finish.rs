//! Step 7 and the end of a run: the report is written, the last event told, the code given.

use std::path::Path;
use std::time::Instant;

use crate::args::Format;
use crate::event::{ErrorLine, EventKind, Line, NoteLevel, RunFinished, SCHEMA_VERSION, Step};
use crate::exit::Changed;
use crate::failure::Failure;
use crate::journal::{self, RunFolder};
use crate::report::{self, RunReport};
use crate::reporter::{Listener, Reporter};
use crate::ui::{self, JsonLines, out};

/// Whatever happened, the world hears `run_finished`, and a run that had a folder has a report.
pub(super) fn finish(
    result: Result<(), Failure>,
    folder: Option<&RunFolder>,
    format: Format,
    reporter: &Reporter,
) -> Result<u8, Failure> {
    let mut finished = RunFinished {
        exit_code: result.as_ref().map_or_else(Failure::code, |()| 0),
        changed: changed(&result, reporter),
        run: folder.map(|f| f.id.clone()).unwrap_or_default(),
        report: None,
        error: result.as_ref().err().map(error_line),
    };
    let report = folder.and_then(|folder| write_report(folder, &mut finished, reporter));
    let path = finished.report.clone();
    reporter.emit(EventKind::RunFinished(finished));
    if format == Format::Text
        && let Some(report) = report
    {
        out::answer(report::text(&report, report::Detail::Counted));
        if let Some(path) = path {
            out::answer(format!("\nreport: {}", ui::path(Path::new(&path))));
        }
    }
    result.map(|()| 0)
}

/// Step 7. The report is folded once: what is written is what is shown.
fn write_report(
    folder: &RunFolder,
    finished: &mut RunFinished,
    reporter: &Reporter,
) -> Option<RunReport> {
    let began = Instant::now();
    let seconds = || began.elapsed().as_secs_f64();
    let warn = |message: String| {
        reporter.emit(EventKind::Note {
            level: NoteLevel::Warning,
            message,
        });
    };
    reporter.emit(EventKind::StepStarted { step: Step::Report });
    if let Some(why) = reporter.journal_error() {
        warn(format!("the journal is incomplete: {why}"));
    }
    finished.report = Some(folder.path.join("report.md").display().to_string());
    let report = folded(finished, reporter, seconds());
    let written = report
        .as_ref()
        .map_or(Ok(()), |report| write(folder, report));
    if let Err(e) = &written {
        finished.report = None;
        warn(format!("the report cannot be written: {e}"));
    }
    reporter.emit(EventKind::StepFinished {
        step: Step::Report,
        ok: written.is_ok(),
        seconds: seconds(),
    });
    report
}

/// The end of a run that had no folder yet: a flag or a setting is wrong. Its last line is `run_finished` too.
pub(crate) fn never_began(failure: Failure, format: Format) -> Result<u8, Failure> {
    let listeners: Vec<Box<dyn Listener>> = match format {
        Format::Json => vec![Box::new(JsonLines)],
        Format::Text => vec![],
    };
    finish(Err(failure), None, format, &Reporter::new(listeners))
}

/// A run that ended well changed what it was asked to change.
fn changed(result: &Result<(), Failure>, reporter: &Reporter) -> Changed {
    match result {
        Err(failure) => failure.changed,
        Ok(()) => {
            let applied = |line: &Line| {
                matches!(
                    line.kind,
                    EventKind::MigrationApplied { .. }
                        | EventKind::MigrationUnapplied { .. }
                        | EventKind::RestoreFinished(_)
                        | EventKind::Swapped(_)
                )
            };
            if reporter.lines().iter().any(applied) {
                Changed::Yes
            } else {
                Changed::No
            }
        }
    }
}

fn error_line(failure: &Failure) -> ErrorLine {
    ErrorLine {
        code: failure.code(),
        class: failure.class.name().to_owned(),
        message: failure.message.clone(),
        hint: failure.hint.clone(),
        sources: failure.sources.clone(),
    }
}

/// The report as it will read once the last event is told; its own step is at its end by then.
fn folded(finished: &RunFinished, reporter: &Reporter, seconds: f64) -> Option<RunReport> {
    let mut lines = reporter.lines();
    let elapsed_ms = lines.last().map(|l| l.elapsed_ms).unwrap_or_default();
    let kind = EventKind::StepFinished {
        step: Step::Report,
        ok: true,
        seconds,
    };
    lines.push(Line {
        schema_version: SCHEMA_VERSION,
        at: now(),
        elapsed_ms,
        kind,
    });
    let kind = EventKind::RunFinished(finished.clone());
    lines.push(Line {
        schema_version: SCHEMA_VERSION,
        at: now(),
        elapsed_ms,
        kind,
    });
    report::fold(&lines)
}

fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

fn write(folder: &RunFolder, report: &RunReport) -> std::io::Result<()> {
    journal::write_whole(
        &folder.path.join("report.md"),
        report::markdown(report).as_bytes(),
    )?;
    let json = serde_json::to_vec_pretty(&report::document(report))?;
    journal::write_whole(&folder.path.join("report.json"), &json)
}

//! Starts the project's tests, streams what they say, and ends them where they take too long.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::process::{Child, Command};

use super::choose::TestCommand;
use super::output::Output;
use super::read::{Counts, End};
use crate::django::Scrubber;
use crate::event::{EventKind, NoteLevel, TestsFinished};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::process::Group;
use crate::reporter::Reporter;
use crate::shell::quoted;
use crate::signal::Signals;

/// Where the tests run and who listens.
pub(crate) struct Surroundings<'a> {
    pub(crate) root: &'a Path,
    /// Settings that the project was started with; pytest's own configuration may say otherwise.
    pub(crate) settings_module: Option<&'a str>,
    /// `--pythonpath`: the bridge puts it first on Python's path, and so do we.
    pub(crate) pythonpath: Option<&'a str>,
    /// The command as a person types it.
    pub(crate) shown: &'a str,
    pub(crate) timeout: Duration,
    /// Gets every line.
    pub(crate) log: &'a Path,
    /// What must not show in any of them.
    pub(crate) secrets: &'a Scrubber,
    pub(crate) reporter: &'a Reporter,
    pub(crate) signals: &'a Signals,
}

/// Runs the tests to their end. A failure means that migrations are applied and tests are not green.
pub(crate) async fn run(command: &TestCommand, around: &Surroundings<'_>) -> Result<(), Failure> {
    let began = Instant::now();
    let mut child = start(command, around)?;
    let group = Group::of(&child);
    let mut output = Output::of(&mut child, around.log, around.secrets, around.reporter);
    let ended = tokio::select! {
        status = output.listen(&mut child) => Ended::ByItself(status),
        () = tokio::time::sleep(around.timeout), if !around.timeout.is_zero() => Ended::TooSlow,
        asked = around.signals.more_than(around.signals.asked()) => Ended::Stopped(asked.failure()),
    };
    if !matches!(ended, Ended::ByItself(_)) {
        end_group(group, &mut child, &mut output).await;
    }
    let log = match output.logged() {
        Ok(()) => Some(around.log.display().to_string()),
        Err(e) => {
            around.reporter.emit(EventKind::Note {
                level: NoteLevel::Warning,
                message: format!("{} cannot be written: {e}", around.log.display()),
            });
            None
        }
    };
    let (outcome, counts, failure) = settle(ended, command, around, &output);
    around
        .reporter
        .emit(EventKind::TestsFinished(TestsFinished {
            outcome: outcome.to_owned(),
            passed: counts.passed,
            failed: counts.failed,
            skipped: counts.skipped,
            seconds: began.elapsed().as_secs_f64(),
            detail: around.shown.to_owned(),
            log,
        }));
    failure.map_or(Ok(()), Err)
}

/// `FOLDER:what was there`.
fn first_on_path(folder: &str, own: Option<OsString>) -> OsString {
    let mut path = OsString::from(folder);
    if let Some(own) = own.filter(|own| !own.is_empty()) {
        path.push(":");
        path.push(own);
    }
    path
}

enum Ended {
    ByItself(Option<i32>),
    TooSlow,
    Stopped(Failure),
}

fn start(command: &TestCommand, around: &Surroundings<'_>) -> Result<Child, Failure> {
    let (program, arguments) = command.words.split_first().ok_or_else(|| {
        Failure::new(Class::TestsNotRun, "--test-command is empty").changed(Changed::Yes)
    })?;
    let mut process = Command::new(program);
    process
        .args(arguments)
        .current_dir(around.root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(module) = around.settings_module {
        process.env("DJANGO_SETTINGS_MODULE", module);
    }
    if let Some(folder) = around.pythonpath {
        process.env(
            "PYTHONPATH",
            first_on_path(folder, std::env::var_os("PYTHONPATH")),
        );
    }
    process.spawn().map_err(|e| {
        Failure::new(
            Class::TestsNotRun,
            format!(
                "the project's tests cannot be started: `{}`: {e}",
                around.shown
            ),
        )
        .hint(
            "the migrations are applied; run the tests yourself, or name them with --test-command",
        )
        .changed(Changed::Yes)
    })
}

/// Django's and pytest's runners remove their database on the way out of a Ctrl-C, so they are asked by SIGINT first. What they say is read
/// meanwhile: a runner whose streams are closed fails before it comes to that.
async fn end_group(group: Group, child: &mut Child, output: &mut Output<'_>) {
    // the first only makes unittest stop after the test that runs (its installHandler), the second raises in it
    for (signal, patience) in [(Signal::INT, 5), (Signal::INT, 10), (Signal::KILL, 10)] {
        group.signal(signal);
        let patience = Duration::from_secs(patience);
        if tokio::time::timeout(patience, output.listen(child))
            .await
            .is_ok()
        {
            return;
        }
    }
}

fn settle(
    ended: Ended,
    command: &TestCommand,
    around: &Surroundings<'_>,
    output: &Output<'_>,
) -> (&'static str, Counts, Option<Failure>) {
    let fail = |class, message: String| {
        let hint = format!(
            "the migrations are applied and verified; the tests' output is in {}; \
             by hand: {}; the report lists the way back",
            around.log.display(),
            by_hand(command, around)
        );
        Some(
            Failure::new(class, message)
                .hint(hint)
                .changed(Changed::Yes),
        )
    };
    match ended {
        Ended::Stopped(failure) => {
            let hint = format!(
                "the migrations are applied and verified, so another run has nothing pending and runs no tests; run \
                 them by hand: {}",
                by_hand(command, around)
            );
            let failure = failure.hint(hint).changed(Changed::Yes);
            ("interrupted", Counts::default(), Some(failure))
        }
        Ended::TooSlow => {
            let message = format!(
                "the project's tests took longer than {:?} (--test-timeout)",
                around.timeout
            );
            (
                "not_run",
                Counts::default(),
                fail(Class::TestsNotRun, message),
            )
        }
        Ended::ByItself(status) => {
            match output.reading.end(status) {
                End::Passed(counts) => ("passed", counts, None),
                End::NoTests => {
                    let message = format!("no tests ran: `{}`", around.shown);
                    let failure = Failure::new(Class::TestsNotRun, message)
                    .hint("that is no pass: name the tests with --test-command, or say --skip-tests")
                    .changed(Changed::Yes);
                    ("not_run", Counts::default(), Some(failure))
                }
                End::Failed(counts) => {
                    let status =
                        status.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
                    let tail: Vec<&str> = output.tail.iter().map(String::as_str).collect();
                    let message = format!(
                        "the project's tests fail ({status}): `{}`\n{}",
                        around.shown,
                        tail.join("\n")
                    );
                    ("failed", counts, fail(Class::TestsFailed, message))
                }
            }
        }
    }
}

/// The command with its surroundings, as it can be pasted anywhere.
fn by_hand(command: &TestCommand, around: &Surroundings<'_>) -> String {
    let mut words = vec![format!(
        "cd {} &&",
        quoted(&around.root.display().to_string())
    )];
    words.extend(
        around
            .settings_module
            .map(|module| format!("DJANGO_SETTINGS_MODULE={}", quoted(module))),
    );
    words.extend(
        around
            .pythonpath
            .map(|folder| format!("PYTHONPATH={}${{PYTHONPATH:+:$PYTHONPATH}}", quoted(folder))),
    );
    words.extend(command.words.iter().map(|word| quoted(word)));
    words.join(" ")
}

/// No tests were started, and that was said.
pub(crate) fn not_run(outcome: &str, why: &str) -> TestsFinished {
    TestsFinished {
        outcome: outcome.to_owned(),
        passed: 0,
        failed: 0,
        skipped: 0,
        seconds: 0.0,
        detail: why.to_owned(),
        log: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_stands_before_the_path_that_was_there() {
        assert_eq!(first_on_path("src", None), "src");
        assert_eq!(first_on_path("src", Some("".into())), "src");
        assert_eq!(first_on_path("src", Some("/a:/b".into())), "src:/a:/b");
    }
}

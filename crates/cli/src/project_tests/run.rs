//! Starts the project's tests, streams what they say, and ends them where they take too long.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::choose::TestCommand;
use super::read::{Counts, End, end};
use crate::event::{EventKind, TestsFinished};
use crate::exit::{Changed, Class};
use crate::failure::Failure;
use crate::journal;
use crate::reporter::Reporter;
use crate::signal::Signals;

/// Where the tests run and who listens.
pub(crate) struct Surroundings<'a> {
    pub(crate) root: &'a Path,
    /// Settings that the project was started with; pytest's own configuration may say otherwise.
    pub(crate) settings_module: Option<&'a str>,
    /// The command as a person types it.
    pub(crate) shown: &'a str,
    pub(crate) timeout: Duration,
    /// Gets every line.
    pub(crate) log: &'a Path,
    pub(crate) reporter: &'a Reporter,
    pub(crate) signals: &'a Signals,
}

/// Runs the tests to their end. A failure means that migrations are applied and tests are not green.
pub(crate) async fn run(command: &TestCommand, around: &Surroundings<'_>) -> Result<(), Failure> {
    let began = Instant::now();
    let mut child = start(command, around)?;
    let group = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let mut output = Output::of(&mut child, around.reporter);
    let ended = tokio::select! {
        status = output.listen(&mut child) => Ended::ByItself(status),
        () = tokio::time::sleep(around.timeout), if !around.timeout.is_zero() => Ended::TooSlow,
        asked = around.signals.more_than(around.signals.asked()) => Ended::Stopped(asked.failure()),
    };
    if !matches!(ended, Ended::ByItself(_)) {
        end_group(group, &mut child, &mut output).await;
    }
    let lines = output.lines;
    let log = write_log(around, &lines);
    let (outcome, counts, failure) = settle(ended, around, &lines);
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

/// How long the streams may stay open once the runner is gone: a process that it left behind may hold them for ever.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Every line of both streams.
struct Output<'a> {
    receiver: mpsc::Receiver<String>,
    lines: Vec<String>,
    reporter: &'a Reporter,
}

impl<'a> Output<'a> {
    fn of(child: &mut Child, reporter: &'a Reporter) -> Self {
        let (sender, receiver) = mpsc::channel(256);
        if let Some(out) = child.stdout.take() {
            forward(out, sender.clone());
        }
        if let Some(err) = child.stderr.take() {
            forward(err, sender);
        }
        Self {
            receiver,
            lines: Vec::new(),
            reporter,
        }
    }

    /// Reads until the runner is gone, and gives its exit code. Cancel safe.
    async fn listen(&mut self, child: &mut Child) -> Option<i32> {
        let status = loop {
            tokio::select! {
                biased;
                line = self.receiver.recv() => match line {
                    Some(line) => self.take(line),
                    None => break child.wait().await,
                },
                status = child.wait() => break status,
            }
        };
        while let Ok(Some(line)) = tokio::time::timeout(LAST_WORDS, self.receiver.recv()).await {
            self.take(line);
        }
        status.ok().and_then(|status| status.code())
    }

    fn take(&mut self, line: String) {
        self.reporter
            .emit(EventKind::TestOutput { line: line.clone() });
        self.lines.push(line);
    }
}

fn forward<R: AsyncRead + Unpin + Send + 'static>(stream: R, to: mpsc::Sender<String>) {
    tokio::spawn(async move {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while reader
            .read_until(b'\n', &mut bytes)
            .await
            .is_ok_and(|n| n > 0)
        {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            if to.send(line).await.is_err() {
                return;
            }
        }
    });
}

/// Django's and pytest's runners remove their database on the way out, so they are asked first. What they say is read
/// meanwhile: a runner whose streams are closed fails before it comes to that.
async fn end_group(group: Option<Pid>, child: &mut Child, output: &mut Output<'_>) {
    // the first only makes unittest stop after the test that runs (its installHandler), the second raises in it
    for (signal, patience) in [(Signal::INT, 5), (Signal::INT, 10), (Signal::KILL, 10)] {
        group.map(|group| kill_process_group(group, signal));
        let patience = Duration::from_secs(patience);
        if tokio::time::timeout(patience, output.listen(child))
            .await
            .is_ok()
        {
            return;
        }
    }
}

fn write_log(around: &Surroundings<'_>, lines: &[String]) -> Option<String> {
    let text = lines.iter().map(|l| format!("{l}\n")).collect::<String>();
    journal::write_whole(around.log, text.as_bytes()).ok()?;
    Some(around.log.display().to_string())
}

fn settle(
    ended: Ended,
    around: &Surroundings<'_>,
    lines: &[String],
) -> (&'static str, Counts, Option<Failure>) {
    let fail = |class, message: String| {
        let hint = format!(
            "the migrations are applied and verified; the tests' output is in {}; \
             the report lists the way back",
            around.log.display()
        );
        Some(
            Failure::new(class, message)
                .hint(hint)
                .changed(Changed::Yes),
        )
    };
    match ended {
        Ended::Stopped(failure) => (
            "not_run",
            Counts::default(),
            Some(failure.changed(Changed::Yes)),
        ),
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
            match end(status, lines) {
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
                    let tail: Vec<&str> = lines
                        .iter()
                        .rev()
                        .take(15)
                        .rev()
                        .map(String::as_str)
                        .collect();
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

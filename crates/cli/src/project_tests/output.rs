//! What the tests print: scrubbed of secrets, then shown, written to the log as it comes, and read for its numbers.
//!
//! Absent here: the whole output in memory; the log has it, here is only its end.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::mpsc;

use super::read::Reading;
use crate::django::Scrubber;
use crate::event::EventKind;
use crate::process::forward;
use crate::reporter::Reporter;

/// Lines that an error shows.
const TAIL: usize = 15;
/// How long the streams may stay open once the runner is gone: a process that it left behind may hold them for ever.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Every line of both streams.
pub(super) struct Output<'a> {
    receiver: mpsc::Receiver<String>,
    log: io::Result<File>,
    pub(super) reading: Reading,
    pub(super) tail: VecDeque<String>,
    secrets: &'a Scrubber,
    reporter: &'a Reporter,
}

impl<'a> Output<'a> {
    pub(super) fn of(
        child: &mut Child,
        log: &Path,
        secrets: &'a Scrubber,
        reporter: &'a Reporter,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(256);
        if let Some(out) = child.stdout.take() {
            forward(out, sender.clone(), |line| line);
        }
        if let Some(err) = child.stderr.take() {
            forward(err, sender, |line| line);
        }
        Self {
            receiver,
            log: private(log),
            reading: Reading::default(),
            tail: VecDeque::with_capacity(TAIL),
            secrets,
            reporter,
        }
    }

    /// Reads until the runner is gone, and gives its exit code. Cancel safe.
    pub(super) async fn listen(&mut self, child: &mut Child) -> Option<i32> {
        let status = loop {
            tokio::select! {
                biased;
                line = self.receiver.recv() => match line {
                    Some(line) => self.take(&line),
                    None => break child.wait().await,
                },
                status = child.wait() => break status,
            }
        };
        while let Ok(Some(line)) = tokio::time::timeout(LAST_WORDS, self.receiver.recv()).await {
            self.take(&line);
        }
        status.ok().and_then(|status| status.code())
    }

    fn take(&mut self, line: &str) {
        let line = self.secrets.scrub(line);
        if let Ok(file) = &mut self.log
            && let Err(error) = file.write_all(format!("{line}\n").as_bytes())
        {
            self.log = Err(error);
        }
        self.reading.hear(&line);
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.clone());
        self.reporter.emit(EventKind::TestOutput { line });
    }

    /// Whether the log holds every line.
    pub(super) fn logged(&self) -> Result<(), &io::Error> {
        self.log.as_ref().map(|_| ())
    }
}

fn private(path: &Path) -> io::Result<File> {
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[tokio::test]
    async fn lines_are_scrubbed_logged_as_they_come_and_read_without_being_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("tests.log");
        let mut child = tokio::process::Command::new("sh")
            .args([
                "-c",
                "echo 'Ran 3 tests in 0.1s'; echo; echo OK; seq 1000; echo pass tr0ub4dor",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let reporter = Reporter::new(vec![]);
        let secrets = Scrubber::of_environment([("PGPASSWORD".to_owned(), "tr0ub4dor".to_owned())]);
        let mut output = Output::of(&mut child, &log, &secrets, &reporter);
        let status = output.listen(&mut child).await;
        assert_eq!(output.tail.len(), TAIL);
        assert_eq!(output.tail.back().map(String::as_str), Some("pass ***"));
        assert!(output.logged().is_ok());
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(
            text.starts_with("Ran 3 tests") && text.ends_with("pass ***\n"),
            "{text}"
        );
        let counts = super::super::read::Counts {
            passed: 3,
            ..Default::default()
        };
        assert_eq!(
            output.reading.end(status),
            super::super::read::End::Passed(counts)
        );
    }
}

//! How a test run ended, from its exit status and what it printed. Pure.

/// How many tests did what; none where the output does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Passed(Counts),
    Failed(Counts),
    /// Nothing was run: never a pass.
    NoTests,
}

/// What the lines so far say. The last summary counts: a runner may start others.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pytest: Option<Counts>,
    unittest: Option<Unittest>,
    looks_like_pytest: bool,
}

/// `Ran 12 tests in 0.5s`, then `OK (skipped=1)` or `FAILED (failures=1, errors=2)`.
#[derive(Debug)]
struct Unittest {
    ran: u64,
    verdict: Option<String>,
}

impl Reading {
    pub(crate) fn hear(&mut self, line: &str) {
        self.looks_like_pytest |= line.contains("test session starts");
        if let Some(counts) = pytest_summary(line) {
            self.pytest = Some(counts);
        }
        let trimmed = line.trim();
        if let Some(ran) = unittest_ran(line) {
            self.unittest = Some(Unittest { ran, verdict: None });
        } else if let Some(unittest) = &mut self.unittest
            && unittest.verdict.is_none()
            && (trimmed.starts_with("OK") || trimmed.starts_with("FAILED"))
        {
            unittest.verdict = Some(trimmed.to_owned());
        }
    }

    /// `status` is the exit code; none after a signal.
    pub(crate) fn end(&self, status: Option<i32>) -> End {
        let unittest = || self.unittest.as_ref().map(Unittest::counts);
        end(
            status,
            self.pytest.or_else(unittest),
            self.looks_like_pytest,
        )
    }
}

fn end(status: Option<i32>, counts: Option<Counts>, looks_like_pytest: bool) -> End {
    match (status, counts) {
        // pytest's 5, and unittest's since Python 3.12: no tests ran
        (Some(5), _) if counts.is_none_or(|c| c.passed + c.failed == 0) => End::NoTests,
        (Some(0), Some(c)) if c.passed + c.failed == 0 => End::NoTests,
        (Some(0), Some(c)) if c.failed == 0 => End::Passed(c),
        // a runner that we cannot read, and it says that all is well
        (Some(0), None) if !looks_like_pytest => End::Passed(Counts::default()),
        (_, counts) => End::Failed(counts.unwrap_or_default()),
    }
}

/// `=== 3 failed, 12 passed, 1 skipped, 2 deselected in 4.31s ===`
fn pytest_summary(line: &str) -> Option<Counts> {
    let inner = strip_ansi(line);
    let inner = inner.trim().trim_matches('=').trim();
    let (results, time) = inner.rsplit_once(" in ")?;
    if !time.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut counts = Counts::default();
    let mut understood = false;
    for part in results.split(", ") {
        let Some((number, word)) = part.split_once(' ') else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else {
            continue;
        };
        understood = true;
        match word {
            "passed" | "xpassed" => counts.passed += number,
            "failed" | "error" | "errors" => counts.failed += number,
            "skipped" | "xfailed" => counts.skipped += number,
            _ => {}
        }
    }
    (understood || results.contains("no tests ran")).then_some(counts)
}

fn unittest_ran(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("Ran ")?;
    let (number, rest) = rest.split_once(' ')?;
    rest.starts_with("test").then(|| number.parse().ok())?
}

impl Unittest {
    fn counts(&self) -> Counts {
        let list = self
            .verdict
            .as_deref()
            .and_then(|v| v.split_once('('))
            .map_or("", |(_, list)| list.trim_end_matches(')'));
        let number = |key: &str| -> u64 {
            let parts = list.split(", ").filter_map(|part| part.split_once('='));
            parts
                .filter(|(name, _)| *name == key)
                .filter_map(|(_, n)| n.parse::<u64>().ok())
                .sum()
        };
        let failed = number("failures") + number("errors") + number("unexpected successes");
        let skipped = number("skipped") + number("expected failures");
        Counts {
            passed: self.ran.saturating_sub(failed + skipped),
            failed,
            skipped,
        }
    }
}

fn strip_ansi(line: &str) -> String {
    anstream::adapter::strip_str(line).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: i32, output: &str, expected: End) {
        let mut reading = Reading::default();
        output.lines().for_each(|line| reading.hear(line));
        assert_eq!(reading.end(Some(status)), expected, "{output}");
    }

    fn counts(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn pytest_is_read() {
        let start = "===== test session starts =====\n";
        check(
            0,
            &format!("{start}=== 12 passed, 1 skipped, 3 warnings in 4.31s ==="),
            End::Passed(counts(12, 0, 1)),
        );
        check(
            0,
            &format!("{start}\u{1b}[32m=== \u{1b}[1m2 passed\u{1b}[0m in 0.1s ==="),
            End::Passed(counts(2, 0, 0)),
        );
        check(
            1,
            &format!("{start}=== 1 failed, 2 passed, 1 error in 0.5s ==="),
            End::Failed(counts(2, 2, 0)),
        );
        check(
            5,
            &format!("{start}=== 7 deselected in 0.01s ==="),
            End::NoTests,
        );
        check(
            5,
            &format!("{start}=== no tests ran in 0.01s ==="),
            End::NoTests,
        );
        check(
            0,
            &format!("{start}=== 2 skipped in 0.01s ==="),
            End::NoTests,
        );
        check(
            4,
            "ERROR: usage: pytest [options]",
            End::Failed(counts(0, 0, 0)),
        );
        check(0, start, End::Failed(counts(0, 0, 0)));
    }

    #[test]
    fn unittest_is_read() {
        check(
            0,
            "Ran 12 tests in 0.5s\n\nOK (skipped=2)",
            End::Passed(counts(10, 0, 2)),
        );
        check(0, "Ran 1 test in 0.5s\n\nOK", End::Passed(counts(1, 0, 0)));
        check(
            1,
            "Ran 5 tests in 0.5s\n\nFAILED (failures=1, errors=2)",
            End::Failed(counts(2, 3, 0)),
        );
        check(0, "Ran 0 tests in 0.000s\n\nOK", End::NoTests);
        check(5, "Ran 0 tests in 0.000s\n\nNO TESTS RAN", End::NoTests);
        check(0, "my own runner: fine", End::Passed(counts(0, 0, 0)));
        check(2, "my own runner: bad", End::Failed(counts(0, 0, 0)));
    }
}

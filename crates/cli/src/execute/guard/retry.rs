//! Whether what failed is tried again: only for want of a lock, and only where nothing of it stayed. Pure.
//!
//! Absent here: doing it, and the words of the final failure (see [`super::super::settle`]).

use std::time::Duration;

use crate::django::wire::{AttemptFailed, Exception};

/// The exception by which the bridge lets go of an attempt when it is told to.
const LET_GO: &str = "django_migrate.LetGo";
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why we gave an attempt up ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LetGo {
    /// While it waited in the queue, others behind it waited too long, or were too many.
    WhileWaiting(String),
    /// While it held its locks. It would be so again.
    WhileHolding(String),
    /// It needed another lock while it held some, and that one was not free.
    Busy(String),
    /// The whole run's time for waiting is over.
    OutOfTime,
}

/// Whether a statement outside a transaction is one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// It is rolled back whole where it fails.
    Whole,
    /// DO, CALL and words of transactions may commit on their way.
    MayCommitInside,
}

/// What failed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Failed<'a> {
    Migration(&'a AttemptFailed),
    /// Outside a transaction.
    Statement {
        exception: &'a Exception,
        /// CONCURRENTLY: whether it left an INVALID index behind; none for others, which leave nothing.
        left_invalid: Option<bool>,
        ends: Ends,
        attempt: u32,
    },
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    Retry {
        why: String,
        pause: Duration,
    },
    /// With what is worth saying about why not.
    GiveUp(Option<String>),
}

/// Decides. `jitter` is between 0 and 1.
pub(super) fn decide(failed: &Failed<'_>, ours: Option<&LetGo>, retries: u32, jitter: f64) -> Next {
    let (exception, attempt) = match failed {
        Failed::Migration(failed) => (&failed.exception, failed.attempt),
        Failed::Statement {
            exception, attempt, ..
        } => (*exception, *attempt),
    };
    let Some(why) = reason(exception, ours) else {
        return Next::GiveUp(None);
    };
    if let Some(stayed) = stayed(failed) {
        return Next::GiveUp(Some(format!("not tried again: {stayed}")));
    }
    if attempt > retries {
        let times = if retries == 1 { "once" } else { "times" };
        let times = if retries == 1 {
            times.to_owned()
        } else {
            format!("{retries} {times}")
        };
        return Next::GiveUp((retries > 0).then(|| format!("tried again {times} (--retries)")));
    }
    Next::Retry {
        why,
        pause: pause(attempt, jitter),
    }
}

/// Why it may end better next time; none where it would not.
fn reason(exception: &Exception, ours: Option<&LetGo>) -> Option<String> {
    // an error of its own is not ours, though we let go in the same instant
    let state = exception.sqlstate.as_deref();
    let by_us = exception.class == LET_GO || matches!(state, Some("57014" | "55P03") | None);
    match ours.filter(|_| by_us) {
        Some(LetGo::WhileHolding(_) | LetGo::OutOfTime) => return None,
        Some(LetGo::WhileWaiting(why) | LetGo::Busy(why)) => return Some(why.clone()),
        None => {}
    }
    match exception.sqlstate.as_deref() {
        Some("55P03") => Some("the lock was not to be had in this attempt".to_owned()),
        Some("40P01") => Some("deadlock detected".to_owned()),
        Some("40001") => Some("could not serialize access".to_owned()),
        _ if exception.class == LET_GO => Some("it was let go".to_owned()),
        _ => None,
    }
}

/// What of it cannot be taken back.
fn stayed(failed: &Failed<'_>) -> Option<String> {
    match failed {
        Failed::Migration(failed) if !failed.code.is_empty() => Some(format!(
            "its own code has run ({}), and what that did outside the database is not rolled back",
            failed.code.join(", ")
        )),
        Failed::Migration(failed) if !failed.rolled_back => {
            Some("it was not rolled back whole".to_owned())
        }
        Failed::Statement {
            left_invalid: Some(true),
            ..
        } => Some("it left an INVALID index behind".to_owned()),
        Failed::Statement {
            ends: Ends::MayCommitInside,
            ..
        } => Some("it may have committed on its way".to_owned()),
        _ => None,
    }
}

/// Doubled for each attempt, between half and all of it.
fn pause(attempt: u32, jitter: f64) -> Duration {
    let full = FIRST_PAUSE * 2u32.saturating_pow(attempt.saturating_sub(1).min(16));
    full.min(LONGEST_PAUSE)
        .mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception(class: &str, sqlstate: Option<&str>) -> Exception {
        serde_json::from_value(serde_json::json!({
            "type": class, "message": "m", "cause": null, "sqlstate": sqlstate, "detail": null, "hint": null,
            "constraint": null, "table": null, "column": null, "traceback": [],
        }))
        .expect("an exception")
    }

    fn migration(sqlstate: &str) -> AttemptFailed {
        AttemptFailed {
            app: "shop".to_owned(),
            name: "0002".to_owned(),
            attempt: 1,
            exception: exception("django.db.utils.OperationalError", Some(sqlstate)),
            rolled_back: true,
            commits: 0,
            code: Vec::new(),
        }
    }

    fn retried(failed: &AttemptFailed, ours: Option<&LetGo>) -> bool {
        matches!(
            decide(&Failed::Migration(failed), ours, 5, 0.5),
            Next::Retry { .. }
        )
    }

    #[test]
    fn only_for_want_of_a_lock() {
        for (sqlstate, expected) in [
            ("55P03", true),
            ("40P01", true),
            ("57014", false),
            ("23505", false),
        ] {
            assert_eq!(retried(&migration(sqlstate), None), expected, "{sqlstate}");
        }
        // our own cancel comes back as 57014
        let waiting = LetGo::WhileWaiting("21 sessions waited behind it".to_owned());
        assert!(retried(&migration("57014"), Some(&waiting)));
        let holding = LetGo::WhileHolding("a session waited for 1 s".to_owned());
        assert!(!retried(&migration("57014"), Some(&holding)));
        assert!(!retried(&migration("55P03"), Some(&LetGo::OutOfTime)));
    }

    #[test]
    fn only_where_nothing_of_it_stayed() {
        let half = AttemptFailed {
            rolled_back: false,
            ..migration("55P03")
        };
        let code = AttemptFailed {
            code: vec!["shop.fill".to_owned()],
            ..migration("55P03")
        };
        for failed in [half, code] {
            let Next::GiveUp(Some(why)) = decide(&Failed::Migration(&failed), None, 5, 0.5) else {
                panic!("it is tried again");
            };
            assert!(why.starts_with("not tried again: "), "{why}");
        }
        let lock_timeout = exception("E", Some("55P03"));
        for (left_invalid, expected) in [(None, true), (Some(false), true), (Some(true), false)] {
            let failed = Failed::Statement {
                exception: &lock_timeout,
                left_invalid,
                ends: Ends::Whole,
                attempt: 1,
            };
            let next = decide(&failed, None, 5, 0.5);
            assert_eq!(matches!(next, Next::Retry { .. }), expected);
        }
    }

    #[test]
    fn as_often_as_asked_with_growing_pauses() {
        let mut failed = migration("55P03");
        let mut pauses = Vec::new();
        while let Next::Retry { pause, .. } = decide(&Failed::Migration(&failed), None, 3, 1.0) {
            pauses.push(pause.as_millis());
            failed.attempt += 1;
        }
        assert_eq!(pauses, [100, 200, 400]);
        assert!(pause(20, 0.0) >= LONGEST_PAUSE / 2 && pause(20, 1.0) <= LONGEST_PAUSE);
        assert_eq!(
            decide(&Failed::Migration(&migration("55P03")), None, 0, 0.5),
            Next::GiveUp(None)
        );
    }
}

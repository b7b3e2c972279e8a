//! Server processes that did not end with the run: they may hold its locks still.

use crate::failure::Failure;

/// One of them, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::execute) struct Left {
    pub(in crate::execute) pid: i32,
    why: String,
}

impl Left {
    /// It was seen. `ended`: what came of it where it was told to end.
    pub(in crate::execute) fn there(pid: i32, ended: Option<&String>) -> Self {
        let told = ended.map_or("it was not told to end".to_owned(), |outcome| {
            format!("told to end: {outcome}")
        });
        Self {
            pid,
            why: format!("still there though its client is gone; {told}"),
        }
    }

    pub(in crate::execute) fn unseen(pid: i32, why: &str) -> Self {
        Self {
            pid,
            why: format!("whether it is gone cannot be seen: {why}"),
        }
    }
}

/// The failure with each of them, and with how to end it.
pub(super) fn told(failure: Failure, left: &[Left]) -> Failure {
    if left.is_empty() {
        return failure;
    }
    let pids: Vec<String> = left.iter().map(|left| left.pid.to_string()).collect();
    let calls: Vec<String> = pids
        .iter()
        .map(|pid| format!("SELECT pg_terminate_backend({pid})"))
        .collect();
    let hint = format!(
        "before you run again see in pg_stat_activity whether backend {} of this run is gone: until then it may hold its \
         locks. `{};` ends it, as its own role, as a member of it or of pg_signal_backend, or as a superuser",
        pids.join(", "),
        calls.join("; ")
    );
    let hint = match &failure.hint {
        Some(first) => format!("{first}; {hint}"),
        None => hint,
    };
    let told = left.iter().fold(failure, |failure, left| {
        failure.source(
            "session left",
            format!("backend {}: {}", left.pid, left.why),
        )
    });
    told.hint(hint)
}

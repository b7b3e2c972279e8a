//! "Not permitted to see" as a value: what PostgreSQL hides from a role without pg_monitor.
//!
//! Absent: errors. A hidden value is an answer.

use std::time::Duration;

/// A value that the role may or may not see.
#[derive(Debug, Clone, PartialEq)]
pub enum Permitted<T> {
    /// It may.
    Seen(T),
    /// It may not; `GRANT pg_monitor` would help.
    NotPermitted,
}

impl<T> Permitted<T> {
    /// The value, where it may be seen.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::NotPermitted => None,
        }
    }
}

/// The server's seconds; its clock may step back, and then an age is nothing.
pub(crate) fn age(seconds: Option<f64>) -> Option<Duration> {
    seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

//! The caller's word to stop, which may come in any of several steps.
//!
//! Absent: what a step does about it.

use std::pin::Pin;

use super::error::RestoreFailure;

/// The caller's future, and whether it has come.
#[derive(Debug)]
pub(crate) struct Stop<F> {
    pub(crate) future: Pin<Box<F>>,
}

impl<F: Future<Output = ()>> Stop<F> {
    pub(crate) fn new(future: F) -> Self {
        Self {
            future: Box::pin(future),
        }
    }

    /// The work, or the word to stop, whichever is first. After the word nothing is to be asked again.
    pub(crate) async fn or<T, E: Into<RestoreFailure>>(
        &mut self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, RestoreFailure> {
        tokio::select! {
            biased;
            () = &mut self.future => Err(RestoreFailure::Interrupted),
            done = work => done.map_err(Into::into),
        }
    }
}

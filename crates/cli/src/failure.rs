//! A failure: its class, what was found and where, and what to do next.
//!
//! Absent here: numbers (see [`crate::exit`]) and colours (see [`crate::ui`]).

use serde::Serialize;

use crate::exit::{Changed, Class};
use crate::plan::Direction;

/// What ended a command.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    /// Names both values that disagree; one or more lines.
    pub(crate) message: String,
    /// Where the values come from: (`database`, `shop@db1:5432/shop`).
    pub(crate) sources: Vec<(String, String)>,
    pub(crate) hint: Option<String>,
    pub(crate) changed: Changed,
}

impl Failure {
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            sources: Vec::new(),
            hint: None,
            changed: Changed::No,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn source(mut self, name: &str, value: impl Into<String>) -> Self {
        self.sources.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn changed(mut self, changed: Changed) -> Self {
        self.changed = changed;
        self
    }

    /// After applying or rolling back, whatever kept a step from its end: the database has changed, and the code must
    /// say so.
    pub(crate) fn after_applying(mut self, class: Class, direction: Direction) -> Self {
        use Class as C;
        self.changed = Changed::Yes;
        match self.class {
            C::VerificationDiffers
            | C::StillPending
            | C::TestsFailed
            | C::TestsNotRun
            | C::TestsUnsafe
            | C::Interrupted
            | C::Terminated
            | C::Bug => {}
            other => {
                self.sources
                    .push(("class".to_owned(), other.name().to_owned()));
                let done = direction.done();
                self.message = format!("the migrations are {done}, but then: {}", self.message);
                self.class = class;
            }
        }
        self
    }

    pub(crate) fn code(&self) -> u8 {
        self.class.code(self.changed)
    }

    /// The document that `--format json` prints for a failure.
    pub(crate) fn document<'a>(&'a self, command: &'a str) -> FailureDocument<'a> {
        FailureDocument {
            schema_version: 1,
            command,
            error: self.error(),
            changed: self.changed,
        }
    }

    /// For a command whose own document says what it knows, and that it failed.
    pub(crate) fn part(&self) -> FailurePart<'_> {
        FailurePart {
            error: self.error(),
            changed: self.changed,
        }
    }

    pub(crate) fn error(&self) -> ErrorDocument<'_> {
        ErrorDocument {
            code: self.code(),
            class: self.class.name(),
            message: &self.message,
            hint: self.hint.as_deref(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct FailureDocument<'a> {
    schema_version: u32,
    command: &'a str,
    error: ErrorDocument<'a>,
    changed: Changed,
}

/// What a failure adds to a document.
#[derive(Debug, Serialize)]
pub(crate) struct FailurePart<'a> {
    error: ErrorDocument<'a>,
    changed: Changed,
}

#[derive(Debug, Serialize)]
pub(crate) struct ErrorDocument<'a> {
    code: u8,
    class: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
}

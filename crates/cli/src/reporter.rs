//! Stamps events and hands them to the listeners in a fixed order, the journal first.
//!
//! Absent here: what a listener does with an event.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::event::{EventKind, Line, SCHEMA_VERSION};
use crate::exit::Class;
use crate::failure::Failure;
use crate::journal::Journal;

/// Somebody who wants to hear.
pub(crate) trait Listener {
    fn hear(&mut self, line: &Line);
}

/// The one place where events are stamped.
pub(crate) struct Reporter {
    started: Instant,
    inner: RefCell<Inner>,
}

struct Inner {
    journal: Option<Journal>,
    journal_error: Option<String>,
    lines: Vec<Line>,
    listeners: Vec<Box<dyn Listener>>,
}

impl Reporter {
    pub(crate) fn new(listeners: Vec<Box<dyn Listener>>) -> Self {
        let inner = Inner {
            journal: None,
            journal_error: None,
            lines: Vec::new(),
            listeners,
        };
        Self {
            started: Instant::now(),
            inner: RefCell::new(inner),
        }
    }

    /// Since the run began: the clock of [`Line::elapsed_ms`].
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// From here on, every event is in the journal before anyone else hears it.
    pub(crate) fn journal_to(&self, journal: Journal) {
        self.inner.borrow_mut().journal = Some(journal);
    }

    pub(crate) fn emit(&self, kind: EventKind) {
        let line = Line {
            schema_version: SCHEMA_VERSION,
            at: format!("{:.3}", Timestamp::now()),
            elapsed_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            kind,
        };
        let mut inner = self.inner.borrow_mut();
        inner.write(&line);
        for listener in &mut inner.listeners {
            listener.hear(&line);
        }
        if line.kind.journalled() {
            inner.lines.push(line);
        }
    }

    /// On disk, or the run must not go on to change anything.
    pub(crate) fn ensure_journal(&self) -> Result<(), Failure> {
        let mut inner = self.inner.borrow_mut();
        let synced = match &mut inner.journal {
            Some(journal) => journal.sync().err().map(|e| e.to_string()),
            None => Some("there is none".to_owned()),
        };
        match inner.journal_error.take().or(synced) {
            None => Ok(()),
            Some(why) => Err(Failure::new(
                Class::JournalFailed,
                format!("the journal cannot be written: {why}"),
            )
            .hint("nothing was changed; make room or choose another folder with --run-dir")),
        }
    }

    /// Why the journal is incomplete, if it is. After the first change that is only a warning.
    pub(crate) fn journal_error(&self) -> Option<String> {
        self.inner.borrow().journal_error.clone()
    }

    /// What was journalled so far: the report is a fold over it.
    pub(crate) fn lines(&self) -> Vec<Line> {
        self.inner.borrow().lines.clone()
    }
}

impl Inner {
    fn write(&mut self, line: &Line) {
        if !line.kind.journalled() {
            return;
        }
        if let Some(journal) = &mut self.journal
            && let Err(e) = journal.write(line)
        {
            self.journal_error = Some(e.to_string());
        }
    }
}

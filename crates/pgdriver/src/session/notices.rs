//! What a server says beside its answers: WARNING, NOTICE, INFO.
//!
//! Absent: NOTIFY, and notices without end. The last hundred are kept, and all are counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::error::{DbError, Severity};

const KEPT: usize = 100;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `WARNING`, `NOTICE`, …, in the server's language.
    pub severity: String,
    /// It is a WARNING, whatever the server's language: something was not done as it was asked for.
    pub is_warning: bool,
    /// Five characters.
    pub sqlstate: String,
    /// The message.
    pub message: String,
}

/// The ear of one session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    count: u64,
    last: VecDeque<Notice>,
}

impl Notices {
    pub(crate) fn hear(&self, said: &DbError) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.count += 1;
        if heard.last.len() == KEPT {
            heard.last.pop_front();
        }
        heard.last.push_back(Notice {
            severity: said.severity().to_owned(),
            is_warning: said.parsed_severity() == Some(Severity::Warning),
            sqlstate: said.code().code().to_owned(),
            message: said.message().to_owned(),
        });
    }

    pub(crate) fn take(&self) -> (u64, Vec<Notice>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = std::mem::take(&mut heard.count);
        (count, heard.last.drain(..).collect())
    }
}

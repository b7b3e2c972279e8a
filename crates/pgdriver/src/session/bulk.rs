//! Much at once: statements as psql sends them, and the rows of `COPY … FROM STDIN`.
//!
//! Absent: reading SQL. Statements and rows come ready from the caller.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Sink;
use tokio_postgres::{CopyInSink, SimpleQueryMessage};

use super::{Notice, Session};
use crate::query_error::QueryError;

const STATEMENT: &str = "run a statement";
const COPY: &str = "copy rows";

impl Session {
    /// Runs SQL over the simple protocol, as psql does, and says how many rows the last statement touched. A refusal
    /// leaves the session as it was, or its transaction failed.
    pub async fn simple(&self, sql: &str) -> Result<u64, QueryError> {
        let answer = self.opened.client.simple_query(sql).await;
        let answer = answer.map_err(|cause| QueryError::new(STATEMENT, cause))?;
        let touched = answer.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::CommandComplete(rows) => Some(*rows),
            _ => None,
        });
        Ok(touched.unwrap_or(0))
    }

    /// Begins `COPY … FROM STDIN`. The session does nothing else until the copy is finished or dropped. After a refusal
    /// at this point it is of no more use: the driver sends one Sync too many, and reads each answer one too late from
    /// then on (rust-postgres issue 789). A refused row does no such harm.
    pub async fn copy_in(&self, sql: &str) -> Result<CopyIn, QueryError> {
        let sink = self.opened.client.copy_in(sql).await;
        let sink = sink.map_err(|cause| QueryError::new(COPY, cause))?;
        Ok(CopyIn {
            sink: Box::pin(sink),
        })
    }

    /// How many notices came since the last call, and the last hundred of them.
    pub fn take_notices(&self) -> (u64, Vec<Notice>) {
        self.opened.notices.take()
    }
}

/// A `COPY … FROM STDIN` under way. Dropping it ends the statement with an error, and no row stays.
pub struct CopyIn {
    sink: Pin<Box<CopyInSink<Bytes>>>,
}

impl CopyIn {
    /// Hands rows on, as soon as the connection takes more. What the server says of them comes with
    /// [`CopyIn::finish`]; after a refusal it passes over the rest.
    pub async fn send(&mut self, rows: Bytes) -> Result<(), QueryError> {
        let failed = |cause| QueryError::new(COPY, cause);
        let sink = &mut self.sink;
        poll_fn(|context| sink.as_mut().poll_ready(context))
            .await
            .map_err(failed)?;
        sink.as_mut().start_send(rows).map_err(failed)
    }

    /// The end of the rows: how many the server took.
    pub async fn finish(mut self) -> Result<u64, QueryError> {
        let rows = self.sink.as_mut().finish().await;
        rows.map_err(|cause| QueryError::new(COPY, cause))
    }
}

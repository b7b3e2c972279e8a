//! The server's part of `check`: its state in one look, what of it matters as findings, and all of it for -v and JSON.
//!
//! Absent here: judgement ([`database::concerns`]).

use pgdriver::Session;
use pgdriver::server::{Health, ServerFacts, health};
use serde_json::Value;

use super::{document, table};
use crate::database::{self, query_failure};
use crate::failure::Failure;
use crate::hazards::Finding;

/// What the server said.
pub(super) struct Seen {
    pub(super) findings: Vec<Finding>,
    /// For JSON.
    pub(super) document: Value,
    /// For people who say -v.
    pub(super) table: String,
}

pub(super) async fn look(session: &Session, server: &ServerFacts) -> Result<Seen, Failure> {
    let health: Health = health(session).await.map_err(|e| query_failure(&e))?;
    Ok(Seen {
        findings: database::concerns(server, &health),
        document: document::document(server, &health),
        table: table::table(server, &health),
    })
}

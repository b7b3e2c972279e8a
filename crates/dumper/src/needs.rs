//! What an archive expects of the server that it is restored into, read from the statements that ask for it.
//!
//! Absent: whether a server has it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::pg_dump::Version;

/// Names that a dump mentions and does not make, unquoted. `PUBLIC`, `CURRENT_USER` and roles of the server's own
/// (`pg_read_all_data`) are not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Needs {
    /// All of them: owners, grantees and others.
    pub roles: BTreeSet<String>,
    /// Of these, whom objects belong to: `--no-owner` does without them.
    pub owners: BTreeSet<String>,
    /// Of these, who is granted something, revoked or not: `--no-privileges` does without them.
    pub grantees: BTreeSet<String>,
    /// Of these, who is named otherwise: in policies, user mappings, memberships. Nothing does without them.
    pub others: BTreeSet<String>,
    /// What CREATE EXTENSION asks for.
    pub extensions: BTreeSet<String>,
    /// What tables, indexes and databases are stored in.
    pub tablespaces: BTreeSet<String>,
    /// The first `client_encoding`.
    pub encoding: Option<String>,
    /// `Dumped from database version`
    pub server_version: Option<Version>,
    /// `Dumped by pg_dump version`
    pub pg_dump_version: Option<Version>,
    /// Databases that a `\connect` goes to: the dump was made with `--create`, or by pg_dumpall.
    pub databases: BTreeSet<String>,
    /// Whether it holds large objects.
    pub large_objects: bool,
}

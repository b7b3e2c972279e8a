//! What an archive expects of the server that it is restored into.
//!
//! Absent: whether a server has it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Names that a dump mentions and does not make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Needs {
    /// Owners and grantees.
    pub roles: BTreeSet<String>,
    /// What CREATE EXTENSION asks for.
    pub extensions: BTreeSet<String>,
    /// What tables and indexes are stored in.
    pub tablespaces: BTreeSet<String>,
}

//! The name of a table, index, view or sequence.

use serde::{Serialize, Serializer};
use std::fmt;

/// Where an unqualified name is taken to live; nobody knows the search_path without a connection.
const DEFAULT_SCHEMA: &str = "public";

/// `schema.name`, unquoted, in the case that the catalog has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Relation {
    schema: String,
    name: String,
}

impl Relation {
    pub(crate) fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// A name without its schema.
    pub(crate) fn unqualified(name: impl Into<String>) -> Self {
        Self::new(DEFAULT_SCHEMA, name)
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `name` in the same schema: where RENAME leaves a table, and where its indexes live.
    pub(super) fn sibling(&self, name: impl Into<String>) -> Self {
        Self::new(self.schema.clone(), name)
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.schema, self.name)
    }
}

impl Serialize for Relation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

//! The name of a table, index, view or sequence.

use serde::{Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

/// Where an unqualified name is taken to live; nobody knows the search_path without a connection.
const DEFAULT_SCHEMA: &str = "public";

/// `schema.name`, unquoted, in the case that the catalog has. In one piece that its copies share, since a script of some
/// megabytes has its names copied, compared and written a million times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Relation {
    /// As it is shown.
    text: Arc<str>,
    /// Where the point stands: names may have points, too.
    point: usize,
}

impl Relation {
    pub(crate) fn new(schema: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        let (schema, name) = (schema.as_ref(), name.as_ref());
        let mut text = String::with_capacity(schema.len() + 1 + name.len());
        text.push_str(schema);
        text.push('.');
        text.push_str(name);
        Self {
            text: text.into(),
            point: schema.len(),
        }
    }

    /// A name without its schema.
    pub(crate) fn unqualified(name: impl AsRef<str>) -> Self {
        Self::new(DEFAULT_SCHEMA, name)
    }

    pub(crate) fn schema(&self) -> &str {
        &self.text[..self.point]
    }

    pub(crate) fn name(&self) -> &str {
        &self.text[self.point + 1..]
    }

    /// `name` in the same schema: where RENAME leaves a table, and where its indexes live.
    pub(super) fn sibling(&self, name: impl AsRef<str>) -> Self {
        Self::new(self.schema(), name)
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for Relation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::Relation;

    #[test]
    fn a_point_in_a_name_is_no_end_of_a_schema() {
        let (one, other) = (Relation::new("a.b", "c"), Relation::new("a", "b.c"));
        assert_eq!((one.schema(), one.name()), ("a.b", "c"));
        assert_eq!((other.schema(), other.name()), ("a", "b.c"));
        assert_eq!(one.to_string(), other.to_string());
        assert_ne!(one, other);
        assert_eq!(other.sibling("d"), Relation::new("a", "d"));
        assert_eq!(Relation::unqualified("t").to_string(), "public.t");
    }
}

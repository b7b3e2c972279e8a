//! Names that a person could swap: app labels, migration names, and the pair of them.
//!
//! Absent here: what a name means in a project; that is the loader's business.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Django's app label, `shop`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct AppLabel(pub(crate) String);

/// The name of a migration within its app, `0003_price`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct MigrationName(pub(crate) String);

impl fmt::Display for AppLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MigrationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One migration, written `shop.0003_price` as Django's plan does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct MigrationId {
    pub(crate) app: AppLabel,
    pub(crate) name: MigrationName,
}

impl MigrationId {
    pub(crate) fn new(app: &str, name: &str) -> Self {
        Self {
            app: AppLabel(app.to_owned()),
            name: MigrationName(name.to_owned()),
        }
    }
}

impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.app, self.name)
    }
}

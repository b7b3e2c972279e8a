//! A database as it could be compared with another: its objects by name with their definitions, and its tables' rows.
//!
//! Absent: the comparison.

mod settled;

use std::collections::BTreeMap;

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

pub use settled::settled;

const SHAPE: Sql = sql!("read the schema", "shape.sql");

/// An object: its kind (`table`, `column`, `index`, …) and its name, unquoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// `column`
    pub kind: String,
    /// `public.shop_item.price`
    pub name: String,
}

/// Every object of users, with its definition as the server writes it.
pub async fn shape(session: &Session) -> Result<BTreeMap<Object, String>, QueryError> {
    let mut shape = BTreeMap::new();
    for row in SHAPE.rows(session, &[]).await? {
        let object = Object {
            kind: row.get("kind")?,
            name: row.get("name")?,
        };
        let definition: Option<String> = row.get("definition")?;
        shape.insert(object, definition.unwrap_or_default());
    }
    Ok(shape)
}

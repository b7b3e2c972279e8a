//! The queries: one file each under `sql/`, which pastes into any SQL console.
//!
//! Absent: names of tables made at run time; the one query that needs them is in [`crate::catalog::count_rows`].

use tokio_postgres::types::{FromSql, ToSql, Type};

use crate::query_error::QueryError;
use crate::session::Session;

/// A query file: what it does, in the words of an error message, its text and the types of its parameters.
pub(crate) struct Sql {
    what: &'static str,
    text: &'static str,
    types: &'static [Type],
}

impl Sql {
    pub(crate) const fn new(
        what: &'static str,
        text: &'static str,
        types: &'static [Type],
    ) -> Self {
        // a session's server encoding may be any, and the server translates comments, too
        assert!(text.is_ascii(), "a query that not every encoding has");
        Self { what, text, types }
    }

    pub(crate) async fn rows(
        &self,
        session: &Session,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, QueryError> {
        let parameters: Vec<_> = values
            .iter()
            .copied()
            .zip(self.types.iter().cloned())
            .collect();
        let rows = session.query(self.what, self.text, &parameters).await?;
        Ok(rows
            .into_iter()
            .map(|row| Row {
                what: self.what,
                row,
            })
            .collect())
    }

    /// The first row, of a query that always has one.
    pub(crate) async fn row(
        &self,
        session: &Session,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, QueryError> {
        match self.rows(session, values).await?.into_iter().next() {
            Some(row) => Ok(row),
            None => Err(QueryError::no_row(self.what)),
        }
    }
}

/// A row whose columns are asked for by name, and where a surprise is an error rather than a panic.
pub(crate) struct Row {
    what: &'static str,
    row: tokio_postgres::Row,
}

impl Row {
    pub(crate) fn get<'a, T: FromSql<'a>>(&'a self, column: &str) -> Result<T, QueryError> {
        self.row
            .try_get(column)
            .map_err(|cause| QueryError::new(self.what, cause))
    }

    /// Text of others, whatever its encoding.
    pub(crate) fn text(&self, column: &str) -> Result<Option<String>, QueryError> {
        Ok(self.get::<Option<Lossy>>(column)?.map(|text| text.0))
    }
}

/// Text that came from elsewhere: what other databases' sessions run, and the names of roles and databases, stand in shared
/// memory and catalogs in the encoding of whoever wrote them. What is not of ours is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Lossy(pub(crate) String);

impl<'a> FromSql<'a> for Lossy {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(String::from_utf8_lossy(raw).into_owned()))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::TEXT | Type::NAME | Type::VARCHAR | Type::BPCHAR)
    }
}

/// `include_str!` of a file under `sql/`.
macro_rules! sql {
    ($what:literal, $file:literal $(, $type:ident)*) => {
        crate::sql::Sql::new($what, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sql/", $file)), &[$(tokio_postgres::types::Type::$type),*])
    };
}
pub(crate) use sql;

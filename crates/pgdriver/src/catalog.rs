//! Relations as the catalog knows them: kind, size, rows, columns; and what a failed change left behind.
//!
//! Absent: pg_relation_size(), pg_get_indexdef() and their like, which wait behind ACCESS EXCLUSIVE; and types: the
//! server's own words for them are enough.

mod named;

use std::collections::HashMap;
use std::fmt;

use postgres_protocol::escape::escape_identifier;

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

pub use named::{NamedConstraint, NamedIndex, constraints_named, index_definition, indexes_named};

const RELATIONS: Sql = sql!("look up relations", "relations.sql", TEXT_ARRAY, TEXT_ARRAY);
const COLUMNS: Sql = sql!("list columns", "columns.sql", OID_ARRAY);
const INVALID_INDEXES: Sql = sql!("list invalid indexes", "invalid_indexes.sql");
const UNVALIDATED: Sql = sql!(
    "list unvalidated constraints",
    "unvalidated_constraints.sql"
);

/// A relation's name, unquoted. Without a schema the search path decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelationName {
    /// `public`
    pub schema: Option<String>,
    /// `shop_item`
    pub name: String,
}

impl RelationName {
    /// With a schema.
    pub fn new(schema: &str, name: &str) -> Self {
        Self {
            schema: Some(schema.to_owned()),
            name: name.to_owned(),
        }
    }

    /// `schema.name` or `name`, unquoted; the first dot divides.
    pub fn parse(text: &str) -> Self {
        match text.split_once('.') {
            Some((schema, name)) => Self::new(schema, name),
            None => Self {
                schema: None,
                name: text.to_owned(),
            },
        }
    }

    /// For use in SQL: `"public"."shop_item"`.
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!(
                "{}.{}",
                escape_identifier(schema),
                escape_identifier(&self.name)
            ),
            None => escape_identifier(&self.name),
        }
    }
}

impl fmt::Display for RelationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// `relkind`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// An ordinary table.
    Table,
    /// A partitioned table: its rows are in its partitions.
    PartitionedTable,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A foreign table.
    ForeignTable,
    /// A sequence.
    Sequence,
    /// An index, partitioned or not.
    Index,
    /// Anything else: a composite type, a TOAST table.
    Other,
}

/// A relation that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// Schema and name as they are.
    pub name: RelationName,
    /// Its oid.
    pub oid: u32,
    /// What it is.
    pub kind: RelationKind,
    /// Row-level security: a role may see fewer rows than there are.
    pub row_security: bool,
    /// The planner's estimate, partitions and children counted in; none where nothing was ever analyzed.
    pub estimated_rows: Option<u64>,
    /// With indexes and TOAST, as of the last VACUUM or ANALYZE; none where there was none.
    pub estimated_bytes: Option<u64>,
    /// In order.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `character varying(50)`
    pub type_name: String,
    /// No NOT NULL on it.
    pub nullable: bool,
    /// It has a default, or is generated.
    pub has_default: bool,
}

/// How many rows a bounded count found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowCount {
    /// So many.
    Exactly(u64),
    /// At least so many: it stopped there.
    AtLeast(u64),
}

/// An index that no query uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidIndex {
    /// Schema and name.
    pub name: RelationName,
    /// The table's name, in the same schema.
    pub table: String,
    /// UNIQUE: it may already refuse rows.
    pub is_unique: bool,
    /// It costs every write although it serves nobody.
    pub takes_writes: bool,
    /// Of a partitioned table: it becomes valid when each partition has its index.
    pub is_partitioned: bool,
    /// A session builds it at this moment, as far as this role can see.
    pub in_progress: bool,
}

/// A constraint that existing rows may break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnvalidatedConstraint {
    /// Its table.
    pub table: RelationName,
    /// Its name.
    pub name: String,
    /// `foreign key`, `check`, `not null`
    pub kind: String,
}

/// Those of the names that exist, in the order asked, with the position of the name asked for.
pub async fn relations(
    session: &Session,
    names: &[RelationName],
) -> Result<Vec<(usize, Relation)>, QueryError> {
    let schemas: Vec<Option<&str>> = names.iter().map(|name| name.schema.as_deref()).collect();
    let plain: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
    let rows = RELATIONS.rows(session, &[&schemas, &plain]).await?;
    let mut found = rows.iter().map(relation).collect::<Result<Vec<_>, _>>()?;
    let oids: Vec<u32> = found.iter().map(|(_, relation)| relation.oid).collect();
    let columns = columns(session, &oids).await?;
    for (_, relation) in &mut found {
        relation.columns = columns.get(&relation.oid).cloned().unwrap_or_default();
    }
    Ok(found)
}

fn relation(row: &Row) -> Result<(usize, Relation), QueryError> {
    let at = usize::try_from(row.get::<i64>("at")?).unwrap_or(1) - 1;
    let schema: String = row.get("schema")?;
    let name: String = row.get("name")?;
    let relation = Relation {
        name: RelationName::new(&schema, &name),
        oid: u32::try_from(row.get::<i64>("oid")?).unwrap_or(0),
        kind: kind(&row.get::<String>("kind")?),
        row_security: row.get("row_security")?,
        estimated_rows: row
            .get::<Option<f64>>("rows")?
            .map(|rows| rows.max(0.0).round() as u64),
        estimated_bytes: row
            .get::<Option<i64>>("bytes")?
            .and_then(|bytes| u64::try_from(bytes).ok()),
        columns: Vec::new(),
    };
    Ok((at, relation))
}

fn kind(relkind: &str) -> RelationKind {
    match relkind {
        "r" => RelationKind::Table,
        "p" => RelationKind::PartitionedTable,
        "v" => RelationKind::View,
        "m" => RelationKind::MaterializedView,
        "f" => RelationKind::ForeignTable,
        "S" => RelationKind::Sequence,
        "i" | "I" => RelationKind::Index,
        _ => RelationKind::Other,
    }
}

async fn columns(session: &Session, oids: &[u32]) -> Result<HashMap<u32, Vec<Column>>, QueryError> {
    let mut found: HashMap<u32, Vec<Column>> = HashMap::new();
    for row in COLUMNS.rows(session, &[&oids]).await? {
        let relation = u32::try_from(row.get::<i64>("relation")?).unwrap_or(0);
        found.entry(relation).or_default().push(Column {
            name: row.get("name")?,
            type_name: row.get("type")?,
            nullable: row.get("nullable")?,
            has_default: row.get("has_default")?,
        });
    }
    Ok(found)
}

/// Counts rows up to `limit`. The session's timeouts hold: an observer's count may end as cancelled or as a lock
/// timeout, which the error tells.
pub async fn count_rows(
    session: &Session,
    table: &RelationName,
    limit: u64,
) -> Result<RowCount, QueryError> {
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM {} LIMIT {limit}) AS bounded",
        table.quoted()
    );
    count(session, &sql, limit).await
}

/// Counts rows in which a column holds a value, up to `limit`: what DROP COLUMN would lose.
pub async fn count_values(
    session: &Session,
    table: &RelationName,
    column: &str,
    limit: u64,
) -> Result<RowCount, QueryError> {
    let column = escape_identifier(column);
    let table = table.quoted();
    let sql = format!(
        "SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {column} IS NOT NULL LIMIT {limit}) AS bounded"
    );
    count(session, &sql, limit).await
}

async fn count(session: &Session, sql: &str, limit: u64) -> Result<RowCount, QueryError> {
    let what = "count rows";
    let rows = session.query(what, sql, &[]).await?;
    let Some(row) = rows.first() else {
        return Err(QueryError::no_row(what));
    };
    let count: i64 = row
        .try_get(0)
        .map_err(|cause| QueryError::new(what, cause))?;
    let count = count.unsigned_abs();
    Ok(if count >= limit {
        RowCount::AtLeast(count)
    } else {
        RowCount::Exactly(count)
    })
}

/// Invalid indexes of all user schemas.
pub async fn invalid_indexes(session: &Session) -> Result<Vec<InvalidIndex>, QueryError> {
    let rows = INVALID_INDEXES.rows(session, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(InvalidIndex {
                name: RelationName::new(row.get("schema")?, row.get("name")?),
                table: row.get("table")?,
                is_unique: row.get("is_unique")?,
                takes_writes: row.get("takes_writes")?,
                is_partitioned: row.get("is_partitioned")?,
                in_progress: row.get("in_progress")?,
            })
        })
        .collect()
}

/// Unvalidated constraints of all user schemas.
pub async fn unvalidated_constraints(
    session: &Session,
) -> Result<Vec<UnvalidatedConstraint>, QueryError> {
    let rows = UNVALIDATED.rows(session, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(UnvalidatedConstraint {
                table: RelationName::new(row.get("schema")?, row.get("table")?),
                name: row.get("name")?,
                kind: constraint_kind(row.get("kind")?).to_owned(),
            })
        })
        .collect()
}

fn constraint_kind(contype: &str) -> &'static str {
    match contype {
        "f" => "foreign key",
        "c" => "check",
        "n" => "not null",
        _ => "constraint",
    }
}

#[cfg(test)]
mod tests {
    use super::RelationName;

    #[test]
    fn names_are_quoted_once() {
        for (text, quoted) in [
            ("public.shop_item", "\"public\".\"shop_item\""),
            ("shop_item", "\"shop_item\""),
            ("a.b.c", "\"a\".\"b.c\""),
            ("x.y\"z", "\"x\".\"y\"\"z\""),
        ] {
            let name = RelationName::parse(text);
            assert_eq!(name.quoted(), quoted);
            assert_eq!(name.to_string(), text);
        }
    }
}

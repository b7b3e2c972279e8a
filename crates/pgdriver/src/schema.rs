//! The schema as an assessment of SQL stands on it: relations, columns, constraints, indexes, types, and what depends on
//! what. Objects refer to each other by oid, within one reading.
//!
//! Catalog reads only, in ten queries whatever the number of tables; none waits behind ACCESS EXCLUSIVE. Absent:
//! definitions as text ([`crate::shape`]), and anything of PostgreSQL's own but the functions that give another value each
//! time.

use crate::catalog::RelationName;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const RELATIONS: Sql = sql!("list the relations", "schema_relations.sql");
const COLUMNS: Sql = sql!("list the columns", "schema_columns.sql");
const CONSTRAINTS: Sql = sql!("list the constraints", "schema_constraints.sql");
const INDEXES: Sql = sql!("list the indexes", "schema_indexes.sql");
const DESCENT: Sql = sql!("list the partitions", "schema_descent.sql");
const TYPES: Sql = sql!("list the types", "schema_types.sql");
const FUNCTIONS: Sql = sql!("list the functions", "schema_functions.sql");
const DEPENDENTS: Sql = sql!("list the dependents", "schema_dependents.sql");
const NAMES: Sql = sql!("list schemas and extensions", "schema_names.sql");
const SESSION: Sql = sql!("read the session's settings", "schema_session.sql");

/// An object's identity, within one reading.
pub type Oid = u32;

/// Everything of users.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schema {
    /// Tables, views, sequences, indexes, composite types.
    pub relations: Vec<Relation>,
    /// Of tables, views and composite types, in order.
    pub columns: Vec<Column>,
    /// Of tables and domains.
    pub constraints: Vec<Constraint>,
    /// What [`Relation`] does not say of an index.
    pub indexes: Vec<Index>,
    /// Partitions, inheriting tables, indexes of partitions.
    pub descent: Vec<Descent>,
    /// Domains, enums, composites, ranges.
    pub types: Vec<Type>,
    /// Of users; and PostgreSQL's volatile ones.
    pub functions: Vec<Function>,
    /// What goes with what.
    pub dependents: Vec<Dependent>,
    /// Schemas, extensions, publications, statistics objects.
    pub names: Vec<Name>,
    /// How the session that read it reads names.
    pub settings: Settings,
}

/// What of a session decides what a statement does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The server's major version.
    pub major: u32,
    /// Schemas that exist, in which unqualified names are looked up.
    pub search_path: Vec<String>,
    /// `UTC`, `Europe/Berlin`
    pub time_zone: String,
}

/// An object that is no relation, type or function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// `pg_namespace`, `pg_extension`, `pg_publication`, `pg_statistic_ext`.
    pub class: String,
    /// Its oid.
    pub oid: Oid,
    /// Its name.
    pub name: String,
}

/// A relation.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// Its oid.
    pub oid: Oid,
    /// With its schema.
    pub name: RelationName,
    /// `relkind`: `r`, `p`, `v`, `m`, `f`, `S`, `i`, `I`, `c`.
    pub kind: char,
    /// `relpersistence`: `p`, `u`, `t`.
    pub persistence: char,
    /// `heap`, `btree`; of what has a file or an index.
    pub access_method: Option<String>,
    /// `pg_default` where it is the database's own.
    pub tablespace: String,
    /// The role.
    pub owner: String,
    /// Of a partitioned table.
    pub is_partition: bool,
    /// The planner's estimate; none where it was never analyzed.
    pub estimated_rows: Option<u64>,
    /// Of its own file, as of the last VACUUM or ANALYZE.
    pub bytes: Option<u64>,
    /// Of an index, its table; of a sequence, the table whose column owns it.
    pub belongs_to: Option<Oid>,
    /// Of a sequence.
    pub owned_by_column: Option<String>,
    /// Of a sequence: it is that of an identity column.
    pub is_identity: bool,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Whose.
    pub relation: Oid,
    /// `attnum`, by which dependents name it.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// `character varying(50)`
    pub type_name: String,
    /// `typtype`: `b`, `d`, `e`, `c`, `r`, …
    pub type_kind: char,
    /// NOT NULL.
    pub not_null: bool,
    /// DEFAULT or GENERATED.
    pub has_default: bool,
    /// `a` always, `d` by default.
    pub identity: Option<char>,
    /// `s` stored, `v` virtual.
    pub generated: Option<char>,
    /// Where it is not the type's own.
    pub collation: Option<String>,
}

/// A constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// Its oid.
    pub oid: Oid,
    /// Whose, of a table.
    pub relation: Option<Oid>,
    /// Whose, of a domain.
    pub domain: Option<Oid>,
    /// Its name.
    pub name: String,
    /// `contype`: `c`, `f`, `n`, `p`, `u`, `x`, `t`.
    pub kind: char,
    /// Not NOT VALID.
    pub is_valid: bool,
    /// DEFERRABLE.
    pub is_deferrable: bool,
    /// INITIALLY DEFERRED.
    pub is_deferred: bool,
    /// Of a foreign key, ON UPDATE: `a` no action, `r` restrict, `c` cascade, `n` set null, `d` set default.
    pub on_update: Option<char>,
    /// Of a foreign key, ON DELETE.
    pub on_delete: Option<char>,
    /// In its order.
    pub columns: Vec<String>,
    /// Of a foreign key.
    pub refers_to: Option<Oid>,
    /// Of a foreign key.
    pub refers_to_columns: Vec<String>,
    /// That stands behind it; of a foreign key, the referenced table's.
    pub index: Option<Oid>,
    /// Of a partition's constraint.
    pub parent: Option<Oid>,
    /// A valid CHECK that says just that this column IS NOT NULL.
    pub proves_not_null: Option<String>,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its oid.
    pub index: Oid,
    /// Its table.
    pub relation: Oid,
    /// UNIQUE.
    pub is_unique: bool,
    /// PRIMARY KEY.
    pub is_primary: bool,
    /// Queries may use it.
    pub is_valid: bool,
    /// REPLICA IDENTITY.
    pub is_replica_identity: bool,
    /// It has a predicate.
    pub is_partial: bool,
    /// At least one key is an expression.
    pub has_expressions: bool,
    /// Key columns in order; of an expression none.
    pub keys: Vec<Option<String>>,
    /// Of each key.
    pub operator_classes: Vec<String>,
    /// Columns that the index or the constraint behind it depends on, those in expressions and the predicate among them.
    pub uses: Vec<String>,
}

/// A child and its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descent {
    /// Partition, table or index.
    pub child: Oid,
    /// Of the same sort.
    pub parent: Oid,
    /// Not INHERITS.
    pub is_partition: bool,
    /// The default partition.
    pub is_default: bool,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// Its oid.
    pub oid: Oid,
    /// With its schema.
    pub name: RelationName,
    /// `typtype`: `d`, `e`, `c`, `r`, `b`.
    pub kind: char,
    /// Of a domain, with its modifier.
    pub base_type: Option<String>,
    /// A domain with NOT NULL or CHECK.
    pub is_constrained: bool,
    /// Of a composite type.
    pub relation: Option<Oid>,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its oid; 0 for all of a name that are PostgreSQL's own.
    pub oid: Oid,
    /// With its schema.
    pub name: RelationName,
    /// `provolatile`: `i`, `s`, `v`.
    pub volatility: char,
    /// The text of a function in SQL that the planner may put in the place of a call.
    pub inlined: Option<String>,
}

/// An object that depends on another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// `pg_class`, `pg_constraint`, `pg_rewrite`, `pg_attrdef`, `pg_trigger`, `pg_policy`, `pg_type`, `pg_proc`, …
    pub class: String,
    /// Its oid.
    pub object: Oid,
    /// Of a relation: this column of it alone.
    pub column: Option<i32>,
    /// The relation that it is or is a part of.
    pub relation: Option<Oid>,
    /// Of a relation or its part; of a default, the column's number.
    pub name: Option<String>,
    /// `pg_class`, `pg_type`, `pg_proc`, …
    pub on_class: String,
    /// What it depends on.
    pub on_object: Oid,
    /// This column of it.
    pub on_column: Option<i32>,
    /// `deptype`: `n`, `a`, `i`, `P`, `S`, `e`, `x`.
    pub how: char,
}

/// Reads all of it.
pub async fn schema(session: &Session) -> Result<Schema, QueryError> {
    Ok(Schema {
        relations: all(session, &RELATIONS, relation).await?,
        columns: all(session, &COLUMNS, column).await?,
        constraints: all(session, &CONSTRAINTS, constraint).await?,
        indexes: all(session, &INDEXES, index).await?,
        descent: all(session, &DESCENT, descent).await?,
        types: all(session, &TYPES, type_of).await?,
        functions: all(session, &FUNCTIONS, function).await?,
        dependents: all(session, &DEPENDENTS, dependent).await?,
        names: all(session, &NAMES, named).await?,
        settings: settings(&SESSION.row(session, &[]).await?)?,
    })
}

async fn all<T>(
    session: &Session,
    sql: &Sql,
    of: impl Fn(&Row) -> Result<T, QueryError>,
) -> Result<Vec<T>, QueryError> {
    sql.rows(session, &[]).await?.iter().map(of).collect()
}

fn relation(row: &Row) -> Result<Relation, QueryError> {
    let unsigned = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
    Ok(Relation {
        oid: row.get("oid")?,
        name: name(row)?,
        kind: letter(row, "kind")?,
        persistence: letter(row, "persistence")?,
        access_method: row.get("access_method")?,
        tablespace: row.get("tablespace")?,
        owner: row.get("owner")?,
        is_partition: row.get("is_partition")?,
        estimated_rows: unsigned(row.get("estimated_rows")?),
        bytes: unsigned(row.get("bytes")?),
        belongs_to: row.get("belongs_to")?,
        owned_by_column: row.get("owned_by_column")?,
        is_identity: row.get::<Option<bool>>("is_identity")?.unwrap_or(false),
    })
}

fn column(row: &Row) -> Result<Column, QueryError> {
    Ok(Column {
        relation: row.get("relation")?,
        number: row.get("number")?,
        name: row.get("name")?,
        type_name: row.get("type_name")?,
        type_kind: letter(row, "type_kind")?,
        not_null: row.get("not_null")?,
        has_default: row.get("has_default")?,
        identity: perhaps(row, "identity")?,
        generated: perhaps(row, "generated")?,
        collation: row.get("collation")?,
    })
}

fn constraint(row: &Row) -> Result<Constraint, QueryError> {
    Ok(Constraint {
        oid: row.get("oid")?,
        relation: row.get("relation")?,
        domain: row.get("domain")?,
        name: row.get("name")?,
        kind: letter(row, "kind")?,
        is_valid: row.get("is_valid")?,
        is_deferrable: row.get("is_deferrable")?,
        is_deferred: row.get("is_deferred")?,
        on_update: perhaps(row, "on_update")?,
        on_delete: perhaps(row, "on_delete")?,
        columns: row.get("columns")?,
        refers_to: row.get("refers_to")?,
        refers_to_columns: row.get("refers_to_columns")?,
        index: row.get("index")?,
        parent: row.get("parent")?,
        proves_not_null: row.get("proves_not_null")?,
    })
}

fn index(row: &Row) -> Result<Index, QueryError> {
    let keys: Vec<String> = row.get("keys")?;
    Ok(Index {
        index: row.get("index")?,
        relation: row.get("relation")?,
        is_unique: row.get("is_unique")?,
        is_primary: row.get("is_primary")?,
        is_valid: row.get("is_valid")?,
        is_replica_identity: row.get("is_replica_identity")?,
        is_partial: row.get("is_partial")?,
        has_expressions: row.get("has_expressions")?,
        keys: keys
            .into_iter()
            .map(|key| (!key.is_empty()).then_some(key))
            .collect(),
        operator_classes: row.get("operator_classes")?,
        uses: row.get("uses")?,
    })
}

fn descent(row: &Row) -> Result<Descent, QueryError> {
    Ok(Descent {
        child: row.get("child")?,
        parent: row.get("parent")?,
        is_partition: row.get("is_partition")?,
        is_default: row.get("is_default")?,
    })
}

fn type_of(row: &Row) -> Result<Type, QueryError> {
    Ok(Type {
        oid: row.get("oid")?,
        name: name(row)?,
        kind: letter(row, "kind")?,
        base_type: row.get("base_type")?,
        is_constrained: row.get("is_constrained")?,
        relation: row.get("relation")?,
    })
}

fn function(row: &Row) -> Result<Function, QueryError> {
    Ok(Function {
        oid: row.get("oid")?,
        name: name(row)?,
        volatility: letter(row, "volatility")?,
        inlined: row.get("inlined")?,
    })
}

fn dependent(row: &Row) -> Result<Dependent, QueryError> {
    Ok(Dependent {
        class: row.get("class")?,
        object: row.get("object")?,
        column: row.get("column")?,
        relation: row.get("relation")?,
        name: row.get("name")?,
        on_class: row.get("on_class")?,
        on_object: row.get("on_object")?,
        on_column: row.get("on_column")?,
        how: letter(row, "how")?,
    })
}

fn named(row: &Row) -> Result<Name, QueryError> {
    Ok(Name {
        class: row.get("class")?,
        oid: row.get("oid")?,
        name: row.get("name")?,
    })
}

fn settings(row: &Row) -> Result<Settings, QueryError> {
    Ok(Settings {
        major: u32::try_from(row.get::<i32>("major")?).unwrap_or_default(),
        search_path: row.get("search_path")?,
        time_zone: row.get("time_zone")?,
    })
}

fn name(row: &Row) -> Result<RelationName, QueryError> {
    Ok(RelationName::new(row.get("schema")?, row.get("name")?))
}

/// Of a column of type "char" that is cast to text; it always has one.
fn letter(row: &Row, column: &str) -> Result<char, QueryError> {
    Ok(perhaps(row, column)?.unwrap_or(' '))
}

fn perhaps(row: &Row, column: &str) -> Result<Option<char>, QueryError> {
    let text: Option<String> = row.get(column)?;
    Ok(text.and_then(|text| text.chars().next()))
}

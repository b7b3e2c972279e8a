//! Whether a claim is true: the catalog's facts about the objects that were asked for.
//!
//! Absent here: asking for them (see [`super::look`]).

use std::collections::{BTreeMap, BTreeSet};

use pgdriver::catalog::{NamedConstraint, NamedIndex};

use super::{Asked, Claim, Object};
use crate::sql::Relation;

/// What the catalog has of all that was asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Found {
    /// Tables with their columns.
    pub(crate) tables: BTreeMap<Relation, BTreeSet<String>>,
    pub(crate) indexes: BTreeMap<Relation, NamedIndex>,
    pub(crate) constraints: BTreeMap<(Relation, String), NamedConstraint>,
    /// As the server writes it, of those that had to be compared.
    pub(crate) definitions: BTreeMap<Relation, String>,
}

/// How a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    AsAsked,
    NotAsAsked,
    /// An index of the name is there and no query uses it.
    Invalid {
        in_progress: bool,
    },
    /// A constraint of the name is there, and rows may break it.
    NotValid,
    /// Something of the name is there, and it is another thing.
    Other,
}

pub(crate) fn standing(claim: &Claim, found: &Found) -> Standing {
    let is = |there: bool| match there == (claim.asked == Asked::There) {
        true => Standing::AsAsked,
        false => Standing::NotAsAsked,
    };
    match &claim.object {
        Object::Table(table) => is(found.tables.contains_key(table)),
        Object::Column { table, column } => {
            let columns = found.tables.get(table);
            is(columns.is_some_and(|columns| columns.contains(column)))
        }
        Object::Constraint { table, name } => is(found
            .constraints
            .contains_key(&(table.clone(), name.clone()))),
        Object::Validated { table, name } => {
            match found.constraints.get(&(table.clone(), name.clone())) {
                Some(constraint) if !constraint.is_validated => Standing::NotValid,
                constraint => is(constraint.is_some()),
            }
        }
        Object::Index { index, table } => match found.indexes.get(index) {
            None => is(false),
            Some(there) if !there.is_whole() => Standing::Invalid {
                in_progress: there.in_progress,
            },
            Some(there) => match table {
                Some(table) if table.name() != there.table.name => Standing::Other,
                _ => is(true),
            },
        },
    }
}

impl Found {
    /// The index of the claim is the one that the statement would build, as far as their texts can be compared.
    pub(super) fn defines(&self, claim: &Claim, sql: &str) -> bool {
        let Object::Index { index, .. } = &claim.object else {
            return false;
        };
        self.definitions
            .get(index)
            .is_some_and(|definition| plain(definition) == plain(sql))
    }
}

/// A definition without what is said differently: quotes, the default schema and method, CONCURRENTLY.
fn plain(sql: &str) -> String {
    let text = sql.replace(['"', ';'], "").to_lowercase();
    let spaced = text
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(',', " , ");
    let words = spaced.split_whitespace();
    let said: Vec<&str> = words
        .map(|word| word.strip_prefix("public.").unwrap_or(word))
        .filter(|word| !matches!(*word, "concurrently" | "asc"))
        .collect();
    let said = said.join(" ");
    said.replace("if not exists ", "")
        .replace("using btree ", "")
}

/// The exact way out of an INVALID index.
pub(crate) fn drop_index(index: &Relation) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    // the schema that a name without one is taken for may not be where the search path found it
    match index.schema() {
        "public" => format!(
            "DROP INDEX CONCURRENTLY IF EXISTS {};",
            quoted(index.name())
        ),
        schema => format!(
            "DROP INDEX CONCURRENTLY IF EXISTS {}.{};",
            quoted(schema),
            quoted(index.name())
        ),
    }
}

//! Asks the catalog for what statements claim: a query for each kind of object, whatever their number.
//!
//! Absent here: what the answer means (see [`super::stands`]).

use std::collections::{BTreeMap, BTreeSet};

use pgdriver::Session;
use pgdriver::catalog::{self, RelationName};

use super::{Claim, Found, Object};
use crate::database::query_failure;
use crate::failure::Failure;
use crate::sql::Relation;

/// What the catalog has of all that is asked for.
pub(crate) async fn look(session: &Session, claims: &[Claim]) -> Result<Found, Failure> {
    let (mut tables, mut indexes, mut constraints) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for claim in claims {
        match &claim.object {
            Object::Table(table) | Object::Column { table, .. } => {
                tables.insert(table.clone());
            }
            Object::Index { index, .. } => {
                indexes.insert(index.clone());
            }
            Object::Constraint { table, name } | Object::Validated { table, name } => {
                constraints.insert((table.clone(), name.clone()));
            }
        }
    }
    let failed = |e| query_failure(&e);
    let (tables, indexes, constraints) = (list(tables), list(indexes), list(constraints));
    let names: Vec<RelationName> = tables.iter().map(server_name).collect();
    let there = catalog::relations(session, &names).await.map_err(failed)?;
    let mut found = Found {
        tables: there
            .into_iter()
            .map(|(at, relation)| {
                let columns = relation.columns.into_iter().map(|column| column.name);
                (tables[at].clone(), columns.collect())
            })
            .collect(),
        ..Found::default()
    };
    let names: Vec<RelationName> = indexes.iter().map(server_name).collect();
    let there = catalog::indexes_named(session, &names)
        .await
        .map_err(failed)?;
    for (at, index) in there {
        // what cannot be read in time proves nothing, and that is all
        if let Ok(Some(definition)) = catalog::index_definition(session, &index).await {
            found.definitions.insert(indexes[at].clone(), definition);
        }
        found.indexes.insert(indexes[at].clone(), index);
    }
    let names: Vec<(RelationName, String)> = constraints
        .iter()
        .map(|(table, name)| (server_name(table), name.clone()))
        .collect();
    let there = catalog::constraints_named(session, &names)
        .await
        .map_err(failed)?;
    let there: BTreeMap<_, _> = there
        .into_iter()
        .map(|(at, constraint)| (constraints[at].clone(), constraint))
        .collect();
    found.constraints = there;
    Ok(found)
}

fn list<T>(set: BTreeSet<T>) -> Vec<T> {
    set.into_iter().collect()
}

/// A name without a schema is taken for one of `public`; the server finds it by its search path.
fn server_name(relation: &Relation) -> RelationName {
    RelationName {
        schema: Some(relation.schema())
            .filter(|schema| *schema != "public")
            .map(str::to_owned),
        name: relation.name().to_owned(),
    }
}

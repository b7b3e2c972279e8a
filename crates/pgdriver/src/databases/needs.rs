//! What a server has for a dump, and what this role may do with it.
//!
//! Absent: what to do about it.

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const NEEDS: Sql = sql!(
    "look for what the dump needs",
    "restore_needs.sql",
    TEXT_ARRAY,
    TEXT_ARRAY,
    TEXT_ARRAY,
    TEXT_ARRAY,
    BOOL
);

/// What a dump wants to find.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Roles that objects are given to.
    pub owners: Vec<&'a str>,
    /// Roles that are named otherwise.
    pub roles: Vec<&'a str>,
    /// Extensions that are made.
    pub extensions: Vec<&'a str>,
    /// Tablespaces.
    pub tablespaces: Vec<&'a str>,
    /// A database is made for it.
    pub database: bool,
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// `role`, `extension`, `tablespace`; `attribute` of this role
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub why: Why,
    /// An extension that the session's database has already.
    pub installed: bool,
}

/// What is wrong with a need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The server has none of that name.
    Missing,
    /// This role cannot act as that one, and so cannot give it anything.
    NotAMember,
    /// Only a superuser may make this extension.
    Superuser,
    /// This role may not make anything there.
    Privilege,
    /// This role may not make databases.
    NoCreatedb,
}

/// Everything that stands in the way, by kind and name.
pub async fn lacks(session: &Session, wanted: &Wanted<'_>) -> Result<Vec<Lack>, QueryError> {
    let Wanted {
        owners,
        roles,
        extensions,
        tablespaces,
        database,
    } = wanted;
    let rows = NEEDS
        .rows(session, &[owners, roles, extensions, tablespaces, database])
        .await?;
    let lacks = rows.iter().map(|row| {
        Ok(Lack {
            kind: row.get("kind")?,
            name: row.get("name")?,
            why: match row.get("lacks")? {
                "not-a-member" => Why::NotAMember,
                "superuser" => Why::Superuser,
                "privilege" => Why::Privilege,
                "no-createdb" => Why::NoCreatedb,
                _ => Why::Missing,
            },
            installed: row.get("installed")?,
        })
    });
    lacks.collect()
}

//! The role: what it is, what it may see, and the grants that would show or permit more.
//!
//! Absent: privileges on tables; those matter to one plan, not to the role ([`crate::tables::not_owned`]).

use postgres_protocol::escape::escape_identifier;

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Row, Sql, sql};

const ROLE: Sql = sql!("ask what the role may", "role.sql");

/// This session's role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleFacts {
    /// `current_user`
    pub name: String,
    /// `session_user`: the one that logged in.
    pub session_role: String,
    /// `SUPERUSER`, `CREATEDB`, `CREATEROLE`, `REPLICATION`, `BYPASSRLS`
    pub attributes: Vec<&'static str>,
    /// It is, or is a member of, the owner of the database.
    pub owns_database: bool,
    /// The predefined roles that it may use; all of them where it is a superuser.
    pub predefined: Vec<String>,
    /// Connections of the role that logged in, where those are limited.
    pub role_limit: Option<Limit>,
    /// Connections to the database, where those are limited.
    pub database_limit: Option<Limit>,
}

/// `CONNECTION LIMIT` of a role or a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many at a time.
    pub most: u32,
    /// So many now, ours among them.
    pub used: u32,
}

impl Limit {
    /// What is left.
    pub fn free(self) -> u32 {
        self.most.saturating_sub(self.used)
    }
}

/// A grant that the role does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// `pg_monitor`
    pub role: &'static str,
    /// What it would show or permit.
    pub gives: &'static str,
    /// `GRANT pg_monitor TO shop`
    pub statement: String,
}

const SESSIONS: &str =
    "state, age and query of other roles' sessions, the lag of replicas, what autovacuum does";
const FILES: &str = "the file and line in which a setting stands";
const SIGNAL: &str = "to cancel and terminate other roles' sessions, except superusers'";
const SIGNAL_AUTOVACUUM: &str = "to cancel an autovacuum worker";

impl RoleFacts {
    /// `SUPERUSER`
    pub fn is_superuser(&self) -> bool {
        self.attributes.contains(&"SUPERUSER")
    }

    /// It may use this predefined role.
    pub fn has(&self, predefined: &str) -> bool {
        self.is_superuser() || self.predefined.iter().any(|role| role == predefined)
    }

    /// What would show or permit more, on a server of this version (`150018`).
    pub fn missing_grants(&self, version_num: u32) -> Vec<Grant> {
        let mut missing = Vec::new();
        if !self.has("pg_read_all_stats") {
            missing.push(("pg_monitor", SESSIONS));
        } else if !self.has("pg_read_all_settings") {
            missing.push(("pg_read_all_settings", FILES));
        }
        if !self.has("pg_signal_backend") {
            missing.push(("pg_signal_backend", SIGNAL));
        }
        if version_num >= 180_000 && !self.has("pg_signal_autovacuum_worker") {
            missing.push(("pg_signal_autovacuum_worker", SIGNAL_AUTOVACUUM));
        }
        let to = identifier(&self.name);
        let grant = |(role, gives)| Grant {
            role,
            gives,
            statement: format!("GRANT {role} TO {to}"),
        };
        missing.into_iter().map(grant).collect()
    }
}

/// What the role is and may.
pub async fn role(session: &Session) -> Result<RoleFacts, QueryError> {
    let row = ROLE.row(session, &[]).await?;
    let attributes = [
        ("SUPERUSER", "is_superuser"),
        ("CREATEDB", "may_create_databases"),
        ("CREATEROLE", "may_create_roles"),
        ("REPLICATION", "may_replicate"),
        ("BYPASSRLS", "bypasses_row_security"),
    ];
    let mut has = Vec::new();
    for (attribute, column) in attributes {
        if row.get(column)? {
            has.push(attribute);
        }
    }
    let is_superuser = has.contains(&"SUPERUSER");
    Ok(RoleFacts {
        name: row.get("role")?,
        session_role: row.get("session_role")?,
        attributes: has,
        owns_database: row.get("owns_database")?,
        predefined: row.get("predefined_roles")?,
        role_limit: limit(&row, "session_role", is_superuser)?,
        database_limit: limit(&row, "database", is_superuser)?,
    })
}

/// Superusers are above both limits.
fn limit(row: &Row, whose: &str, is_superuser: bool) -> Result<Option<Limit>, QueryError> {
    let most: i32 = row.get(&format!("{whose}_limit"))?;
    let used: i32 = row.get(&format!("{whose}_connections"))?;
    let limited = !is_superuser && most >= 0;
    Ok(limited.then(|| Limit {
        most: most.unsigned_abs(),
        used: used.unsigned_abs(),
    }))
}

/// Quoted only where it must be.
fn identifier(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && name.chars().all(plain)
    {
        true => name.to_owned(),
        false => escape_identifier(name),
    }
}

#[cfg(test)]
mod tests {
    use super::RoleFacts;

    fn grants(name: &str, attributes: &[&'static str], has: &[&str], version: u32) -> Vec<String> {
        let role = RoleFacts {
            name: name.into(),
            session_role: name.into(),
            attributes: attributes.to_vec(),
            owns_database: false,
            predefined: has.iter().map(|role| (*role).to_owned()).collect(),
            role_limit: None,
            database_limit: None,
        };
        let missing = role.missing_grants(version);
        missing.into_iter().map(|grant| grant.statement).collect()
    }

    #[test]
    fn only_grants_that_this_version_has_and_the_role_has_not() {
        assert_eq!(
            grants("shop", &[], &[], 150_018),
            [
                "GRANT pg_monitor TO shop",
                "GRANT pg_signal_backend TO shop"
            ]
        );
        assert_eq!(
            grants(
                "Shop's",
                &[],
                &["pg_read_all_stats", "pg_signal_backend"],
                180_006
            ),
            [
                "GRANT pg_read_all_settings TO \"Shop's\"",
                "GRANT pg_signal_autovacuum_worker TO \"Shop's\""
            ]
        );
        assert!(grants("root", &["SUPERUSER"], &[], 180_006).is_empty());
    }
}

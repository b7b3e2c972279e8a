//! Databases as a whole: making, renaming and dropping them, what stands in the way, what a server has for a dump.
//!
//! Absent: what a database holds. Commands on databases run alone, outside of any transaction.

use postgres_protocol::escape::{escape_identifier, escape_literal};

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const MISSING: Sql = sql!(
    "look for what the dump needs",
    "restore_missing.sql",
    TEXT_ARRAY,
    TEXT_ARRAY,
    TEXT_ARRAY
);
const OBJECTS: Sql = sql!("see whether the database is empty", "restore_objects.sql");
const SESSIONS: Sql = sql!("list the database's sessions", "restore_sessions.sql", TEXT);
const END_SESSIONS: Sql = sql!(
    "end the database's sessions",
    "restore_end_sessions.sql",
    TEXT
);
const OWNER: Sql = sql!("ask for the database's owner", "restore_owner.sql", TEXT);
const SUBSCRIPTIONS: Sql = sql!("list the subscriptions", "restore_subscriptions.sql");

/// A database to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewDatabase<'a> {
    /// Its name.
    pub name: &'a str,
    /// None is the role that makes it.
    pub owner: Option<&'a str>,
    /// None is `template0`'s, as everything else here.
    pub encoding: Option<&'a str>,
    /// LC_COLLATE
    pub collate: Option<&'a str>,
    /// LC_CTYPE
    pub ctype: Option<&'a str>,
    /// `libc`, `icu` (both since 15) or `builtin` (since 17).
    pub provider: Option<&'a str>,
    /// ICU's or the builtin provider's.
    pub locale: Option<&'a str>,
    /// ICU_RULES
    pub icu_rules: Option<&'a str>,
}

/// Sessions of one user and program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// The role.
    pub user: String,
    /// application_name
    pub application: String,
    /// How many.
    pub sessions: u64,
}

/// What a database holds that its users made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objects {
    /// How many tables, views, sequences, functions, types, schemas and large objects.
    pub count: u64,
    /// `table public.a, table public.b`
    pub first: String,
}

/// Those of the names that the server has not, each as `role shop`.
pub async fn missing(
    session: &Session,
    roles: &[&str],
    extensions: &[&str],
    tablespaces: &[&str],
) -> Result<Vec<String>, QueryError> {
    let rows = MISSING
        .rows(session, &[&roles, &extensions, &tablespaces])
        .await?;
    let named = rows.iter().map(|row| {
        let (kind, name) = (row.get::<&str>("kind")?, row.get::<&str>("name")?);
        Ok(format!("{kind} {name}"))
    });
    named.collect()
}

/// What users have made in the session's database.
pub async fn objects(session: &Session) -> Result<Objects, QueryError> {
    let row = OBJECTS.row(session, &[]).await?;
    let count: i64 = row.get("objects")?;
    Ok(Objects {
        count: u64::try_from(count).unwrap_or(0),
        first: row.get("first")?,
    })
}

/// Who is connected to a database, this session left out.
pub async fn connected(session: &Session, name: &str) -> Result<Vec<Connected>, QueryError> {
    let rows = SESSIONS.rows(session, &[&name]).await?;
    let connected = rows.iter().map(|row| {
        let sessions: i64 = row.get("sessions")?;
        Ok(Connected {
            user: row.text("username")?.unwrap_or_default(),
            application: row.text("application")?.unwrap_or_default(),
            sessions: u64::try_from(sessions).unwrap_or(0),
        })
    });
    connected.collect()
}

/// Ends all sessions of a database.
pub async fn end_sessions(session: &Session, name: &str) -> Result<(), QueryError> {
    END_SESSIONS.row(session, &[&name]).await.map(drop)
}

/// Whose a database is; none where there is none. And the server's time in UTC, `20261123_083000`.
pub async fn owner_and_stamp(
    session: &Session,
    name: &str,
) -> Result<(Option<String>, String), QueryError> {
    let row = OWNER.row(session, &[&name]).await?;
    Ok((row.get("owner")?, row.get("stamp")?))
}

/// Makes a database from `template0`.
pub async fn create(session: &Session, new: &NewDatabase<'_>) -> Result<(), QueryError> {
    let mut sql = format!(
        "CREATE DATABASE {} TEMPLATE template0",
        escape_identifier(new.name)
    );
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            sql.push_str(&format!(" {name} {}", value.trim()));
        }
    };
    option("OWNER", new.owner.map(escape_identifier));
    option("ENCODING", new.encoding.map(escape_literal));
    option("LC_COLLATE", new.collate.map(escape_literal));
    option("LC_CTYPE", new.ctype.map(escape_literal));
    option("LOCALE_PROVIDER", new.provider.map(str::to_owned));
    let locale = match new.provider {
        Some("builtin") => "BUILTIN_LOCALE",
        _ => "ICU_LOCALE",
    };
    option(locale, new.locale.map(escape_literal));
    option("ICU_RULES", new.icu_rules.map(escape_literal));
    session.batch("make the database", &sql).await
}

/// Gives a database another name. Nobody may be connected to it.
pub async fn rename(session: &Session, from: &str, to: &str) -> Result<(), QueryError> {
    let sql = format!(
        "ALTER DATABASE {} RENAME TO {}",
        escape_identifier(from),
        escape_identifier(to)
    );
    session.batch("rename the database", &sql).await
}

/// Whether a database lets anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// It does.
    Open,
    /// Nobody new.
    Closed,
}

/// Opens or closes a database for new sessions.
pub async fn set_door(session: &Session, name: &str, door: Door) -> Result<(), QueryError> {
    let allowed = door == Door::Open;
    let sql = format!(
        "ALTER DATABASE {} ALLOW_CONNECTIONS {allowed}",
        escape_identifier(name)
    );
    session.batch("open or close the database", &sql).await
}

/// Drops a database and ends the sessions on it.
pub async fn drop_database(session: &Session, name: &str) -> Result<(), QueryError> {
    let sql = format!(
        "DROP DATABASE IF EXISTS {} WITH (FORCE)",
        escape_identifier(name)
    );
    session.batch("drop the database", &sql).await
}

/// Drops the subscriptions of the session's database, which would keep it from being dropped. Their slots, on another
/// server, are left alone.
pub async fn drop_subscriptions(session: &Session) -> Result<(), QueryError> {
    let what = "drop a subscription";
    for row in SUBSCRIPTIONS.rows(session, &[]).await? {
        let name = escape_identifier(row.get("name")?);
        for action in [
            "ALTER SUBSCRIPTION {} DISABLE",
            "ALTER SUBSCRIPTION {} SET (slot_name = NONE)",
            "DROP SUBSCRIPTION {}",
        ] {
            session.batch(what, &action.replace("{}", &name)).await?;
        }
    }
    Ok(())
}

/// What new sessions of a database begin with, for everybody or for one role.
pub async fn set_for_database(
    session: &Session,
    database: &str,
    role: Option<&str>,
    setting: (&str, &str),
) -> Result<(), QueryError> {
    let database = escape_identifier(database);
    let whose = match role {
        Some(role) => format!("ROLE {} IN DATABASE {database}", escape_identifier(role)),
        None => format!("DATABASE {database}"),
    };
    let (name, value) = setting;
    // a name with a dot is two words
    let quoted: Vec<_> = name.split('.').map(escape_identifier).collect();
    let value = match LISTS.contains(&name.to_ascii_lowercase().as_str()) {
        true => listed(value).join(", "),
        false => escape_literal(value).trim().to_owned(),
    };
    let sql = format!("ALTER {whose} SET {} TO {value}", quoted.join("."));
    session
        .batch("set what the database's sessions begin with", &sql)
        .await
}

/// Parameters whose value is a list of quoted names (GUC_LIST_QUOTE in guc_tables.c): one literal would be one name.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// `a, "B c"` as literals.
fn listed(value: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut characters = value.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let Some(name) = names.last_mut() else { break };
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(String::new()),
            ' ' if !quoted => {}
            other => name.push(other),
        }
    }
    let literal = |name: &String| escape_literal(name).trim().to_owned();
    names.iter().map(literal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_is_taken_apart() {
        assert_eq!(
            listed("shop, \"S 1\", public"),
            ["'shop'", "'S 1'", "'public'"]
        );
        assert_eq!(listed("\"a\"\"b,c\", \"$user\""), ["'a\"b,c'", "'$user'"]);
        assert_eq!(listed("\"\""), ["''"]);
        assert_eq!(listed("it's"), ["'it''s'"]);
    }
}

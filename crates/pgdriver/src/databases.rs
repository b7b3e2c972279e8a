//! Databases as a whole: making, renaming and dropping them, what stands in the way, what a server has for a dump.
//!
//! Absent: what a database holds. Commands on databases run alone, outside of any transaction.

mod needs;

use postgres_protocol::escape::{escape_identifier, escape_literal};

pub use needs::{Lack, Wanted, Why, lacks};

use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const STANDING: Sql = sql!(
    "look at the database of that name",
    "restore_standing.sql",
    TEXT,
    TEXT
);
const SETTINGS_OF: Sql = sql!(
    "read the database's settings",
    "restore_settings_of.sql",
    TEXT
);
const ANALYZED: Sql = sql!("list the tables to analyze", "restore_analyzed.sql");
const OBJECTS: Sql = sql!("see whether the database is empty", "restore_objects.sql");
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

/// A database that stands under a name, and what is left of loads into others of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// This role may rename and drop it.
    pub mine: bool,
    /// Others are made from it.
    pub template: bool,
    /// Databases whose name begins as those of unfinished loads do.
    pub unfinished: Vec<String>,
}

/// What a database holds that its users made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objects {
    /// How many tables, views, sequences, functions, types, schemas and large objects.
    pub count: u64,
    /// `table public.a, table public.b`
    pub first: String,
}

/// What stands under a name; `unfinished` is what names of unfinished loads begin with.
pub async fn standing(
    session: &Session,
    name: &str,
    unfinished: &str,
) -> Result<Standing, QueryError> {
    let row = STANDING.row(session, &[&name, &unfinished]).await?;
    Ok(Standing {
        mine: row.get("mine")?,
        template: row.get("template")?,
        unfinished: row.get("unfinished")?,
    })
}

/// What sessions of a database begin with: for whom, the name, the value.
pub async fn settings_of(
    session: &Session,
    database: &str,
) -> Result<Vec<(Option<String>, String, String)>, QueryError> {
    let rows = SETTINGS_OF.rows(session, &[&database]).await?;
    let settings = rows
        .iter()
        .map(|row| Ok((row.get("role")?, row.get("name")?, row.get("value")?)));
    settings.collect()
}

/// What is to be analyzed in the session's database, quoted, the largest first.
pub async fn to_analyze(session: &Session) -> Result<Vec<String>, QueryError> {
    let rows = ANALYZED.rows(session, &[]).await?;
    rows.iter().map(|row| row.get("name")).collect()
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

//! The server that restores go to: a database to work from, and what stands under the name that is wanted.
//!
//! Absent here: whether a database is empty; `dumper` looks at that before it loads.

use pgdriver::renaming::{self, Clients};
use pgdriver::{ConnectErrorKind, ConnectOptions, Session};

use crate::database::{connect_failure, query_failure};
use crate::failure::Failure;

/// Databases that servers have by themselves: to work from where the login's own is not there, or is to be replaced.
const ALWAYS_THERE: [&str; 2] = ["postgres", "template1"];

/// What stands under a name.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// The login, with a database to work from that is not the one that is wanted.
    pub(crate) connection: ConnectOptions,
    pub(crate) stands: Stands,
}

#[derive(Debug, Clone)]
pub(crate) enum Stands {
    Nothing,
    Database {
        /// Who is on it.
        clients: Vec<Clients>,
        bytes: Option<u64>,
    },
}

impl Standing {
    pub(crate) async fn of(login: &ConnectOptions, name: &str) -> Result<Self, Failure> {
        let (connection, session) = beside(login, name).await?;
        let exists = pgdriver::tables::database_exists(&session, name).await;
        let stands = if exists.map_err(|e| query_failure(&e))? {
            let clients = renaming::clients(&session, name).await;
            Stands::Database {
                clients: clients.map_err(|e| query_failure(&e))?,
                // but a word in a question
                bytes: pgdriver::tables::database_bytes(&session, name)
                    .await
                    .unwrap_or_default(),
            }
        } else {
            Stands::Nothing
        };
        session.close().await;
        Ok(Self { connection, stands })
    }
}

/// A session on another database than `name`: the login's own, else one that every server has.
async fn beside(login: &ConnectOptions, name: &str) -> Result<(ConnectOptions, Session), Failure> {
    let mut first = None;
    for database in candidates(login.database(), name) {
        let options = login.clone().with_database(database);
        match Box::pin(pgdriver::connect_observer(&options)).await {
            Ok(session) => return Ok((options, session)),
            Err(error) => {
                let elsewhere = matches!(
                    error.kind(),
                    ConnectErrorKind::NoSuchDatabase
                        | ConnectErrorKind::NoConnectPrivilege
                        | ConnectErrorKind::DatabaseClosed
                        | ConnectErrorKind::NoHbaEntry
                );
                let failure = connect_failure(&error);
                if !elsewhere {
                    return Err(failure);
                }
                first.get_or_insert(failure);
            }
        }
    }
    Err(first.unwrap_or_else(|| {
        Failure::new(
            crate::exit::Class::DatabaseMissing,
            "no database to work from",
        )
    })
    .hint(format!(
        "databases are made and renamed from another one: name one that this role may connect to, with --dsn; \
         tried: {}",
        candidates(login.database(), name).collect::<Vec<_>>().join(", ")
    )))
}

fn candidates<'a>(own: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let others = ALWAYS_THERE.into_iter().filter(move |other| *other != own);
    std::iter::once(own)
        .chain(others)
        .filter(move |d| *d != name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(own: &str, name: &str, expected: &[&str]) {
        assert_eq!(candidates(own, name).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_database_is_never_worked_on_from_itself() {
        check("shop", "shop", &["postgres", "template1"]);
        check("shop", "shop_new", &["shop", "postgres", "template1"]);
        check("postgres", "shop", &["postgres", "template1"]);
        check("postgres", "postgres", &["template1"]);
    }
}

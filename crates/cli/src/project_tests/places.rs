//! The databases that the tests would create and delete: one for every PostgreSQL alias that is no mirror, each on
//! its own server.
//!
//! Absent here: what follows from a database that is there already.

use std::fmt;

use pgdriver::{ConnectErrorKind, ConnectOptions, Environment, Host, Session};

use crate::database::{self, Reach};
use crate::django::ProjectFacts;
use crate::django::wire::Database;
use crate::event::TestDatabase;

/// One database of the tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) alias: String,
    /// `db1:5432`
    pub(crate) server: String,
    pub(crate) database: String,
    pub(crate) state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// The tests will make it.
    Free,
    /// The tests would delete it.
    Exists,
    /// Nobody knows, and why.
    Unknown(String),
}

impl Place {
    pub(crate) fn event(&self) -> TestDatabase {
        TestDatabase {
            alias: self.alias.clone(),
            server: self.server.clone(),
            database: self.database.clone(),
        }
    }
}

/// `test_shop on db1:5432`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.database, self.server)
    }
}

/// Asks every server.
pub(crate) async fn places(facts: &ProjectFacts, reach: &Reach) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for database in facts.databases.iter().filter(|d| gets_a_database(d)) {
        let place = place(database, reach).await;
        let known = |p: &Place| (&p.server, &p.database) == (&place.server, &place.database);
        if !places.iter().any(known) {
            places.push(place);
        }
    }
    places
}

/// An alias whose backend could not be loaded has no vendor to go by.
fn gets_a_database(database: &Database) -> bool {
    let postgresql = database.vendor == "postgresql" || database.engine.contains("postgres");
    postgresql && database.test.mirror.is_none()
}

async fn place(database: &Database, reach: &Reach) -> Place {
    let place = |server: String, state: State| Place {
        alias: database.alias.clone(),
        server,
        database: database.test.name.clone(),
        state,
    };
    if database.selected {
        let state = match reach.observer().await {
            Ok(session) => look(&session, &database.test.name).await,
            Err(failure) => State::Unknown(failure.message),
        };
        return place(hosts(reach.options()), state);
    }
    match options(database) {
        Ok(options) => place(
            hosts(&options),
            reached(&options, &database.test.name).await,
        ),
        Err(e) => place(
            "a server that its settings do not name".to_owned(),
            State::Unknown(e),
        ),
    }
}

/// What the settings say, and for the rest libpq's ways: of the aliases that nobody opened that is all there is.
fn options(database: &Database) -> Result<ConnectOptions, String> {
    if database.test.name.is_empty() {
        return Err("its backend cannot be loaded".to_owned());
    }
    let mut keywords = database.parameters.clone();
    if let Some(password) = &database.password {
        keywords.insert("password".to_owned(), password.expose().to_owned());
    }
    ConnectOptions::resolve(&keywords, &Environment::of_process()).map_err(|e| e.to_string())
}

/// Through the alias's own database or, as Django does, through `postgres` where that is not there.
async fn reached(options: &ConnectOptions, name: &str) -> State {
    let options = options.clone().with_application_name("django-migrate");
    let session = match Box::pin(pgdriver::connect_observer(&options)).await {
        Err(e) if e.kind() == ConnectErrorKind::NoSuchDatabase => {
            Box::pin(pgdriver::connect_observer(
                &options.with_database("postgres"),
            ))
            .await
        }
        other => other,
    };
    match session {
        Ok(session) => {
            let state = look(&session, name).await;
            session.close().await;
            state
        }
        Err(e) => State::Unknown(database::connect_failure(&e).message),
    }
}

async fn look(session: &Session, name: &str) -> State {
    match database::exists(session, name).await {
        Ok(false) if !name.is_empty() => State::Free,
        Ok(true) => State::Exists,
        Ok(false) => State::Unknown("Django gives it no name".to_owned()),
        Err(failure) => State::Unknown(failure.message),
    }
}

fn hosts(options: &ConnectOptions) -> String {
    let hosts: Vec<String> = options.hosts().iter().map(Host::describe).collect();
    hosts.join(",")
}

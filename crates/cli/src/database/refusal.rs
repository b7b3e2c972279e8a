//! Why Django was refused, where its words do not tell.
//!
//! libpq keeps the SQLSTATE of a failed connection to itself, so the driver's error has only words, and a server's words
//! may be of any language. Our own try at the same place hears the SQLSTATE.
//!
//! Absent: what the refusal means; that is [`crate::gates`]'.

use std::time::Duration;

use pgdriver::{ConnectErrorKind, ConnectOptions, Environment, Secret};

use crate::django::ProjectFacts;
use crate::django::wire::{Database, ProblemClass};

/// The server has just answered; it answers again soon or not at all.
const LIMIT: Duration = Duration::from_secs(5);

/// Puts the SQLSTATE beside words that nothing is known of. One more connection, and only then.
pub(crate) async fn name_refusal(facts: &mut ProjectFacts) {
    let Some(options) = facts.database().and_then(options) else {
        return;
    };
    for problem in &mut facts.problems {
        let Some(exception) = &mut problem.exception else {
            continue;
        };
        let unknown = problem.class == ProblemClass::ConnectFailed
            && exception.sqlstate.is_none()
            && pgdriver::classify_server_message(None, &problem.message) == ConnectErrorKind::Other;
        if unknown && let Err(error) = pgdriver::connect(&options).await {
            exception.sqlstate = error.sqlstate().map(str::to_owned);
        }
    }
}

/// As Django gives them to its driver, which resolves the rest in this environment.
fn options(database: &Database) -> Option<ConnectOptions> {
    let mut keywords = database.parameters.clone();
    if let Some(password) = database.password.as_ref().map(Secret::expose) {
        keywords.insert("password".to_owned(), password.to_owned());
    }
    let options = ConnectOptions::resolve(&keywords, &Environment::of_process()).ok()?;
    Some(options.with_connect_timeout(LIMIT))
}

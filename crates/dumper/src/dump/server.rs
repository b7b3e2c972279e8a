//! The one server that a dump is of, where the connection leaves a choice.
//!
//! A snapshot is known to the server that exported it alone. Several hosts, or several addresses of one name, may lead
//! pg_dump elsewhere than the session that holds the snapshot: libpq chooses again for each connection, and one host's
//! password may not be the next one's.
//!
//! Absent: a choice of ours. It is libpq's, made once.

use pgdriver::{Secret, Session};

use crate::password::Password;
use crate::request::DumpRequest;

/// What says where to connect.
const PLACE: &[&str] = &["PGHOST", "PGHOSTADDR", "PGPORT"];
/// What chooses among several.
const CHOICE: &[&str] = &["PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS"];

/// The same request, of the server that this session is on.
pub(super) fn of(request: &DumpRequest, session: &Session) -> DumpRequest {
    let mut there = request.clone();
    there.connection = request.connection.clone().at_server_of(session);
    let place = place_of(&there.connection.libpq_environment());
    // a caller who leads pg_dump elsewhere than our own sessions has a reason
    if place_of(&request.environment) != place_of(&request.connection.libpq_environment()) {
        return there;
    }
    let chosen = |name: &str| PLACE.contains(&name) || CHOICE.contains(&name);
    there.environment.retain(|(name, _)| !chosen(name));
    there.environment.extend(place);
    // the first host's password, where that was meant
    let first = request.connection.password().map(Secret::expose);
    if request.password.as_ref().map(Password::expose) == first {
        let password = there.connection.password();
        there.password = password.map(|it| Password::new(it.expose()));
    }
    there
}

fn place_of(environment: &[(String, String)]) -> Vec<(String, String)> {
    let mut place: Vec<_> = environment
        .iter()
        .filter(|(name, _)| PLACE.contains(&name.as_str()))
        .cloned()
        .collect();
    place.sort();
    place
}

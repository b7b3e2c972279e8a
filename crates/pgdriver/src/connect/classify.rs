//! From what a server, a pooler or libpq said to a [`ConnectErrorKind`].
//!
//! Absent: I/O. Also used for texts of psycopg, which has no SQLSTATE for a failed connection.

use super::ConnectErrorKind as Kind;

/// Sorts a failure to connect by its SQLSTATE, else by its text: PostgreSQL's, PgBouncer's, or libpq's
/// (`connection to server at "x", port 5432 failed: Connection refused`).
pub fn classify_server_message(sqlstate: Option<&str>, message: &str) -> Kind {
    sqlstate
        .and_then(|sqlstate| by_sqlstate(sqlstate, message))
        .unwrap_or_else(|| by_text(message))
}

fn by_sqlstate(sqlstate: &str, message: &str) -> Option<Kind> {
    Some(match sqlstate {
        // of what `options` sets: undefined_object, invalid_parameter_value
        "42704" | "22023" => Kind::BadOptions,
        "28P01" => Kind::WrongPassword,
        "28000" => match by_text(message) {
            Kind::Other => Kind::LoginRefused,
            kind => kind,
        },
        "3D000" => Kind::NoSuchDatabase,
        // object_not_in_prerequisite_state: ALLOW_CONNECTIONS false
        "55000" => Kind::DatabaseClosed,
        "53300" => Kind::TooManyConnections,
        "57P03" => match by_text(message) {
            Kind::ServerStopping => Kind::ServerStopping,
            _ => Kind::ServerStarting,
        },
        "57P01" | "57P02" => Kind::ServerStopping,
        "42501" => Kind::NoConnectPrivilege,
        _ => return None,
    })
}

/// The most telling of several tries first (`::1` refused, `127.0.0.1` wrong password; without TLS no pg_hba entry, with
/// TLS a certificate that is not trusted): who got further knows more.
const TELLING: [Kind; 20] = [
    Kind::NoSuchDatabase,
    Kind::DatabaseClosed,
    Kind::NoSuchRole,
    Kind::WrongPassword,
    Kind::NoConnectPrivilege,
    Kind::TooManyConnections,
    Kind::ServerStarting,
    Kind::ServerStopping,
    Kind::LoginRefused,
    Kind::TlsNotVerified,
    Kind::BadOptions,
    Kind::NoHbaEntry,
    Kind::NotPostgres,
    Kind::TlsRefused,
    Kind::WrongSessionAttrs,
    Kind::NoSuchHost,
    Kind::Timeout,
    Kind::Unreachable,
    Kind::Refused,
    Kind::Other,
];

/// Lower is more telling.
pub(super) fn rank(kind: Kind) -> usize {
    let at = TELLING.iter().position(|other| *other == kind);
    at.unwrap_or(TELLING.len())
}

/// What a text means that holds this fragment. libpq joins several tries into one text: the most telling one counts.
const TEXTS: &[(&str, Kind)] = &[
    // "no pg_hba.conf entry for", "pg_hba.conf rejects", and the same in every language
    ("pg_hba.conf", Kind::NoHbaEntry),
    ("password authentication failed", Kind::WrongPassword),
    ("no password supplied", Kind::WrongPassword),
    ("password missing", Kind::WrongPassword),
    ("empty password returned by client", Kind::WrongPassword),
    ("sasl authentication failed", Kind::WrongPassword),
    ("is not permitted to log in", Kind::LoginRefused),
    ("authentication failed", Kind::LoginRefused),
    ("requires a valid client certificate", Kind::LoginRefused),
    ("channel binding required", Kind::LoginRefused),
    ("channel binding is required", Kind::LoginRefused),
    ("authentication method requirement", Kind::LoginRefused),
    ("permission denied for database", Kind::NoConnectPrivilege),
    (
        "user does not have connect privilege",
        Kind::NoConnectPrivilege,
    ),
    (
        "is not currently accepting connections",
        Kind::DatabaseClosed,
    ),
    ("too many connections", Kind::TooManyConnections),
    ("too many clients", Kind::TooManyConnections),
    (
        "remaining connection slots are reserved",
        Kind::TooManyConnections,
    ),
    // PgBouncer's words: for its own limit, for a pool whose places are all taken, and for a login that waits for one
    ("no more connections allowed", Kind::TooManyConnections),
    ("query_wait_timeout", Kind::TooManyConnections),
    ("client_login_timeout", Kind::TooManyConnections),
    // and for a server behind it that it does not reach
    ("cannot connect to server", Kind::NotPostgres),
    ("server login has been failing", Kind::NotPostgres),
    ("is starting up", Kind::ServerStarting),
    ("not yet accepting connections", Kind::ServerStarting),
    ("is not accepting connections", Kind::ServerStarting),
    ("in recovery mode", Kind::ServerStarting),
    ("is shutting down", Kind::ServerStopping),
    (
        "terminating connection due to administrator command",
        Kind::ServerStopping,
    ),
    ("certificate verify failed", Kind::TlsNotVerified),
    // OpenSSL's words for an authority of the right name with another key
    ("provider signature failure", Kind::TlsNotVerified),
    ("does not match host name", Kind::TlsNotVerified),
    ("root certificate file", Kind::TlsNotVerified),
    // libpq's words for keywords that it cannot follow
    (" value: \"", Kind::BadOptions),
    ("weak sslmode", Kind::BadOptions),
    ("invalid ssl protocol version range", Kind::BadOptions),
    ("invalid connection option", Kind::BadOptions),
    ("definition of service", Kind::BadOptions),
    ("syntax error in service file", Kind::BadOptions),
    ("invalid uri query parameter", Kind::BadOptions),
    ("unrecognized configuration parameter", Kind::BadOptions),
    ("invalid value for parameter", Kind::BadOptions),
    ("private key file", Kind::BadOptions),
    ("could not read certificate file", Kind::BadOptions),
    ("could not open certificate file", Kind::BadOptions),
    ("server does not support ssl", Kind::TlsRefused),
    ("server does not support tls", Kind::TlsRefused),
    ("ssl error", Kind::TlsRefused),
    ("ssl connection is required", Kind::TlsRefused),
    ("did not request an ssl certificate", Kind::TlsRefused),
    ("without a valid ssl certificate", Kind::TlsRefused),
    ("could not translate host name", Kind::NoSuchHost),
    ("name or service not known", Kind::NoSuchHost),
    ("temporary failure in name resolution", Kind::NoSuchHost),
    ("no address associated with hostname", Kind::NoSuchHost),
    ("nodename nor servname provided", Kind::NoSuchHost),
    ("no such user", Kind::NoSuchRole),
    ("no such database", Kind::NoSuchDatabase),
    ("connection refused", Kind::Refused),
    (
        "is the server running locally and accepting connections on that socket",
        Kind::Refused,
    ),
    ("no such file or directory", Kind::Refused),
    ("timeout expired", Kind::Timeout),
    ("timed out", Kind::Timeout),
    ("no route to host", Kind::Unreachable),
    ("network is unreachable", Kind::Unreachable),
    (
        "received invalid response to ssl negotiation",
        Kind::NotPostgres,
    ),
    (
        "expected authentication request from server",
        Kind::NotPostgres,
    ),
    (
        "server closed the connection unexpectedly",
        Kind::NotPostgres,
    ),
    ("bytes remaining on stream", Kind::NotPostgres),
    ("session is read-only", Kind::WrongSessionAttrs),
    ("session is not read-only", Kind::WrongSessionAttrs),
    ("server is in hot standby mode", Kind::WrongSessionAttrs),
    ("server is not in hot standby mode", Kind::WrongSessionAttrs),
];

fn by_text(message: &str) -> Kind {
    let message = message.to_lowercase();
    if message.contains(" does not exist") {
        if message.contains("database \"") {
            return Kind::NoSuchDatabase;
        }
        if message.contains("role \"") || message.contains("user \"") {
            return Kind::NoSuchRole;
        }
    }
    let found = TEXTS.iter().filter(|(text, _)| message.contains(text));
    let kinds = found.map(|(_, kind)| *kind);
    kinds.min_by_key(|kind| rank(*kind)).unwrap_or(Kind::Other)
}

#[cfg(test)]
mod tests {
    use super::{Kind, classify_server_message};

    #[track_caller]
    fn check(sqlstate: Option<&str>, message: &str, expected: Kind) {
        assert_eq!(
            classify_server_message(sqlstate, message),
            expected,
            "{message}"
        );
    }

    #[test]
    fn servers_with_a_sqlstate() {
        check(Some("28P01"), "mot de passe", Kind::WrongPassword);
        check(
            Some("3D000"),
            "Datenbank »x« existiert nicht",
            Kind::NoSuchDatabase,
        );
        check(Some("28000"), "role \"x\" does not exist", Kind::NoSuchRole);
        check(
            Some("28000"),
            "no pg_hba.conf entry for host \"::1\", user \"x\"",
            Kind::NoHbaEntry,
        );
        check(
            Some("28000"),
            "Peer authentication failed for user \"x\"",
            Kind::LoginRefused,
        );
        check(Some("28000"), "rolle", Kind::LoginRefused);
        check(
            Some("28000"),
            "kein pg_hba.conf-Eintrag für Host »::1«",
            Kind::NoHbaEntry,
        );
        check(
            Some("53300"),
            "sorry, too many clients already",
            Kind::TooManyConnections,
        );
        check(
            Some("57P03"),
            "the database system is starting up",
            Kind::ServerStarting,
        );
        check(
            Some("57P03"),
            "the database system is shutting down",
            Kind::ServerStopping,
        );
        check(
            Some("42501"),
            "permission denied for database \"x\"",
            Kind::NoConnectPrivilege,
        );
        check(Some("08P01"), "no such user", Kind::NoSuchRole);
        for text in [
            "no more connections allowed (max_client_conn)",
            "query_wait_timeout",
            "client_login_timeout",
        ] {
            check(Some("08P01"), text, Kind::TooManyConnections);
        }
        check(
            Some("08P01"),
            "server login has been failing, try again later (server_login_retry)",
            Kind::NotPostgres,
        );
    }

    #[test]
    fn libpq_texts() {
        let at = "connection to server at \"db1\" (10.0.0.1), port 5432 failed: ";
        for (text, expected) in [
            (
                "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
                Kind::Refused,
            ),
            (
                "FATAL:  password authentication failed for user \"x\"",
                Kind::WrongPassword,
            ),
            ("fe_sendauth: no password supplied", Kind::WrongPassword),
            (
                "FATAL:  database \"x\" does not exist",
                Kind::NoSuchDatabase,
            ),
            ("FATAL:  role \"x\" does not exist", Kind::NoSuchRole),
            (
                "FATAL:  Peer authentication failed for user \"x\"",
                Kind::LoginRefused,
            ),
            (
                "FATAL:  role \"x\" is not permitted to log in",
                Kind::LoginRefused,
            ),
            ("timeout expired", Kind::Timeout),
            ("Connection timed out", Kind::Timeout),
            ("SSL error: certificate verify failed", Kind::TlsNotVerified),
            (
                "server certificate for \"a\" does not match host name \"b\"",
                Kind::TlsNotVerified,
            ),
            (
                "server does not support SSL, but SSL was required",
                Kind::TlsRefused,
            ),
            (
                "FATAL:  the database system is starting up",
                Kind::ServerStarting,
            ),
            ("session is read-only", Kind::WrongSessionAttrs),
            ("something new", Kind::Other),
        ] {
            check(None, &format!("{at}{text}"), expected);
        }
        check(
            None,
            "could not translate host name \"x\" to address: Name or service not known",
            Kind::NoSuchHost,
        );
        check(
            None,
            "[Errno -2] Name or service not known",
            Kind::NoSuchHost,
        );
        check(
            None,
            "connection to server on socket \"/tmp/.s.PGSQL.5432\" failed: No such file or directory\n\tIs the \
             server running locally and accepting connections on that socket?",
            Kind::Refused,
        );
    }

    #[test]
    fn what_a_server_said_counts_more_than_a_refusal_before_it() {
        check(
            None,
            "connection to server at \"localhost\" (::1), port 5432 failed: Connection refused\nconnection to server \
             at \"localhost\" (127.0.0.1), port 5432 failed: FATAL:  password authentication failed for user \"x\"",
            Kind::WrongPassword,
        );
    }
}

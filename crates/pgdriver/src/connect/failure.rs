//! What the driver reports → [`ConnectError`].
//!
//! tokio-postgres hides the kind of its errors; what is left is the cause, and its own fixed sentences.

use std::error::Error as _;
use std::io;

use super::classify::classify_server_message;
use super::{ConnectError, ConnectErrorKind as Kind};
use crate::options::ConnectOptions;
use crate::query_error::{QueryError, sentence};
use crate::tls::TlsError;

pub(super) fn timeout(options: &ConnectOptions) -> ConnectError {
    let message = match options.connect_timeout {
        Some(limit) => format!("no answer within {} s", limit.as_secs_f64()),
        None => "no answer".to_owned(),
    };
    ConnectError::new(Kind::Timeout, &options.describe(), message)
}

pub(super) fn from_tls(options: &ConnectOptions, error: &TlsError) -> ConnectError {
    let message = error.to_string();
    let kind = match classify_server_message(None, &message) {
        Kind::Other => Kind::BadOptions,
        kind => kind,
    };
    ConnectError::new(kind, &options.describe(), message)
}

pub(super) fn from_query(options: &ConnectOptions, error: &QueryError) -> ConnectError {
    let kind = match error.is_connection_lost() {
        true => Kind::NotPostgres,
        false => classify_server_message(error.sqlstate(), &error.to_string()),
    };
    ConnectError::new(kind, &options.describe(), error.to_string())
}

pub(super) fn from_driver(options: &ConnectOptions, error: &tokio_postgres::Error) -> ConnectError {
    let target = options.describe();
    if let Some(answer) = error.as_db_error() {
        let sqlstate = answer.code().code();
        let kind = classify_server_message(Some(sqlstate), answer.message());
        return ConnectError::new(kind, &target, sentence(error)).with_sqlstate(sqlstate);
    }
    if let Some(cause) = find_cause::<rustls::Error>(error) {
        return ConnectError::new(tls_kind(cause), &target, format!("TLS: {cause}"));
    }
    let kind = match find_cause::<io::Error>(error).map(io_kind) {
        Some(Kind::Other) | None => by_sentence(&sentence(error)),
        Some(kind) => kind,
    };
    let message = match kind {
        Kind::NotPostgres => format!(
            "what answers does not speak PostgreSQL's protocol ({})",
            sentence(error)
        ),
        _ => sentence(error),
    };
    ConnectError::new(kind, &target, message)
}

/// `allow` and `prefer` try the other way after this (libpq: any refusal during TLS or login).
pub(super) fn other_encryption_may_help(error: &ConnectError) -> bool {
    match error.sqlstate() {
        Some(sqlstate) => sqlstate.starts_with("28"),
        None => matches!(
            error.kind(),
            Kind::TlsRefused | Kind::TlsNotVerified | Kind::NotPostgres | Kind::BadOptions
        ),
    }
}

fn tls_kind(cause: &rustls::Error) -> Kind {
    match cause {
        rustls::Error::InvalidCertificate(_) => Kind::TlsNotVerified,
        _ => Kind::TlsRefused,
    }
}

fn io_kind(cause: &io::Error) -> Kind {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Kind::Refused,
        io::ErrorKind::TimedOut => Kind::Timeout,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Kind::Unreachable,
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput => Kind::NotPostgres,
        _ => Kind::Other,
    }
}

fn by_sentence(sentence: &str) -> Kind {
    match classify_server_message(None, sentence) {
        Kind::Other if sentence.starts_with("error performing TLS handshake") => Kind::TlsRefused,
        Kind::Other
            if sentence.starts_with("unexpected message")
                || sentence.starts_with("error parsing response")
                || sentence.starts_with("connection closed") =>
        {
            Kind::NotPostgres
        }
        Kind::Other if sentence.starts_with("authentication error") => Kind::LoginRefused,
        kind => kind,
    }
}

/// A cause anywhere in the chain; an [`io::Error`] may hide one that its `source()` does not show.
fn find_cause<T: std::error::Error + 'static>(error: &tokio_postgres::Error) -> Option<&T> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(found) = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<T>())
        {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

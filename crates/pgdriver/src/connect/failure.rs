//! What the driver reports → [`ConnectError`].
//!
//! tokio-postgres hides the kind of its errors; what is left is the cause, and its own fixed sentences.

use std::error::Error as _;
use std::io;

use super::classify::classify_server_message;
use super::error::Fallback;
use super::{ConnectError, ConnectErrorKind as Kind};
use crate::options::{ChannelBinding, ConnectOptions};
use crate::query_error::{QueryError, sentence};
use crate::tls::{Attempt, TlsError};

pub(super) fn timeout(options: &ConnectOptions) -> ConnectError {
    let message = match options.connect_timeout {
        Some(limit) => format!("no answer within {} s", limit.as_secs_f64()),
        None => "no answer".to_owned(),
    };
    ConnectError::new(Kind::Timeout, &options.describe(), message)
}

/// `sslcertmode=require`, in libpq's words. The login is done: nothing else is tried.
pub(super) fn from_certificate_mode(options: &ConnectOptions, complaint: &str) -> ConnectError {
    ConnectError::new(Kind::TlsRefused, &options.describe(), complaint)
}

pub(super) fn from_query(options: &ConnectOptions, error: &QueryError) -> ConnectError {
    // a pooler says why before it hangs up
    let kind = match classify_server_message(error.sqlstate(), &error.to_string()) {
        Kind::Other if error.is_connection_lost() => Kind::NotPostgres,
        kind => kind,
    };
    ConnectError::new(kind, &options.describe(), error.to_string())
}

pub(super) fn from_driver(
    options: &ConnectOptions,
    attempt: Attempt,
    error: &tokio_postgres::Error,
) -> ConnectError {
    let target = options.describe();
    if let Some(answer) = error.as_db_error() {
        let sqlstate = answer.code().code();
        let kind = classify_server_message(Some(sqlstate), answer.message());
        return ConnectError::new(kind, &target, sentence(error))
            .with_sqlstate(sqlstate)
            .with_fallback(after_answer(sqlstate));
    }
    // a server that refuses our certificate says so after the handshake: libpq does not go on without TLS then
    if !error.to_string().starts_with(HANDSHAKE) {
        let (kind, message) = outside_handshake(options, attempt, error);
        return ConnectError::new(kind, &target, message);
    }
    let (kind, message) = in_handshake(error);
    ConnectError::new(kind, &target, message).with_fallback(Fallback::OtherEncryption)
}

/// tokio-postgres's sentence, before the cause.
const HANDSHAKE: &str = "error performing TLS handshake";

/// The server said that it has no TLS.
pub(super) fn is_without_tls(error: &ConnectError) -> bool {
    error.kind() == Kind::TlsRefused && error.message().ends_with("server does not support TLS")
}

/// libpq: any refusal before the login is done. Afterwards nothing says that it was one, but for its class: invalid
/// authorization, and PgBouncer's only one.
fn after_answer(sqlstate: &str) -> Fallback {
    match sqlstate.get(..2) {
        Some("28" | "08") => Fallback::OtherEncryption,
        _ => Fallback::None,
    }
}

fn in_handshake(error: &tokio_postgres::Error) -> (Kind, String) {
    if let Some(cause) = find_cause::<TlsError>(error) {
        let message = cause.to_string();
        let kind = match classify_server_message(None, &message) {
            Kind::Other => Kind::BadOptions,
            kind => kind,
        };
        return (kind, message);
    }
    match find_cause::<rustls::Error>(error) {
        Some(cause) => (tls_kind(cause), format!("TLS: {cause}")),
        None => (Kind::TlsRefused, sentence(error)),
    }
}

fn outside_handshake(
    options: &ConnectOptions,
    attempt: Attempt,
    error: &tokio_postgres::Error,
) -> (Kind, String) {
    if let Some(cause) = find_cause::<rustls::Error>(error) {
        return (tls_kind(cause), format!("TLS: {cause}"));
    }
    let sentence = sentence(error);
    let without_tls =
        attempt == Attempt::Plain && options.channel_binding == ChannelBinding::Require;
    let kind = match find_cause::<io::Error>(error).map(io_kind) {
        // asked for a password first; with one it would not get in either
        Some(Kind::Other) | None if without_tls => Kind::LoginRefused,
        Some(Kind::Other) | None => by_sentence(&sentence),
        Some(kind) => kind,
    };
    let message = match kind {
        Kind::NotPostgres => {
            format!("what answers does not speak PostgreSQL's protocol ({sentence})")
        }
        Kind::LoginRefused if without_tls => {
            "channel binding required, but SSL not in use".to_owned()
        }
        _ => sentence,
    };
    (kind, message)
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
        | io::ErrorKind::InvalidData => Kind::NotPostgres,
        // InvalidInput: the path of a socket that is too long, which the error says
        _ => Kind::Other,
    }
}

fn by_sentence(sentence: &str) -> Kind {
    match classify_server_message(None, sentence) {
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

//! Opening a session: hosts, addresses and TLS attempts in libpq's order (`PQconnectPoll` in `fe-connect.c`).
//!
//! Absent: retries over time; a caller that wants to wait for a server asks again.

mod classify;
mod config;
mod error;
mod failure;
mod key_pid;
mod observers;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub use classify::classify_server_message;
use classify::rank;
use error::Fallback;
pub use error::{ConnectError, ConnectErrorKind};
pub use observers::{ObserverPool, PooledObserver};

use crate::options::{ClientCertificate, ConnectOptions, Host, Place, SessionAttrs};
use crate::session::{Cancel, Opened, Session};
use crate::tls::{self, Attempt};

/// Opens a session. Each address has [`ConnectOptions::connect_timeout`] for everything up to a usable session.
pub async fn connect(options: &ConnectOptions) -> Result<Session, ConnectError> {
    match options.session_attrs {
        // a second pass over all hosts, whatever kept the first from each of them
        SessionAttrs::PreferStandby => match connect_as(options, SessionAttrs::Standby).await {
            Err(error) if !error.is_final() => connect_as(options, SessionAttrs::Any).await,
            result => result,
        },
        wanted => connect_as(options, wanted).await,
    }
}

/// Opens a session that only looks: read-only, and it gives up soon rather than wait in anybody's way.
pub async fn connect_observer(options: &ConnectOptions) -> Result<Session, ConnectError> {
    let mut session = connect(options).await?;
    match session.observe_only().await {
        Ok(()) => Ok(session),
        Err(error) => {
            let kind = ConnectErrorKind::Other;
            Err(ConnectError::new(
                kind,
                &options.describe(),
                error.to_string(),
            ))
        }
    }
}

async fn connect_as(
    options: &ConnectOptions,
    wanted: SessionAttrs,
) -> Result<Session, ConnectError> {
    let mut failures = Vec::new();
    for host in in_order(options) {
        match connect_host(options, host, wanted).await {
            Ok(session) => return Ok(session),
            Err(error) if error.is_final() => return Err(named(options, host, error)),
            Err(error) => failures.push(named(options, host, error)),
        }
    }
    Err(together(failures, &options.describe()))
}

/// With several hosts each says which one it was.
fn named(options: &ConnectOptions, host: &Host, error: ConnectError) -> ConnectError {
    match options.hosts.len() {
        1 => error,
        _ => {
            let message = format!("{}: {}", host.describe(), error.message());
            error.with_message(message)
        }
    }
}

fn in_order(options: &ConnectOptions) -> Vec<&Host> {
    let mut hosts: Vec<_> = options.hosts.iter().collect();
    if options.shuffle_hosts {
        // each RandomState has keys of its own
        hosts.sort_by_cached_key(|_| RandomState::new().hash_one(0));
    }
    hosts
}

async fn connect_host(
    options: &ConnectOptions,
    host: &Host,
    wanted: SessionAttrs,
) -> Result<Session, ConnectError> {
    let mut failures = Vec::new();
    for address in addresses(options, host).await? {
        match connect_address(options, host, address, wanted).await {
            Ok(session) => return Ok(session),
            Err(error) if error.is_final() => return Err(error),
            Err(error) => failures.push(error),
        }
    }
    Err(together(failures, &options.describe()))
}

/// The addresses of a host; one `None` for a socket.
async fn addresses(
    options: &ConnectOptions,
    host: &Host,
) -> Result<Vec<Option<IpAddr>>, ConnectError> {
    let name = match (&host.place, host.address) {
        (_, Some(address)) => return Ok(vec![Some(address)]),
        (Place::Socket(_), None) => return Ok(vec![None]),
        (Place::Tcp(name), None) => name,
    };
    let found = within(
        options.connect_timeout,
        tokio::net::lookup_host((name.as_str(), host.port)),
    )
    .await;
    match found {
        Some(Ok(found)) => {
            let mut found: Vec<_> = found
                .map(|address: SocketAddr| Some(address.ip()))
                .collect();
            found.dedup();
            Ok(found)
        }
        Some(Err(cause)) => {
            let message = format!("could not find the address of host \"{name}\": {cause}");
            Err(ConnectError::new(
                ConnectErrorKind::NoSuchHost,
                &options.describe(),
                message,
            ))
        }
        None => Err(failure::timeout(options)),
    }
}

async fn connect_address(
    options: &ConnectOptions,
    host: &Host,
    address: Option<IpAddr>,
    wanted: SessionAttrs,
) -> Result<Session, ConnectError> {
    let mut first = None;
    for &attempt in tls::attempts(options.tls.mode, host) {
        let opening = open(options, host, address, attempt);
        let error = match within(options.connect_timeout, opening).await {
            Some(Ok(session)) => return check_attrs(options, session, wanted).await,
            Some(Err(error)) => error,
            None => failure::timeout(options),
        };
        let fallback = error.fallback();
        first = Some(both(first, error));
        if fallback == Fallback::None {
            break;
        }
    }
    Err(first.unwrap_or_else(|| failure::timeout(options)))
}

async fn open(
    options: &ConnectOptions,
    host: &Host,
    address: Option<IpAddr>,
    attempt: Attempt,
) -> Result<Session, ConnectError> {
    let config = config::of(options, host, address, attempt);
    let require = options.tls.client_certificate == ClientCertificate::Require;
    let failed = |e: tokio_postgres::Error| failure::from_driver(options, attempt, &e);
    let opened = match attempt {
        Attempt::Plain => {
            let (client, connection) = config
                .connect(tokio_postgres::NoTls)
                .await
                .map_err(failed)?;
            if require {
                return Err(failure::from_certificate_mode(
                    options,
                    "server did not request an SSL certificate",
                ));
            }
            Opened::start(client, connection, Cancel::Plain)
        }
        Attempt::Encrypted => {
            let tls = tls::connector(&options.tls, host);
            let (client, connection) = config.connect(tls.clone()).await.map_err(failed)?;
            if let Some(complaint) = tls.certificate_complaint().filter(|_| require) {
                return Err(failure::from_certificate_mode(options, complaint));
            }
            Opened::start(client, connection, Cancel::Encrypted(tls))
        }
    };
    let key_pid = key_pid::key_pid(&opened.client.cancel_token()).await;
    let host = Host {
        address: address.or(host.address),
        ..host.clone()
    };
    Session::new(opened, key_pid, options.describe(), host)
        .await
        .map_err(|e| failure::from_query(options, &e))
}

async fn check_attrs(
    options: &ConnectOptions,
    session: Session,
    wanted: SessionAttrs,
) -> Result<Session, ConnectError> {
    if wanted == SessionAttrs::Any {
        return Ok(session);
    }
    let state = session
        .standing()
        .await
        .map_err(|e| failure::from_query(options, &e))?;
    let fits = match wanted {
        SessionAttrs::Any | SessionAttrs::PreferStandby => true,
        SessionAttrs::ReadWrite => !state.read_only && !state.in_recovery,
        SessionAttrs::ReadOnly => state.read_only || state.in_recovery,
        SessionAttrs::Primary => !state.in_recovery,
        SessionAttrs::Standby => state.in_recovery,
    };
    if fits {
        return Ok(session);
    }
    let found = match (state.in_recovery, state.read_only) {
        (true, _) => "the server is a standby",
        (false, true) => "sessions are read-only by default",
        (false, false) => "the server is a primary that can be written to",
    };
    Err(ConnectError::new(
        ConnectErrorKind::WrongSessionAttrs,
        &options.describe(),
        found,
    ))
}

async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}

/// Of the two tries that `allow` and `prefer` make the more telling one, and what the other said.
fn both(first: Option<ConnectError>, second: ConnectError) -> ConnectError {
    match first {
        // `prefer` asks whether the server speaks TLS; that it does not is an answer and no failure
        Some(first) if failure::is_without_tls(&first) => second,
        Some(first) => joined(first, second),
        None => second,
    }
}

fn joined(first: ConnectError, second: ConnectError) -> ConnectError {
    let (most, least) = match rank(first.kind()) <= rank(second.kind()) {
        true => (first, second),
        false => (second, first),
    };
    if most.message().contains(least.message()) {
        return most;
    }
    let message = format!("{}; {}", most.message(), least.message());
    most.with_message(message)
}

/// One error for several hosts or addresses: the most telling one's kind, every distinct message in order.
fn together(failures: Vec<ConnectError>, target: &str) -> ConnectError {
    let mut messages: Vec<String> = Vec::new();
    for failure in &failures {
        if !messages.iter().any(|message| message == failure.message()) {
            messages.push(failure.message().to_owned());
        }
    }
    match failures.into_iter().min_by_key(|error| rank(error.kind())) {
        Some(most) => most.with_message(messages.join("; ")),
        None => ConnectError::new(
            ConnectErrorKind::NoSuchHost,
            target,
            "the host's name has no address",
        ),
    }
}

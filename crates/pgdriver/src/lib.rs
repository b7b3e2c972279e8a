//! PostgreSQL as this tool sees it: connections as libpq users know them, sessions, the server's facts, locks,
//! activity, catalog, and the table `django_migrations`.
//!
//! Absent: Django beyond that one table, and everything that changes a user's data. The driver's own types
//! (`tokio_postgres::Row`, its errors) do not leave this crate.

pub mod activity;
pub mod advisory;
pub mod catalog;
mod connect;
pub mod databases;
pub mod dumped;
pub mod history;
pub mod loading;
pub mod offenders;
mod options;
mod permitted;
mod query_error;
pub mod renaming;
pub mod schema;
mod secret;
pub mod sequences;
pub mod server;
mod session;
pub mod shape;
mod sql;
pub mod tables;
mod tls;

pub use connect::{
    ConnectError, ConnectErrorKind, ObserverPool, PooledObserver, classify_server_message, connect,
    connect_observer,
};
pub use options::{
    ClientCertificate, ConnectOptions, DEFAULT_CONNECT_TIMEOUT, Environment, Host, Keepalives,
    OptionsError, Place, SessionAttrs, SslMode, TlsOptions, TlsVersion,
};
pub use permitted::Permitted;
pub use query_error::QueryError;
pub use secret::Secret;
pub use session::{
    CancelToken, CopyIn, Notice, OBSERVER_LOCK_TIMEOUT, OBSERVER_STATEMENT_TIMEOUT, Session,
};

//! Real PostgreSQL servers for tests, the demo and benchmarks.
//!
//! [`TempServer`] owns a cluster copied from a template, so that `initdb` runs once for each installation; it stops
//! when dropped, and when its owner is killed. [`shared`] is one server a major for all tests, with a database of its
//! own for each. Durability is off: these are never for data that matters.
//!
//! Absent here: fetching PostgreSQL ([`crate::env`]) and anything of Django.

mod account;
mod cluster;
mod database;
mod network;
mod pgbouncer;
mod running;
mod server;
mod shared;
mod template;

pub use self::account::Account;
pub use self::database::Database;
pub use self::network::Network;
pub use self::pgbouncer::{PoolMode, Pooler};
pub use self::running::{Options, TempServer};
pub use self::server::Server;
pub use self::shared::{available, shared, variable};

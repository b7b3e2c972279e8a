//! From plain SQL in memory to the bytes of the file: compressed, hashed, written.
//!
//! gzip is cut into blocks that all cores compress at once ([`pool`]); put end to end they are one member
//! ([`gzip`]), the same bytes whatever the number of threads. zstd at its fast levels keeps up with pg_dump on one
//! thread, the writer's.
//!
//! Absent: where the SQL comes from, and reading anything back.

mod deflate;
mod gzip;
mod hashed;
mod pool;
mod sink;

pub(crate) use hashed::{Digested, hex};
pub(crate) use pool::{Packed, Raw, pool};
pub(crate) use sink::Sink;

#[cfg(test)]
mod tests;

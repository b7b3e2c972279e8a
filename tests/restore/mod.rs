//! `restore FILE --into DB`: what comes back, what is refused, what is left of a restore that did not come to its end.
//!
//! Absent here: how a dump is read and loaded; the crate `dumper` has its own tests for that.

mod alone;
mod common;
mod failing;
mod history;
mod refused;
mod replaced;
mod stopped;
mod succeeds;

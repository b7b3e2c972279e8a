//! The answer of `locks`: who holds, who waits, who is the root, what is old, and whether DDL could have its locks.
//!
//! `look` asks the server, everything else is pure: `assemble` makes a [`Snapshot`] of the answers (`model`), `tree`
//! puts the waiters under their blockers, `findings` says what to tell, `words` who a session is, `readiness` who would
//! stand in the way of a lock, `wanted` which locks DDL would take, `document` the JSON. Queries are masked and
//! shortened as they come in, so nobody who shows a snapshot can show more. Absent here: screens, what ends a blocker
//! ([`pgdriver::activity::remedy`]), and ending anybody.

mod assemble;
mod document;
mod findings;
mod holding;
mod look;
mod model;
mod readiness;
#[cfg(test)]
mod sample;
mod tree;
pub(crate) mod wanted;
pub(crate) mod words;

pub(crate) use document::{Connection, document};
#[cfg(test)]
pub(crate) use holding::Holders;
pub(crate) use holding::{Holding, Run};
pub(crate) use look::{Us, look};
pub(crate) use model::{Hold, LONG, Literals, Root, Scope, Snapshot, View, Waiter};
pub(crate) use readiness::{InTheWay, Readiness, WantedLock, readiness};
pub(crate) use tree::Node;
pub(crate) use words::what;

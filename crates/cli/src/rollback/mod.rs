//! The way back of a run: what it did, and whether that can still be undone. Pure.
//!
//! What a run applied goes back, and nothing else: its journal says what that was, the history as it is now settles what
//! the journal left open. Absent here: reading journals, running anything (see `commands::rollback`).

mod compare;
mod judge;
mod same;
mod undone;

pub(crate) use compare::{Compared, Rows, SchemaLine, Side, TableRows, compare};
pub(crate) use judge::{Judged, irreversible, judge};
pub(crate) use same::{Here, same_database, same_server};
pub(crate) use undone::{Since, Undone};

//! The report of a run: a fold over its events, whole or broken off, and one renderer a file.
//!
//! Absent here: files (see [`crate::journal`]) and anything that is not in the events.

mod broken_off;
mod fold;
mod json;
mod locks;
mod markdown;
mod model;
mod proof;
mod restored;
mod rollback;
mod text;

pub(crate) use fold::fold;
pub(crate) use json::document;
pub(crate) use locks::in_sql;
pub(crate) use markdown::markdown;
pub(crate) use model::RunReport;
pub(crate) use proof::{left_out, proof};
pub(crate) use text::{Detail, text};

#[cfg(test)]
pub(crate) mod sample;

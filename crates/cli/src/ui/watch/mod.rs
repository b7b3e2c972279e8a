//! The live screen of `locks --watch`: what it shows and what a key does, as values.
//!
//! `state` and `keys` are the pure core (state and event in, state and wish out), `rows` what a snapshot looks like as
//! a list, `target` who may be signalled and what would happen, `draw` state as cells, `screen` the terminal itself.
//! Absent here: the database. Who looks at it, and who signals, is the command.

mod draw;
mod keys;
mod rows;
mod screen;
mod state;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use screen::{Pressed, Screen};
pub(crate) use state::{Event, Link, Picture, State, Told, Wish};
pub(crate) use target::{Signal, Target};

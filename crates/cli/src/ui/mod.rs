//! Everything that prints or asks: terminal, JSON lines, prompts, tables.
//!
//! Nothing imports a renderer; the crate root and the commands build one. Absent here: decisions.

mod error;
mod found;
mod human;
mod indented;
mod jsonl;
mod locks;
pub(crate) mod out;
mod preview;
pub(crate) mod prompt;
mod pulse;
mod ran;
pub(crate) mod style;
mod terminal;
pub(crate) mod watch;
mod wrap;

pub(crate) use error::failure;
pub(crate) use found::{Place, github, in_plan, in_scripts, junit, sarif};
pub(crate) use human::{age, bytes, count, grouped, one_line, path, seconds};
pub(crate) use jsonl::JsonLines;
pub(crate) use locks::locks;
pub(crate) use preview::{Detail, Rescue, asking, destroyed, preview, scripts, verdict};
pub(crate) use terminal::{Terminal, Volume, parameters, spinner};
pub(crate) use wrap::{fitted, hanging, wrapped, wrapped_sql};

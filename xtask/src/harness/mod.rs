//! Black-box tests of a command-line tool: exit code, stdout and stderr together, with what changes from run to run
//! filtered; and the tool at a terminal.
//!
//! Absent here: the tool's name and meaning; `tests/support` knows them.

mod cli;
mod filters;
mod picture;
mod terminal;

pub use self::cli::{Ran, TestCli};
pub use self::filters::Filters;
pub use self::terminal::Terminal;

//! What halts before a backup starts, and the commands that only read.
//!
//! Each halt is looked at from all sides by [`halt`]: code, class, words, and that nothing was touched.

mod halt;

mod checks;
mod connection;
mod entry;
mod python;
mod root;
mod settings_module;
mod unfit;
mod graph;
mod target;
mod lock;
mod nothing;
mod status;
mod preview;
mod check_command;
mod command_line;
mod layers;
mod versions;
mod afterwards;

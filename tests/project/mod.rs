//! What halts before a backup starts, and the commands that only read.
//!
//! Each halt is looked at from all sides by [`halt`]: code, class, words, and that nothing was touched.

mod halt;

mod afterwards;
mod check_command;
mod checks;
mod command_line;
mod connection;
mod connection_pool;
mod connection_rights;
mod connection_secrets;
mod connection_urls;
mod connection_words;
mod entry;
mod graph;
mod layers;
mod lock;
mod nothing;
mod preview;
mod python;
mod root;
mod server_facts;
mod settings_module;
mod status;
mod status_alone;
mod target;
mod unfit;
mod versions;

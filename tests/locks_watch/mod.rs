//! `locks --watch` at a terminal, over real servers with real sessions that block each other.
//!
//! `people` are the sessions, `screen` how the terminal is read; `shown` what is seen, `signalled` whom a typed pid
//! ends, `ends` every way out and a connection that is lost, `crowd` a thousand sessions.

mod crowd;
mod ends;
mod people;
mod screen;
mod shown;
mod signalled;

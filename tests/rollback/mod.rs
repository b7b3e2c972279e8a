//! The way back of a run: reverse migrations of real projects on real servers.

mod common;

mod by_backup;
mod closed;
mod code;
mod destroys;
mod half;
mod later;
mod nothing;
mod one_app;
mod several_apps;
mod stopped;
mod under_guard;

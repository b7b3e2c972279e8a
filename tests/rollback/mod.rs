//! The way back of a run: reverse migrations of real projects on real servers.

mod common;

mod one_app;

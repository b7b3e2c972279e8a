//! The one integration binary: the real command in real Django projects on real PostgreSQL servers.
//!
//! `project` is what stops before anything starts, `workflow` the seven steps and their ends, `restore` and `rollback` the
//! ways back, `lint` SQL alone, `locks` and `locks_watch` one look and the live screen, `foreign` projects that are not ours.

mod foreign;
mod lint;
mod locks;
mod locks_watch;
mod project;
mod restore;
mod rollback;
mod support;
mod truth;
mod workflow;

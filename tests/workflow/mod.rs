//! The seven steps of `run` and each of their ends: what the user is told, what the exit code is, and what is true in
//! the database and on disk afterwards.
//!
//! Absent here: what stops before a run starts (see `crate::project`).

pub(crate) mod common;

mod agreed;
mod apply_fails;
mod apply_killed;
mod apply_locks;
mod apply_lost;
mod backup_command;
mod backup_fails;
mod backup_flags;
mod consent_flags;
mod consent_quiet;
mod consent_typed;
mod dry_run;
mod fault_commit;
mod fault_disk;
mod fault_gate;
mod fault_half;
mod fault_index;
mod fault_killed;
mod fault_network;
mod fault_two;
mod guard_autovacuum;
mod guard_beside;
mod guard_holds;
mod guard_observer;
mod guard_reads;
mod guard_retries;
mod guard_shown;
mod guard_signals;
mod guard_waits;
mod happy_path;
mod interrupted;
mod journal;
mod killed_long;
mod logs;
mod policy;
mod pooler;
mod pooler_retries;
mod preview;
mod project_tests;
mod rows;
mod screens;
mod secrets;
mod test_databases;
mod verification;

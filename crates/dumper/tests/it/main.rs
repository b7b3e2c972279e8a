//! Backups of real servers, whole ones and every way in which one fails.

mod everything;
mod faults;
mod interruption;
mod pg_dump;
mod round_trip;
mod same;
mod support;

//! Backups of real servers, whole ones and every way in which one fails.

mod counts;
mod damage;
mod everything;
mod extension_tables;
mod faults;
mod faults_killed;
mod faults_restore;
mod faults_server;
mod foreign;
mod formats;
mod formats_damage;
mod forms;
mod interruption;
mod locks;
mod pg_dump;
mod restore_broken;
mod restore_engine;
mod restore_side_by_side;
mod restored_everything;
mod retention;
mod round_trip;
mod same;
mod secrets;
mod support;
mod swap;
mod trip;

//! `locks` on real servers: known scenes, seen through the command.

mod builds;
mod crowd;
mod holders;
mod known;
mod limited;
mod place;
mod plain_role;
mod pooler;
mod pooler_full;
mod readiness;
mod scene;
mod screens;
mod shown;
mod steps;

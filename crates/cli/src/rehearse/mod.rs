//! Rehearsal: migrations run on a throw-away server first, and what they did there is measured.

#[allow(dead_code)] // until the rehearsal is here
pub(crate) mod server;

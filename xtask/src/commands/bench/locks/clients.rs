//! The clients of every scenario.
//!
//! Absent here: what they suffer, which is [`xtask::load`]'s.

use std::time::Duration;

use xtask::load::Load;

/// As many as in the scenario that is known of other tools.
pub(super) const COUNT: usize = 20;

const READ: &str = "SELECT title FROM shop_item WHERE id = 7";

/// One row, by its key.
pub(super) fn short_reads() -> Load {
    Load::reads(READ)
}

/// A report: a transaction that has read the table and goes on for two seconds.
pub(super) fn long_reads() -> Load {
    Load::long_reads(READ, Duration::from_secs(2))
}

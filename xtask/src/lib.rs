//! The workshop of django-migrate, as a library: tests, the demo and benchmarks take their PostgreSQL servers and
//! Django environments from here, with only cargo and python3 on the machine.
//!
//! Absent here: anything of the product itself; `xtask` never links it, it runs the built binary.

pub mod env;
pub mod harness;
pub mod load;
pub mod process;
pub mod project;
pub mod servers;

/// For sessions that a test opens itself: it hears notices, and holds several at once.
pub use postgres;

use std::path::PathBuf;

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map(PathBuf::from).unwrap_or(manifest)
}

//! What a fuzzer calls: any bytes, and what must hold of them.
//!
//! Outside of this crate's own tests it is there with the feature `fuzzing` alone, for `fuzz/`.
//!
//! Absent: making the bytes.

mod archive;
mod dump;

pub use archive::archive;
pub use dump::dump;

#[cfg(test)]
mod tests;

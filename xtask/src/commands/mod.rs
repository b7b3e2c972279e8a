//! One command a file, each with its `Args` and its `run`.

pub(crate) mod env;

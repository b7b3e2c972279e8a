//! One command a file, each with its `Args` and its `run`.

pub(crate) mod bench;
pub(crate) mod ci;
pub(crate) mod codegen;
pub(crate) mod demo;
pub(crate) mod dist;
pub(crate) mod env;
pub(crate) mod fuzz;
mod halts;
pub(crate) mod release;
pub(crate) mod test;

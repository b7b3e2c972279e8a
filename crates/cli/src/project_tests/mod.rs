//! Step 6: the project's own tests. What to run and how to read its end are pure; `run` starts it.
//!
//! They get a `test_` database of their own on a server that is named before they start; one that exists already
//! stops the step, since Django would delete it. Absent here: which tests are good tests.

mod choose;
mod read;
mod run;

pub(crate) use choose::{Choice, OnDisk, choose};
pub(crate) use run::{Surroundings, not_run, run};

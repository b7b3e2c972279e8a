//! Step 6: the project's own tests. What to run and how to read its end are pure; `run` starts it.
//!
//! They get `test_` databases of their own on servers that are named before they start; one that exists already stops
//! the step, since Django would delete it. Absent here: which tests are good tests.

mod choose;
mod output;
mod places;
mod read;
mod run;

pub(crate) use choose::{Choice, OnDisk, choose};
pub(crate) use places::{Place, State, places};
pub(crate) use run::{Surroundings, not_run, run};

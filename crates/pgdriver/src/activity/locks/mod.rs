//! Relation locks: what stands in the way of a mode, what a backend holds, and who is queued behind it.
//!
//! Every query is one scan of `pg_locks` and reads of the catalog that no lock can block. Absent: judgement (what to do
//! about a holder is for [`super::remedy`]), and locks on anything but relations, which [`super::blockers_of`] tells.

mod in_the_way;
mod mode;
mod queue;
mod strong;

pub use in_the_way::{Held, Wanted, in_the_way};
pub use mode::LockMode;
pub use queue::{Queue, queue_behind};
pub use strong::{Holder, MOST, Strong, strong};

use crate::catalog::RelationName;
use crate::query_error::QueryError;
use crate::session::Session;
use crate::sql::{Sql, sql};

const HELD_BY: Sql = sql!("list the locks of a backend", "locks_held_by.sql", INT4);

/// The relation locks that a backend holds, of modes from SHARE UPDATE EXCLUSIVE up: those that keep others from
/// writing or changing. What its own transaction created has no name yet for anybody else and is left out.
pub async fn held_by(
    session: &Session,
    pid: i32,
) -> Result<Vec<(RelationName, LockMode)>, QueryError> {
    let mut held = Vec::new();
    for row in HELD_BY.rows(session, &[&pid]).await? {
        let Some(mode) = LockMode::from_pg_locks(row.get("mode")?) else {
            continue;
        };
        if mode >= LockMode::ShareUpdateExclusive {
            let name = RelationName::new(row.get("schema")?, row.get("name")?);
            held.push((name, mode));
        }
    }
    Ok(held)
}

//! What a caller hears while the dump runs.
//!
//! Absent: rates and percentages. Whoever draws them has the numbers.

use std::fmt;
use std::time::Duration;

/// Heard while a dump runs, at most about ten times a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Something the user should know now, such as scarce space.
    Warning(String),
    /// Once, before pg_dump starts, where there is something to estimate from.
    Room {
        /// Size of the archive, as estimated from the catalog.
        needed: u64,
        /// Bytes free in the archive's folder.
        free: u64,
    },
    /// A line that pg_dump said, without the password; a successful dump's are in the archive's warnings, too.
    Said(String),
    /// pg_dump stands in the queue of a lock.
    Waiting(Waiting),
    /// pg_dump is at work.
    Dumping(Dumping),
    /// pg_dump is done, and rows are still being counted on the server.
    Counting {
        /// Tables that are counted.
        tables: u64,
        /// Of so many.
        total: u64,
    },
    /// The written file is read back.
    Verifying {
        /// Bytes of the file read.
        read: u64,
        /// Size of the file.
        bytes: u64,
    },
}

/// How far a dump is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dumping {
    /// The table whose rows are coming, as `schema.name`; of several jobs the first one's.
    pub table: Option<String>,
    /// Tables whose rows are all there.
    pub tables: u64,
    /// Tables whose rows are dumped, as the catalog has them.
    pub tables_total: Option<u64>,
    /// Rows so far; none of the custom and directory formats, whose bytes nobody reads on their way.
    pub rows: u64,
    /// Bytes that pg_dump gave so far.
    pub raw_bytes: u64,
    /// Bytes written to the file so far.
    pub bytes: u64,
    /// The guess of the plain SQL's size.
    pub estimated_bytes: Option<u64>,
    /// Until the last row, by the sizes of the tables that are done and of those that are not.
    pub left: Option<Duration>,
    /// Since the start.
    pub elapsed: Duration,
}

/// A lock that pg_dump waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Since when.
    pub waited: Duration,
    /// The relation, as `schema.name`, where the wait is for one.
    pub relation: Option<String>,
    /// Who is in the way, at the end of the queue's chains.
    pub holders: Vec<Holder>,
}

/// Somebody whom pg_dump waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The server process; 0 for a prepared transaction.
    pub pid: i32,
    /// The role.
    pub user: Option<String>,
    /// Its application_name.
    pub application: Option<String>,
    /// `idle in transaction`, `active`, …; none where this role may not see it.
    pub state: Option<String>,
    /// What it runs, or ran last; none where this role may not see it.
    pub query: Option<String>,
    /// How old its transaction is; none where this role may not see it.
    pub since: Option<Duration>,
    /// A prepared transaction's name.
    pub prepared: Option<String>,
}

impl fmt::Display for Holder {
    /// `pid 4711 (shop, idle in transaction for 12 s): ALTER TABLE …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.prepared {
            Some(name) => write!(f, "prepared transaction '{name}'")?,
            None => write!(f, "pid {}", self.pid)?,
        }
        let mut facts: Vec<String> = self
            .application
            .iter()
            .filter(|name| !name.is_empty())
            .cloned()
            .collect();
        facts.extend(self.user.iter().map(|user| format!("role {user}")));
        match (&self.state, self.since) {
            (Some(state), Some(since)) => facts.push(format!(
                "{state}, in a transaction for {} s",
                since.as_secs()
            )),
            (Some(state), None) => facts.push(state.clone()),
            (None, Some(since)) => facts.push(format!("for {} s", since.as_secs())),
            (None, None) => {}
        }
        if !facts.is_empty() {
            write!(f, " ({})", facts.join(", "))?;
        }
        if let Some(query) = self.query.as_deref().filter(|query| !query.is_empty()) {
            write!(f, ": {}", shortened(query))?;
        }
        Ok(())
    }
}

/// The beginning of a statement, in one line.
fn shortened(query: &str) -> String {
    const LONGEST: usize = 120;
    let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

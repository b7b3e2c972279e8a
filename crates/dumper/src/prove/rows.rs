//! The rows of the scratch database: how many, and what is in them, over several sessions.
//!
//! Absent: the source. Its numbers are in the manifest.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use pgdriver::dumped::{self, Columns, Counting, Table};
use pgdriver::{ConnectOptions, QueryError, Session};
use tokio::task::JoinSet;

use super::{ProofFailure, ProofProgress, ProofRequest};
use crate::archive::{Checksum, TableProof};
use crate::counts::{Name, name_in};
use crate::restore::{Difference, Stop, connect_soon};

/// Tables that a session takes at a time.
const ROUND: usize = 20;

/// What became of the comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) tables: u64,
    pub(super) rows: u64,
    pub(super) checksums: u64,
    pub(super) differences: Vec<Difference>,
    pub(super) notes: Vec<String>,
}

/// The rows of one name in the dump.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Held {
    rows: u64,
    /// None where the server could not say.
    sum: Option<u64>,
    refused: Option<String>,
}

/// Counts everything, and compares.
pub(super) async fn compare(
    request: &ProofRequest,
    scratch: &ConnectOptions,
    expected: &[TableProof],
    progress: &mut impl FnMut(ProofProgress),
    stop: &mut Stop<impl Future<Output = ()>>,
) -> Result<Found, ProofFailure> {
    let session = connect_soon(scratch).await?;
    dumped::begin(&session).await?;
    let tables = dumped::tables(&session).await?;
    let columns = Arc::new(dumped::columns(&session).await?);
    session.close().await;
    let total = tables.len() as u64;
    progress(ProofProgress::Rows { tables: 0, total });
    let queue = Arc::new(Mutex::new(rounds(tables)));
    let mut working = JoinSet::new();
    for number in 0..request.sessions.get() {
        let session = match number {
            0 => connect_soon(scratch).await?,
            // where the server has no room for another the others do its work
            _ => match pgdriver::connect(scratch).await {
                Ok(session) => session,
                Err(_) => break,
            },
        };
        working.spawn(count(session, Arc::clone(&queue), Arc::clone(&columns)));
    }
    let mut counted = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = stop.future.as_mut() => return Err(ProofFailure::Interrupted),
            done = working.join_next() => match done {
                None => break,
                Some(done) => counted.extend(done.map_err(|error| ProofFailure::Thread(error.to_string()))??),
            },
        }
        let tables = counted.len() as u64;
        progress(ProofProgress::Rows { tables, total });
    }
    Ok(judge(expected, &held(expected, &counted)))
}

/// The largest first.
fn rounds(mut tables: Vec<Table>) -> VecDeque<Vec<Table>> {
    tables.sort_by_key(|table| std::cmp::Reverse(table.estimated_bytes));
    tables.chunks(ROUND).map(<[Table]>::to_vec).collect()
}

type Counted = Vec<(Table, Counting)>;

async fn count(
    session: Session,
    queue: Arc<Mutex<VecDeque<Vec<Table>>>>,
    columns: Arc<Columns>,
) -> Result<Counted, ProofFailure> {
    dumped::begin(&session).await?;
    let mut counted = Vec::new();
    loop {
        let next = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(tables) = next else { break };
        let asked: Vec<&Table> = tables.iter().collect();
        let counts: Result<_, QueryError> = dumped::count(&session, &asked, &columns).await;
        counted.extend(tables.into_iter().zip(counts?));
    }
    session.close().await;
    Ok(counted)
}

fn held(expected: &[TableProof], counted: &Counted) -> BTreeMap<Name, Held> {
    let names: BTreeMap<Name, u64> = expected.iter().map(|it| (name(it), it.rows)).collect();
    let mut held: BTreeMap<Name, Held> = BTreeMap::new();
    for (table, counting) in counted {
        let all = held.entry(name_in(&names, table)).or_insert(Held {
            sum: Some(0),
            ..Held::default()
        });
        match counting {
            Counting::Rows { rows, checksum, .. } => {
                all.rows += rows;
                all.sum = all.sum.zip(*checksum).map(|(a, b)| a.wrapping_add(b));
            }
            Counting::Refused(why) => {
                all.sum = None;
                all.refused = Some(why.clone());
            }
        }
    }
    held
}

fn name(table: &TableProof) -> Name {
    (table.schema.clone(), table.name.clone())
}

fn judge(expected: &[TableProof], held: &BTreeMap<Name, Held>) -> Found {
    let mut found = Found::default();
    let mut unsummed = 0;
    let mut wanted: BTreeMap<Name, (u64, Option<Checksum>)> = BTreeMap::new();
    for table in expected {
        let all = wanted.entry(name(table)).or_insert((0, table.checksum));
        all.0 += table.rows;
    }
    for ((schema, table), (rows, checksum)) in &wanted {
        let Some(is) = held.get(&(schema.clone(), table.clone())) else {
            found.differ(format!("table {schema}.{table}"), &"there", &"missing");
            continue;
        };
        if let Some(why) = &is.refused {
            // nobody else is on the scratch database: there is no harmless reason
            let found_instead = format!("cannot be counted ({why})");
            found.differ(format!("rows of {schema}.{table}"), rows, &found_instead);
            continue;
        }
        found.tables += 1;
        found.rows += is.rows;
        if is.rows != *rows {
            found.differ(format!("rows of {schema}.{table}"), rows, &is.rows);
            continue;
        }
        match (checksum, is.sum) {
            (Some(then), Some(now)) if then.0 == now => found.checksums += 1,
            (Some(then), Some(now)) => found.differ(
                format!("content of {schema}.{table}"),
                &format!("checksum {then}"),
                &format!("checksum {}", Checksum(now)),
            ),
            _ => unsummed += 1,
        }
    }
    for ((schema, table), is) in held.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
        if is.rows > 0 {
            found.differ(format!("rows of {schema}.{table}"), &"none", &is.rows);
        }
    }
    if unsummed > 0 {
        let tables = if unsummed == 1 { "table" } else { "tables" };
        found.notes.push(format!(
            "the rows of {unsummed} {tables} were counted and not compared one by one: the backup has no checksum of them"
        ));
    }
    found
}

impl Found {
    fn differ(&mut self, what: String, expected: &dyn ToString, found: &dyn ToString) {
        self.differences.push(Difference {
            what,
            expected: expected.to_string(),
            found: found.to_string(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::TableRows;

    fn proof(name: &str, rows: u64, checksum: Option<u64>) -> TableProof {
        TableProof {
            checksum: checksum.map(Checksum),
            ..TableProof::from(TableRows {
                schema: "s".to_owned(),
                name: name.to_owned(),
                rows,
                bytes: 0,
            })
        }
    }

    fn table(name: &str, root: Option<&str>) -> Table {
        Table {
            oid: 1,
            schema: "s".to_owned(),
            name: name.to_owned(),
            file_node: 1,
            unlogged: false,
            estimated_rows: None,
            estimated_bytes: 0,
            indexes: 0,
            root: root.map(|root| ("s".to_owned(), root.to_owned())),
            condition: None,
            ours: true,
        }
    }

    fn rows(rows: u64, checksum: Option<u64>) -> Counting {
        Counting::Rows {
            rows,
            same_file: true,
            checksum,
        }
    }

    fn judged(expected: &[TableProof], counted: &Counted) -> Found {
        judge(expected, &held(expected, counted))
    }

    #[test]
    fn each_difference_is_named() {
        let expected = [
            proof("same", 2, Some(7)),
            proof("fewer", 2, Some(7)),
            proof("other", 2, Some(7)),
            proof("gone", 0, None),
            proof("unsummed", 1, None),
        ];
        let counted = vec![
            (table("same", None), rows(2, Some(7))),
            (table("fewer", None), rows(1, Some(7))),
            (table("other", None), rows(2, Some(8))),
            (table("unsummed", None), rows(1, Some(1))),
            (table("new", None), rows(3, Some(1))),
            (table("new_and_empty", None), rows(0, Some(0))),
        ];
        let found = judged(&expected, &counted);
        let said: Vec<String> = found.differences.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "rows of s.fewer: 1, expected 2",
                "table s.gone: missing, expected there",
                "content of s.other: checksum 0000000000000008, expected checksum 0000000000000007",
                "rows of s.new: 3, expected none",
            ]
        );
        assert_eq!((found.tables, found.rows, found.checksums), (4, 6, 1));
        assert!(found.notes[0].starts_with("the rows of 1 table were counted"));
    }

    #[test]
    fn partitions_may_be_dumped_as_their_root() {
        let counted = vec![
            (table("p1", Some("p")), rows(2, Some(u64::MAX))),
            (table("p2", Some("p")), rows(3, Some(3))),
        ];
        let found = judged(&[proof("p", 5, Some(2))], &counted);
        assert_eq!((found.differences, found.checksums), (Vec::new(), 1));
        let one = [proof("p1", 2, Some(u64::MAX)), proof("p2", 3, Some(3))];
        assert_eq!(judged(&one, &counted).checksums, 2);
    }

    #[test]
    fn what_could_not_be_counted_is_said() {
        let counted = vec![(table("t", None), Counting::Refused("locked".to_owned()))];
        let found = judged(&[proof("t", 1, Some(1))], &counted);
        assert_eq!(
            found.differences[0].to_string(),
            "rows of s.t: cannot be counted (locked), expected 1"
        );
        assert_eq!(found.tables, 0);
    }
}

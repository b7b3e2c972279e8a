//! What libpq says: psycopg, as Django uses it, asked about many connection strings in one process.
//!
//! Absent: what ought to be. The tests compare.

pub(crate) mod certificates;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use pgdriver::{ConnectErrorKind, ConnectOptions, Environment, classify_server_message};
use xtask::env::Env;

/// A way to connect: a connection string, in a home folder.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    pub(crate) dsn: String,
    pub(crate) home: PathBuf,
    pub(crate) variables: BTreeMap<String, String>,
    /// Asked of whoever lets us in, one text; what it answers must be the same too.
    pub(crate) sql: &'static str,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Encrypted,
    Plain,
    /// Sorted by our own classifier, for libpq's text as for ours.
    Refused(ConnectErrorKind),
}

/// libpq's verdicts with its own words, in the order of the cells.
pub(crate) fn verdicts(cells: &[Cell]) -> Vec<(Verdict, String)> {
    let python = Env::open().unwrap().django("5.2").unwrap().python();
    let mut asked = Command::new(python)
        .args(["-c", include_str!("ask.py")])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = cells
        .iter()
        .map(|cell| {
            let home = cell.home.display().to_string();
            let line = serde_json::json!({
                "dsn": cell.dsn, "home": home, "variables": cell.variables, "sql": cell.sql
            });
            format!("{line}\n")
        })
        .collect();
    let mut stdin = asked.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = asked.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut answers = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    // the rules for falling back from one encryption to another are those of release 17
    let version = answers.next().expect("an answer")["libpq"].as_u64();
    assert!(version >= Some(170_000), "libpq {version:?}");
    let found: Vec<_> = answers.map(|answer| verdict(&answer)).collect();
    assert_eq!(found.len(), cells.len());
    found
}

fn verdict(answer: &serde_json::Value) -> (Verdict, String) {
    if let Some(error) = answer["error"].as_str() {
        let kind = classify_server_message(None, error);
        return (Verdict::Refused(kind), error.to_owned());
    }
    let said = answer["said"].as_str().unwrap_or_default().to_owned();
    match answer["tls"].as_bool() {
        Some(true) => (Verdict::Encrypted, said),
        Some(false) => (Verdict::Plain, said),
        None => panic!("{answer}"),
    }
}

/// Ours, with our own words.
pub(crate) async fn ours(cell: &Cell) -> (Verdict, String) {
    let environment = environment(cell);
    let options = match ConnectOptions::parse_in(&cell.dsn, &environment) {
        Ok(options) => options,
        Err(error) => {
            return (
                Verdict::Refused(ConnectErrorKind::BadOptions),
                error.to_string(),
            );
        }
    };
    let session = match pgdriver::connect(&options).await {
        Ok(session) => session,
        Err(error) => return (Verdict::Refused(error.kind()), error.to_string()),
    };
    let said = match cell.sql {
        "" => String::new(),
        sql => session.query_text(sql).await.unwrap()[0][0]
            .clone()
            .unwrap_or_default(),
    };
    match session.is_encrypted() {
        true => (Verdict::Encrypted, said),
        false => (Verdict::Plain, said),
    }
}

fn environment(cell: &Cell) -> Environment {
    Environment::of(cell.variables.clone(), Some(cell.home.clone()), "nobody")
}

/// Cells that were asked, and those where the answers differ.
#[derive(Default)]
pub(crate) struct Tally {
    asked: usize,
    different: Vec<String>,
}

impl Tally {
    /// Asks both about every cell.
    pub(crate) async fn ask(&mut self, what: &str, cells: Vec<Cell>) {
        let asked = {
            let cells = cells.clone();
            tokio::task::spawn_blocking(move || verdicts(&cells))
        };
        let mut own = Vec::new();
        for cell in &cells {
            own.push(ours(cell).await);
        }
        let theirs = asked.await.unwrap();
        self.asked += cells.len();
        for ((cell, (own, said)), (libpq, words)) in cells.iter().zip(own).zip(theirs) {
            let refused = matches!(own, Verdict::Refused(_));
            if own != libpq || !refused && said != words {
                self.different.push(format!(
                    "{what}: {} {:?} (home {})\n    libpq {libpq:?}: {words}\n    we    {own:?}: {said}",
                    cell.dsn,
                    cell.variables,
                    cell.home.display()
                ));
            }
        }
    }

    /// All were asked, and in all of them the answers are the same.
    #[track_caller]
    pub(crate) fn same_in_all(&self, asked: usize) {
        assert!(
            self.different.is_empty(),
            "{} of {} cells differ\n{}",
            self.different.len(),
            self.asked,
            self.different.join("\n")
        );
        assert_eq!(self.asked, asked);
    }
}

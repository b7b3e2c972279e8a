//! What the dump holds against what the server counted.
//!
//! Absent: any I/O.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use pgdriver::dumped::Table;

use super::Count;
use crate::archive::{Checksum, Grade, TableProof, TableRows};
use crate::error::VerifyError;
use crate::snapshot::{Expected, Rows};

/// How many tables a note names.
const NAMED: usize = 5;

/// A dump that holds what the server counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Compared {
    pub(crate) tables: Vec<TableProof>,
    /// What could not be compared, for people.
    pub(crate) notes: Vec<String>,
}

/// Schema and name.
pub(crate) type Name = (String, String);

/// What the server says of one name in the dump: of a table, or of all the partitions that the dump has under their root.
#[derive(Debug, Default)]
struct Said {
    rows: u64,
    counted: bool,
    estimated: bool,
    later: bool,
    unknown: Option<String>,
}

/// Compares, table by table. A difference of a counted table is an error, and so is one that is missing in the dump.
pub(crate) fn compare(
    path: &Path,
    dumped: Vec<TableRows>,
    expected: &[Expected],
    counts: &HashMap<u32, Count>,
) -> Result<Compared, VerifyError> {
    let mut rows: BTreeMap<Name, u64> = BTreeMap::new();
    for table in &dumped {
        *rows.entry(name(table)).or_default() += table.rows;
    }
    let said = said(path, expected, counts, &rows)?;
    for (name, said) in &said {
        let found = rows.get(name).copied().unwrap_or(0);
        if said.is_exact() && found != said.rows {
            return Err(differs(path, name, said.rows, &found.to_string()));
        }
    }
    let proof = |table: TableRows| {
        let said = said.get(&name(&table));
        TableProof {
            grade: said.map_or(Grade::Unknown, Said::grade),
            server_rows: said
                .filter(|it| it.counted || it.estimated)
                .map(|it| it.rows),
            ..TableProof::from(table)
        }
    };
    Ok(Compared {
        tables: dumped.into_iter().map(proof).collect(),
        notes: notes(&said),
    })
}

impl Compared {
    /// Adds the sums of what the tables held. One that lacks a partition's is none.
    pub(crate) fn sum_up(&mut self, expected: &[Expected], checksums: &HashMap<u32, u64>) {
        let rows: BTreeMap<Name, u64> = self.tables.iter().map(|it| (of(it), it.rows)).collect();
        let mut sums: BTreeMap<Name, Option<u64>> = BTreeMap::new();
        for it in expected.iter().filter(|it| it.rows == Rows::Wanted) {
            let sum = checksums.get(&it.table.oid);
            let all = sums.entry(name_in(&rows, &it.table)).or_insert(Some(0));
            *all = all.zip(sum).map(|(all, sum)| all.wrapping_add(*sum));
        }
        for table in &mut self.tables {
            table.checksum = sums.get(&of(table)).copied().flatten().map(Checksum);
        }
    }
}

fn of(table: &TableProof) -> Name {
    (table.schema.clone(), table.name.clone())
}

/// pg_dump writes the rows of some partitions as their root's.
pub(crate) fn name_in(rows: &BTreeMap<Name, u64>, table: &Table) -> Name {
    let own = (table.schema.clone(), table.name.clone());
    match &table.root {
        Some(root) if !rows.contains_key(&own) && rows.contains_key(root) => root.clone(),
        _ => own,
    }
}

fn said(
    path: &Path,
    expected: &[Expected],
    counts: &HashMap<u32, Count>,
    rows: &BTreeMap<Name, u64>,
) -> Result<BTreeMap<Name, Said>, VerifyError> {
    let mut said: BTreeMap<Name, Said> = BTreeMap::new();
    for it in expected.iter().filter(|it| it.rows == Rows::Wanted) {
        let name = name_in(rows, &it.table);
        let count = counts.get(&it.table.oid);
        if !rows.contains_key(&name) {
            let counted = match count {
                Some(Count::Exact(rows) | Count::Later(rows)) => *rows,
                _ => it.table.estimated_rows.unwrap_or(0),
            };
            return Err(differs(path, &name, counted, "missing"));
        }
        said.entry(name).or_default().add(count);
    }
    Ok(said)
}

impl Said {
    fn add(&mut self, count: Option<&Count>) {
        match count {
            Some(Count::Exact(rows)) => {
                self.counted = true;
                self.rows += rows;
            }
            Some(Count::Later(rows)) => {
                self.counted = true;
                self.later = true;
                self.rows += rows;
            }
            Some(Count::Estimate(Some(rows))) => {
                self.estimated = true;
                self.rows += rows;
            }
            Some(Count::Estimate(None)) => {
                self.unknown = Some("it is large, and was never analyzed".to_owned());
            }
            Some(Count::Unknown(why)) => self.unknown = Some(why.clone()),
            None => self.unknown = Some("it was not counted".to_owned()),
        }
    }

    /// Its number is the dump's.
    fn is_exact(&self) -> bool {
        self.grade() == Grade::Exact
    }

    fn grade(&self) -> Grade {
        match self {
            Self {
                unknown: Some(_), ..
            } => Grade::Unknown,
            Self {
                estimated: true, ..
            } => Grade::Estimate,
            _ => Grade::Exact,
        }
    }
}

fn notes(said: &BTreeMap<Name, Said>) -> Vec<String> {
    let mut why: BTreeMap<&str, Vec<&Name>> = BTreeMap::new();
    for (name, it) in said {
        if let Some(unknown) = &it.unknown {
            why.entry(unknown).or_default().push(name);
        }
    }
    let later: Vec<&Name> = said
        .iter()
        .filter(|(_, it)| it.later)
        .map(|(name, _)| name)
        .collect();
    let mut notes: Vec<String> = why
        .into_iter()
        .map(|(why, names)| format!("the rows of {} were not counted: {why}", listed(&names)))
        .collect();
    if !later.is_empty() {
        notes.push(format!(
            "{} truncated or rewritten after the snapshot was taken, and the backup has what was there then: a snapshot \
             does not hide that",
            match later.len() {
                1 => format!("{} was", listed(&later)),
                _ => format!("{} were", listed(&later)),
            }
        ));
    }
    notes
}

fn listed(names: &[&Name]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|(schema, name)| format!("{schema}.{name}"))
        .collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn name(table: &TableRows) -> Name {
    (table.schema.clone(), table.name.clone())
}

fn differs(path: &Path, (schema, name): &Name, counted: u64, found: &str) -> VerifyError {
    VerifyError::Differs {
        path: path.to_owned(),
        what: format!("rows of {schema}.{name}"),
        written: format!("{counted} on the server, in the same snapshot"),
        found: found.to_owned(),
    }
}

#[cfg(test)]
mod tests;

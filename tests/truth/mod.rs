//! What is forecast of a statement, against what a server does with it.

mod measure;
mod record;
mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use self::measure::Measured;
use self::record::Record;
use crate::support::{self, Database, Server};

const FIXTURE: &str = include_str!("fixture.sql");
const FORMS: &str = include_str!("forms.txt");

/// A statement, or several that are one form, and the first server that has it.
struct Form {
    since: u32,
    sql: &'static str,
}

fn forms() -> Vec<Form> {
    let form = |line: &'static str| {
        let since = line
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("-] "));
        match since {
            Some((since, sql)) => Form {
                since: since.parse().unwrap(),
                sql,
            },
            None => Form {
                since: 0,
                sql: line,
            },
        }
    };
    FORMS.lines().map(form).collect()
}

fn database(server: &'static Server) -> Database {
    let database = server.database().unwrap();
    let _ = server.execute("postgres", "CREATE ROLE someone");
    let fill = |client: &mut xtask::postgres::Client| {
        for sql in FIXTURE.split(";\n") {
            client.batch_execute(sql)?;
        }
        Ok(())
    };
    server.with_client(database.name(), fill).unwrap();
    database
}

/// By relation; with reasons where there are some.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cells {
    locks: BTreeMap<String, String>,
    rewrites: BTreeSet<String>,
    scans: BTreeMap<String, BTreeSet<String>>,
    outside: bool,
}

/// What is said of a form.
#[derive(Debug, Default)]
struct Forecast {
    cells: Cells,
    /// With `catalog` evidence throughout: it is held to every cell.
    is_sure: bool,
    asks: bool,
    /// It has a finding, of whatever severity.
    tells: bool,
    /// It says that the server will not do it.
    refuses: bool,
    blocks: usize,
}

const BLOCKS: [&str; 3] = ["nothing", "writes", "reads"];

/// Each form in a file of its own, all of them in one run of the command; without a database on the text alone.
fn forecasts(
    database: Option<&Database>,
    forms: &[&Form],
    existed: &BTreeSet<String>,
) -> Vec<Forecast> {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..forms.len()).map(|at| format!("{at:04}.sql")).collect();
    for (name, form) in names.iter().zip(forms) {
        // several that are one form run in one transaction
        let sql = match form.sql.contains("; ") && !form.sql.contains("$$") {
            true => format!("BEGIN; {}; COMMIT", form.sql.trim_end_matches(';')),
            false => form.sql.to_owned(),
        };
        fs_err::write(folder.path().join(name), sql).unwrap();
    }
    let mut words = vec!["lint", "--format", "json", "--fail-on", "never"];
    let dsn = database.map(|database| database.dsn());
    if let Some(dsn) = &dsn {
        words.extend(["--dsn", dsn]);
    }
    words.extend(names.iter().map(String::as_str));
    let done = support::cli_in(folder.path()).args(words).run().expect(0);
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    let files = document["files"].as_array().unwrap();
    assert_eq!(files.len(), forms.len());
    files.iter().map(|file| forecast(file, existed)).collect()
}

fn forecast(file: &Value, existed: &BTreeSet<String>) -> Forecast {
    let mut forecast = Forecast {
        is_sure: true,
        ..Forecast::default()
    };
    let cells = &mut forecast.cells;
    for statement in file["statements"].as_array().unwrap() {
        for lock in statement["locks"].as_array().unwrap() {
            let name = lock["relation"].as_str().unwrap();
            let mode = lock["mode"].as_str().unwrap().to_owned();
            if existed.contains(name) {
                let known = cells
                    .locks
                    .entry(name.to_owned())
                    .or_insert_with(|| mode.clone());
                if measure::rank(&mode) > measure::rank(known) {
                    *known = mode;
                }
            }
        }
        let names = statement["rewrites"].as_array().unwrap().iter();
        let names = names.map(|name| name.as_str().unwrap().to_owned());
        cells
            .rewrites
            .extend(names.filter(|name| existed.contains(name)));
        for (name, reasons) in statement["scan_reasons"].as_object().unwrap() {
            if existed.contains(name) {
                let reasons = reasons.as_array().unwrap().iter();
                let reasons = reasons.map(|reason| reason.as_str().unwrap().to_owned());
                cells.scans.entry(name.clone()).or_default().extend(reasons);
            }
        }
        cells.scans.retain(|_, reasons| !reasons.is_empty());
        cells.outside |= statement["transactional"] == false;
        forecast.is_sure &= statement["evidence"] == "catalog";
        let findings = statement["findings"].as_array().unwrap();
        forecast.asks |= findings.iter().any(|finding| finding["severity"] != "note");
        forecast.tells |= !findings.is_empty();
        let refuses = |finding: &Value| refused::CODES.iter().any(|code| finding["code"] == *code);
        forecast.refuses |= findings.iter().any(refuses);
        let blocks = BLOCKS
            .iter()
            .position(|word| statement["blocks"] == *word)
            .unwrap();
        forecast.blocks = forecast.blocks.max(blocks);
    }
    forecast
}

fn seen(measured: &Measured) -> Cells {
    let reasons =
        |reasons: &BTreeSet<&str>| reasons.iter().map(|reason| (*reason).to_owned()).collect();
    let scans = measured.scans.iter();
    Cells {
        locks: measured.locks.clone(),
        rewrites: measured.rewrites.clone(),
        scans: scans
            .map(|(name, why)| (name.clone(), reasons(why)))
            .collect(),
        outside: measured.outside,
    }
}

/// Everything that was seen was said.
fn covers(said: &Cells, is: &Cells) -> bool {
    let lock = |(name, mode): (&String, &String)| {
        said.locks
            .get(name)
            .is_some_and(|known| measure::rank(known) >= measure::rank(mode))
    };
    let scan = |(name, reasons): (&String, &BTreeSet<String>)| {
        said.scans
            .get(name)
            .is_some_and(|known| known.is_superset(reasons))
    };
    is.locks.iter().all(lock)
        && said.rewrites.is_superset(&is.rewrites)
        && is.scans.iter().all(scan)
        && said.outside == is.outside
}

/// What others cannot do while these locks are held.
fn blocks(cells: &Cells) -> usize {
    let of = |mode: &String| match measure::rank(mode) {
        Some(0..=3) | None => 0,
        Some(4..=6) => 1,
        Some(_) => 2,
    };
    cells.locks.values().map(of).max().unwrap_or_default()
}

/// Others are kept waiting while a table is written anew or read in full, and no finding says a word.
fn silent(said: &Forecast, is: &Cells, indexes: &BTreeSet<String>) -> bool {
    let works = !is.rewrites.is_empty() || !is.scans.is_empty();
    works && blocks(&felt(is, indexes)) > 0 && !said.tells
}

/// The locks at which others wait: an index is locked with its table, or when nobody uses it any more.
fn felt(is: &Cells, indexes: &BTreeSet<String>) -> Cells {
    let mut felt = Cells {
        locks: is.locks.clone(),
        ..Cells::default()
    };
    felt.locks.retain(|name, _| !indexes.contains(name));
    felt
}

/// What is sure has to be right in every cell; the rest may ask too often, never too little.
fn wrong(said: &Forecast, is: &Cells) -> bool {
    match said.is_sure {
        true => said.cells != *is,
        false => !(covers(&said.cells, is) || said.asks && said.blocks >= blocks(is)),
    }
}

/// What the text alone shows of a form: whatever keeps others waiting, writes a table anew or reads it in full meanwhile
/// is said, of whichever relation, or asked about.
fn too_little(said: &Forecast, is: &Cells, indexes: &BTreeSet<String>) -> bool {
    let reasons =
        |cells: &Cells| -> BTreeSet<String> { cells.scans.values().flatten().cloned().collect() };
    let felt = felt(is, indexes);
    let short = said.blocks < blocks(&felt)
        || said.cells.rewrites.is_empty() && !is.rewrites.is_empty()
        || blocks(&felt) > 0 && !reasons(&said.cells).is_superset(&reasons(is));
    short && !said.asks
}

/// How often a statement that runs in no transaction is watched until everything that was said of it was seen.
const LOOKS: u64 = 60;

fn union(all: &mut Cells, one: Cells) {
    for (name, mode) in one.locks {
        let known = all.locks.entry(name).or_insert_with(|| mode.clone());
        if measure::rank(&mode) > measure::rank(known) {
            *known = mode;
        }
    }
    all.rewrites.extend(one.rewrites);
    all.scans.extend(one.scans);
    all.outside |= one.outside;
}

/// The databases of one server.
struct Truth {
    server: &'static Server,
    database: Database,
    pristine: Database,
}

impl Truth {
    fn on(major: u32) -> Self {
        let server = support::shared(major);
        let database = database(server);
        let pristine = server.database().unwrap();
        server.drop_database(pristine.name()).unwrap();
        server
            .create_database_from(pristine.name(), database.name())
            .unwrap();
        Self {
            server,
            database,
            pristine,
        }
    }

    /// A copy for each look.
    fn outside(&self, sql: &str, said: &Forecast) -> Result<(Cells, BTreeSet<String>), String> {
        let (mut all, mut gone) = (Cells::default(), BTreeSet::new());
        for look in 0..LOOKS {
            let copy = format!("{}_copy", self.database.name());
            self.server
                .create_database_from(&copy, self.pristine.name())
                .unwrap();
            let measured = measure::outside(self.server, &copy, sql, look);
            self.server.drop_database(&copy).unwrap();
            let measured = measured?;
            union(&mut all, seen(&measured));
            gone.extend(measured.gone);
            if !said.is_sure || all == said.cells || !covers(&said.cells, &all) {
                break;
            }
        }
        Ok((all, gone))
    }

    #[track_caller]
    fn check(&self, major: u32) {
        let all = forms();
        let forms: Vec<&Form> = all.iter().filter(|form| form.since <= major).collect();
        let mut bench = measure::Bench::new(self.server, self.database.name());
        let existed = bench.existed();
        let sure = forecasts(Some(&self.database), &forms, &existed);
        let text_alone = forecasts(None, &forms, &existed);
        let (mut out, mut unsure) = (String::new(), Vec::new());
        let mut record = Record::new(major, bench.indexes());
        for ((form, said), alone) in forms.iter().zip(&sure).zip(&text_alone) {
            let is = match bench.measure(form.sql) {
                Err(error) if error.starts_with("25001") => self.outside(form.sql, said),
                measured => measured.map(|measured| (seen(&measured), measured.gone)),
            };
            let is = is.map(|(is, gone)| {
                record.add(form.sql, &is, &gone);
                is
            });
            if let Ok(is) = &is
                && too_little(alone, is, &bench.indexes())
            {
                writeln!(
                    out,
                    "{}\n    is   {is:?}\n    said of the text alone {:?}",
                    form.sql, alone.cells
                )
                .unwrap();
            }
            match is {
                Ok(is)
                    if wrong(said, &is) || said.refuses || silent(said, &is, &bench.indexes()) =>
                {
                    writeln!(
                        out,
                        "{}\n    is   {is:?}\n    said {:?} {} {:?}",
                        form.sql,
                        said.cells,
                        said.is_sure,
                        (said.tells, said.refuses)
                    )
                    .unwrap();
                }
                Ok(_) if !said.is_sure => unsure.push(form.sql),
                Ok(_) => {}
                Err(error) => {
                    writeln!(out, "{}\n    cannot be measured: {error}", form.sql).unwrap();
                }
            }
        }
        record.keep();
        if let Ok(folder) = std::env::var("TRUTH_DIFF") {
            let text = format!("{out}\nUNSURE {}\n{}\n", unsure.len(), unsure.join("\n"));
            fs_err::write(format!("{folder}/diff{major}.txt"), text).unwrap();
        }
        assert!(out.is_empty(), "on PostgreSQL {major}:\n{out}");
        assert!(
            unsure.len() * 10 < forms.len(),
            "not sure of {}: {unsure:#?}",
            unsure.len()
        );
    }
}

#[test]
#[ignore = "test --all"]
fn what_is_foreseen_happens_on_14() {
    Truth::on(14).check(14);
}

#[test]
#[ignore = "test --all"]
fn what_is_foreseen_happens_on_16() {
    Truth::on(16).check(16);
}

#[test]
#[ignore = "test --all"]
fn what_is_foreseen_happens_on_17() {
    Truth::on(17).check(17);
}

#[test]
fn what_is_foreseen_happens_on_15() {
    Truth::on(15).check(15);
}

#[test]
fn what_is_foreseen_happens_on_18() {
    Truth::on(18).check(18);
}

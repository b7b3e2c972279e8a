//! `bench linters`: what each public linter, and ours, says of the forms whose effects the truth suite measured.
//!
//! The judge is the server: [`truth`] decides from locks, files and scans alone what a hazard is, before anybody is asked.
//! Absent here: how fast they are, which is `bench lint`.

mod page;
mod rules;
mod tools;
mod truth;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use xtask::env::Env;
use xtask::servers::{Database, TempServer};
use xtask::workspace;

use self::rules::counts;
use self::tools::{Answer, Linter, Tool};
use self::truth::{Form, Group};
use super::{Program, Promise, settle};

/// Hazards caught and false alarms of the public linters and of ours, on the truth suite's forms
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: Program,
    /// Write the page into crates/cli/docs/linters.md instead of printing it
    #[arg(long)]
    write: bool,
}

/// The server whose truth counts; every tool that asks for a version is told this one.
const MAJOR: u32 = 15;
const PAGE: &str = "crates/cli/docs/linters.md";

pub(super) fn run(args: &Args) -> Result<()> {
    let env = Env::open()?;
    let program = args.program.get()?;
    let server = TempServer::start(&env.postgres(MAJOR)?)?;
    eprintln!("measuring every form on {}", server.install());
    let forms = truth::measure(&server)?;
    let database = fixture(&server)?;
    let tools = tools::all(&env, &program, &database.dsn());
    let mut results = Vec::new();
    for tool in tools {
        eprintln!("asking {}", tool.name);
        results.push(match tool.linter {
            Ok(linter) => Verdict::of(tool.name, &linter, &forms)?,
            Err(why) => Verdict::Absent {
                name: tool.name,
                why: format!("{why:#}"),
            },
        });
    }
    let version = server.scalar("postgres", "SHOW server_version")?;
    let page = page::page(&forms, &results, &version);
    if args.write {
        fs_err::write(workspace().join(PAGE), page)?;
        println!("{PAGE}");
    } else {
        print!("{page}");
    }
    settle(&promises(&forms, &results))
}

/// The database that the forms change, as the truth suite fills it.
fn fixture(server: &TempServer) -> Result<Database> {
    let sql = fs_err::read_to_string(workspace().join("tests/truth/fixture.sql"))?;
    let database = server.database()?;
    server.create_role("someone", "")?;
    server.with_client(database.name(), |client| {
        // VACUUM runs in no transaction, so in no statement with others
        for statement in sql.split(";\n") {
            client.batch_execute(statement)?;
        }
        Ok(())
    })?;
    Ok(database)
}

/// What a tool said, form by form.
enum Verdict {
    Judged {
        name: &'static str,
        tool: Tool,
        version: String,
        /// As many as there are forms.
        answers: Vec<Answer>,
    },
    Absent {
        name: &'static str,
        why: String,
    },
}

impl Verdict {
    fn of(name: &'static str, linter: &Linter, forms: &[Form]) -> Result<Self> {
        Ok(Self::Judged {
            name,
            tool: linter.tool,
            version: linter.version()?,
            answers: ask(linter, forms)?,
        })
    }
}

/// One file and one process for each form, as many at a time as there are cores.
fn ask(linter: &Linter, forms: &[Form]) -> Result<Vec<Answer>> {
    let folder = tempfile::tempdir()?;
    let (next, workers) = (
        AtomicUsize::new(0),
        std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
    );
    let work = || -> Result<Vec<(usize, Answer)>> {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(form) = forms.get(at) else {
                return Ok(done);
            };
            let answer = one(linter, form, &folder.path().join(format!("{at:04}.sql")));
            done.push((at, answer.with_context(|| form.sql.clone())?));
        }
    };
    let mut answers: Vec<(usize, Answer)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("a thread died")))
        });
        joined.collect::<Result<Vec<_>>>()
    })?
    .into_iter()
    .flatten()
    .collect();
    answers.sort_by_key(|(at, _)| *at);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

fn one(linter: &Linter, form: &Form, file: &Path) -> Result<Answer> {
    fs_err::write(file, linter.tool.text(form))?;
    let mut answer = linter.ask(form, file)?;
    answer.rules.retain(|rule| counts(linter.tool, rule));
    Ok(answer)
}

/// What is promised of ours, with the catalog.
fn promises(forms: &[Form], results: &[Verdict]) -> Vec<Promise> {
    let mut promises = Vec::new();
    for verdict in results {
        if let Verdict::Judged { name, answers, .. } = verdict
            && *name == tools::WITH_CATALOG
        {
            let judged = || forms.iter().zip(answers);
            let missed = judged().any(|(form, answer)| is_missed(form, answer));
            let alarmed = judged().any(|(form, answer)| is_false_alarm(form, answer));
            promises.push(Promise::that(
                &format!("`{name}` misses no hazard"),
                !missed,
            ));
            promises.push(Promise::that(
                &format!("`{name}` gives no false alarm"),
                !alarmed,
            ));
        }
    }
    promises
}

/// Whether it warned without need.
fn is_false_alarm(form: &Form, answer: &Answer) -> bool {
    matches!(form.group(), Group::Brief | Group::Free) && !answer.rules.is_empty()
}

fn is_missed(form: &Form, answer: &Answer) -> bool {
    form.group() == Group::Hazard && answer.rules.is_empty()
}

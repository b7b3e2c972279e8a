//! `bench preview`: one `django-migrate preview` against the shell loop that people write.
//!
//! The loop is `showmigrations --plan`, then one `sqlmigrate` for each pending migration. What `preview` answers beyond
//! the loop (system checks, the way back, locks, hazards) is not taken off its time.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::measure::{Cost, measure, median};
use super::site::Site;
use super::{Program, Promise, machine, settle};

/// `django-migrate preview` against `showmigrations --plan` and one `sqlmigrate` for each pending migration
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    program: Program,
    /// How many migrations are pending
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 50, 100])]
    pending: Vec<usize>,
    /// Runs of each; the medians count
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// Prints how many migrations it went through and how many of them `sqlmigrate` refused.
const LOOP: &str = r#"
python manage.py showmigrations --plan > plan.txt || exit 1
done=0; failed=0
while read -r mark key rest; do
    case "$mark$key" in "[]"*) ;; *) continue ;; esac
    done=$((done + 1))
    python manage.py sqlmigrate "${rest%%.*}" "${rest#*.}" > sql.txt 2>&1 < /dev/null || failed=$((failed + 1))
done < plan.txt
echo "$done $failed"
"#;

/// CPU, by how many are pending.
const PROMISED: [(usize, f64); 2] = [(50, 20.0), (100, 45.0)];

pub(super) fn run(args: &Args) -> Result<()> {
    ensure!(args.runs > 0, "--runs 0 measures nothing");
    let program = args.program.get()?;
    let machine = machine::facts();
    let site = Site::new(&args.pending)?;
    println!("| pending | shell loop: CPU s | wall s | `preview`: CPU s | wall s | CPU | wall |");
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    let mut rows = Vec::new();
    for pending in &args.pending {
        let row = Row::measured(&site, &program, *pending, args.runs)?;
        println!("{}", row.markdown());
        rows.push(row);
    }
    println!(
        "\nA `wagtail start` site of {} migrations, of which the last are pending; medians of {} runs in turn; CPU is \
         user and system time of the client's processes.\n{}; {machine}",
        site.migrations, args.runs, site.versions
    );
    for row in &rows {
        println!("{}", row.told());
    }
    let promises: Vec<Promise> = rows.iter().filter_map(Row::promise).collect();
    settle(&promises)
}

struct Row {
    pending: usize,
    shell: Cost,
    preview: Cost,
    /// Migrations for which `sqlmigrate` failed.
    refused: usize,
    /// Migrations that `preview` marks as incomplete.
    incomplete: usize,
}

impl Row {
    fn measured(site: &Site, program: &Path, pending: usize, runs: usize) -> Result<Self> {
        let incomplete = previewed(site, program, pending)?;
        let (mut shell, mut preview, mut refused) = (Vec::new(), Vec::new(), 0);
        for _ in 0..runs {
            let (cost, failures) = shell_loop(site, pending)?;
            shell.push(cost);
            refused = failures;
            preview.push(one_preview(site, program, pending)?);
        }
        Ok(Self {
            pending,
            shell: median(&shell),
            preview: median(&preview),
            refused,
            incomplete,
        })
    }

    fn markdown(&self) -> String {
        let Self {
            pending,
            shell,
            preview,
            ..
        } = self;
        format!(
            "| {pending} | {:.1} | {:.1} | {:.2} | {:.2} | {:.1}× | {:.1}× |",
            shell.cpu,
            shell.wall,
            preview.cpu,
            preview.wall,
            shell.cpu / preview.cpu,
            shell.wall / preview.wall
        )
    }

    /// What neither side could render.
    fn told(&self) -> String {
        let Self {
            pending,
            refused,
            incomplete,
            ..
        } = self;
        format!(
            "At {pending} pending, `sqlmigrate` failed for {refused}; `preview` marked {incomplete} whose SQL is not all \
             known before they run (RunPython, say)."
        )
    }

    fn promise(&self) -> Option<Promise> {
        let (_, wanted) = PROMISED
            .iter()
            .find(|(pending, _)| *pending == self.pending)?;
        let what = format!("less CPU at {} pending, times", self.pending);
        Some(Promise::at_least(
            &what,
            self.shell.cpu / self.preview.cpu,
            *wanted,
        ))
    }
}

/// What the loop costs, and for how many migrations `sqlmigrate` failed.
fn shell_loop(site: &Site, pending: usize) -> Result<(Cost, usize)> {
    let mut command = site.with_pending(Path::new("/bin/sh"), pending)?;
    let (cost, output) = measure(command.args(["-c", LOOP]))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (done, failed) = said
        .trim()
        .split_once(' ')
        .with_context(|| format!("the loop said {said:?}"))?;
    ensure!(
        done.parse() == Ok(pending),
        "the loop went through {done} migrations, not {pending}"
    );
    Ok((cost, failed.parse()?))
}

fn one_preview(site: &Site, program: &Path, pending: usize) -> Result<Cost> {
    let (cost, output) = measure(site.with_pending(program, pending)?.arg("preview"))?;
    ensure!(
        output.status.success(),
        "preview ended with {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(cost)
}

/// Looks once whether it is the same work: every pending migration is there. Gives how many are incomplete.
fn previewed(site: &Site, program: &Path, pending: usize) -> Result<usize> {
    let output = site
        .with_pending(program, pending)?
        .args(["preview", "--format", "json"])
        .output()?;
    let document: serde_json::Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let migrations = document["migrations"].as_array().context("no migrations")?;
    ensure!(
        migrations.len() == pending,
        "preview shows {} migrations, not {pending}",
        migrations.len()
    );
    Ok(migrations
        .iter()
        .filter(|migration| migration["complete"] == false)
        .count())
}

//! `cargo xtask demo`: the whole workflow on a small shop, on a PostgreSQL that needs no installation.
//!
//! What it shows is real: a project on disk, a server of its own, the built binary. Absent here: assertions; tests have
//! those.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use xtask::env::Env;
use xtask::harness::TestCli;
use xtask::project::{Project, Shop};
use xtask::servers::TempServer;
use xtask::{process, workspace};

/// Show every step of the workflow on a small shop with data, on an embedded PostgreSQL
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server's major version
    #[arg(long, default_value_t = 17)]
    postgres: u32,
    /// Django's version
    #[arg(long, default_value = "5.2")]
    django: String,
    /// Answer the questions yourself, on this terminal
    #[arg(long)]
    interactive: bool,
    /// Only take the README's pictures of it, into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "interactive")]
    pictures: Option<PathBuf>,
}

/// The pictures' terminal; as many rows as the longest run has.
const PICTURE: (u16, u16) = (104, 150);

pub(crate) fn run(args: &Args) -> Result<()> {
    say("Building django-migrate");
    process::show(process::cargo().args(["build", "--quiet", "--package", "django-migrate"]))?;
    say(&format!(
        "Getting PostgreSQL {} and Django {} (once)",
        args.postgres, args.django
    ));
    let env = Env::open()?;
    let install = env.postgres(args.postgres)?;
    let venv = env.django(&args.django)?;
    let server = TempServer::start(&install)?;
    let database = server.named_database("shop")?;
    let folder = workspace().join("target").join("demo").join("shop");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    let project = Shop::write_to(&venv, &database, &folder)?;
    // as a project of one's own has it: found without being named
    std::os::unix::fs::symlink(&venv.folder, folder.join(".venv"))?;
    let demo = Demo {
        project,
        pg_dump: server.bin_dir().join("pg_dump"),
    };

    if let Some(folder) = &args.pictures {
        return demo.pictures(folder);
    }
    say("What is pending, and is everything fit? `django-migrate check`");
    demo.show(&["check"], 0)?;
    say(
        "A dry run, which is the default: backup, SQL preview, and nothing changes. `django-migrate run`",
    );
    demo.show(&["run"], 0)?;
    let fingerprint = demo.fingerprint()?;
    if args.interactive && std::io::stdin().is_terminal() {
        say("The real thing. `django-migrate run --apply`");
        demo.show(&["run", "--apply"], 0)?;
    } else {
        say(
            "Applying without saying that data may go is refused. `django-migrate run --apply --yes`",
        );
        demo.show(&["-q", "run", "--apply", "--yes"], 11)?;
        say(&format!(
            "The real thing, bound to the plan that was read.\n   `django-migrate run --apply --yes --plan {fingerprint} \
             --confirm-destructive \"I understand\"`"
        ));
        let consent = [
            "--yes",
            "--plan",
            &fingerprint,
            "--confirm-destructive",
            "I understand",
        ];
        demo.show(&[&["run", "--apply"], &consent[..]].concat(), 0)?;
    }
    say(
        "What is kept: the report, with the way back. `django-migrate report latest --format markdown`",
    );
    demo.show(&["report", "latest", "--format", "markdown"], 0)?;
    println!(
        "\nThe project, its backups and its run folders stay in {}.",
        folder.display()
    );
    println!("The server was a throw-away one and is gone.");
    Ok(())
}

struct Demo {
    project: Project,
    pg_dump: PathBuf,
}

impl Demo {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.project.folder())
            .env_remove("VIRTUAL_ENV")
            .env("DJANGO_MIGRATE_PG_DUMP", &self.pg_dump);
        command
    }

    /// Runs it in front of the reader; any other end than the promised one is a defect of the demo.
    fn show(&self, arguments: &[&str], code: i32) -> Result<()> {
        let status = self.command(arguments).status()?;
        ensure!(
            status.code() == Some(code),
            "`django-migrate {}` ended with {status}, not {code}",
            arguments.join(" ")
        );
        Ok(())
    }

    /// A dry run and the real thing, typed on a terminal of their own.
    fn pictures(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let yes = ["Go on with these parameters?", "Apply 5 migrations"];
        type Talk<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)]);
        let talks: [Talk<'_>; 2] = [
            ("run.svg", &["run"], &[(yes[0], "y")]),
            (
                "apply.svg",
                &["run", "--apply"],
                &[
                    (yes[0], "y"),
                    (yes[1], "y"),
                    ("I understand", "I understand"),
                ],
            ),
        ];
        for (name, arguments, answers) in talks {
            let mut terminal = TestCli::in_project(binary(), &self.project)
                .args(arguments)
                .env_remove("VIRTUAL_ENV")
                .env(
                    "DJANGO_MIGRATE_TEST_COMMAND",
                    ".venv/bin/python -m pytest -q tests/",
                )
                .env(
                    "PATH",
                    &format!(
                        "{}:/usr/bin:/bin",
                        self.pg_dump.parent().unwrap_or(Path::new("")).display()
                    ),
                )
                .tty_of(PICTURE.0, PICTURE.1);
            for (question, answer) in answers {
                terminal.wait_for(question);
                terminal.type_line(answer);
            }
            let code = terminal.finish();
            ensure!(
                code == 0,
                "`django-migrate {}` ended with {code}:\n{}",
                arguments.join(" "),
                terminal.output()
            );
            std::fs::write(folder.join(name), self.elsewhere(&terminal.picture()))?;
            println!("{}", folder.join(name).display());
        }
        Ok(())
    }

    /// The picture as if the project were where projects are: no path of this machine.
    fn elsewhere(&self, picture: &str) -> String {
        let here = self.project.folder().display().to_string();
        let length = regex::Regex::new(" textLength=\"[0-9.]+\"").expect("a fixed pattern");
        let line = |line: &str| match line.contains(&here) {
            true => length.replace(line, "").replace(&here, "/srv/shop"),
            false => line.to_owned(),
        };
        picture.lines().map(|l| line(l) + "\n").collect()
    }

    /// The plan that the dry run stored.
    fn fingerprint(&self) -> Result<String> {
        let output = self
            .command(&["report", "latest", "--format", "json"])
            .output()?;
        let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        match report["plan_fingerprint"].as_str() {
            Some(fingerprint) => Ok(fingerprint.to_owned()),
            None => bail!("the report of the dry run has no plan_fingerprint"),
        }
    }
}

fn binary() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace().join("target"), PathBuf::from);
    let target: &Path = &target;
    target.join("debug").join("django-migrate")
}

fn say(text: &str) {
    println!("\n\u{1b}[1m── {text}\u{1b}[0m\n");
}

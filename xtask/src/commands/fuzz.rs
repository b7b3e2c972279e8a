//! `cargo xtask fuzz`: any bytes into the readers of dumps and of SQL, for so long.
//!
//! With libFuzzer on the stable compiler: the code is instrumented by the flags that cargo-fuzz uses, without a
//! sanitizer, which only nightly has and which this code without `unsafe` does not need. Where there is no C++ compiler
//! for libFuzzer, the crate's own tests run the same functions on mutations of the same corpus.
//!
//! What libFuzzer finds is left in `fuzz/artifacts` of the crate; mended, it belongs into the corpus, which is a test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use xtask::process::{self, cargo};

/// As cargo-fuzz has them, without a sanitizer.
const INSTRUMENTED: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 --cfg fuzzing";

/// What is fuzzed: a program of `fuzz/` in a crate, and the test that does the same.
#[derive(Clone, Copy)]
struct Target {
    name: &'static str,
    /// The folder of the crate, and its package.
    krate: &'static str,
    package: &'static str,
    test: &'static str,
    /// The longest input that is worth the time.
    longest: u32,
}

const TARGETS: [Target; 4] = [
    Target {
        name: "dump",
        krate: "dumper",
        package: "dumper",
        test: "mutated_dumps",
        longest: 4096,
    },
    Target {
        name: "archive",
        krate: "dumper",
        package: "dumper",
        test: "mutated_archives",
        longest: 16_384,
    },
    Target {
        name: "sql",
        krate: "cli",
        package: "django-migrate",
        test: "mutated_scripts",
        longest: 2048,
    },
    Target {
        name: "query",
        krate: "cli",
        package: "django-migrate",
        test: "mutated_queries",
        longest: 1024,
    },
];

/// Any bytes into the readers of dumps and of SQL
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For each target
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Only these: dump, archive, sql, query
    #[arg(long, value_delimiter = ',')]
    target: Vec<String>,
}

impl Args {
    /// As long as CI waits for it: SQL is fuzzed by the tests there, since it takes minutes to build the whole command
    /// once more.
    pub(crate) fn bounded() -> Self {
        Self {
            seconds: 10,
            target: vec!["dump".to_owned(), "archive".to_owned()],
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let targets: Vec<Target> = TARGETS
        .into_iter()
        .filter(|target| args.target.is_empty() || args.target.iter().any(|it| it == target.name))
        .collect();
    ensure!(!targets.is_empty(), "there is no such target");
    if let Some(triple) = triple_with_compiler() {
        for target in targets {
            build(target, &triple)?;
            fuzz(target, &triple, args.seconds)?;
        }
        return Ok(());
    }
    println!("there is no C++ compiler for libFuzzer: mutations of the corpus, without coverage");
    for target in targets {
        mutate(target, args.seconds)?;
    }
    Ok(())
}

impl Target {
    fn folder(self) -> PathBuf {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
        crates.join(self.krate).join("fuzz")
    }
}

/// The host, where a C++ compiler answers: libfuzzer-sys compiles libFuzzer with it. With `--target` build scripts are
/// not instrumented.
fn triple_with_compiler() -> Option<String> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let answers = Command::new(compiler)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let said = process::stdout(Command::new("rustc").arg("-vV")).ok()?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "))?;
    answers.then(|| host.to_owned())
}

fn build(target: Target, triple: &str) -> Result<()> {
    let folder = target.folder();
    process::show(
        cargo()
            .args(["build", "--release", "--quiet", "--target", triple])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", folder.join("target"))
            .env("RUSTFLAGS", INSTRUMENTED),
    )
    .context("the fuzz targets do not build")
}

/// New inputs go into a folder of their own, so that the corpus is what was chosen.
fn fuzz(target: Target, triple: &str, seconds: u32) -> Result<()> {
    let (folder, name, longest) = (target.folder(), target.name, target.longest);
    println!("fuzzing {name} for {seconds} s");
    let found = folder.join("target/found").join(name);
    let artifacts = folder.join("artifacts").join(name);
    for path in [&found, &artifacts] {
        fs_err::create_dir_all(path)?;
    }
    let program = folder
        .join("target")
        .join(triple)
        .join("release")
        .join(name);
    process::show(
        Command::new(program)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={longest}"))
            .args([
                "-timeout=10",
                "-rss_limit_mb=512",
                "-print_final_stats=1",
                "-verbosity=0",
            ])
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(found)
            .arg(folder.join("corpus").join(name)),
    )
    .with_context(|| format!("{name}: the input is in {}", artifacts.display()))
}

fn mutate(target: Target, seconds: u32) -> Result<()> {
    process::show(
        cargo()
            .args(["test", "--quiet", "--package", target.package, "--lib"])
            .arg(format!("fuzzing::tests::{}", target.test))
            .env("DUMPER_FUZZ_SECONDS", seconds.to_string())
            .env("SQL_FUZZ_SECONDS", seconds.to_string()),
    )
}

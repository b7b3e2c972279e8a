//! `cargo xtask fuzz`: any bytes into the reader of dumps, for so long.
//!
//! With libFuzzer on the stable compiler: the code is instrumented by the flags that cargo-fuzz uses, without a
//! sanitizer, which only nightly has and which this code without `unsafe` does not need. Where there is no C++ compiler
//! for libFuzzer, the crate's own test runs the same functions on mutations of the same corpus.
//!
//! What libFuzzer finds is left in `crates/dumper/fuzz/artifacts`; mended, it belongs into the corpus, which is a test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use xtask::process::{self, cargo};

/// As cargo-fuzz has them, without a sanitizer.
const INSTRUMENTED: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 --cfg fuzzing";

/// Targets, and the longest input that is worth the time.
const TARGETS: [(&str, u32); 2] = [("dump", 4096), ("archive", 16_384)];

/// Any bytes into the reader of dumps
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// For each target
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Only this one: dump, archive
    #[arg(long)]
    target: Option<String>,
}

impl Args {
    /// As long as CI waits for it.
    pub(crate) fn bounded() -> Self {
        Self {
            seconds: 10,
            target: None,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let targets = TARGETS
        .into_iter()
        .filter(|(name, _)| args.target.as_deref().is_none_or(|wanted| wanted == *name));
    if let Some(triple) = triple_with_compiler() {
        let folder = folder();
        build(&folder, &triple)?;
        for (name, longest) in targets {
            fuzz(&folder, &triple, name, longest, args.seconds)?;
        }
        return Ok(());
    }
    println!("there is no C++ compiler for libFuzzer: mutations of the corpus, without coverage");
    for (name, _) in targets {
        mutate(name, args.seconds)?;
    }
    Ok(())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/dumper/fuzz")
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

fn build(folder: &Path, triple: &str) -> Result<()> {
    process::show(
        cargo()
            .args(["build", "--release", "--quiet", "--target", triple])
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", folder.join("target"))
            .env("RUSTFLAGS", INSTRUMENTED),
    )
    .context("the fuzz targets do not build")
}

/// New inputs go into a folder of their own, so that the corpus is what was chosen.
fn fuzz(folder: &Path, triple: &str, name: &str, longest: u32, seconds: u32) -> Result<()> {
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

fn mutate(name: &str, seconds: u32) -> Result<()> {
    process::show(
        cargo()
            .args(["test", "--quiet", "--package=dumper", "--lib"])
            .arg(format!("fuzzing::tests::mutated_{name}s"))
            .env("DUMPER_FUZZ_SECONDS", seconds.to_string()),
    )
}

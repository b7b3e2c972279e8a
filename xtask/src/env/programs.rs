//! Programs that are built or installed by another tool than pip: crates with `cargo install`, npm's with `npm ci`.
//!
//! Only benchmarks ask for these; tests must need no npm and no C compiler.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use super::{Env, pins, slot};
use crate::process;

/// `cargo install --locked` of the pinned version.
pub(super) fn of_cargo(env: &Env, name: &str) -> Result<PathBuf> {
    let pins = pins::read()?.crates;
    let pin = pins.into_iter().find(|pin| pin.name == name);
    let pin = pin.with_context(|| format!("pins.toml has no crate `{name}`"))?;
    let slot = format!("{name}-{}", pin.version);
    let folder = slot::get_or_build(env.root(), "cargo", &slot, |folder| {
        let mut cargo = process::cargo();
        cargo.args(["install", "--locked", "--quiet", "--root"]);
        cargo
            .arg(folder)
            .arg(format!("{name}@{}", pin.version))
            // its objects go away with the build, wherever ours are kept
            .env_remove("CARGO_TARGET_DIR");
        with_libclang(env, &mut cargo)?;
        process::run(&mut cargo).map(drop)
    })?;
    Ok(folder.join("bin").join(name))
}

/// Crates around libpg_query read its headers with libclang, which few machines have. PyPI's has no headers of its own;
/// those of the machine's compiler do.
fn with_libclang(env: &Env, cargo: &mut Command) -> Result<()> {
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return Ok(());
    }
    let venv = env.venv("libclang")?;
    let ask = "import sysconfig; print(sysconfig.get_path('platlib'))";
    let packages = process::stdout(Command::new(venv.python()).args(["-c", ask]))?;
    let headers = process::stdout(Command::new("cc").arg("-print-file-name=include"));
    let headers = headers.context("a C compiler is needed")?;
    cargo
        .env("LIBCLANG_PATH", Path::new(&packages).join("clang/native"))
        .env("BINDGEN_EXTRA_CLANG_ARGS", format!("-I{headers}"));
    Ok(())
}

/// `npm ci`: what the lock file names, by its hashes.
pub(super) fn of_npm(env: &Env, name: &str) -> Result<PathBuf> {
    let pins = pins::npm(name);
    let lock = fs_err::read(pins.join("package-lock.json"))?;
    process::stdout(Command::new("node").arg("--version")).context("Node.js is needed")?;
    let hash: String = Sha256::digest(&lock)
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let folder = slot::get_or_build(env.root(), "npm", &format!("{name}-{hash}"), |folder| {
        for file in ["package.json", "package-lock.json"] {
            fs_err::copy(pins.join(file), folder.join(file))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        process::run(npm.current_dir(folder)).context("npm is needed")?;
        Ok(())
    })?;
    let program = folder.join("node_modules/.bin").join(name);
    ensure!(program.exists(), "{} is missing", program.display());
    Ok(program)
}

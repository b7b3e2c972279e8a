//! Files from PyPI, by hash, through pip and so with the user's `PIP_*` settings; a bare python3 without pip gets the
//! pinned pip through urllib first.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use super::pins::{PipPin, Wheel};
use super::{Env, pins, python, slot};
use crate::process;

/// Downloads a wheel and unpacks it into `folder`.
pub(super) fn wheel(env: &Env, wheel: &Wheel, folder: &Path) -> Result<()> {
    let python = python::first()?;
    let mut pip = pip(env, &python.path)?;
    let pinned = format!(
        "{}=={} --hash=sha256:{}\n",
        wheel.package, wheel.version, wheel.sha256
    );
    let download = tempfile::tempdir_in(folder)?;
    let requirements = download.path().join("requirements.txt");
    fs_err::write(&requirements, pinned)?;
    // the newest Python that the package asks for is not ours, and need not be: it holds no Python code that we run
    pip.args([
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--ignore-requires-python",
    ])
    .args([
        "--python-version",
        "3.12",
        "--platform",
        &wheel.platform,
        "--requirement",
    ])
    .arg(&requirements)
    .arg("--dest")
    .arg(download.path());
    process::run(&mut pip)?;
    let file = only_wheel(download.path())?;
    verify(&file, &wheel.sha256)?;
    unzip(&python.path, &file, folder)
}

/// `python -m pip` with the pinned pip, ready for arguments. Any Python of the machine can run it.
pub(super) fn pip(env: &Env, python: &Path) -> Result<Command> {
    let pin = pins::read()?.pip;
    let tree = slot::get_or_build(
        env.root(),
        "tools",
        &format!("pip-{}", pin.version),
        |folder| pinned_pip(&pin, folder),
    )?;
    let mut command = Command::new(python);
    command
        .args(["-m", "pip"])
        .env("PYTHONPATH", tree)
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    Ok(command)
}

fn pinned_pip(pin: &PipPin, folder: &Path) -> Result<()> {
    let python = python::first()?;
    let download = tempfile::tempdir_in(folder)?;
    if process::run(Command::new(&python.path).args(["-m", "pip", "--version"])).is_ok() {
        process::run(
            Command::new(&python.path)
                .args([
                    "-m",
                    "pip",
                    "download",
                    "--quiet",
                    "--no-deps",
                    "--only-binary=:all:",
                ])
                .arg(format!("pip=={}", pin.version))
                .arg("--dest")
                .arg(download.path())
                .env("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        )?;
    } else {
        let name = format!("pip-{}-py3-none-any.whl", pin.version);
        process::run(
            Command::new(&python.path)
                .args(["-c", WITHOUT_PIP, &name])
                .arg(download.path().join(&name)),
        )?;
    }
    let file = only_wheel(download.path())?;
    verify(&file, &pin.sha256)?;
    unzip(&python.path, &file, folder)
}

/// One file from the index that `PIP_INDEX_URL` names, with `PIP_CERT` and the proxy variables honoured.
const WITHOUT_PIP: &str = r#"
import os, re, ssl, sys, urllib.parse, urllib.request
name, target = sys.argv[1:]
context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)
def fetch(url):
    return urllib.request.urlopen(url, context=context, timeout=60).read()
page = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
for link in re.findall(r'href="([^"]+)"', fetch(page).decode()):
    url = urllib.parse.urljoin(page, link.replace("&amp;", "&"))
    if urllib.parse.urlparse(url).path.endswith("/" + name):
        open(target, "wb").write(fetch(url))
        break
else:
    sys.exit(f"{page} has no {name}")
"#;

fn only_wheel(folder: &Path) -> Result<PathBuf> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("the download left no wheel in {}", folder.display())
}

fn verify(file: &Path, sha256: &str) -> Result<()> {
    let found = sha256_of(file)?;
    if found != sha256 {
        bail!(
            "{} is not what was pinned\n  pinned: sha256 {sha256}\n  found:  sha256 {found}",
            file.display()
        );
    }
    Ok(())
}

/// Lower-case hex.
pub(super) fn sha256_of(file: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut fs_err::File::open(file)?, &mut hash)?;
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn unzip(python: &Path, file: &Path, folder: &Path) -> Result<()> {
    process::run(
        Command::new(python)
            .args(["-m", "zipfile", "-e"])
            .arg(file)
            .arg(folder),
    )
    .with_context(|| format!("cannot unpack {}", file.display()))?;
    Ok(())
}

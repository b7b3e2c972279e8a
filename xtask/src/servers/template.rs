//! The cluster that every server of one installation is copied from, so that `initdb` runs once.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::Account;
use crate::env::{Env, PgInstall, slot};
use crate::process;

/// The superuser of every cluster.
pub(super) const SUPERUSER: &str = "postgres";

/// A folder `data` to copy, and the superuser's password in it.
pub(super) struct Template {
    pub(super) data: PathBuf,
    pub(super) password: String,
}

/// UTF-8, the C locale (there on every machine), SCRAM everywhere; WAL in pieces of 1 MB, so that a copy is small.
const INITDB: [&str; 6] = [
    "--encoding=UTF8",
    "--locale=C",
    "--auth=scram-sha-256",
    "--username=postgres",
    "--wal-segsize=1",
    "--no-sync",
];

/// Makes it on first use.
pub(super) fn get(env: &Env, install: &PgInstall) -> Result<Template> {
    let account = Account::of_servers()?;
    let folder = slot::get_or_build(env.root(), "templates", &name(install, account), |folder| {
        build(install, account, folder)
    })?;
    Ok(Template {
        data: folder.join("data"),
        password: fs_err::read_to_string(folder.join("password"))?,
    })
}

/// Another build of PostgreSQL, another account or other arguments are another template.
fn name(install: &PgInstall, account: Account) -> String {
    let seed = format!("{install:?} {account:?} {INITDB:?}");
    let short: String = Sha256::digest(seed)
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}-{short}", install.version)
}

fn build(install: &PgInstall, account: Account, folder: &Path) -> Result<()> {
    let password = random_hex()?;
    let (data, password_file, handed) = (
        folder.join("data"),
        folder.join("password"),
        folder.join("handed"),
    );
    for file in [&password_file, &handed] {
        fs_err::write(file, &password)?;
        fs_err::set_permissions(file, std::fs::Permissions::from_mode(0o600))?;
    }
    account.own(&handed)?;
    fs_err::create_dir(&data)?;
    account.own(&data)?;
    let mut initdb = install.command("initdb");
    initdb
        .args(INITDB)
        .arg("--pgdata")
        .arg(&data)
        .arg("--pwfile")
        .arg(&handed);
    // initdb asks for its working directory and for a home that it can read
    initdb
        .current_dir(&data)
        .env("HOME", &data)
        .env("TZ", "UTC")
        .env("LC_ALL", "C");
    account.apply(&mut initdb);
    process::run(&mut initdb)?;
    Ok(fs_err::remove_file(handed)?)
}

/// A password that nobody else on the machine knows, though the server listens on the loopback only.
fn random_hex() -> Result<String> {
    use std::io::Read as _;
    let mut bytes = [0; 16];
    fs_err::File::open("/dev/urandom")?
        .read_exact(&mut bytes)
        .context("/dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

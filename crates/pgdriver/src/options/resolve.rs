//! Explicit keywords, then the service, then `PG*`, then libpq's defaults (`conninfo_add_defaults` in `fe-connect.c`);
//! then a password for each host from the password file.
//!
//! Absent: the process. Everything comes out of an [`Environment`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::environment::Passfile;
use super::keywords::KEYWORDS;
use super::{ConnectOptions, Environment, Host, OptionsError, Place, passfile, read, service};
use crate::Secret;

type Keywords = BTreeMap<String, String>;

pub(super) fn resolve(
    explicit: &Keywords,
    environment: &Environment,
) -> Result<ConnectOptions, OptionsError> {
    // what is given as empty is given: neither service nor environment fills it in
    let mut keywords = explicit.clone();
    add_missing(&mut keywords, service_keywords(explicit, environment)?);
    add_missing(&mut keywords, environment_keywords(environment));
    require_tls_as_of_old(&mut keywords);
    let password = keywords
        .remove("password")
        .filter(|text| !text.is_empty())
        .map(Secret::from);
    let mut options = read::options(&keywords, password, environment)?;
    if options.password.is_none() {
        add_passwords(&mut options, &keywords, environment);
    }
    Ok(options)
}

fn add_missing(keywords: &mut Keywords, more: Keywords) {
    for (name, value) in more {
        keywords.entry(name).or_insert(value);
    }
}

fn environment_keywords(environment: &Environment) -> Keywords {
    KEYWORDS
        .iter()
        .filter_map(|keyword| {
            let value = environment.variable_as_it_is(keyword.variable?)?;
            Some((keyword.name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// `PGREQUIRESSL=1` is `sslmode=require` where nobody gives an `sslmode`; libpq still follows it.
fn require_tls_as_of_old(keywords: &mut Keywords) {
    let required = keywords.remove("requiressl");
    if required.is_some_and(|value| value.starts_with('1')) {
        let require = || "require".to_owned();
        keywords.entry("sslmode".to_owned()).or_insert_with(require);
    }
}

fn service_keywords(
    explicit: &Keywords,
    environment: &Environment,
) -> Result<Keywords, OptionsError> {
    let named = explicit
        .get("service")
        .map(String::as_str)
        .or(environment.variable("PGSERVICE"));
    let Some(name) = named.filter(|name| !name.is_empty()) else {
        return Ok(Keywords::new());
    };
    let files = service_files(explicit, environment);
    for file in &files {
        if let Some(text) = environment.read(file)
            && let Some(keywords) = service::section(&text, name)?
        {
            return Ok(keywords);
        }
    }
    let looked = files
        .iter()
        .map(|file| file.display().to_string())
        .collect::<Vec<_>>()
        .join(", ");
    Err(OptionsError::of(
        "service",
        format!("definition of service \"{name}\" not found (looked in {looked})"),
    ))
}

fn service_files(explicit: &Keywords, environment: &Environment) -> Vec<PathBuf> {
    let chosen = explicit
        .get("servicefile")
        .map(String::as_str)
        .or(environment.variable("PGSERVICEFILE"));
    let user = chosen
        .map(PathBuf::from)
        .or_else(|| environment.home_file(".pg_service.conf"));
    // Debian's libpq looks in the second where PGSYSCONFDIR says nothing
    let system = environment
        .variable("PGSYSCONFDIR")
        .unwrap_or("/etc/postgresql-common");
    user.into_iter()
        .chain([PathBuf::from(system).join("pg_service.conf")])
        .collect()
}

fn add_passwords(options: &mut ConnectOptions, keywords: &Keywords, environment: &Environment) {
    // an empty name is none to libpq
    let named = keywords.get("passfile").filter(|name| !name.is_empty());
    let named = named.map(PathBuf::from);
    let Some(path) = named.or_else(|| environment.home_file(".pgpass")) else {
        return;
    };
    match environment.read_passfile(&path) {
        Passfile::Text(text) => {
            for at in 0..options.hosts.len() {
                options.hosts[at].password = password_for(&text, &options.hosts[at], options);
            }
        }
        Passfile::TooOpen => options.ignored.push(format!(
            "passfile {} (group or others have access: chmod 0600)",
            path.display()
        )),
        Passfile::Missing => {}
    }
}

fn password_for(text: &str, host: &Host, options: &ConnectOptions) -> Option<Secret> {
    let port = host.port.to_string();
    let of = |name: &str| {
        let target = passfile::Target {
            host: name,
            port: &port,
            database: &options.database,
            user: &options.user,
        };
        passfile::password(text, &target)
    };
    match &host.place {
        Place::Tcp(name) => of(name),
        // libpq says localhost for the folder that it was built with, which is not ours to know
        Place::Socket(folder) => of(&folder.display().to_string())
            .or_else(|| is_default_folder(folder).then(|| of("localhost")).flatten()),
    }
}

fn is_default_folder(folder: &std::path::Path) -> bool {
    ["/var/run/postgresql", "/tmp"]
        .iter()
        .any(|default| folder == std::path::Path::new(default))
}

#[cfg(test)]
mod tests;

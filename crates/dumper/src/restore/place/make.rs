//! `CREATE DATABASE`, like the one that was dumped.
//!
//! Whether a server has a locale, only the attempt says: operating systems differ in their names. It comes before the first
//! statement, so that nothing is half done.
//!
//! Absent: another locale in place of one that is missing. Who sorts by it should choose.

use pgdriver::databases::{self, NewDatabase};
use pgdriver::{QueryError, Session};

use super::super::error::RestoreFailure;
use super::super::request::RestoreRequest;
use super::beside;
use crate::manifest::DatabaseProperties;

/// LOCALE_PROVIDER, ICU_RULES and BUILTIN_LOCALE came with these.
const PROVIDERS: u32 = 15;
const RULES: u32 = 16;
const BUILTIN: u32 = 17;

/// What names of unfinished databases begin with.
pub(super) const UNFINISHED: &str = "_restoring_";

/// Makes a database under a name of passage.
pub(super) async fn make(
    session: &Session,
    request: &RestoreRequest,
    properties: Option<&DatabaseProperties>,
) -> Result<String, RestoreFailure> {
    let (owner, stamp) = databases::owner_and_stamp(session, &request.into).await?;
    let major = major(session.server_version());
    if let Some(properties) = properties {
        known(properties, major)?;
    }
    let new = NewDatabase {
        owner: owner.as_deref(),
        ..properties.map_or_else(NewDatabase::default, |like| NewDatabase {
            encoding: Some(&like.encoding),
            collate: Some(&like.collate),
            ctype: Some(&like.ctype),
            provider: Some(like.provider.as_str()).filter(|_| major >= PROVIDERS),
            locale: like.locale.as_deref(),
            icu_rules: like.icu_rules.as_deref(),
            ..NewDatabase::default()
        })
    };
    let mut suffix = format!("{UNFINISHED}{stamp}");
    let mut number = 1;
    loop {
        let name = beside(&request.into, &suffix);
        let new = NewDatabase { name: &name, ..new };
        match databases::create(session, &new).await {
            Ok(()) => return Ok(name),
            // another of this second, or what it left
            Err(error) if error.sqlstate() == Some("42P04") && number < 100 => {
                number += 1;
                suffix = format!("{UNFINISHED}{stamp}_{number}");
            }
            Err(error) => return Err(refused(error, properties)),
        }
    }
}

pub(super) fn major(server_version: Option<&str>) -> u32 {
    let version = server_version.unwrap_or_default();
    let digits = version.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// A kind of locale that this version has.
fn known(properties: &DatabaseProperties, major: u32) -> Result<(), RestoreFailure> {
    let since = match properties.provider.as_str() {
        "builtin" => BUILTIN,
        "icu" if properties.icu_rules.is_some() => RULES,
        "icu" => PROVIDERS,
        _ => return Ok(()),
    };
    if major >= since {
        return Ok(());
    }
    let reason = format!(
        "the dumped database has {}, which databases have since PostgreSQL {since}; this server is {major}",
        described(properties)
    );
    Err(locale(reason))
}

fn refused(error: QueryError, properties: Option<&DatabaseProperties>) -> RestoreFailure {
    // wrong_object_type: no such locale; invalid_parameter_value: not with this encoding, or not with this provider
    match (error.sqlstate(), properties) {
        (Some(code @ ("42809" | "22023")), Some(properties)) => locale(format!(
            "a database with {} cannot be made on this server: {} (SQLSTATE {code})",
            described(properties),
            error.server_message().unwrap_or_default()
        )),
        _ => error.into(),
    }
}

fn locale(reason: String) -> RestoreFailure {
    RestoreFailure::Target {
        class: "restore-locale-missing",
        reason,
        hint: Some(
            "install that locale on the server (locale-gen, glibc-langpack-…) and start the server again; or make an empty \
             database with a locale that it has (CREATE DATABASE … TEMPLATE template0 …) and restore into that: text may \
             then sort differently"
                .to_owned(),
        ),
    }
}

/// `the ICU locale de-DE and encoding UTF8`
fn described(properties: &DatabaseProperties) -> String {
    let DatabaseProperties {
        encoding,
        collate,
        ctype,
        provider,
        locale,
        icu_rules,
        ..
    } = properties;
    let locale = locale.as_deref().unwrap_or_default();
    let what = match provider.as_str() {
        "icu" if icu_rules.is_some() => format!("the ICU locale {locale} with rules of its own"),
        "icu" => format!("the ICU locale {locale}"),
        "builtin" => format!("the builtin locale {locale}"),
        _ if collate == ctype => format!("the locale {collate}"),
        _ => format!("the locales {collate} and {ctype}"),
    };
    format!("{what} and encoding {encoding}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(provider: &str, rules: Option<&str>, major: u32, expected: Option<&str>) {
        let properties = DatabaseProperties {
            encoding: "UTF8".to_owned(),
            collate: "C".to_owned(),
            ctype: "C".to_owned(),
            provider: provider.to_owned(),
            locale: Some("und".to_owned()),
            icu_rules: rules.map(str::to_owned),
            settings: Vec::new(),
        };
        let found = known(&properties, major).err().map(|it| it.to_string());
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn each_version_has_its_providers() {
        check("libc", None, 14, None);
        check("icu", None, 15, None);
        check("icu", Some("&a < b"), 16, None);
        check("builtin", None, 17, None);
        check(
            "icu",
            None,
            14,
            Some(
                "the dumped database has the ICU locale und and encoding UTF8, which databases have since PostgreSQL 15; \
                 this server is 14",
            ),
        );
        check(
            "icu",
            Some("&a < b"),
            15,
            Some(
                "the dumped database has the ICU locale und with rules of its own and encoding UTF8, which databases have \
                 since PostgreSQL 16; this server is 15",
            ),
        );
        check(
            "builtin",
            None,
            16,
            Some(
                "the dumped database has the builtin locale und and encoding UTF8, which databases have since PostgreSQL \
                 17; this server is 16",
            ),
        );
    }

    #[test]
    fn a_version_is_its_first_number() {
        assert_eq!(major(Some("15.18 (Debian 15.18-0+deb12u1)")), 15);
        assert_eq!(major(Some("18beta1")), 18);
        assert_eq!(major(None), 0);
    }
}

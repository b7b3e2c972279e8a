//! The way to the database without Django: `--dsn`, else `DATABASE_URL`, else what libpq finds by itself (`PG*`,
//! `.pgpass`, a service, its defaults).
//!
//! Absent here: the project's settings, which need Python to be read.

use std::fmt;

use pgdriver::{ConnectOptions, Environment, ObserverPool, PooledObserver};

use super::{Reach, connect_failure};
use crate::exit::Class;
use crate::failure::Failure;

/// The variable in which hosts and containers give a database.
const DATABASE_URL: &str = "DATABASE_URL";

const NAMED_BY: &str = "without Django the database is named by --dsn, DATABASE_URL or PGHOST, PGDATABASE, PGUSER and their like";

/// Schemes that dj-database-url and django-environ know for PostgreSQL.
const SCHEMES: [&str; 7] = [
    "postgresql",
    "postgres",
    "postgis",
    "pgsql",
    "psql",
    "timescale",
    "timescalegis",
];

/// A way to the database that needs no Python.
pub(crate) struct Direct {
    pub(crate) reach: Reach,
    pub(crate) way: Way,
}

/// Where the way was found. `Display` for people, without what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Dsn,
    DatabaseUrl,
    Libpq,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dsn => "--dsn",
            Self::DatabaseUrl => "DATABASE_URL",
            Self::Libpq => "libpq's PG* variables, files and defaults",
        })
    }
}

impl Direct {
    /// `dsn` as the settings have it.
    pub(crate) fn of(dsn: Option<&str>) -> Result<Self, Failure> {
        let url = std::env::var(DATABASE_URL).ok();
        let (options, way) = find(dsn, url.as_deref(), &Environment::of_process())?;
        let options = options.with_application_name("django-migrate");
        let reach = Reach {
            observers: ObserverPool::new(options.clone()),
            options,
        };
        Ok(Self { reach, way })
    }

    /// [`Reach::observer`]; a failure says where the way was found.
    pub(crate) async fn observer(&self) -> Result<PooledObserver, Failure> {
        let observer = Box::pin(self.reach.observers.get()).await;
        observer.map_err(|error| {
            let failure = connect_failure(&error).source("connection", self.way.to_string());
            // a password file that others may read, say
            let ignored = self.reach.options.ignored().iter();
            let failure = ignored.fold(failure, |failure, what| {
                failure.source("not followed", what.clone())
            });
            match self.way {
                Way::Dsn | Way::DatabaseUrl => failure,
                Way::Libpq => {
                    let known = failure.hint.clone().map(|hint| format!("{hint}; "));
                    failure.hint(format!("{}{NAMED_BY}", known.unwrap_or_default()))
                }
            }
        })
    }
}

fn find(
    dsn: Option<&str>,
    url: Option<&str>,
    environment: &Environment,
) -> Result<(ConnectOptions, Way), Failure> {
    let given = |text: Option<&str>| {
        text.map(str::trim)
            .filter(|t| !t.is_empty())
            .map(str::to_owned)
    };
    let (text, way) = match (given(dsn), given(url)) {
        (Some(dsn), _) => (dsn, Way::Dsn),
        (None, Some(url)) => (libpq_url(&url)?, Way::DatabaseUrl),
        (None, None) => (String::new(), Way::Libpq),
    };
    // libpq's words, which never hold a password
    let unusable = |why: pgdriver::OptionsError| {
        let failure = Failure::new(Class::Settings, format!("{way} cannot be used: {why}"));
        failure.hint("say postgresql://USER@HOST:PORT/DATABASE, or host=… port=… dbname=… user=…")
    };
    let options = ConnectOptions::parse_in(&text, environment).map_err(unusable)?;
    enforced(&options, way)?;
    Ok((options, way))
}

/// Through Django, Django's own connection keeps them; here nobody would.
fn enforced(options: &ConnectOptions, way: Way) -> Result<(), Failure> {
    let loose: Vec<&str> = options.ignored_safeguards().collect();
    if !loose.is_empty() {
        let loose = loose.join(", ");
        return Err(Failure::new(
            Class::Settings,
            format!("{loose}, of {way}, is a safeguard that this tool's own connections do not enforce"),
        )
        .hint("take it out where the way to the server is safe without it; sslmode=verify-full and channel_binding=require are enforced"));
    }
    Ok(())
}

/// The same URL with a scheme that libpq knows. Another database is another product.
fn libpq_url(url: &str) -> Result<String, Failure> {
    let Some((scheme, rest)) = url.split_once("://") else {
        // libpq's other form, which some give as a URL
        return Ok(url.to_owned());
    };
    match SCHEMES.contains(&scheme.to_ascii_lowercase().as_str()) {
        true => Ok(format!("postgresql://{rest}")),
        false => Err(Failure::new(
            Class::NotPostgresql,
            format!("{DATABASE_URL} is of {scheme}, and django-migrate works on PostgreSQL only"),
        )
        .hint("name the database with --dsn postgresql://USER@HOST:PORT/DATABASE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[track_caller]
    fn found(dsn: Option<&str>, url: Option<&str>, variables: &[(&str, &str)]) -> (String, Way) {
        let variables: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let environment = Environment::of(variables, None, "somebody");
        let (options, way) = find(dsn, url, &environment).expect("a way");
        (options.describe(), way)
    }

    #[test]
    fn the_nearest_word_wins() {
        let variables = [("PGHOST", "db3"), ("PGUSER", "c"), ("PGDATABASE", "z")];
        let url = Some("postgis://b:secret@db2/y");
        assert_eq!(
            found(Some("host=db1 user=a dbname=x"), url, &variables),
            ("a@db1:5432/x".to_owned(), Way::Dsn)
        );
        assert_eq!(
            found(Some(" "), url, &variables),
            ("b@db2:5432/y".to_owned(), Way::DatabaseUrl)
        );
        assert_eq!(
            found(None, Some(""), &variables),
            ("c@db3:5432/z".to_owned(), Way::Libpq)
        );
        // what a string leaves out is libpq's to fill in
        assert_eq!(
            found(Some("dbname=x"), None, &variables),
            ("c@db3:5432/x".to_owned(), Way::Dsn)
        );
    }

    #[test]
    fn a_safeguard_that_nobody_would_keep_is_refused() {
        let environment = Environment::default();
        for dsn in [
            "host=db user=u require_auth=scram-sha-256 dbname=x",
            "postgresql://u@db/x?sslcrldir=%2Fcrl",
        ] {
            let refused = find(Some(dsn), None, &environment).unwrap_err();
            assert_eq!(refused.class, Class::Settings, "{dsn}");
            assert!(refused.message.contains("of --dsn"), "{}", refused.message);
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_without_its_password() {
        let environment = Environment::default();
        let other = find(None, Some("mysql://u:sesame@db/x"), &environment).unwrap_err();
        assert_eq!(other.class, Class::NotPostgresql);
        let broken = find(Some("postgresql://u:sesame@db:port/x"), None, &environment).unwrap_err();
        assert_eq!(broken.class, Class::Settings);
        for failure in [other, broken] {
            assert!(!failure.message.contains("sesame"), "{}", failure.message);
        }
    }
}

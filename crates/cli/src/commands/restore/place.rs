//! The server to restore to: `--dsn`; the project in this folder; without a project what `DATABASE_URL` and libpq say.
//!
//! A restore is wanted most when the database is not there: the project's settings name the server all the same.
//! Absent here: what stands on that server (see [`crate::restore::Standing`]).

use std::collections::BTreeSet;

use pgdriver::{ConnectOptions, Environment, Secret};

use crate::args::DjangoArgs;
use crate::commands::{Context, steps};
use crate::database::{Direct, Reach, connect_failure, query_failure};
use crate::django::wire::{Database, MigrationItem, Part};
use crate::django::{Django, ProjectFacts};
use crate::exit::Class;
use crate::failure::Failure;
use crate::gates;
use crate::names::MigrationId;
use crate::restore::{Compared, compare};
use crate::settings::{self, Layers, Target};

/// A login, and what is known of the project.
pub(crate) struct Place {
    pub(crate) login: ConnectOptions,
    /// `shop@db1:5432`
    pub(crate) server: String,
    /// `--dsn`, `the project's database default`
    pub(crate) way: String,
    /// The project's migrations, where there is a project.
    items: Option<Vec<MigrationItem>>,
}

/// `django_migrations` of a restored database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum History {
    /// There is no such table.
    None,
    Read(Compared),
    /// Without a project only the number of rows is known.
    Alone {
        applied: u64,
    },
    Unread {
        why: String,
    },
}

impl Place {
    pub(crate) async fn find(
        args: DjangoArgs,
        layers: &mut Layers,
        context: &Context,
    ) -> Result<Self, Failure> {
        let flag = args.dsn.is_some();
        let project_here = layers.root().join("manage.py").is_file();
        let named = args.python.is_some() || args.entry.is_some() || args.settings.is_some();
        if !flag && (project_here || named || args.database.is_some()) {
            return Self::project(args, layers, context).await;
        }
        let dsn = settings::dsn(args.dsn, layers)?;
        steps::tell_settings(layers, context);
        let direct = Direct::of(dsn.as_deref())?;
        Ok(Self::of(
            direct.reach.options().clone(),
            direct.way.to_string(),
            None,
        ))
    }

    fn of(login: ConnectOptions, way: String, items: Option<Vec<MigrationItem>>) -> Self {
        let described = login.describe();
        let server = described
            .rsplit_once('/')
            .map_or(described.as_str(), |(server, _)| server);
        Self {
            server: server.to_owned(),
            login,
            way,
            items,
        }
    }

    async fn project(
        args: DjangoArgs,
        layers: &mut Layers,
        context: &Context,
    ) -> Result<Self, Failure> {
        let django = Django::locate(&settings::django(args, layers)?)?;
        steps::tell_settings(layers, context);
        let everything = Target {
            app: None,
            migration: None,
        };
        let facts = steps::working(
            context,
            "reading the project's settings and migrations",
            steps::inspect(&django, &everything, &[Part::Graph], context),
        )
        .await?;
        let without = |failure: Failure| {
            let known = failure
                .hint
                .clone()
                .map(|hint| format!("{hint}; "))
                .unwrap_or_default();
            failure.hint(format!("{known}--dsn restores without Django"))
        };
        gates::project(&facts).map_err(without)?;
        let login = login(&facts, &django).map_err(without)?;
        let way = format!("the project's database {}", django.settings.database);
        Ok(Self::of(login, way, Some(facts.migrations)))
    }

    /// What the restored database says is applied, against the project's files.
    pub(crate) async fn history(&self, database: &str) -> History {
        match self.applied(database).await {
            Err(failure) => History::Unread {
                why: failure.message,
            },
            Ok(None) => History::None,
            Ok(Some(applied)) => match &self.items {
                Some(items) => History::Read(compare(&applied, items)),
                None => History::Alone {
                    applied: applied.len() as u64,
                },
            },
        }
    }

    async fn applied(&self, database: &str) -> Result<Option<BTreeSet<MigrationId>>, Failure> {
        let options = self.login.clone().with_database(database);
        let session = Box::pin(pgdriver::connect_observer(&options))
            .await
            .map_err(|e| connect_failure(&e))?;
        let history = pgdriver::history::read(&session).await;
        session.close().await;
        let rows = history.map_err(|e| query_failure(&e))?.map(|h| h.rows);
        Ok(rows.map(|rows| {
            rows.iter()
                .map(|row| MigrationId::new(&row.app, &row.name))
                .collect()
        }))
    }
}

/// As our own connections go. Where Django found no database of that name, its settings still say where it should be.
fn login(facts: &ProjectFacts, django: &Django) -> Result<ConnectOptions, Failure> {
    match gates::connection(facts) {
        Ok(()) => Ok(Reach::of(facts, &django.settings)?.options().clone()),
        Err(failure) if failure.class == Class::DatabaseMissing => {
            let database = facts.database().ok_or_else(|| failure.clone())?;
            unconnected(database, django.settings.dsn.as_deref())
        }
        Err(failure) => Err(failure),
    }
}

/// What Django gave its driver, read as libpq would.
fn unconnected(database: &Database, dsn: Option<&str>) -> Result<ConnectOptions, Failure> {
    let environment = Environment::of_process();
    let mut keywords = database.parameters.clone();
    if let Some(password) = database.password.as_ref().map(Secret::expose) {
        keywords.insert("password".to_owned(), password.to_owned());
    }
    let unusable = |e: pgdriver::OptionsError| Failure::new(Class::DatabaseError, e.to_string());
    let options = ConnectOptions::resolve(&keywords, &environment).map_err(unusable)?;
    let options = match dsn {
        None => options,
        Some(dsn) => options.by_way_of(dsn, &environment).map_err(unusable)?,
    };
    Ok(options.with_application_name("django-migrate"))
}

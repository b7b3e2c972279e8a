//! Which database `locks` looks at: it needs no Django, and takes the project's word only where nothing nearer is said.
//!
//! Absent here: looking.

use pgdriver::PooledObserver;

use crate::args::DjangoArgs;
use crate::commands::{Context, steps};
use crate::database::{Direct, Reach};
use crate::django::wire::Part;
use crate::django::{Django, ProjectFacts};
use crate::failure::Failure;
use crate::gates;
use crate::settings::{self, Layers, Target};

/// A database that was reached.
pub(super) struct Place {
    pub(super) reach: Reach,
    pub(super) observer: PooledObserver,
    /// `DATABASE_URL`, `the project's database default`
    pub(super) way: String,
    /// Where the way went through the project.
    pub(super) facts: Option<ProjectFacts>,
}

/// By which way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Direct,
    Project,
}

/// What is asked of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    Connection,
    /// What its pending migrations will do.
    Plan,
}

/// What decides.
#[derive(Clone, Copy, Default)]
struct Hints {
    dsn_flag: bool,
    /// In DJANGO_MIGRATE_DSN or pyproject.toml: beside a project another way to the project's database, alone a way.
    dsn_setting: bool,
    /// A flag that only means something to a project.
    project_flag: bool,
    /// DATABASE_URL, or a variable of libpq that names a server or a database.
    environment: bool,
    project_here: bool,
}

/// Variables of libpq by which somebody says where to go. A user or a password alone says only as whom.
const PLACES: [&str; 5] = [
    "DATABASE_URL",
    "PGHOST",
    "PGHOSTADDR",
    "PGDATABASE",
    "PGSERVICE",
];

fn way(needs: Needs, hints: &Hints) -> Way {
    let Hints {
        dsn_flag,
        dsn_setting,
        project_flag,
        environment,
        project_here,
    } = *hints;
    match needs {
        Needs::Plan => Way::Project,
        Needs::Connection if dsn_flag => Way::Direct,
        Needs::Connection if project_flag || (dsn_setting && project_here) => Way::Project,
        Needs::Connection if environment || !project_here => Way::Direct,
        Needs::Connection => Way::Project,
    }
}

pub(super) async fn find(
    args: DjangoArgs,
    needs: Needs,
    layers: &mut Layers,
    context: &Context,
) -> Result<Place, Failure> {
    let DjangoArgs {
        database,
        settings,
        pythonpath,
        python,
        entry,
        dsn,
    } = &args;
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dsn_flag = dsn.is_some();
    let found = settings::dsn(args.dsn.clone(), layers)?;
    let hints = Hints {
        dsn_flag,
        dsn_setting: found.is_some() && !dsn_flag,
        project_flag: [database, settings, pythonpath, python, entry]
            .into_iter()
            .any(Option::is_some),
        environment: PLACES.iter().any(is_set),
        project_here: layers.root().join("manage.py").is_file(),
    };
    match way(needs, &hints) {
        Way::Direct => direct(found.as_deref(), layers, context).await,
        Way::Project => project(args, needs, layers, context).await,
    }
}

async fn direct(dsn: Option<&str>, layers: &Layers, context: &Context) -> Result<Place, Failure> {
    steps::tell_settings(layers, context);
    let direct = Direct::of(dsn)?;
    let observer = context.signals.or_stop(direct.observer()).await?;
    Ok(Place {
        observer,
        way: direct.way.to_string(),
        reach: direct.reach,
        facts: None,
    })
}

async fn project(
    args: DjangoArgs,
    needs: Needs,
    layers: &mut Layers,
    context: &Context,
) -> Result<Place, Failure> {
    let django = Django::locate(&settings::django(args, layers)?)?;
    steps::tell_settings(layers, context);
    let everything = Target {
        app: None,
        migration: None,
    };
    let (what, parts): (_, &[Part]) = match needs {
        Needs::Connection => ("reading the project's settings", &[]),
        Needs::Plan => (
            "reading the project and rendering its SQL",
            &[Part::Graph, Part::Sql],
        ),
    };
    let facts = steps::working(
        context,
        what,
        steps::inspect(&django, &everything, parts, context),
    )
    .await?;
    gates::project(&facts)?;
    gates::connection(&facts)?;
    if needs == Needs::Plan {
        gates::graph(&facts)?;
    }
    let reach = Reach::of(&facts, &django.settings)?;
    let observer = context.signals.or_stop(reach.observer()).await?;
    let way = format!("the project's database {}", django.settings.database);
    Ok(Place {
        reach,
        observer,
        way,
        facts: Some(facts),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hints: Hints, expected: Way) {
        assert_eq!(way(Needs::Connection, &hints), expected);
        assert_eq!(way(Needs::Plan, &hints), Way::Project);
    }

    #[test]
    fn the_nearest_word_wins() {
        let all = || Hints {
            dsn_flag: true,
            dsn_setting: true,
            project_flag: true,
            environment: true,
            project_here: true,
        };
        check(all(), Way::Direct);
        let said = || Hints {
            dsn_flag: false,
            dsn_setting: false,
            ..all()
        };
        check(said(), Way::Project);
        let here = || Hints {
            project_flag: false,
            ..said()
        };
        check(here(), Way::Direct);
        check(
            Hints {
                environment: false,
                ..here()
            },
            Way::Project,
        );
        check(Hints::default(), Way::Direct);
    }

    #[test]
    fn a_dsn_in_the_settings_of_a_project_is_another_way_to_its_database() {
        let setting = |project_here| Hints {
            dsn_setting: true,
            environment: true,
            project_here,
            ..Hints::default()
        };
        check(setting(true), Way::Project);
        check(setting(false), Way::Direct);
    }
}

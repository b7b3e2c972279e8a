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
struct Hints {
    dsn: bool,
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
    match hints {
        _ if needs == Needs::Plan => Way::Project,
        Hints { dsn: true, .. } => Way::Direct,
        Hints {
            project_flag: true, ..
        } => Way::Project,
        Hints {
            environment: true, ..
        } => Way::Direct,
        Hints {
            project_here: true, ..
        } => Way::Project,
        _ => Way::Direct,
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
    let hints = Hints {
        dsn: dsn.is_some(),
        project_flag: [database, settings, pythonpath, python, entry]
            .into_iter()
            .any(Option::is_some),
        environment: PLACES.iter().any(is_set),
        project_here: layers.root().join("manage.py").is_file(),
    };
    match way(needs, &hints) {
        Way::Direct => direct(args.dsn, layers, context).await,
        Way::Project => project(args, needs, layers, context).await,
    }
}

async fn direct(
    dsn: Option<String>,
    layers: &mut Layers,
    context: &Context,
) -> Result<Place, Failure> {
    let dsn = settings::dsn(dsn, layers)?;
    steps::tell_settings(layers, context);
    let direct = Direct::of(dsn.as_deref())?;
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
    fn check(dsn: bool, project_flag: bool, environment: bool, project_here: bool, expected: Way) {
        let hints = Hints {
            dsn,
            project_flag,
            environment,
            project_here,
        };
        assert_eq!(way(Needs::Connection, &hints), expected);
        assert_eq!(way(Needs::Plan, &hints), Way::Project);
    }

    #[test]
    fn the_nearest_word_wins() {
        check(true, true, true, true, Way::Direct);
        check(false, true, true, true, Way::Project);
        check(false, false, true, true, Way::Direct);
        check(false, false, false, true, Way::Project);
        check(false, false, false, false, Way::Direct);
    }
}

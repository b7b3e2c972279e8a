//! Step 1's gates: facts in, the first failure out. Pure.
//!
//! The order is the workflow's promise: project, Django's checks, connection, graph, history, plan.
//! Absent here: gathering facts, and findings that only ask.

use pgdriver::ConnectErrorKind;

use crate::django::ProjectFacts;
use crate::django::wire::{Check, Problem, ProblemClass};
use crate::exit::Class;
use crate::failure::Failure;

/// Django's level of an error; below it are warnings.
pub(crate) const ERROR: u32 = 40;

/// Everything that must hold before a plan means anything.
pub(crate) fn pass(facts: &ProjectFacts) -> Result<(), Failure> {
    project(facts)?;
    // a failed connection makes the database checks raise: say the cause, not its consequence
    if !has(facts, ProblemClass::ConnectFailed) {
        checks(facts)?;
    }
    connection(facts)?;
    graph(facts)
}

pub(crate) fn project(facts: &ProjectFacts) -> Result<(), Failure> {
    use ProblemClass as P;
    first(facts, |class| {
        matches!(
            class,
            P::DjangoMissing
                | P::DjangoTooOld
                | P::EntryFailed
                | P::SettingsFailed
                | P::SetupFailed
                | P::ProjectExited
                | P::UnknownDatabase
                | P::NotPostgresql
                | P::DriverMissing
        )
    })
}

pub(crate) fn checks(facts: &ProjectFacts) -> Result<(), Failure> {
    let errors: Vec<&Check> = facts
        .checks
        .iter()
        .filter(|c| c.level >= ERROR && !c.silenced)
        .collect();
    if !errors.is_empty() {
        let lines: Vec<String> = errors
            .iter()
            .map(|c| format!("  {}", check_line(c)))
            .collect();
        let count = errors.len();
        let s = if count == 1 { "" } else { "s" };
        return Err(Failure::new(
            Class::ChecksFailed,
            format!(
                "Django's system checks report {count} error{s}\n{}",
                lines.join("\n")
            ),
        )
        .hint("`manage.py check` shows the same; nothing goes on before it passes"));
    }
    first(facts, |class| class == ProblemClass::ChecksCrashed)
}

/// `shop.Item.price: (fields.E130) … HINT: …`
pub(crate) fn check_line(check: &Check) -> String {
    let object = check
        .object
        .as_deref()
        .filter(|o| !o.is_empty() && *o != "None")
        .map(|o| format!("{o}: "));
    let id = check.id.as_deref().map(|id| format!("({id}) "));
    let hint = check.hint.as_deref().map(|h| format!(" HINT: {h}"));
    [object, id, Some(check.message.clone()), hint]
        .into_iter()
        .flatten()
        .collect()
}

pub(crate) fn connection(facts: &ProjectFacts) -> Result<(), Failure> {
    first(facts, |class| class == ProblemClass::ConnectFailed)
}

/// Whatever is left: the loader, the history, the plan, and what nobody foresaw.
pub(crate) fn graph(facts: &ProjectFacts) -> Result<(), Failure> {
    // SQL that cannot be made is reported at the preview, after the backup
    first(facts, |class| class != ProblemClass::RenderDiffers)
}

/// What `makemigrations --check` would say. No gate: Django migrates all the same, and only the project knows which of
/// both is behind; but who deploys must hear it.
pub(crate) fn models_without_migration(facts: &ProjectFacts) -> Option<String> {
    let changes = facts.drift.as_deref()?.iter();
    let changes: Vec<String> = changes
        .flat_map(|d| d.operations.iter().map(move |o| format!("{}: {o}", d.app)))
        .collect();
    (!changes.is_empty()).then(|| {
        format!(
            "models have changes without a migration: {}; `manage.py makemigrations` writes it",
            changes.join(", ")
        )
    })
}

fn has(facts: &ProjectFacts, class: ProblemClass) -> bool {
    facts.problems.iter().any(|p| p.class == class)
}

fn first(facts: &ProjectFacts, wanted: impl Fn(ProblemClass) -> bool) -> Result<(), Failure> {
    let in_step_one =
        |p: &&Problem| !matches!(p.phase.as_str(), "sql" | "drift" | "schema" | "queries");
    match facts
        .problems
        .iter()
        .filter(in_step_one)
        .find(|p| wanted(p.class))
    {
        None => Ok(()),
        Some(problem) => Err(failure(problem, facts)),
    }
}

/// A known error of the bridge, in the user's words. One `match` without `_`: a new class must be given its place.
pub(crate) fn failure(problem: &Problem, facts: &ProjectFacts) -> Failure {
    use ProblemClass as P;
    let members = problem.members.join(", ");
    let message = &problem.message;
    let failure = match problem.class {
        P::DjangoMissing => Failure::new(Class::DjangoMissing, format!("this Python has no Django: {message}"))
            .hint("say which Python is the project's: --python .venv/bin/python, or activate its environment"),
        P::DjangoTooOld => Failure::new(Class::DjangoTooOld, message).hint("django-migrate knows Django 4.2 and newer"),
        P::DriverMissing => Failure::new(Class::DriverMissing, message).hint("install it in the project's environment: psycopg, or psycopg[pool] where OPTIONS have a pool"),
        P::EntryFailed => Failure::new(Class::EntryFailed, message)
            .hint("manage.py must call execute_from_command_line; --entry MODULE:FUNC names another start"),
        P::SettingsFailed => Failure::new(Class::ProjectFailed, format!("the project's settings cannot be read: {message}"))
            .hint("`manage.py check` should fail in the same way; --settings MODULE names others"),
        P::SetupFailed => Failure::new(Class::ProjectFailed, format!("Django cannot set up the project: {message}"))
            .hint("`manage.py check` should fail in the same way"),
        P::ProjectExited => Failure::new(Class::ProjectFailed, format!("the project exited while it started: {message}"))
            .hint("a sys.exit() in manage.py or in the settings; -v shows what it printed"),
        P::UnknownDatabase => Failure::new(Class::UnknownDatabase, message.clone())
            .hint(format!("--database takes an alias of DATABASES: {members}")),
        P::NotPostgresql => Failure::new(Class::NotPostgresql, message)
            .hint("django-migrate is for PostgreSQL; --database names another alias"),
        P::ConnectFailed => connect_failure(problem, facts),
        P::ChecksCrashed => Failure::new(Class::ChecksFailed, format!("a system check raised: {message}"))
            .hint("`manage.py check` should fail in the same way"),
        P::GraphCycle => Failure::new(Class::PlanCycle, format!("circular dependencies: {}", problem.members.join(" → ")))
            .hint("one of these migrations must not depend on the next: take a dependency out, or move what needs it into a migration of its own"),
        P::MissingMigration => Failure::new(Class::MissingMigration, message)
            .hint(missing_hint(problem, facts)),
        P::BadMigration => Failure::new(Class::BadMigration, format!("a migration cannot be loaded: {message}"))
            .hint("`manage.py showmigrations` should fail in the same way"),
        // Django's second line is our hint
        P::PlanConflict => Failure::new(Class::PlanConflict, message.lines().next().unwrap_or_default())
            .hint("`manage.py makemigrations --merge` joins the two ends; look at what both do first"),
        P::InconsistentHistory => Failure::new(Class::InconsistentHistory, message)
            .hint("the history in django_migrations does not fit the files: check out the release that was deployed last, \
                   or mend the history with `migrate --fake` once you know which of both is true"),
        P::UnknownApp => Failure::new(Class::UnknownApp, message)
            .hint("`django-migrate status` lists the apps"),
        P::AppWithoutMigrations => Failure::new(Class::UnknownApp, message)
            .hint("`manage.py makemigrations` writes them; django-migrate never does"),
        P::UnknownMigration | P::AmbiguousMigration => Failure::new(Class::UnknownMigration, message)
            .hint("`django-migrate status APP` lists them; a prefix must match exactly one"),
        P::Backwards => Failure::new(Class::BackwardsTarget, message)
            .hint("`run` never goes backwards; the report of a run lists its rollback commands"),
        P::PlanChanged => Failure::new(Class::PlanChanged, message)
            .hint("nothing of it was applied: make a dry run, read what it shows, then run again"),
        P::RenderDiffers => Failure::new(Class::Bug, unexpected(problem)),
        P::Unexpected => refused_statement(problem, facts)
            .unwrap_or_else(|| Failure::new(Class::Bug, unexpected(problem))),
    };
    let failure = match label(problem.class) {
        Some(label) if !members.is_empty() => failure.source(label, members),
        _ => failure,
    };
    where_from(failure, facts)
}

/// Its file is gone, or the whole app is not installed.
fn missing_hint(problem: &Problem, facts: &ProjectFacts) -> String {
    let app = problem
        .members
        .first()
        .and_then(|name| name.split('.').next());
    let installed = |label: &str| {
        facts
            .django
            .iter()
            .flat_map(|d| &d.apps)
            .any(|a| a.label == label)
    };
    match app {
        Some(app) if !installed(app) => format!(
            "no app `{app}` is in INSTALLED_APPS: install it, or take the dependency out"
        ),
        _ => "restore the file from version control; if it was renamed or squashed away, correct the dependency".to_owned(),
    }
}

/// What the members of a problem are, where message and hint do not say it already.
fn label(class: ProblemClass) -> Option<&'static str> {
    use ProblemClass as P;
    match class {
        P::NotPostgresql | P::ConnectFailed | P::DriverMissing => Some("alias"),
        P::BadMigration => Some("migration"),
        P::MissingMigration => Some("missing, and where it is needed"),
        P::PlanConflict => Some("ends"),
        P::InconsistentHistory => Some("migrations"),
        P::AmbiguousMigration => Some("matches"),
        P::DjangoMissing
        | P::DjangoTooOld
        | P::EntryFailed
        | P::SettingsFailed
        | P::SetupFailed
        | P::ProjectExited
        | P::UnknownDatabase
        | P::ChecksCrashed
        | P::PlanChanged
        | P::GraphCycle
        | P::UnknownApp
        | P::AppWithoutMigrations
        | P::UnknownMigration
        | P::Backwards
        | P::RenderDiffers
        | P::Unexpected => None,
    }
}

/// The server said no to what Django asked while it looked: nobody's bug.
fn refused_statement(problem: &Problem, facts: &ProjectFacts) -> Option<Failure> {
    let sqlstate = problem.exception.as_ref()?.sqlstate.as_deref()?;
    let message = format!(
        "Django cannot read the database: {}",
        problem.message.trim()
    );
    let user = facts.database().and_then(|d| d.parameters.get("user"));
    let role = user.map_or("the role", String::as_str);
    Some(match sqlstate {
        "42501" => Failure::new(Class::Privilege, message).hint(format!(
            "{role} needs SELECT on it: GRANT SELECT ON … TO {role}; the owner of the tables has it"
        )),
        // lock_timeout, and statement_timeout
        "55P03" | "57014" => Failure::new(Class::DatabaseError, message)
            .hint("somebody holds a lock on what is read: `django-migrate locks` says who"),
        _ => Failure::new(Class::DatabaseError, message),
    })
}

fn unexpected(problem: &Problem) -> String {
    let trace = problem
        .exception
        .as_ref()
        .map(|e| e.traceback.concat())
        .unwrap_or_default();
    format!(
        "unexpected in phase `{}`: {}\n{}",
        problem.phase,
        problem.message,
        trace.trim_end()
    )
}

fn where_from(failure: Failure, facts: &ProjectFacts) -> Failure {
    match facts
        .django
        .as_ref()
        .and_then(|d| d.settings_module.as_deref())
    {
        Some(module) => failure.source("settings", module),
        None => failure,
    }
}

fn connect_failure(problem: &Problem, facts: &ProjectFacts) -> Failure {
    let sqlstate = problem
        .exception
        .as_ref()
        .and_then(|e| e.sqlstate.as_deref());
    let kind = pgdriver::classify_server_message(sqlstate, &problem.message);
    let target = facts
        .database()
        .map_or_else(|| "the database".to_owned(), target);
    let failure = Failure::new(
        connect_class(kind),
        format!("no connection to {target}: {}", problem.message.trim()),
    );
    match kind.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// `shop@db1:5432/shop`, never a password.
pub(crate) fn target(database: &crate::django::wire::Database) -> String {
    pgdriver::ConnectOptions::from_keywords(&database.parameters, None)
        .map_or_else(|_| database.name.clone(), |options| options.describe())
}

/// Which class a refused connection is.
pub(crate) fn connect_class(kind: ConnectErrorKind) -> Class {
    use ConnectErrorKind as K;
    match kind {
        K::Refused => Class::DatabaseRefused,
        K::NoSuchHost | K::Unreachable => Class::DatabaseHostUnknown,
        K::Timeout => Class::DatabaseTimeout,
        K::WrongPassword => Class::DatabaseWrongPassword,
        K::LoginRefused | K::NoConnectPrivilege | K::DatabaseClosed => Class::DatabaseNotAllowed,
        K::NoSuchDatabase => Class::DatabaseMissing,
        K::NoSuchRole => Class::DatabaseRoleMissing,
        K::NoHbaEntry => Class::DatabaseNotAllowed,
        K::TlsRefused | K::TlsNotVerified => Class::DatabaseTls,
        K::TooManyConnections => Class::DatabaseBusy,
        K::ServerStarting | K::ServerStopping => Class::DatabaseUnavailable,
        K::WrongSessionAttrs => Class::Standby,
        K::NotPostgres | K::BadOptions | K::Other => Class::DatabaseError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(class: ProblemClass, message: &str) -> Problem {
        Problem {
            phase: "setup".into(),
            class,
            message: message.into(),
            members: vec![],
            exception: None,
        }
    }

    /// What no server or package of the tests can be made to say.
    #[test]
    fn problems_that_the_tests_have_no_machine_for() {
        let facts = ProjectFacts::default();
        let of = |class, message: &str| failure(&problem(class, message), &facts);
        assert_eq!(
            of(ProblemClass::DjangoTooOld, "Django 3.2").class,
            Class::DjangoTooOld
        );
        assert_eq!(
            of(
                ProblemClass::ConnectFailed,
                "FATAL:  the database system is starting up"
            )
            .class,
            Class::DatabaseUnavailable
        );
        assert_eq!(
            of(ProblemClass::ConnectFailed, "something that nobody foresaw").class,
            Class::DatabaseError
        );
        let bug = of(ProblemClass::Unexpected, "KeyError: 'x'");
        assert_eq!((bug.class, bug.code()), (Class::Bug, 1));
    }
}

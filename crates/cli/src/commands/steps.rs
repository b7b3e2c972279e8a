//! Step 1 in its parts, as `run`, `check`, `preview` and `backup` share it.

use std::path::Path;
use std::time::Duration;

use pgdriver::server::ServerFacts;
use pgdriver::{Place, PooledObserver};

use super::Context;
use crate::database::{self, Reach, query_failure};
use crate::django::wire::Part;
use crate::django::{Django, ProjectFacts};
use crate::event::ProjectInspected;
use crate::exit::Class;
use crate::failure::Failure;
use crate::gates;
use crate::names::MigrationId;
use crate::settings::Target;
use crate::ui::{self, Volume, out};

/// What an inspection waits for at the most: its queries are small, and it must not stand in a lock's queue.
const INSPECT_LOCK_TIMEOUT: Duration = Duration::from_secs(2);
const INSPECT_STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// One Python process that answers `parts`.
pub(super) async fn inspect(
    django: &Django,
    target: &Target,
    parts: &[Part],
    context: &Context,
) -> Result<ProjectFacts, Failure> {
    inspect_way(django, target, None, parts, context).await
}

/// The same where what is planned is the way back of these.
pub(super) async fn inspect_way(
    django: &Django,
    target: &Target,
    back: Option<&[MigrationId]>,
    parts: &[Part],
    context: &Context,
) -> Result<ProjectFacts, Failure> {
    let ms = |d: Duration| d.as_millis().to_string();
    let session = vec![
        ("lock_timeout".to_owned(), ms(INSPECT_LOCK_TIMEOUT)),
        (
            "statement_timeout".to_owned(),
            ms(INSPECT_STATEMENT_TIMEOUT),
        ),
    ];
    let hear = context.hear_project();
    let asked = async {
        let mut facts = django.inspect(target, back, parts, session, &hear).await?;
        database::name_refusal(&mut facts).await;
        Ok(facts)
    };
    context.signals.or_stop(asked).await
}

/// A database that was reached.
pub(super) struct Observed {
    pub(super) reach: Reach,
    pub(super) observer: PooledObserver,
    pub(super) server: ServerFacts,
}

/// Connects as our own sessions do, and checks that a run may work there.
pub(super) async fn observe(
    facts: &ProjectFacts,
    django: &Django,
    context: &Context,
) -> Result<Observed, Failure> {
    let observed = reach(facts, django, context).await?;
    context.signals.or_stop(fit(facts, &observed)).await?;
    Ok(observed)
}

/// Whether a run may work there.
pub(super) async fn fit(facts: &ProjectFacts, observed: &Observed) -> Result<(), Failure> {
    if let Some(database) = facts.database() {
        database::fit(&observed.server, database)?;
    }
    database::history_in_view(&observed.observer, facts).await
}

/// Connects as our own sessions do, fit or not: for who tells what the server is before the refusal.
pub(super) async fn reach(
    facts: &ProjectFacts,
    django: &Django,
    context: &Context,
) -> Result<Observed, Failure> {
    let database = facts
        .database()
        .ok_or_else(|| Failure::new(Class::Bug, "the bridge described no database"))?;
    let reach = Reach::of(facts, &django.settings)?;
    context
        .signals
        .or_stop(async {
            let observer = reach.observer().await?;
            let mut server = pgdriver::server::facts(&observer)
                .await
                .map_err(|e| query_failure(&e))?;
            let as_django = database
                .server
                .as_ref()
                .filter(|_| django.settings.dsn.is_none());
            server.behind_pooler = database::pools_transactions(&observer, &reach, as_django).await;
            Ok(Observed {
                reach: reach.clone(),
                observer,
                server,
            })
        })
        .await
}

/// Step 1's description, for the screen and the report.
pub(super) fn inspected(
    facts: &ProjectFacts,
    django: &Django,
    observed: &Observed,
) -> ProjectInspected {
    let warnings = facts
        .checks
        .iter()
        .filter(|c| c.level < gates::ERROR && c.level >= 30 && !c.silenced);
    let options = observed.reach.options();
    let host = options.hosts().first();
    ProjectInspected {
        python: facts
            .hello
            .as_ref()
            .map(|h| h.python.clone())
            .unwrap_or_default(),
        django: facts
            .django
            .as_ref()
            .map(|d| d.version.clone())
            .unwrap_or_default(),
        driver: facts.database().and_then(|d| d.driver.clone()),
        settings_module: facts
            .django
            .as_ref()
            .and_then(|d| d.settings_module.clone()),
        python_command: django
            .python
            .words
            .iter()
            .map(|w| relative(w, &django.project.root))
            .collect(),
        entry: django.project.entry_text(),
        target: observed.reach.describe(),
        database_name: observed.server.database.clone(),
        database_host: host.map(|host| match &host.place {
            Place::Tcp(name) => name.clone(),
            Place::Socket(folder) => folder.display().to_string(),
        }),
        database_port: host.map(|host| host.port),
        database_user: Some(options.user().to_owned()),
        system_identifier: observed.server.system_identifier.clone(),
        database_oid: Some(observed.server.database_oid),
        server_version: observed.server.short_version(),
        database_bytes: observed.server.database_bytes,
        check_warnings: warnings.map(gates::check_line).collect(),
    }
}

/// A path below the project's root, as it is typed there.
fn relative(word: &str, root: &Path) -> String {
    match Path::new(word).strip_prefix(root) {
        Ok(path) => path.display().to_string(),
        Err(_) => word.to_owned(),
    }
}

/// A spinner for commands that have no events.
pub(super) async fn working<T>(context: &Context, what: &str, work: impl Future<Output = T>) -> T {
    let bar = (context.volume != Volume::Quiet)
        .then(|| ui::spinner(what))
        .flatten();
    let result = work.await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    result
}

/// Where each setting came from, for -v.
pub(super) fn tell_settings(layers: &crate::settings::Layers, context: &Context) {
    if context.volume < Volume::Verbose {
        return;
    }
    for (key, value, origin) in layers.taken() {
        out::talk(format!("{key} = {value} ({origin})"));
    }
}

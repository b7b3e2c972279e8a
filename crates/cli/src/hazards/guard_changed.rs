//! SET and RESET of the settings that bound a session, and set_config() of them.

use super::Hazard;
use super::scene::{Fact, Scene};
use crate::sql::Action;

pub(super) const HAZARD: Hazard = Hazard {
    code: "guard-changed",
    title: "The session's safeguards are changed",
    happens: "SET, RESET, DISCARD ALL and set_config() replace the time-outs with which the migrations run, or switch off triggers and foreign keys (session_replication_role). Without LOCAL that stays for every migration that follows.",
    hurts: "A statement that waits for a lock without a time-out keeps everybody behind it waiting; rows that are written without triggers and foreign keys may break what these guarantee.",
    safer: "Leave it away: --lock-timeout and --statement-timeout set the time-outs of a run. Where one migration needs others, use SET LOCAL in a migration of its own.",
    bad: "RunSQL(\"SET lock_timeout = 0\")",
    good: "django-migrate run --lock-timeout 5s",
    run,
};

fn run(scene: &Scene<'_>) -> Vec<Fact> {
    let actions = scene.statement.actions.iter();
    actions
        .flat_map(|action| match action {
            Action::SetGuard { settings } => settings.as_slice(),
            Action::Query(query) => query.guards.as_slice(),
            _ => &[],
        })
        .map(|setting| {
            Fact::general(
                format!("it changes {setting} of the session in which the migrations run"),
                HAZARD.safer,
            )
        })
        .collect()
}

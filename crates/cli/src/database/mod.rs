//! The project's database as our own connections reach it.
//!
//! Connections come from Django's settings, as libpq resolved them; `--dsn` may give another way to the same
//! database; without Django, `direct` finds the way. `fit` says whether a run may work there, `pooler` what cannot be
//! done through one, `concerns` what in the server's state matters to it, `history` what is applied, `assess` what an
//! assessment of SQL stands on. Absent here: what is done with the facts.

mod assess;
mod at_odds;
mod concerns;
mod direct;
mod fit;
mod history;
mod in_view;
mod pooler;
mod refusal;

use pgdriver::{
    ConnectError, ConnectOptions, Environment, ObserverPool, PooledObserver, QueryError, Session,
};

pub(crate) use assess::{context, count_stakes, exists};
pub(crate) use at_odds::{look, look_in};
pub(crate) use concerns::{concerns, replication};
pub(crate) use direct::Direct;
pub(crate) use fit::{fit, permitted};
pub(crate) use history::same_history;
pub(crate) use in_view::{history_in_view, within_reach};
pub(crate) use pooler::{can_dump, can_run, pools_transactions};
pub(crate) use refusal::name_refusal;

use crate::django::ProjectFacts;
use crate::exit::Class;
use crate::failure::Failure;
use crate::gates;
use crate::hazards::{Finding, beyond};
use crate::names::MigrationId;
use crate::plan::Plan;
use crate::settings::DjangoSettings;

/// How our own connections go. A clone shares the observers.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    options: ConnectOptions,
    observers: ObserverPool,
}

impl Reach {
    pub(crate) fn of(facts: &ProjectFacts, settings: &DjangoSettings) -> Result<Self, Failure> {
        let database = facts.database().ok_or_else(|| {
            Failure::new(Class::Bug, "the bridge described no database of the alias")
        })?;
        let bad = |e: pgdriver::OptionsError| Failure::new(Class::DatabaseError, e.to_string());
        let options =
            ConnectOptions::from_keywords(&database.parameters, database.password.clone())
                .map_err(bad)?;
        let options = match &settings.dsn {
            None => options,
            Some(dsn) => options.by_way_of(dsn, &Environment::of_process()).map_err(|e| {
                Failure::new(Class::Settings, format!("--dsn cannot be used: {e}"))
                    .hint("say postgresql://HOST:PORT, or host=… port=…; the rest comes from Django's settings")
            })?,
        };
        let options = options.with_application_name("django-migrate");
        Ok(Self {
            observers: ObserverPool::new(options.clone()),
            options,
        })
    }

    /// `shop@db1:5432/shop`, never a password.
    pub(crate) fn describe(&self) -> String {
        self.options.describe()
    }

    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// What the settings ask of a connection and our own do not do: safeguards first.
    pub(crate) fn unfollowed(&self) -> Vec<Finding> {
        let safeguards: Vec<_> = self.options.ignored_safeguards().collect();
        let ignored = self.options.ignored().iter().map(String::as_str);
        let others: Vec<_> = ignored.filter(|name| !safeguards.contains(name)).collect();
        let finding = |code, names: &[&str], what: &str| {
            let message = || format!("{} {what}", names.join(", "));
            (!names.is_empty()).then(|| beyond::finding(code, message()))
        };
        let safeguards = finding(
            "connection-safeguard-not-enforced",
            &safeguards,
            "in the connection's settings: not enforced by our own connections and pg_dump's, only by Django's",
        );
        let others = finding(
            "connection-parameter-ignored",
            &others,
            "in the connection's settings: our own connections do not follow it",
        );
        safeguards.into_iter().chain(others).collect()
    }

    /// A session that reads only, and waits for nothing: on loan, so that a run does not log in for each look.
    pub(crate) async fn observer(&self) -> Result<PooledObserver, Failure> {
        // logging in is a large future: on the heap, or those that wait for it grow by it
        Box::pin(self.observers.get())
            .await
            .map_err(|e| connect_failure(&e))
    }

    /// A session of full rights, for the advisory lock.
    pub(crate) async fn session(&self) -> Result<Session, Failure> {
        Box::pin(pgdriver::connect(&self.options))
            .await
            .map_err(|e| connect_failure(&e))
    }

    /// Which migrations of the plan are where it wants them by the history, in its order, read over a new connection.
    pub(crate) async fn done(&self, plan: &Plan) -> Result<Vec<MigrationId>, Failure> {
        let session = Box::pin(pgdriver::connect_observer(&self.options))
            .await
            .map_err(|e| connect_failure(&e))?;
        let applied = history::applied(&session).await?;
        session.close().await;
        Ok(plan.done(&applied))
    }
}

pub(crate) fn connect_failure(error: &ConnectError) -> Failure {
    let message = format!("no connection to {}: {}", error.target(), error.message());
    let failure = Failure::new(gates::connect_class(error.kind()), message);
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

pub(crate) fn query_failure(error: &QueryError) -> Failure {
    let class = if error.is_permission_denied() {
        Class::Privilege
    } else {
        Class::DatabaseError
    };
    Failure::new(class, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hazards::Severity;

    #[test]
    fn what_our_connections_do_not_do_is_told_safeguards_first() {
        let told = |dsn: &str| {
            let options = ConnectOptions::parse_in(dsn, &Environment::default()).unwrap();
            let reach = Reach {
                observers: ObserverPool::new(options.clone()),
                options,
            };
            let told = reach.unfollowed();
            told.into_iter()
                .map(|f| (f.code, f.severity, f.message))
                .collect::<Vec<_>>()
        };
        assert_eq!(told("user=u sslmode=require"), []);
        let [safeguards, others] =
            told("user=u sslpassword=sesame sslcrldir=/x require_auth=scram-sha-256")
                .try_into()
                .unwrap();
        assert_eq!(
            (safeguards.0, safeguards.1),
            ("connection-safeguard-not-enforced", Severity::Ask)
        );
        assert!(
            safeguards.2.starts_with("require_auth, sslcrldir in"),
            "{}",
            safeguards.2
        );
        assert_eq!(
            (others.0, others.1),
            ("connection-parameter-ignored", Severity::Note)
        );
        assert!(others.2.starts_with("sslpassword in"), "{}", others.2);
        assert!(!others.2.contains("sesame"));
    }
}

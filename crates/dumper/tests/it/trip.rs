//! A way back: a request to restore, and the database that it makes, which goes with the value.

use std::future::pending;
use std::num::NonZeroU8;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use dumper::{
    Analyze, Mode, OldSessions, OnError, Owners, Privileges, RestoreError, RestoreRequest,
    Restored, Target, Unfinished, restore,
};
use xtask::servers::Server;

use crate::everything::drop_subscriptions;
use crate::support::block_on;

/// A name on a server, for a database that a restore makes.
pub struct Trip<'a> {
    pub server: &'a Server,
    pub name: String,
}

impl<'a> Trip<'a> {
    pub fn to(server: &'a Server) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            server,
            name: format!("trip_{}_{number}", std::process::id()),
        }
    }

    pub fn request(&self, archive: &Path) -> RestoreRequest {
        RestoreRequest {
            archive: archive.to_owned(),
            connection: connection(self.server, "postgres"),
            into: self.name.clone(),
            target: Target::New,
            sessions: OldSessions::Refuse,
            mode: sessions(2),
            owners: Owners::Keep,
            privileges: Privileges::Keep,
            on_error: OnError::Stop,
            analyze: Analyze::No,
            unfinished: Unfinished::Drop,
            pg_restore: Some(self.server.bin_dir().join("pg_restore")),
        }
    }

    /// The databases that carry this name, also those of passage.
    pub fn databases(&self) -> Vec<String> {
        let names = format!(
            "SELECT datname FROM pg_database WHERE datname LIKE '{}%' ORDER BY 1",
            self.name.replace('_', "\\_")
        );
        let rows = self.server.query("postgres", &names).unwrap();
        let mine = |name: &String| {
            name.strip_prefix(&self.name)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        rows.into_iter()
            .map(|mut row| row.remove(0))
            .filter(mine)
            .collect()
    }

    /// Sessions that are not the test's, on any database of this name.
    pub fn sessions(&self) -> u64 {
        let count = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '{}%' AND application_name <> 'xtask'",
            self.name.replace('_', "\\_")
        );
        self.server
            .scalar("postgres", &count)
            .unwrap()
            .parse()
            .unwrap()
    }
}

impl Drop for Trip<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return; // the server goes with the test, or with the run of tests
        }
        for database in self.databases() {
            drop_subscriptions(self.server, &database);
            self.server.drop_database(&database).unwrap();
        }
    }
}

pub fn connection(server: &Server, database: &str) -> pgdriver::ConnectOptions {
    pgdriver::ConnectOptions::parse_in(&server.dsn(database), &pgdriver::Environment::default())
        .unwrap()
}

pub fn sessions(number: u8) -> Mode {
    Mode::Sessions(NonZeroU8::new(number).unwrap())
}

/// Restores without being stopped.
pub fn run_restore(request: &RestoreRequest) -> Result<Restored, RestoreError> {
    block_on(restore(request, |_| {}, pending()))
}

//! A PostgreSQL server of our own, of a wanted version, for a rehearsal: made, handed out, and gone without a trace.
//!
//! Nobody else gets in: its folder is this user's alone, its door is a socket in there, and its password is nowhere
//! else. It ends with us however we end, because `keeper` waits for that outside of this process.
//!
//! Absent: what is done on the server, databases other than `postgres`, and data that has to survive. A crash of the
//! machine may break it, since nothing is flushed.

mod account;
mod binaries;
mod error;
mod folder;
mod keeper;
mod settings;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pgdriver::{ConnectOptions, Secret};

use account::Account;
pub(crate) use binaries::Binaries;
pub(crate) use error::ServerError;
use folder::Folder;
use keeper::{End, Keeper};
pub(crate) use settings::StartOptions;
use settings::{Door, SUPERUSER};

/// initdb and the first start take a second or two, on a slow disk a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a start and an end are looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// A running server. [`LocalServer::stop`] ends it and says whether that worked; dropped, it ends as well.
#[derive(Debug)]
pub(crate) struct LocalServer {
    binaries: Binaries,
    door: Door,
    password: Secret,
    // before the folder: it goes once nobody runs in it
    keeper: Keeper,
    folder: Folder,
}

impl LocalServer {
    /// Makes a data folder with initdb, starts the server in it and waits until it takes connections.
    pub(crate) async fn start(
        binaries: Binaries,
        options: StartOptions,
    ) -> Result<Self, ServerError> {
        Self::start_in(&place()?, binaries, options).await
    }

    async fn start_in(
        place: &Path,
        binaries: Binaries,
        options: StartOptions,
    ) -> Result<Self, ServerError> {
        let account = Account::of_servers()?;
        let folder = Folder::make(place, account)?;
        let door = Door::of(folder.path()).map_err(|why| folder.cannot(why))?;
        let password = folder::random().map_err(|why| folder.cannot(why))?;
        let password = Secret::from(password);
        folder.write(keeper::PASSWORD, password.expose())?;
        folder.write(
            keeper::SETTINGS,
            &options.configuration(&door, folder.path()),
        )?;
        folder.hand_over()?;
        let keeper = Keeper::start(&binaries, &options, account, &folder)?;
        let mut server = Self {
            binaries,
            door,
            password,
            keeper,
            folder,
        };
        server.wait_until_ready(PATIENCE).await?;
        Ok(server)
    }

    /// How to reach the database `postgres` as superuser; nothing in it comes from this process's environment.
    pub(crate) fn options(&self) -> Result<ConnectOptions, ServerError> {
        let (host, port) = self.door.address(self.folder.path());
        let keywords = [
            ("host", host),
            ("port", port.to_string()),
            ("user", SUPERUSER.to_owned()),
            ("dbname", "postgres".to_owned()),
            // the way is this machine's alone, and the server has no certificate
            ("sslmode", "disable".to_owned()),
        ];
        let keywords: BTreeMap<String, String> = keywords
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Ok(ConnectOptions::from_keywords(
            &keywords,
            Some(self.password.clone()),
        )?)
    }

    /// The folder of everything that the server writes.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `17.11`.
    pub(crate) fn version(&self) -> dumper::Version {
        self.binaries.version
    }

    /// The last lines that the server wrote into its log.
    pub(crate) fn log(&self) -> String {
        self.folder.log_tail()
    }

    /// Ends the server at once and removes its folder.
    pub(crate) async fn stop(mut self) -> Result<(), ServerError> {
        self.keeper.let_go();
        let begun = Instant::now();
        while self.keeper.ended().is_none() && begun.elapsed() < keeper::PATIENCE {
            tokio::time::sleep(PAUSE).await;
        }
        self.folder.remove()
    }

    /// The server writes `ready` as the eighth line of its pid file once it takes connections.
    async fn wait_until_ready(&mut self, patience: Duration) -> Result<(), ServerError> {
        let file = self.folder.path().join(keeper::DATA).join("postmaster.pid");
        let begun = Instant::now();
        while begun.elapsed() < patience {
            match self.keeper.ended() {
                Some(End::NoDataFolder) => {
                    return Err(ServerError::Initdb {
                        version: self.binaries.version,
                        folder: self.binaries.folder.clone(),
                        said: self.log(),
                    });
                }
                Some(End::Over) => {
                    return Err(ServerError::Ended {
                        version: self.binaries.version,
                        folder: self.binaries.folder.clone(),
                        said: self.log(),
                    });
                }
                None => {}
            }
            if says_ready(&std::fs::read_to_string(&file).unwrap_or_default()) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(ServerError::NotReady {
            version: self.binaries.version,
            seconds: patience.as_secs(),
            said: self.log(),
        })
    }
}

fn says_ready(pid_file: &str) -> bool {
    let state = pid_file.lines().nth(7);
    state.is_some_and(|state| state.trim() == "ready")
}

/// The folder in which the next server gets its own: the one whose free space counts.
pub(crate) fn place() -> Result<PathBuf, ServerError> {
    folder::place(Account::of_servers()?)
}

/// The bytes that are free in a folder; `None` where its file system does not say.
pub(crate) fn room(folder: &Path) -> Option<u64> {
    dumper::free_space(folder)
}

//! Why there is no server, in words for whoever wants to rehearse.
//!
//! Absent: why there are no programs to make one with (`binaries`), classes and exit codes.

use std::io;
use std::path::PathBuf;

use dumper::Version;
use pgdriver::OptionsError;

/// Why a server did not start, or did not end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// PostgreSQL refuses root, and there is nobody else.
    #[error(
        "PostgreSQL does not run as root, and /etc/passwd has neither `postgres` nor `nobody` to run it as"
    )]
    OnlyRoot,
    /// No folder for temporary files will do.
    #[error("there is no place for a server: {}", .tried.iter().map(|(place, why)| format!("{} {why}", place.display())).collect::<Vec<_>>().join("; "))]
    NoPlace {
        /// Each folder, and why not there.
        tried: Vec<(PathBuf, &'static str)>,
    },
    /// The server's folder could not be made or filled.
    #[error("cannot prepare {}: {source}", .folder.display())]
    Prepare {
        /// The server's folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The process that keeps the server could not be started.
    #[error("cannot start /bin/sh, which starts and stops the server: {0}")]
    Spawn(#[source] io::Error),
    /// initdb failed.
    #[error("initdb of PostgreSQL {version} in {} made no data folder:\n{said}", .folder.display())]
    Initdb {
        /// Of the programs.
        version: Version,
        /// Where the programs are.
        folder: PathBuf,
        /// The end of what it wrote.
        said: String,
    },
    /// The server ended before it was ready.
    #[error("PostgreSQL {version} in {} did not start:\n{said}", .folder.display())]
    Ended {
        /// Of the programs.
        version: Version,
        /// Where the programs are.
        folder: PathBuf,
        /// The end of its log.
        said: String,
    },
    /// The server runs and takes no connections.
    #[error("PostgreSQL {version} was not ready within {seconds} s:\n{said}")]
    NotReady {
        /// Of the programs.
        version: Version,
        /// How long it was waited for.
        seconds: u64,
        /// The end of its log.
        said: String,
    },
    /// How to reach the server makes no sense to the driver.
    #[error("the server cannot be reached: {0}")]
    Options(#[from] OptionsError),
    /// The folder is still there after the end.
    #[error("the server's folder {} could not be removed: {source}", .folder.display())]
    Stays {
        /// The server's folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

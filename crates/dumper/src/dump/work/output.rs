//! Where pg_dump's bytes go: through our pipe into a file, or into a folder that it writes itself.
//!
//! Absent: what becomes of the file afterwards.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use crate::archive::Format;
use crate::compress::Digested;
use crate::dump::prove::Written;
use crate::dump::{folder_error, not_started};
use crate::error::{DumpError, VerifyError};
use crate::folder::{self, Partial};
use crate::pg_dump::{Start, command};
use crate::pipeline::{Stream, Streamed, Through};
use crate::request::DumpRequest;
use crate::running::Running;

/// Where pg_dump's bytes go.
pub(super) enum Output {
    Stream(Stream),
    /// It writes into a folder itself; `None` once that is complete.
    Folder(Option<Partial>),
}

pub(super) async fn streamed_of(output: &mut Output) -> io::Result<Streamed> {
    match output {
        Output::Stream(stream) => stream.done().await,
        Output::Folder(_) => std::future::pending().await,
    }
}

pub(super) fn streaming(
    request: &DumpRequest,
    start: &Start<'_>,
) -> Result<(Running, Output, PathBuf), DumpError> {
    let stored = start.stored;
    let (partial, file) = Partial::claim(&request.directory, &stem(request), stored.extension())
        .map_err(|e| unclaimed(request, e))?;
    let (stdout, theirs) = io::pipe().map_err(|source| not_started(request, source))?;
    // the command owns our copy of the writing end: it must be gone before the reader can see the end
    let running = Running::start(command(request, start, Stdio::from(theirs)))
        .map_err(|source| not_started(request, source))?;
    let name = partial.name().to_owned();
    let through = match stored.format {
        Format::Plain => Through::Scan(stored.compression),
        Format::Custom | Format::Directory => Through::Raw,
    };
    let stream =
        Stream::start(stdout, partial, file, through).map_err(|source| DumpError::File {
            doing: "start writing",
            path: name.clone(),
            source,
        })?;
    Ok((running, Output::Stream(stream), name))
}

pub(super) fn writing(
    request: &DumpRequest,
    start: &Start<'_>,
) -> Result<(Running, Output, PathBuf), DumpError> {
    let partial =
        Partial::claim_folder(&request.directory, &stem(request), start.stored.extension())
            .map_err(|e| unclaimed(request, e))?;
    let name = partial.name().to_owned();
    let start = Start {
        folder: Some(partial.path()),
        ..*start
    };
    let running = Running::start(command(request, &start, Stdio::null()))
        .map_err(|source| not_started(request, source))?;
    Ok((running, Output::Folder(Some(partial)), name))
}

fn stem(request: &DumpRequest) -> String {
    folder::stem(&request.database, &request.timestamp)
}

fn unclaimed(request: &DumpRequest, source: io::Error) -> DumpError {
    folder_error(request, "create a file in", &request.directory, source)
}

/// What was streamed, if it is a whole dump.
pub(super) fn whole(
    request: &DumpRequest,
    streamed: Streamed,
) -> Result<(Partial, Written), DumpError> {
    let Streamed {
        partial,
        written,
        read,
        scanner,
        reread,
    } = streamed;
    if read == 0 {
        return Err(DumpError::Empty {
            path: request.pg_dump.path.clone(),
        });
    }
    let broken = |error| VerifyError::of_text(partial.name(), error);
    let scan = scanner.map(|it| it.finish()).transpose().map_err(broken)?;
    let Digested { bytes, sha256 } = written;
    let written = Written {
        bytes,
        sha256: Some(sha256),
        scan,
        reread: reread.transpose()?,
    };
    Ok((partial, written))
}

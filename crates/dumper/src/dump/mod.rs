//! One backup from the start of pg_dump to a verified archive with its name.
//!
//! The order of the end: pg_dump's exit status, the end marker, the rows that the server counted, the file read back, the
//! manifest, and only then the name. Whatever fails before leaves nothing.
//!
//! Absent: retries, retention and the question whether to back up.

mod directory;
mod finish;
mod options;
mod pace;
mod prove;
mod server;
mod watcher;
mod work;

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::time::{Duration, Instant};

pub(crate) use options::Stored;
use options::lacks_method;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::archive::{Archive, Verified};
use crate::counts::compare;
use crate::error::{DumpError, VerifyError};
use crate::folder;
use crate::pg_dump::is_full;
use crate::progress::Progress;
use crate::request::{Compression, DumpRequest};
use crate::snapshot::Held;
use crate::space::{self, Room};
use crate::verify::Content;

/// How often progress is told.
const BEAT: Duration = Duration::from_millis(100);

/// A session that was closed has its place in the server for another moment.
const LEAVING: Duration = Duration::from_millis(500);

/// Dumps the database into a new, verified archive.
///
/// Runs on any tokio runtime with I/O and time enabled. `stop` ends it when it resolves (`std::future::pending()` for
/// never); dropping the future kills pg_dump as well. Either way nothing that looks like an archive is left.
pub async fn dump(
    request: &DumpRequest,
    mut progress: impl FnMut(Progress),
    stop: impl Future<Output = ()>,
) -> Result<Archive, DumpError> {
    let mut stop = std::pin::pin!(stop);
    let began = Instant::now();
    let mut warnings = Warnings::default();
    let mut stored = Stored::of(request)?;
    let directory = &request.directory;
    folder::prepare(directory)
        .map_err(|source| folder_error(request, "create", directory, source))?;
    let held = tokio::select! {
        () = stop.as_mut() => return Err(DumpError::Interrupted),
        held = Held::take(request) => held,
    };
    let mut held = match held {
        Ok(held) => Some(held),
        Err(why) => {
            if request.proof >= Verified::Counts {
                warnings.tell(
                    format!("the rows are not counted on the server: {why}"),
                    &mut progress,
                );
            }
            None
        }
    };
    let there = held.as_ref().map(|held| server::of(request, &held.session));
    let request = there.as_ref().unwrap_or(request);
    check_room(request, held.as_ref(), stored, &mut warnings, &mut progress)?;
    let mut company = Company::Watched;
    let done = loop {
        let attempt = Attempt {
            request,
            stored,
            company,
            held: held.as_ref(),
            began,
        };
        match attempt.run(&mut progress, stop.as_mut()).await {
            Err(error) if lacks_method(&error) => {
                let asked = stored.compression;
                stored = stored.without_zstd(request)?;
                warnings.tell(
                    format!(
                        "this pg_dump was built without {asked}: {} instead",
                        stored.compression
                    ),
                    &mut progress,
                );
            }
            Err(error) if company == Company::Watched && is_crowded(&error) => {
                // our sessions took the place of pg_dump's
                held = None;
                tokio::time::sleep(LEAVING).await;
                company = Company::Alone;
                warnings.tell(
                    format!("the server has no connection to spare, so that the rows are not counted there: {error}"),
                    &mut progress,
                );
            }
            other => break other,
        }
    };
    if let (Err(_), Some(held)) = (&done, &mut held) {
        held.give_up().await;
    }
    finish::keep(request, stored, held.as_ref(), done?, began, warnings)
}

/// What pg_dump wrote, proven, still under its partial name.
struct Done {
    partial: folder::Partial,
    content: Content,
    /// With the server's say, where it was asked.
    compared: Option<crate::counts::Compared>,
    said: String,
}

/// Who else has a session while pg_dump runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    /// The one that holds the snapshot, where there is one, and the watcher.
    Watched,
    /// Nobody of ours.
    Alone,
}

fn is_crowded(error: &DumpError) -> bool {
    matches!(error, DumpError::ConnectionLost { said, .. } if is_full(said))
}

/// One run of pg_dump.
struct Attempt<'a> {
    request: &'a DumpRequest,
    stored: Stored,
    company: Company,
    held: Option<&'a Held>,
    began: Instant,
}

impl Attempt<'_> {
    async fn run<S: Future<Output = ()>>(
        &self,
        progress: &mut impl FnMut(Progress),
        mut stop: Pin<&mut S>,
    ) -> Result<Done, DumpError> {
        let held = self.held;
        let job = work::Job::start(self.request, self.stored, self.company, held, self.began)?;
        let worked = job.run(progress, stop.as_mut()).await?;
        let work::Worked {
            partial,
            written,
            said,
            counts,
            checksums,
        } = worked;
        let content = prove::prove(self.request, &partial, written, progress, stop).await?;
        let compared = match (counts, held) {
            (Some(counts), Some(held)) => {
                let tables = content.scan.tables.clone();
                let mut compared = compare(partial.name(), tables, &held.tables, &counts)?;
                compared.sum_up(&held.tables, &checksums);
                Some(compared)
            }
            _ => None,
        };
        Ok(Done {
            partial,
            content,
            compared,
            said,
        })
    }
}

/// What has to be said: at once, and in the archive.
#[derive(Debug, Default)]
struct Warnings(Vec<String>);

impl Warnings {
    fn tell(&mut self, warning: String, progress: &mut impl FnMut(Progress)) {
        progress(Progress::Warning(warning.clone()));
        self.0.push(warning);
    }
}

/// The guess of the plain SQL's size: of the tables that are dumped, else the caller's.
fn estimated(request: &DumpRequest, held: Option<&Held>) -> Option<u64> {
    held.map(Held::bytes).or(request.estimated_bytes)
}

/// Says how much is needed and how much there is; an error where no dump can fit.
fn check_room(
    request: &DumpRequest,
    held: Option<&Held>,
    stored: Stored,
    warnings: &mut Warnings,
    progress: &mut impl FnMut(Progress),
) -> Result<(), DumpError> {
    let directory = &request.directory;
    let free = space::free(directory);
    let estimated = estimated(request, held);
    if let (Some(free), Some(estimated)) = (free, estimated) {
        let needed = space::needed(estimated, stored.compression != Compression::None);
        progress(Progress::Room { needed, free });
    }
    match space::judge(free, estimated) {
        Room::Enough => Ok(()),
        Room::Scarce(warning) => {
            warnings.tell(format!("{}: {warning}", directory.display()), progress);
            Ok(())
        }
        Room::None => Err(DumpError::OutOfDisk {
            path: directory.clone(),
            written: 0,
            free,
            estimated,
        }),
    }
}

fn beat() -> Interval {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
    beat
}

fn not_started(request: &DumpRequest, source: io::Error) -> DumpError {
    DumpError::Start {
        path: request.pg_dump.path.clone(),
        source,
    }
}

fn folder_error(
    request: &DumpRequest,
    doing: &'static str,
    path: &Path,
    source: io::Error,
) -> DumpError {
    if space::is_out_of_space(&source) {
        return write_error(request, request.estimated_bytes, path, 0, source);
    }
    DumpError::File {
        doing,
        path: path.to_owned(),
        source,
    }
}

fn write_error(
    request: &DumpRequest,
    estimated: Option<u64>,
    path: &Path,
    written: u64,
    source: io::Error,
) -> DumpError {
    // found by whoever reads behind the writer
    let source = match source.downcast::<VerifyError>() {
        Ok(damage) => return damage.into(),
        Err(source) => source,
    };
    if !space::is_out_of_space(&source) {
        return DumpError::File {
            doing: "write",
            path: path.to_owned(),
            source,
        };
    }
    DumpError::OutOfDisk {
        path: path.to_owned(),
        written,
        free: space::free(&request.directory),
        estimated,
    }
}

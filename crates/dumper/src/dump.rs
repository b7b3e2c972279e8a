//! One backup from the start of pg_dump to a verified archive with its name.
//!
//! The order of the end: pg_dump's exit status, the end marker, the file read back, the manifest, and only then the
//! name. Whatever fails before leaves nothing.
//!
//! Absent: retries, retention and the question whether to back up.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::archive::{Archive, Format, TableProof, Verified};
use crate::error::{DumpError, VerifyError};
use crate::folder::{self, Partial};
use crate::manifest::{MANIFEST_VERSION, Manifest};
use crate::password::scrub;
use crate::pg_dump::{Version, classify, command};
use crate::pipeline::{Counters, Stream, Streamed, Through};
use crate::progress::{Dumping, Progress};
use crate::request::{Compression, DumpRequest};
use crate::running::Running;
use crate::space::{self, Room};
use crate::verify::Content;

/// How often progress is told.
const BEAT: Duration = Duration::from_millis(100);

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
    if request.format != Format::Plain {
        return Err(DumpError::Unsupported {
            path: request.pg_dump.path.clone(),
            what: format!("the format {}", request.format.as_str()),
        });
    }
    let mut warnings = check_room(request)?;
    warnings
        .iter()
        .for_each(|warning| progress(Progress::Warning(warning.clone())));
    let (partial, file) = claim(request)?;
    let (stdout, theirs) = io::pipe().map_err(|source| not_started(request, source))?;
    // the command owns our copy of the writing end: it must be gone before the reader can see the end
    let running =
        Running::start(command(request, theirs)).map_err(|source| not_started(request, source))?;
    let name = partial.name().to_owned();
    let stream = Stream::start(stdout, partial, file, Through::Scan(compression(request)))
        .map_err(|source| DumpError::File {
            doing: "start writing",
            path: name.clone(),
            source,
        })?;
    let mut job = Job {
        request,
        name: &name,
        began,
        running,
        stream,
    };
    let (streamed, said) = job.stream(&mut progress, stop.as_mut()).await?;
    warnings.extend(said.lines().map(str::to_owned));
    let (partial, content) = whole(request, streamed)?;
    finish(request, partial, content, began, warnings)
}

/// The part of a dump in which pg_dump runs.
struct Job<'a> {
    request: &'a DumpRequest,
    name: &'a Path,
    began: Instant,
    running: Running,
    stream: Stream,
}

impl Job<'_> {
    /// Until pg_dump has ended well and all that it wrote is on the disk.
    async fn stream(
        &mut self,
        progress: &mut impl FnMut(Progress),
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(Streamed, String), DumpError> {
        let mut beat = beat();
        let mut streamed = None;
        let mut status = None;
        while streamed.is_none() || status.is_none() {
            tokio::select! {
                () = stop.as_mut() => {
                    self.end().await;
                    return Err(DumpError::Interrupted);
                }
                done = self.stream.done(), if streamed.is_none() => match done {
                    Ok(done) => streamed = Some(done),
                    Err(error) => {
                        self.end().await;
                        return Err(self.write_error(error));
                    }
                },
                ended = self.running.wait(), if status.is_none() => {
                    let ended = ended.map_err(|source| not_started(self.request, source))?;
                    if !ended.success() {
                        return Err(self.died(ended).await);
                    }
                    status = Some(ended);
                }
                _ = beat.tick() => progress(Progress::Dumping(self.dumping())),
            }
        }
        progress(Progress::Dumping(self.dumping()));
        let said = self.said().await;
        self.running.leave();
        streamed
            .map(|streamed| (streamed, said))
            .ok_or(DumpError::Interrupted)
    }

    /// Ends pg_dump and waits until the partial file is gone.
    async fn end(&mut self) {
        self.stream.give_up();
        self.running.terminate().await;
        let _ = self.stream.done().await;
    }

    async fn died(&mut self, status: ExitStatus) -> DumpError {
        self.stream.give_up();
        self.running.leave();
        let written = self.stream.done().await;
        let said = self.said().await;
        match written {
            // killed by SIGPIPE because our side could not write
            Err(error) if space::is_out_of_space(&error) => self.write_error(error),
            _ => classify(self.request, status, &said),
        }
    }

    async fn said(&mut self) -> String {
        scrub(&self.running.said().await, self.request.password.as_ref())
    }

    fn write_error(&self, source: io::Error) -> DumpError {
        write_error(
            self.request,
            self.name,
            self.stream.counters.written.load(Ordering::Relaxed),
            source,
        )
    }

    fn dumping(&self) -> Dumping {
        let counters: &Counters = &self.stream.counters;
        Dumping {
            table: counters.table(),
            tables: counters.tables.load(Ordering::Relaxed),
            rows: counters.rows.load(Ordering::Relaxed),
            tables_total: None,
            left: None,
            raw_bytes: counters.raw_bytes.load(Ordering::Relaxed),
            bytes: counters.written.load(Ordering::Relaxed),
            estimated_bytes: self.request.estimated_bytes,
            elapsed: self.began.elapsed(),
        }
    }
}

/// The warning about scarce space, if any; an error where no dump can fit.
fn check_room(request: &DumpRequest) -> Result<Vec<String>, DumpError> {
    let directory = &request.directory;
    folder::prepare(directory)
        .map_err(|source| folder_error(request, "create", directory, source))?;
    let free = space::free(directory);
    match space::judge(free, request.estimated_bytes) {
        Room::Enough => Ok(Vec::new()),
        Room::Scarce(warning) => Ok(vec![format!("{}: {warning}", directory.display())]),
        Room::None => {
            let (path, estimated) = (directory.clone(), request.estimated_bytes);
            Err(DumpError::OutOfDisk {
                path,
                written: 0,
                free,
                estimated,
            })
        }
    }
}

fn claim(request: &DumpRequest) -> Result<(Partial, std::fs::File), DumpError> {
    let stem = folder::stem(&request.database, &request.timestamp);
    Partial::claim(&request.directory, &stem, compression(request).extension())
        .map_err(|source| folder_error(request, "create a file in", &request.directory, source))
}

/// What was streamed, if it is a whole dump.
fn whole(request: &DumpRequest, streamed: Streamed) -> Result<(Partial, Content), DumpError> {
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
    let scanned = scanner.unwrap_or_default().finish();
    let scan = scanned.map_err(|error| VerifyError::of_text(partial.name(), error))?;
    let content = Content {
        bytes: written.bytes,
        sha256: written.sha256,
        scan,
    };
    if let Some(reread) = reread {
        reread?.compare(partial.name(), &content)?;
    }
    Ok((partial, content))
}

/// The manifest first: when the archive has its name, all else is done.
fn finish(
    request: &DumpRequest,
    partial: Partial,
    content: Content,
    began: Instant,
    warnings: Vec<String>,
) -> Result<Archive, DumpError> {
    let seconds = began.elapsed().as_secs_f64();
    let manifest = manifest(request, &partial, &content, seconds);
    let bytes = content.bytes;
    let fail = |path: &Path, source| write_error(request, path, bytes, source);
    let manifest_path = Manifest::path_of(partial.name());
    let (manifest_partial, file) =
        Partial::create(&manifest_path).map_err(|source| fail(&manifest_path, source))?;
    manifest
        .write(&file)
        .map_err(|source| fail(&manifest_path, source))?;
    let name = partial.name().to_owned();
    let manifest = manifest_partial
        .keep()
        .map_err(|source| fail(&manifest_path, source))?;
    let path = partial.keep().map_err(|source| {
        let _ = std::fs::remove_file(&manifest); // it would speak of no archive
        fail(&name, source)
    })?;
    folder::sync(&request.directory).map_err(|source| fail(&request.directory, source))?;
    Ok(Archive {
        path,
        manifest,
        format: Format::Plain,
        compression: compression(request).to_string(),
        bytes: content.bytes,
        raw_bytes: content.scan.raw_bytes,
        sha256: content.sha256,
        tables: content
            .scan
            .tables
            .into_iter()
            .map(TableProof::from)
            .collect(),
        rows: content.scan.rows,
        seconds,
        pg_dump_version: request.pg_dump.version,
        verified: Verified::Trailer,
        warnings,
    })
}

fn manifest(request: &DumpRequest, partial: &Partial, content: &Content, seconds: f64) -> Manifest {
    let file = partial
        .name()
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Manifest {
        manifest_version: MANIFEST_VERSION,
        tool_version: request.tool_version.clone(),
        created_at: request.created_at.clone(),
        database: request.database.clone(),
        server_version: Version::from_num(request.server_version_num),
        pg_dump_version: request.pg_dump.version,
        file,
        format: Format::Plain,
        compression: compression(request).to_string(),
        encoding: "UTF8".to_owned(),
        sha256: content.sha256.clone(),
        bytes: content.bytes,
        raw_bytes: content.scan.raw_bytes,
        rows: content.scan.rows,
        seconds,
        verified: Verified::Trailer,
        tables: content
            .scan
            .tables
            .iter()
            .cloned()
            .map(TableProof::from)
            .collect(),
        properties: None,
        snapshot: None,
        selection: request.selection.clone(),
        jobs: None,
        needs: None,
    }
}

fn compression(request: &DumpRequest) -> Compression {
    request.compression.unwrap_or_default()
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
        return write_error(request, path, 0, source);
    }
    DumpError::File {
        doing,
        path: path.to_owned(),
        source,
    }
}

fn write_error(request: &DumpRequest, path: &Path, written: u64, source: io::Error) -> DumpError {
    if !space::is_out_of_space(&source) {
        return DumpError::File {
            doing: "write",
            path: path.to_owned(),
            source,
        };
    }
    let free = space::free(&request.directory);
    DumpError::OutOfDisk {
        path: path.to_owned(),
        written,
        free,
        estimated: request.estimated_bytes,
    }
}

//! The whole stream without a pg_dump: what comes out, what is found on the disk, and how it ends early.

use std::io::{PipeWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::request::{GzipLevel, ZstdLevel};

/// Far more than any of these takes.
const LIMIT: Duration = Duration::from_secs(60);
const BEGIN: &str =
    "--\n-- PostgreSQL database dump\n--\n\nCOPY shop.item (id, name) FROM stdin;\n";
const END: &str = "\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n";

struct Job {
    folder: TempDir,
    stdout: PipeWriter,
    stream: Stream,
}

impl Job {
    fn start(through: Through) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (partial, file) = Partial::create(&folder.path().join("dump")).unwrap();
        let (reader, stdout) = io::pipe().unwrap();
        let stream = Stream::start(reader, partial, file, through).unwrap();
        Self {
            folder,
            stdout,
            stream,
        }
    }

    fn partial(&self) -> PathBuf {
        self.folder.path().join("dump.partial")
    }
}

fn ways() -> [Through; 4] {
    [
        Through::Scan(Compression::Gzip(GzipLevel::default())),
        Through::Scan(Compression::Zstd(ZstdLevel::default())),
        Through::Scan(Compression::None),
        Through::Raw,
    ]
}

fn rows(from: u64, to: u64) -> String {
    (from..to)
        .map(|n| format!("{n}\tnumber {}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect()
}

async fn done(stream: &mut Stream) -> io::Result<Streamed> {
    timeout(LIMIT, stream.done()).await.expect("still waiting")
}

#[tokio::test]
async fn what_was_written_is_what_the_disk_gives_back() {
    for through in ways() {
        let mut job = Job::start(through);
        let mut stdout = job.stdout;
        // more than the stride of the reading behind, as it is stored
        let length = tokio::task::spawn_blocking(move || {
            let mut length = 0;
            let mut put = |text: &str| {
                stdout.write_all(text.as_bytes()).unwrap();
                length += text.len() as u64;
            };
            put(BEGIN);
            for part in 0..16 {
                put(&rows(part * 50_000, (part + 1) * 50_000));
            }
            put(END);
            length
        })
        .await
        .unwrap();
        let streamed = done(&mut job.stream).await.unwrap();
        assert_eq!(streamed.read, length);
        let file = std::fs::read(streamed.partial.path()).unwrap();
        assert_eq!(streamed.written.bytes, file.len() as u64);
        if through == Through::Raw {
            assert!(streamed.scanner.is_none() && streamed.reread.is_none());
            continue;
        }
        let scan = streamed.scanner.unwrap().finish().unwrap();
        assert_eq!(scan.rows, 800_000);
        let reread = streamed.reread.unwrap().unwrap();
        assert_eq!(reread.scan, scan);
        assert_eq!(reread.bytes, streamed.written.bytes);
        assert_eq!(reread.sha256, streamed.written.sha256);
    }
}

#[tokio::test]
async fn a_byte_that_changes_on_the_disk_is_found() {
    for through in ways() {
        if through == Through::Raw {
            continue; // what it holds is read by pg_restore afterwards
        }
        let mut job = Job::start(through);
        job.stdout.write_all(BEGIN.as_bytes()).unwrap();
        job.stdout.write_all(rows(0, 100_000).as_bytes()).unwrap();
        let file = job.partial();
        // less than the stride, so that nobody has read it; the encoder of zstd keeps much to itself
        let deadline = std::time::Instant::now() + LIMIT;
        while std::fs::metadata(&file).unwrap().len() < 200_000 {
            assert!(std::time::Instant::now() < deadline, "nothing is written");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let disk = std::fs::OpenOptions::new()
            .write(true)
            .read(true)
            .open(&file)
            .unwrap();
        let mut byte = [0];
        disk.read_exact_at(&mut byte, 150_000).unwrap();
        disk.write_all_at(&[byte[0] ^ 0x04], 150_000).unwrap();
        job.stdout.write_all(END.as_bytes()).unwrap();
        drop(job.stdout);
        let streamed = done(&mut job.stream).await.unwrap();
        let differs = match streamed.reread.unwrap() {
            Err(error) => matches!(error, VerifyError::Damaged { .. }),
            Ok(found) => found.sha256 != streamed.written.sha256,
        };
        assert!(differs, "{through:?}");
    }
}

#[tokio::test]
async fn damage_ends_a_stream_without_end() {
    let mut job = Job::start(Through::Scan(Compression::Gzip(GzipLevel::default())));
    job.stdout.write_all(BEGIN.as_bytes()).unwrap();
    job.stdout.write_all(rows(0, 100_000).as_bytes()).unwrap();
    let file = job.partial();
    let deadline = std::time::Instant::now() + LIMIT;
    while std::fs::metadata(&file).unwrap().len() < 200_000 {
        assert!(std::time::Instant::now() < deadline, "nothing is written");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let disk = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    disk.write_all_at(b"no gzip", 0).unwrap();
    let mut stdout = job.stdout;
    let writing = tokio::task::spawn_blocking(move || {
        let text = rows(0, 50_000);
        while stdout.write_all(text.as_bytes()).is_ok() {}
    });
    let error = done(&mut job.stream).await.unwrap_err();
    assert!(
        error.get_ref().is_some_and(|it| it.is::<VerifyError>()),
        "{error:?}"
    );
    timeout(LIMIT, writing)
        .await
        .expect("still writing")
        .unwrap();
    assert!(!file.exists());
}

#[tokio::test]
async fn given_up_it_ends_and_leaves_nothing() {
    for through in ways() {
        let mut job = Job::start(through);
        job.stdout.write_all(BEGIN.as_bytes()).unwrap();
        job.stdout.write_all(rows(0, 100_000).as_bytes()).unwrap();
        job.stream.give_up();
        let file = job.partial();
        drop(job.stdout);
        // a writer that had everything by then may have finished
        match done(&mut job.stream).await {
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Interrupted),
            Ok(streamed) => drop(streamed),
        }
        assert!(!file.exists());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_cannot_be_written_ends_a_stream_without_end() {
    for through in ways() {
        let folder = tempfile::tempdir().unwrap();
        let (partial, _) = Partial::create(&folder.path().join("dump")).unwrap();
        let (reader, mut stdout) = io::pipe().unwrap();
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let mut stream = Stream::start(reader, partial, full, through).unwrap();
        let writing = tokio::task::spawn_blocking(move || {
            let text = rows(0, 50_000);
            while stdout.write_all(text.as_bytes()).is_ok() {}
        });
        let error = done(&mut stream).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        // the reader is gone as well, or the pipe would never break
        timeout(LIMIT, writing)
            .await
            .expect("still writing")
            .unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

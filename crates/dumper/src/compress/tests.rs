//! What the pool and the sink make of any stream, read by others; and that nobody waits for ever.

use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use flate2::bufread::{GzDecoder, MultiGzDecoder};
use proptest::prelude::*;

use super::pool::{BLOCK, Packed, Raw, places, pool_of};
use super::{Digested, Sink};
use crate::request::{Compression, GzipLevel, ZstdLevel};

/// Far more than any of these takes, and less than the runner's patience.
const LIMIT: Duration = Duration::from_secs(60);

fn gzip(level: u8) -> Compression {
    Compression::Gzip(GzipLevel::new(level).unwrap())
}

fn zstd(level: u8) -> Compression {
    Compression::Zstd(ZstdLevel::new(level).unwrap())
}

fn level(compression: Compression) -> Option<GzipLevel> {
    match compression {
        Compression::Gzip(level) => Some(level),
        Compression::Zstd(_) | Compression::None => None,
    }
}

/// As the pipeline does it; says how many bytes went in before the writer was gone.
fn feed(mut plain: impl Read, raw: &Raw) -> u64 {
    let mut fed = 0;
    loop {
        let mut block = raw.block();
        let room = Raw::room(&block) as u64;
        let length = (&mut plain).take(room).read_to_end(&mut block.raw).unwrap() as u64;
        if raw.send(block).is_err() {
            return fed;
        }
        fed += length;
        if length < room {
            return fed;
        }
    }
}

fn drain<W: Write>(packed: &Packed, sink: &mut Sink<W>) -> io::Result<()> {
    while let Some(block) = packed.next() {
        let block = block?;
        sink.write(&block)?;
        packed.give_back(block);
    }
    Ok(())
}

/// The whole of it in memory.
fn stored(plain: impl Read + Send + 'static, compression: Compression, workers: usize) -> Vec<u8> {
    let (raw, packed) = pool_of(level(compression), workers).unwrap();
    let reader = thread::spawn(move || feed(plain, &raw));
    let written = Arc::new(AtomicU64::new(0));
    let mut sink = Sink::new(Vec::new(), compression, Arc::clone(&written)).unwrap();
    drain(&packed, &mut sink).unwrap();
    let (stored, digested) = sink.end().unwrap();
    reader.join().unwrap();
    assert_eq!(digested.bytes, stored.len() as u64);
    assert_eq!(written.load(Ordering::Relaxed), digested.bytes);
    assert_eq!(digested, digest(&stored));
    stored
}

fn digest(bytes: &[u8]) -> Digested {
    use sha2::{Digest as _, Sha256};
    Digested {
        bytes: bytes.len() as u64,
        sha256: super::hex(&Sha256::digest(bytes)),
    }
}

fn gunzipped(stored: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    MultiGzDecoder::new(stored).read_to_end(&mut plain).unwrap();
    plain
}

/// Half of it repeats, half does not, so that blocks shrink, and differ.
fn text(length: usize) -> Vec<u8> {
    let mut state = 42_u64;
    let mut text = Vec::with_capacity(length + 32);
    while text.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.extend_from_slice(format!("{}\tpending\t{:x}\n", text.len(), state >> 40).as_bytes());
    }
    text.truncate(length);
    text
}

/// Bytes that no level makes shorter, without an end.
struct Noise(u64);

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in &mut *buffer {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = self.0.to_le_bytes()[3];
        }
        Ok(buffer.len())
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut noise = vec![0; length];
    Noise(7).read_exact(&mut noise).unwrap();
    noise
}

/// Runs it on a thread; a test that hangs fails.
#[track_caller]
fn soon<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = channel();
    thread::spawn(move || tell.send(work()));
    told.recv_timeout(LIMIT)
        .unwrap_or_else(|_| panic!("{what}: still waiting"))
}

#[test]
fn every_level_and_any_length_come_back() {
    for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 5 * BLOCK + 17] {
        let plain = text(length);
        for level in [1, 6, 9] {
            let stored = stored(io::Cursor::new(plain.clone()), gzip(level), 2);
            assert!(gunzipped(&stored) == plain, "{length} at {level}");
        }
    }
    let plain = text(BLOCK + 1);
    for level in 1..=9 {
        let stored = stored(io::Cursor::new(plain.clone()), gzip(level), 2);
        assert!(gunzipped(&stored) == plain, "{level}");
        assert!(stored.len() < plain.len() * 3 / 4, "{}", stored.len());
    }
}

#[test]
fn what_does_not_shrink_comes_back_and_hardly_grows() {
    for level in 1..=9 {
        let plain = noise(2 * BLOCK + 5);
        let stored = stored(io::Cursor::new(plain.clone()), gzip(level), 2);
        assert!(gunzipped(&stored) == plain);
        // level 1 spends nine bits on half of all bytes, the others store them
        let more = plain.len() / if level == 1 { 8 } else { 500 };
        assert!(
            stored.len() < plain.len() + more,
            "{level}: {}",
            stored.len()
        );
    }
}

#[test]
fn the_number_of_threads_does_not_show_in_the_file() {
    let plain = text(20 * BLOCK + 99);
    let one = stored(io::Cursor::new(plain.clone()), gzip(6), 1);
    for workers in [2, 3, 8] {
        assert!(stored(io::Cursor::new(plain.clone()), gzip(6), workers) == one);
    }
}

#[test]
fn it_is_one_member() {
    let plain = text(3 * BLOCK);
    let stored = stored(io::Cursor::new(plain.clone()), gzip(6), 2);
    let mut rest = &stored[..];
    let mut first = Vec::new();
    GzDecoder::new(&mut rest).read_to_end(&mut first).unwrap();
    assert!(first == plain);
    assert!(rest.is_empty());
    let size = u32::from_le_bytes(*stored.last_chunk().unwrap());
    assert_eq!(size as usize, plain.len());
}

#[test]
fn programs_of_the_system_read_it() {
    let plain = text(2 * BLOCK + 3);
    let stored = stored(io::Cursor::new(plain.clone()), gzip(6), 2);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.sql.gz");
    fs_err::write(&file, &stored).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{program}: {output:?}");
        output.stdout
    };
    run("gzip", &["-t"]);
    assert!(run("gzip", &["-dc"]) == plain);
    let listed = String::from_utf8(run("gzip", &["-l"])).unwrap();
    let sizes = listed.lines().nth(1).unwrap();
    let sizes: Vec<&str> = sizes.split_whitespace().collect();
    assert_eq!(sizes[0], stored.len().to_string());
    assert_eq!(sizes[1], plain.len().to_string());
}

#[test]
fn zstd_and_plain_come_back_and_a_flipped_bit_is_found() {
    let plain = text(4 * BLOCK + 1);
    assert!(stored(io::Cursor::new(plain.clone()), Compression::None, 2) == plain);
    for level in [1, 3, 9] {
        let mut stored = stored(io::Cursor::new(plain.clone()), zstd(level), 2);
        assert!(zstd::decode_all(&stored[..]).unwrap() == plain);
        let last = stored.len() - 1; // of the checksum
        stored[last] ^= 1;
        assert!(zstd::decode_all(&stored[..]).is_err());
    }
}

/// Has room for so many bytes.
struct Disk(u64);

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.0.min(bytes.len() as u64);
        if length == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= length;
        Ok(usize::try_from(length).unwrap())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_the_reader_of_an_endless_stream() {
    for compression in [gzip(1), zstd(1), Compression::None] {
        for room in [9, 10, 1000, 5 * BLOCK as u64] {
            let (error, fed) = soon("a full disk", move || {
                let (raw, packed) = pool_of(level(compression), 2).unwrap();
                let reader = thread::spawn(move || feed(Noise(1), &raw));
                let sink = Sink::new(Disk(room), compression, Arc::default());
                let outcome = sink.and_then(|mut sink| drain(&packed, &mut sink));
                drop(packed);
                (outcome.unwrap_err(), reader.join().unwrap())
            });
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            assert!(fed < 64 * BLOCK as u64, "{fed}");
        }
    }
}

#[test]
fn a_reader_that_is_gone_ends_the_writer() {
    let blocks = soon("a reader that is gone", || {
        let (raw, packed) = pool_of(level(gzip(6)), 2).unwrap();
        let mut block = raw.block();
        block.raw.extend_from_slice(b"a row\n");
        raw.send(block).unwrap();
        drop(raw);
        std::iter::from_fn(|| packed.next()).count()
    });
    assert_eq!(blocks, 1);
}

#[test]
fn a_writer_that_waits_no_more_frees_the_reader() {
    let fed = soon("a writer that waits no more", || {
        let (raw, packed) = pool_of(level(gzip(6)), 2).unwrap();
        let reader = thread::spawn(move || feed(Noise(1), &raw));
        packed.next().unwrap().unwrap();
        drop(packed);
        reader.join().unwrap()
    });
    assert!(fed > 0);
}

#[test]
fn what_is_under_way_is_bounded() {
    let (raw, packed) = pool_of(level(gzip(1)), 3).unwrap();
    let (tell, told) = channel();
    let reader = thread::spawn(move || {
        let mut sent = 0;
        loop {
            let mut block = raw.block();
            block.raw.resize(BLOCK, b'x');
            if raw.send(block).is_err() {
                return;
            }
            sent += 1;
            if tell.send(sent).is_err() {
                return;
            }
        }
    });
    // nobody takes anything: the reader comes to a stop by itself
    let mut sent = 0;
    while let Ok(count) = told.recv_timeout(Duration::from_millis(300)) {
        sent = count;
    }
    assert_eq!(sent, places(3));
    drop(packed);
    soon("the reader", move || reader.join().unwrap());
}

/// Gives its bytes in pieces of any size, as a pipe does.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let length = self
            .sizes
            .next()
            .unwrap_or(1)
            .min(rest.len())
            .min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any bytes in any pieces, at any level, by any number of threads.
    #[test]
    fn any_stream_comes_back(
        seed in prop::collection::vec(any::<u8>(), 0..2000),
        times in 0..1500_usize,
        sizes in prop::collection::vec(1..100_000_usize, 1..5),
        level in 1..=9_u8,
        workers in 1..5_usize,
    ) {
        let plain = seed.repeat(times);
        let pieces = Pieces { bytes: plain.clone(), at: 0, sizes: sizes.into_iter().cycle() };
        let found = stored(pieces, gzip(level), workers);
        prop_assert!(gunzipped(&found) == plain);
        let whole = stored(io::Cursor::new(plain.clone()), gzip(level), 1);
        prop_assert!(whole == found);
        let pieces = Pieces { bytes: plain.clone(), at: 0, sizes: vec![4096].into_iter().cycle() };
        prop_assert!(zstd::decode_all(&stored(pieces, zstd(level), workers)[..]).unwrap() == plain);
    }
}

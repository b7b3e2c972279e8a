//! The fuzzer's functions without a fuzzer: every seed and every input that once broke something, and mutations of them.
//!
//! `DUMPER_FUZZ_SECONDS` makes it longer; where there is no C++ compiler for libFuzzer, this is what
//! `cargo xtask fuzz` runs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::*;

/// Words that turn a dump's text into another.
const WORDS: [&str; 43] = [
    "COPY a.b (c) FROM stdin;\n",
    "COPY \"a\" FROM stdin",
    "1\t2\n",
    "\\.\n",
    "\\.",
    "\\.\r\n",
    "\\",
    ".",
    "\n",
    "\r",
    "'",
    "\"",
    "$$",
    "$a$",
    "$",
    "$1",
    "--",
    "/*",
    "*/",
    "E'",
    "u&'",
    "U&\"",
    "b'",
    "n'",
    ";",
    "(",
    ")",
    "SELECT ",
    "CREATE FUNCTION f() ",
    "CREATE OR REPLACE PROCEDURE p ",
    "BEGIN ATOMIC ",
    "CASE ",
    " END",
    "e",
    "1.",
    "..",
    "-- PostgreSQL database dump complete\n",
    "\\restrict a\n",
    "\\unrestrict a\n",
    "\\connect d\n",
    "SET standard_conforming_strings = off;",
    "\u{e9}",
    "\0",
];

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join("corpus")
        .join(name);
    let mut seeds: Vec<_> = fs_err::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs_err::read(path).unwrap()))
        .collect();
    seeds.sort();
    assert!(seeds.len() >= 5, "{} holds too little", folder.display());
    seeds
}

/// Where, what, and how much is replaced.
type Change = (prop::sample::Index, Vec<u8>, usize);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let what = prop_oneof![
        3 => prop::sample::select(WORDS.as_slice()).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), what, 0_usize..20), 1..8)
}

fn changed(seed: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for (place, what, length) in changes {
        let at = place.index(bytes.len() + 1);
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, what.iter().copied());
    }
    bytes
}

/// Runs for so long; the seed of the run is told, and a failure is made small by proptest.
fn mutate(name: &str, seconds: u64, target: impl Fn(&[u8])) {
    let seeds: Vec<_> = corpus(name).into_iter().map(|(_, bytes)| bytes).collect();
    let told = std::env::var("DUMPER_FUZZ_SECONDS").ok();
    let seconds = told.and_then(|it| it.parse().ok()).unwrap_or(seconds);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let strategy = (prop::sample::select(seeds), changes());
    let mut rounds = 0_u8;
    while Instant::now() < deadline {
        let config = Config {
            cases: 64,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = if rounds == 0 {
            TestRng::deterministic_rng(RngAlgorithm::ChaCha)
        } else {
            TestRng::from_seed(RngAlgorithm::ChaCha, &seed()) // another one each time
        };
        rounds = rounds.saturating_add(1);
        TestRunner::new_with_rng(config, rng)
            .run(&strategy, |(seed, changes)| {
                let bytes = changed(&seed, &changes);
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(&bytes))).map_err(
                    |_| TestCaseError::fail(format!("{:?}", String::from_utf8_lossy(&bytes))),
                )
            })
            .unwrap();
    }
    assert!(rounds > 0);
}

/// From the hasher's own, which the system gives.
fn seed() -> [u8; 32] {
    use std::hash::{BuildHasher, RandomState};
    let mut seed = [0; 32];
    for part in seed.chunks_exact_mut(8) {
        part.copy_from_slice(&RandomState::new().hash_one(0).to_le_bytes());
    }
    seed
}

#[test]
fn dumps_of_the_corpus() {
    for (_, bytes) in corpus("dump") {
        for seed in [0, 1, 7, 40, 255] {
            dump(&[&[seed], bytes.as_slice()].concat());
        }
        dump(&bytes);
    }
}

#[test]
fn archives_of_the_corpus() {
    let folder = tempfile::tempdir().unwrap();
    for (_, bytes) in corpus("archive") {
        archive(&bytes, folder.path());
    }
}

#[test]
fn mutated_dumps() {
    mutate("dump", 2, dump);
}

#[test]
fn mutated_archives() {
    let folder = tempfile::tempdir().unwrap();
    mutate("archive", 1, |bytes| archive(bytes, folder.path()));
}

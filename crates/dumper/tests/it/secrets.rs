//! Who sees the password: pg_dump alone, in its environment; no command line, no other child, no file, no word.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use dumper::{Format, Progress, RestoreProgress, dump, restore};

use crate::support::{BIG, Fixture, block_on, run, skipped};
use crate::trip::Trip;

/// Every process below this one, of /proc.
fn below(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    loop {
        let parent = |pid: u32| -> Option<u32> {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // `pid (name) state ppid …`
            stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
        };
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let new: Vec<_> = pids
            .filter(|pid| {
                !found.contains(pid) && parent(*pid).is_some_and(|it| found.contains(&it))
            })
            .collect();
        if new.is_empty() {
            found.remove(0);
            return found;
        }
        found.extend(new);
    }
}

fn has(path: &str, secret: &str) -> bool {
    std::fs::read(path).is_ok_and(|bytes| contains(&bytes, secret))
}

/// In a variable that the process was given: `xtask test` tells every test where the servers are, and all below inherit it.
fn is_given(pid: u32, secret: &str) -> bool {
    let environment = |whose: &str| std::fs::read(format!("/proc/{whose}/environ"));
    let (Ok(own), Ok(its)) = (environment("self"), environment(&pid.to_string())) else {
        return false;
    };
    let own: Vec<_> = own.split(|byte| *byte == 0).collect();
    its.split(|byte| *byte == 0)
        .any(|variable| contains(variable, secret) && !own.contains(&variable))
}

fn contains(bytes: &[u8], secret: &str) -> bool {
    bytes
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

fn comm(pid: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim().to_owned()
}

/// The programs that have the password in their environment; on a command line nobody may.
fn who_knows(secret: &str) -> BTreeSet<String> {
    let mut know = BTreeSet::new();
    for pid in below(std::process::id()) {
        assert!(
            !has(&format!("/proc/{pid}/cmdline"), secret),
            "on a command line"
        );
        if is_given(pid, secret) {
            know.insert(comm(pid));
        }
    }
    know
}

/// No file below the folder has it.
pub fn check_files(folder: &Path, secret: &str) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check_files(&path, secret);
        } else {
            assert!(
                !contains(&fs_err::read(&path).unwrap(), secret),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn the_password_is_known_to_pg_dump_alone() {
    if !Path::new("/proc/self/environ").exists() {
        skipped("no /proc");
        return;
    }
    let fixture = Fixture::new(BIG);
    let secret = fixture.server().password().to_owned();
    let request = fixture.request();
    assert!(!format!("{request:?}").contains(&secret));
    let (mut know, mut words) = (BTreeSet::new(), String::new());
    let hear = |progress: Progress| {
        know.append(&mut who_knows(&secret));
        words += &format!("{progress:?}\n");
    };
    let archive = block_on(dump(&request, hear, std::future::pending())).unwrap();
    assert_eq!(know, BTreeSet::from(["pg_dump".to_owned()]));
    assert!(!format!("{words} {archive:?}").contains(&secret));
    check_files(&fixture.backups(), &secret);
}

#[test]
fn the_password_is_known_to_no_child_of_a_restore() {
    if !Path::new("/proc/self/environ").exists() {
        skipped("no /proc");
        return;
    }
    let fixture = Fixture::new(BIG);
    let secret = fixture.server().password().to_owned();
    let mut request = fixture.request();
    request.format = Format::Custom;
    let archive = run(&request).unwrap();
    let trip = Trip::to(fixture.server());
    let request = trip.request(&archive.path);
    let mut words = format!("{request:?}");
    let hear = |progress: RestoreProgress| words += &format!("{progress:?}\n");
    let done = AtomicBool::new(false);
    // pg_restore may be through before the first word of progress: /proc is looked at without a pause
    let (restored, know, children) = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut know, mut children) = (BTreeSet::new(), BTreeSet::new());
            while !done.load(Ordering::Relaxed) {
                know.append(&mut who_knows(&secret));
                children.extend(below(std::process::id()).into_iter().map(comm));
            }
            (know, children)
        });
        let restored = block_on(restore(&request, hear, std::future::pending()));
        done.store(true, Ordering::Relaxed);
        let (know, children) = watcher.join().unwrap();
        (restored.unwrap(), know, children)
    });
    assert!(children.contains("pg_restore"), "{children:?}");
    assert_eq!(know, BTreeSet::new());
    assert!(!format!("{words} {restored:?}").contains(&secret));
}

use std::time::{Duration, SystemTime};

use super::*;
use crate::archive::{Format, Verified};
use crate::manifest::{Refutation, Refuted};
use crate::pg_dump::Version;
use crate::request::Selection;

const NOW: &str = "2026-11-23T12:00:00Z";

/// A folder of archives, each written by a line `name age-in-days kind`.
struct Folder(tempfile::TempDir);

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn manifest(database: &str, days: i64, bytes: u64, selection: Selection) -> Manifest {
    let version = Version {
        major: 15,
        minor: 1,
    };
    let created = now()
        .checked_sub(SignedDuration::from_hours(24 * days))
        .unwrap();
    Manifest {
        manifest_version: 2,
        tool_version: "0.1.0".to_owned(),
        created_at: created.to_string(),
        database: database.to_owned(),
        server_version: version,
        system_identifier: Some("7".to_owned()),
        pg_dump_version: version,
        file: String::new(),
        format: Format::Plain,
        compression: "none".to_owned(),
        encoding: "UTF8".to_owned(),
        sha256: String::new(),
        bytes,
        raw_bytes: 3,
        rows: 0,
        seconds: 0.1,
        verified: Verified::Counts,
        refuted: None,
        tables: Vec::new(),
        properties: None,
        snapshot: None,
        selection,
        jobs: None,
        needs: None,
    }
}

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, manifest: &Manifest) {
        let path = self.path(name);
        if name.ends_with(".dir") {
            fs_err::create_dir(&path).unwrap();
            fs_err::write(path.join("toc.dat"), "abc").unwrap();
        } else {
            fs_err::write(&path, "abc").unwrap();
        }
        let text = serde_json::to_string(manifest).unwrap();
        fs_err::write(Manifest::path_of(&path), text).unwrap();
    }

    fn good(&self, name: &str, days: i64) {
        self.put(name, &manifest("shop", days, 3, Selection::default()));
    }

    fn prune(&self, count: usize, days: Option<u32>) -> Pruned {
        let count = NonZeroUsize::new(count);
        prune(self.0.path(), "shop", Keep { count, days }, None, now()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs_err::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".json"))
            .collect();
        names.sort();
        names
    }
}

#[test]
fn the_newest_so_many_stay() {
    let folder = Folder::new();
    for days in 0..5 {
        folder.good(&format!("backup_shop_{days}.sql"), days);
    }
    folder.good("backup_shop_9.dir", 9);
    let pruned = folder.prune(2, None);
    assert_eq!(folder.names(), ["backup_shop_0.sql", "backup_shop_1.sql"]);
    assert_eq!(pruned.removed.len(), 4);
    assert_eq!(pruned.removed[0].path, folder.path("backup_shop_9.dir"));
    assert_eq!(pruned.kept.len(), 2);
    // the manifests went along
    assert_eq!(fs_err::read_dir(folder.0.path()).unwrap().count(), 4);
}

#[test]
fn without_a_rule_everything_stays() {
    let folder = Folder::new();
    folder.good("backup_shop_1.sql", 1000);
    folder.good("backup_shop_2.sql", 2000);
    assert!(folder.prune(0, None).removed.is_empty());
}

#[test]
fn the_last_good_one_stays_however_old() {
    let folder = Folder::new();
    folder.good("backup_shop_1.sql", 400);
    folder.good("backup_shop_2.sql", 500);
    // a newer one that was cut is no good one
    folder.put(
        "backup_shop_0.sql",
        &manifest("shop", 1, 99, Selection::default()),
    );
    folder.prune(0, Some(30));
    assert_eq!(folder.names(), ["backup_shop_0.sql", "backup_shop_1.sql"]);
    folder.prune(1, None);
    assert_eq!(folder.names(), ["backup_shop_0.sql", "backup_shop_1.sql"]);
    // a cut one goes when a good one is newer
    folder.good("backup_shop_00.sql", 0);
    folder.prune(1, None);
    assert_eq!(folder.names(), ["backup_shop_00.sql"]);
}

#[test]
fn either_rule_keeps() {
    let folder = Folder::new();
    for days in [1, 2, 10, 20, 40] {
        folder.good(&format!("backup_shop_{days:02}.sql"), days);
    }
    folder.prune(1, Some(15));
    assert_eq!(
        folder.names(),
        [
            "backup_shop_01.sql",
            "backup_shop_02.sql",
            "backup_shop_10.sql"
        ]
    );
    folder.prune(3, Some(1));
    assert_eq!(folder.names().len(), 3);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let folder = Folder::new();
    folder.good("backup_shop_1.sql", 1);
    folder.put(
        "backup_other_1.sql",
        &manifest("other", 900, 3, Selection::default()),
    );
    fs_err::write(folder.path("backup_shop_2.sql"), "no manifest").unwrap();
    fs_err::write(folder.path("notes.txt"), "").unwrap();
    fs_err::write(folder.path("shop.sql.gz"), "").unwrap();
    let before = folder.names();
    assert!(folder.prune(1, Some(1)).removed.is_empty());
    assert_eq!(folder.names(), before);
}

#[test]
fn definitions_alone_push_no_whole_backup_out() {
    let folder = Folder::new();
    folder.good("backup_shop_9.sql", 9);
    let definitions = Selection {
        schema_only: true,
        ..Selection::default()
    };
    for days in 1..4 {
        folder.put(
            &format!("backup_shop_{days}.sql"),
            &manifest("shop", days, 3, definitions.clone()),
        );
    }
    folder.prune(1, None);
    assert_eq!(folder.names(), ["backup_shop_1.sql", "backup_shop_9.sql"]);
}

#[test]
fn the_one_just_made_stays() {
    let folder = Folder::new();
    folder.good("backup_shop_1.sql", 1);
    folder.good("backup_shop_2.sql", 2); // a clock that went back
    let made = folder.path("backup_shop_2.sql");
    let keep = Keep {
        count: NonZeroUsize::new(1),
        days: None,
    };
    let pruned = prune(folder.0.path(), "shop", keep, Some(&made), now()).unwrap();
    assert!(pruned.removed.is_empty());
}

#[test]
fn definitions_that_were_just_made_let_whole_backups_be() {
    let folder = Folder::new();
    for days in 2..4 {
        folder.good(&format!("backup_shop_{days}.sql"), days);
    }
    let definitions = Selection {
        schema_only: true,
        ..Selection::default()
    };
    for days in 0..2 {
        let name = format!("backup_shop_{days}.sql");
        folder.put(&name, &manifest("shop", days, 3, definitions.clone()));
    }
    let made = folder.path("backup_shop_0.sql");
    let keep = Keep {
        count: NonZeroUsize::new(1),
        days: None,
    };
    prune(folder.0.path(), "shop", keep, Some(&made), now()).unwrap();
    assert_eq!(
        folder.names(),
        [
            "backup_shop_0.sql",
            "backup_shop_2.sql",
            "backup_shop_3.sql"
        ]
    );
}

#[test]
fn a_leftover_goes_when_its_writer_is_gone_for_a_day() {
    let folder = Folder::new();
    let old = "backup_shop_20261101_000000.sql.gz.partial";
    let other = "backup_other_20261101_000000.sql.gz.partial";
    let young = "backup_shop_20261122_000000.sql.gz.partial";
    let two_days_ago = SystemTime::from(now()) - Duration::from_secs(48 * 3600);
    for (name, at) in [
        (old, two_days_ago),
        (other, two_days_ago),
        (young, now().into()),
    ] {
        fs_err::write(folder.path(name), "abc").unwrap();
        let file = fs_err::OpenOptions::new()
            .write(true)
            .open(folder.path(name))
            .unwrap();
        file.into_file().set_modified(at).unwrap();
    }
    let held = std::fs::File::open(folder.path(old)).unwrap();
    held.lock().unwrap();
    assert!(
        folder.prune(1, None).removed.is_empty(),
        "its writer is at work"
    );
    drop(held);
    let pruned = folder.prune(1, None);
    assert_eq!(pruned.removed.len(), 1);
    assert!(pruned.removed[0].unfinished);
    assert_eq!(folder.names(), [other, young]);
}

#[test]
fn what_cannot_be_removed_is_said() {
    let folder = Folder::new();
    folder.good("backup_shop_1.sql", 1);
    folder.good("backup_shop_2.sql", 2);
    // a folder where the manifest should be: nobody's unlink removes that
    let path = Manifest::path_of(&folder.path("backup_shop_2.sql"));
    let archives = list(folder.0.path()).unwrap();
    fs_err::remove_file(&path).unwrap();
    fs_err::create_dir(&path).unwrap();
    assert!(remove(&archives[0]).is_err());
    assert!(remove(&archives[0]).is_err(), "it is gone already");
}

#[test]
fn a_database_of_the_same_name_on_another_server_loses_nothing() {
    let folder = Folder::new();
    let on = |server: Option<&str>, days| Manifest {
        system_identifier: server.map(str::to_owned),
        ..manifest("shop", days, 3, Selection::default())
    };
    folder.put("backup_shop_1.sql", &on(Some("production"), 5));
    folder.put("backup_shop_2.sql", &on(Some("production"), 4));
    folder.put("backup_shop_3.sql", &on(None, 4)); // nobody knows whose
    folder.put("backup_shop_4.sql", &on(Some("staging"), 3));
    folder.put("backup_shop_5.sql", &on(Some("staging"), 2));
    let keep = Keep {
        count: NonZeroUsize::new(1),
        days: None,
    };
    let made = folder.path("backup_shop_5.sql");
    let pruned = prune(folder.0.path(), "shop", keep, Some(&made), now()).unwrap();
    let removed: Vec<PathBuf> = pruned.removed.into_iter().map(|it| it.path).collect();
    assert_eq!(removed, [folder.path("backup_shop_4.sql")]);
}

#[test]
fn what_was_refuted_takes_no_good_ones_place() {
    let folder = Folder::new();
    folder.good("backup_shop_5.sql", 5);
    for days in [1, 2] {
        let mut manifest = manifest("shop", days, 3, Selection::default());
        manifest.refuted = Some(Refuted {
            by: Refutation::Restored,
            why: "x".to_owned(),
        });
        folder.put(&format!("backup_shop_{days}.sql"), &manifest);
    }
    folder.good("backup_shop_9.sql", 9);
    folder.prune(1, None);
    assert!(folder.names().contains(&"backup_shop_5.sql".to_owned()));
    assert!(!folder.names().contains(&"backup_shop_9.sql".to_owned()));
}

#[test]
fn archives_of_a_clock_that_was_ahead_push_nobody_out() {
    let folder = Folder::new();
    for days in [-30, -20, 1, 2, 3] {
        folder.good(&format!("backup_shop_{days}.sql"), days);
    }
    folder.prune(2, None);
    let names = folder.names();
    let there = |days: i64| names.contains(&format!("backup_shop_{days}.sql"));
    assert!(there(1) && there(2) && !there(3), "{names:?}");
    assert!(there(-30) && there(-20), "{names:?}");
}

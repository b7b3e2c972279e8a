//! Backups of a real database that come, stay and go.

use std::num::NonZeroUsize;

use dumper::retention::{Keep, prune};
use dumper::{Format, State, Writer, list};

use crate::support::{Fixture, run};

const NOW: &str = "2026-11-23T12:00:00Z";

#[test]
fn three_formats_are_listed_and_the_oldest_goes() {
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let other = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let formats = [
        Format::Plain,
        Format::Custom,
        Format::Directory,
        Format::Plain,
    ];
    let mut made = Vec::new();
    for (day, format) in formats.into_iter().enumerate() {
        let mut request = fixture.request();
        request.format = format;
        request.timestamp = format!("2026112{day}_000000");
        request.created_at = format!("2026-11-2{day}T00:00:00Z");
        made.push(run(&request).unwrap().path);
    }
    let mut request = other.request();
    request.directory = fixture.backups();
    request.created_at = "2026-01-01T00:00:00Z".to_owned();
    let others = run(&request).unwrap().path;
    let database = fixture.database.name();

    // one that somebody cut is no good one
    let file = fs_err::OpenOptions::new()
        .write(true)
        .open(&made[3])
        .unwrap();
    let written = file.metadata().unwrap().len();
    file.set_len(written - 1).unwrap();
    let rows = list(&fixture.backups()).unwrap();
    assert_eq!(rows.len(), 5);
    let states: Vec<_> = rows[1..]
        .iter()
        .map(|it| (it.format().unwrap(), it.state.clone()))
        .collect();
    assert_eq!(
        states,
        [
            (Format::Plain, State::Whole),
            (Format::Custom, State::Whole),
            (Format::Directory, State::Whole),
            (Format::Plain, State::Resized { written }),
        ]
    );
    let now = NOW.parse().unwrap();
    let keep = Keep {
        count: NonZeroUsize::new(2),
        days: None,
    };
    let pruned = prune(&fixture.backups(), database, keep, None, now).unwrap();
    let removed: Vec<_> = pruned.removed.iter().map(|it| it.path.clone()).collect();
    assert_eq!(
        removed,
        [made[0].clone()],
        "two good ones stay, and the cut one is newer than both"
    );
    assert!(others.exists());
    let keep = Keep {
        count: None,
        days: Some(0),
    };
    prune(&fixture.backups(), database, keep, None, now).unwrap();
    assert!(
        made[2].is_dir() && !made[1].exists() && !made[3].exists(),
        "the last good one stays"
    );
    assert_eq!(list(&fixture.backups()).unwrap().len(), 2);
}

#[test]
fn a_backup_under_way_is_shown_as_one() {
    let fixture = Fixture::new("CREATE TABLE a AS SELECT 1 AS id");
    let request = fixture.request_with("echo x; sleep 60");
    let mut states = Vec::new();
    let found = async {
        while states.is_empty() {
            let rows = list(&fixture.backups()).unwrap();
            states = rows.into_iter().map(|it| it.state).collect();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let outcome = crate::support::block_on(dumper::dump(&request, |_| {}, found));
    assert!(outcome.unwrap_err().is_interrupted());
    assert_eq!(states, [State::Unfinished(Writer::AtWork)]);
}

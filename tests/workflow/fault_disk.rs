//! No room for the journal while a migration runs. Before the first change that would stop the run; after it the truth is
//! in the database, and the report says that the journal is not whole.
//!
//! A limit on the size of files stands in for a full disk: the write fails in its middle.

use std::process::{Command, Stdio};

use super::common::{Told, blog, models, read, text};
use crate::support;

/// What `ulimit -f` counts in.
const BLOCK: usize = 512;

#[test]
fn a_journal_that_cannot_grow_while_a_migration_runs_is_told() {
    let long = format!(
        "migrations.AddField('post', 'likes', models.IntegerField(null=True)), migrations.RunSQL('SELECT 1 /* {} */')",
        "x".repeat(60 * 1024)
    );
    let blog = blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations("0002_likes", &long)
    });
    let limit = 40 * 1024 / BLOCK;
    let cli = blog.apply().command();
    let mut limited = Command::new("/bin/sh");
    limited
        .args([
            "-c",
            &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\""),
        ])
        .arg(cli.get_program())
        .args(cli.get_args())
        .env_clear()
        .envs(
            cli.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(blog.project.folder())
        .stdin(Stdio::null());
    let output = limited.output().expect("a shell");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let said: Vec<serde_json::Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line"))
        .collect();
    assert_eq!(output.status.code(), Some(0), "{:#?}", said.last());
    let finished = said.last().expect("lines");
    assert_eq!(
        (text(&finished["kind"]), text(&finished["changed"])),
        ("run_finished", "yes")
    );
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.is_empty() || !stderr.contains("panicked"),
        "{stderr}"
    );
    assert_eq!(blog.applied(), ["0001_initial", "0002_likes"]);
    assert_eq!(blog.columns(), "id title slug likes");
    let report = read(&blog.project.folder().join(text(&finished["report"])));
    assert!(report.contains("the journal is incomplete"), "{report}");
    // what is there of it is whole lines, and reads
    let shown = support::cli(&blog.project)
        .args(["report", "latest", "--format", "json"])
        .run()
        .expect(0)
        .json();
    assert_eq!(shown["run"], finished["run"], "{shown:#}");
    // the next run goes on
    let told = Told::by(blog.apply().run(), 0);
    assert!(told.of_kind("migration_started").is_empty());
}

#[test]
fn without_room_for_the_journal_nothing_is_applied() {
    let blog = blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations(
                "0002_likes",
                "migrations.AddField('post', 'likes', models.IntegerField(null=True))",
            )
    });
    let cli = blog.apply().command();
    let mut limited = Command::new("/bin/sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\""])
        .arg(cli.get_program())
        .args(cli.get_args())
        .env_clear()
        .envs(
            cli.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .current_dir(blog.project.folder())
        .stdin(Stdio::null());
    let output = limited.output().expect("a shell");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let last = stdout.lines().last().expect("a line");
    let finished: serde_json::Value = serde_json::from_str(last).expect("a line");
    assert_eq!(finished["error"]["class"], "journal-failed", "{finished:#}");
    assert_eq!(
        (output.status.code(), text(&finished["changed"])),
        (Some(2), "no")
    );
    assert_eq!(blog.applied(), ["0001_initial"]);
    assert_eq!(blog.columns(), "id title slug");
    Told::by(blog.apply().run(), 0);
}

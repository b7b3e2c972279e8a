//! The journal is on disk before anything changes, or nothing changes.

use super::common::blog;
use crate::support;

#[test]
fn a_run_folder_that_cannot_be_made_stops_the_run_before_anything() {
    let blog = blog(|app| {
        app.operations(
            "0002_likes",
            "migrations.AddField('Post', 'likes', models.IntegerField(null=True))",
        )
    });
    blog.project
        .write_file("in-the-way", "a file, not a folder")
        .expect("a file");
    let ran = support::cli(&blog.project)
        .args([
            "run",
            "--apply",
            "--yes",
            "--no-backup",
            "--acknowledge-no-backup",
        ])
        .args(["--run-dir", "in-the-way/runs", "--format", "json"])
        .run()
        .expect(2);
    let lines = ran.json_lines();
    let last = lines.last().expect("run_finished");
    assert_eq!(last["error"]["class"], "journal-failed", "{last}");
    assert!(
        last["error"]["hint"].to_string().contains("--run-dir"),
        "{last}"
    );
    assert_eq!(blog.applied(), ["0001_initial"]);
}

//! A run that waits at its gate stands in no queue: `locks` shows it all the same, and for whom it waits.

use serde_json::{Value, json};
use xtask::load::{Clients, Load};

use super::common::{Running, blog, models};
use crate::support;

#[test]
fn locks_tells_of_a_run_at_its_gate_until_it_goes_through() {
    let add = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";
    let models = models("likes = models.IntegerField(null=True)");
    let blog = blog(|app| app.models(&models).operations("0002_likes", add));
    let holder = Clients::start(
        &blog.database.dsn(),
        1,
        Load::idle("BEGIN; SELECT FROM blog_post LIMIT 1"),
    )
    .unwrap_or_else(|why| panic!("{why:#}"));
    let mut running = Running::start(&blog.apply());
    let dsn = blog.database.dsn();
    let cli = support::cli_in(&std::env::temp_dir()).args(["locks", "--dsn", &dsn]);
    let look = || -> Value {
        cli.clone()
            .args(["--format", "json"])
            .run()
            .expect(0)
            .json()
    };
    running.wait_for("word of the wait", |line| line["kind"] == "lock_waiting");
    let begun = std::time::Instant::now();
    let seen = loop {
        let seen = look();
        if seen["runs"][0]["at_gate"] == true {
            break seen;
        }
        assert!(begun.elapsed().as_secs() < 20, "{:#}", seen["runs"]);
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let pid = blog.scalar(
        "SELECT pid FROM pg_locks WHERE relation = 'blog_post'::regclass AND granted \
         AND mode = 'AccessShareLock' AND pid <> pg_backend_pid()",
    );
    let run = &seen["runs"][0];
    assert_eq!(
        run["waits_for"],
        json!([pid.parse::<i32>().expect("a pid")])
    );
    assert!(run["run"].is_string() && run["lock_pid"].is_i64(), "{run}");
    assert_eq!(
        run["migrate_pids"].as_array().map(Vec::len),
        Some(1),
        "{run}"
    );
    assert_eq!(seen["blocking"], json!([]));
    let text = cli.run().expect(0).stdout;
    for words in [
        "stands at the gate, in no queue",
        "nobody waits for a lock",
        &pid,
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    holder.stop().expect("the holder");
    running.told(0);
    assert_eq!(look()["runs"], json!([]));
}

//! What a run writes where nobody sits: a log that a release engineer reads afterwards, and a machine watches for life.
//!
//! Absent here: what a terminal shows, and what scripts read.

use std::io::Read as _;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use xtask::load::{Clients, Load};

use super::common::{Blog, blog, in_order};

const ADD: &str = "migrations.AddField('post', 'likes', models.IntegerField(null=True))";
const HOLDER: &str = "BEGIN; SELECT FROM blog_post LIMIT 1";

type Heard = Arc<Mutex<Vec<(Instant, String)>>>;

/// What was written to stderr, and when.
fn listen(child: &mut Child) -> (Heard, std::thread::JoinHandle<()>) {
    let mut pipe = child.stderr.take().expect("a pipe");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let writes = Arc::clone(&heard);
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(n) = pipe.read(&mut bytes) {
            if n == 0 {
                return;
            }
            let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
            writes.lock().expect("heard").push((Instant::now(), text));
        }
    });
    (heard, reader)
}

fn blog_with_likes() -> Blog {
    let models = super::common::models("likes = models.IntegerField(null=True)");
    blog(|app| app.models(&models).operations("0002_likes", ADD))
}

#[test]
fn a_wait_is_a_few_lines_and_never_silent() {
    let blog = blog_with_likes();
    let holder = Clients::start(&blog.database.dsn(), 1, Load::idle(HOLDER)).expect("the holder");
    let mut command = blog.apply_text().args(["--max-wait", "12s"]).command();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let (heard, reader) = listen(&mut child);
    let status = child.wait().expect("it ends");
    reader.join().expect("the reader");
    holder.stop().expect("the holder");
    assert_eq!(status.code(), Some(53));
    let heard = heard.lock().expect("heard");
    let log: String = heard.iter().map(|(_, text)| text.as_str()).collect();
    in_order(
        &log,
        &[
            "[4/7] Apply\n",
            "      waits outside the queue of public.blog_post for ",
            "idle in transaction",
            "\n      still waiting ....",
            ". 10 s ",
            "\n      halted",
        ],
    );
    assert_eq!(log.matches("waits outside").count(), 1, "{log}");
    assert_eq!(log.matches("still waiting").count(), 1, "{log}");
    // the gap between two writes, beyond what a busy machine adds
    let waits: Vec<Instant> = heard
        .iter()
        .filter(|(_, text)| text.contains("still") || text.trim_start().starts_with('.'))
        .map(|(at, _)| *at)
        .collect();
    assert!(waits.len() > 8, "{} words in 12 s", waits.len());
    let longest = waits.windows(2).map(|two| two[1] - two[0]).max();
    assert!(longest < Some(Duration::from_millis(1600)), "{longest:?}");
}

/// 120 statements that nobody needs to read one by one, and one that everybody must.
#[test]
fn a_long_plan_shows_what_matters_and_counts_the_rest() {
    let many = "migrations.RunSQL([\"SELECT 'unremarkable'\"] * 120)";
    let models = "class Post(models.Model):
    id = models.BigAutoField(primary_key=True)
    title = models.CharField(max_length=80)
";
    let blog = blog(|app| {
        app.models(models)
            .operations("0002_many", many)
            .operations("0003_gone", "migrations.RemoveField('post', 'slug')")
    });
    let dry = ["--dry-run", "--no-backup", "--acknowledge-no-backup"];
    let shown = |flags: &[&str]| {
        let cli = crate::support::cli(&blog.project).arg("run").args(dry);
        cli.args(flags).run().expect(0)
    };
    let ran = shown(&[]);
    assert!(!ran.stderr.contains("unremarkable"), "{}", ran.stderr);
    in_order(
        &ran.stderr,
        &[
            "blog.0003_gone",
            "DROP COLUMN \"slug\"",
            "1 other migration with 120 statements: nothing that asks, nobody kept waiting",
            "-v shows every statement; preview.sql in the run folder has them all",
            "DESTRUCTIVE",
            "column slug",
            "121 statements, verdict ask",
        ],
    );
    let whole = shown(&["-v"]);
    assert_eq!(whole.stderr.matches("unremarkable").count(), 120);
    let runs = blog.project.folder().join(".django-migrate/runs");
    let script = super::common::files(&runs)
        .into_iter()
        .find(|name| name.ends_with("preview.sql"))
        .expect("a script");
    let script = super::common::read(&runs.join(script));
    assert!(script.matches("unremarkable").count() >= 120, "{script}");
}

/// Which statement took the time is said where a migration took some.
#[test]
fn a_slow_migration_names_its_slowest_statement() {
    let slow = "migrations.RunSQL([\"SELECT 1\", \"SELECT pg_sleep(1.1), 'a secret'\"])";
    let blog = blog(|app| app.operations("0002_slow", slow));
    let ran = blog.apply_text().run().expect(0);
    in_order(
        &ran.stderr,
        &[
            "[X] blog.0002_slow 1.",
            "statements, the slowest 1.",
            "SELECT pg_sleep(",
            "statements ran, the slowest in blog.0002_slow: 1.",
        ],
    );
    assert!(!ran.stderr[ran.stderr.find("[4/7]").expect("step 4")..].contains("secret"));
}

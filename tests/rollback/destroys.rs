//! What a reversal destroys asks for the exact words; what the way forward destroyed does not come back.

use super::common::{BACK, applied_run, back, shown};
use crate::support;
use crate::workflow::common::{Blog, Told, blog, in_order, models, text};

const LIKES: &str = "migrations.AddField('Post', 'likes', models.IntegerField(null=True))";

fn likes() -> (Blog, String) {
    let blog = blog(|app| {
        app.models(&models("likes = models.IntegerField(null=True)"))
            .operations("0002_likes", LIKES)
    });
    let run = applied_run(&blog.project);
    blog.execute("UPDATE blog_post SET likes = 1");
    (blog, run)
}

#[test]
fn without_a_terminal_it_needs_the_phrase_and_the_plan_that_it_is_about() {
    let (blog, run) = likes();
    let plan = text(&shown(&blog.project, &run)["plan_fingerprint"]).to_owned();
    let phrase = ["--confirm-destructive", "I understand"];
    let of = |more: &[&str]| back(&blog.project, &run).args(more).run();
    Told::by(of(&[]), 11).because("not-confirmed", "no");
    Told::by(of(&phrase), 11)
        .because("not-confirmed", "no")
        .says(&["--plan"]);
    Told::by(
        of(&["--plan", &plan, "--confirm-destructive", "i understand"]),
        11,
    )
    .because("declined", "no");
    Told::by(
        of(&["--plan", "0123456789abcdef", phrase[0], phrase[1]]),
        11,
    )
    .because("plan-changed", "no")
    .says(&["0123456789abcdef", &plan]);
    assert_eq!(blog.columns(), "id title slug likes");
    Told::by(of(&["--plan", &plan, phrase[0], phrase[1]]), 0);
    assert_eq!(blog.columns(), "id title slug");
}

#[test]
fn at_a_terminal_only_the_exact_phrase_goes_back() {
    let (blog, run) = likes();
    for (typed, code) in [("I Understand", 11), ("I understand", 0)] {
        let mut terminal = support::cli(&blog.project)
            .args(["rollback", &run, "--apply", "--no-backup"])
            .tty_of(200, 120);
        terminal.wait_for("Go on with these parameters? [Y/n]");
        terminal.type_line("y");
        terminal.wait_for("Type exactly \"no backup\"");
        terminal.type_line("no backup");
        terminal.wait_for("[y/N]");
        terminal.type_line("y");
        terminal.wait_for("Type exactly \"I understand\"");
        terminal.type_line(typed);
        assert_eq!(terminal.finish(), code, "{}", terminal.output());
        in_order(
            &terminal.output(),
            &[
                &format!("of run {run}"),
                "false: the migrations are rolled back",
                "[1/6] Way back",
                "[3/6] SQL preview",
                "blog.0002_likes  goes back, atomic",
                "DESTRUCTIVE: going back takes away data for good",
                "column likes of public.blog_post and its values (20 rows)",
                "Roll back 1 migration (what it destroys is asked next)? [y/N]",
            ],
        );
        if code == 0 {
            in_order(
                &terminal.output(),
                &[
                    "[4/6] Roll back",
                    "blog.0002_likes is back",
                    "[5/6] Verify",
                    "it is what it was before the run",
                    "[6/6] Report",
                    "1 migration was rolled back and verified.",
                ],
            );
        } else {
            assert_eq!(blog.columns(), "id title slug likes");
        }
    }
    assert_eq!(blog.columns(), "id title slug");
}

#[test]
fn what_the_run_destroyed_does_not_come_back_and_only_the_backup_has_it() {
    let blog = blog(|app| {
        app.models("class Post(models.Model):\n    id = models.BigAutoField(primary_key=True)\n    title = models.CharField(max_length=80)\n")
            .operations("0002_no_slug", "migrations.RemoveField('Post', 'slug')")
    });
    let plan = crate::workflow::common::fingerprint(&blog.project);
    let run = support::cli(&blog.project).args([
        "run",
        "--apply",
        "--yes",
        "--skip-tests",
        "--format",
        "json",
        "--plan",
        &plan,
        "--confirm-destructive",
        "I understand",
    ]);
    let told = Told::by(run.run(), 0);
    let (run, backup) = (
        text(&told.finished["run"]),
        text(&told.of_kind("backup_finished")[0]["file"]),
    );
    let document = shown(&blog.project, run);
    assert_eq!(document["backup"], backup);
    let lost = text(&document["migrations"][0]["not_brought_back"][0]);
    assert_eq!(
        lost,
        "column slug of public.blog_post and its values (20 rows)"
    );
    assert_eq!(
        document["migrations"][0]["destroys"]
            .as_array()
            .map(Vec::len),
        Some(0)
    );
    let words = support::cli(&blog.project)
        .args(["rollback", run])
        .run()
        .expect(0);
    in_order(
        &words.stdout,
        &[
            "blog.0002_no_slug  goes back",
            "Going back does not bring back",
            lost,
            "to run it: django-migrate rollback",
            backup,
            "--restore",
        ],
    );
}

/// The backup before going back is the default, and is what brings back what that destroys.
#[test]
fn a_backup_comes_first() {
    let (blog, run) = likes();
    let plan = text(&shown(&blog.project, &run)["plan_fingerprint"]).to_owned();
    assert!(
        !blog.project.folder().join("backups").exists(),
        "showing takes none"
    );
    let told = support::cli(&blog.project).args([
        BACK[0],
        &run,
        "--apply",
        "--yes",
        "--format=json",
        "--plan",
        &plan,
        "--confirm-destructive",
        "I understand",
    ]);
    let told = Told::by(told.run(), 0);
    assert_eq!(told.of_kind("backup_finished").len(), 1);
    assert_eq!(
        told.of_kind("backup_finished")[0]["rows"],
        22,
        "20 posts and 2 rows of the history"
    );
}

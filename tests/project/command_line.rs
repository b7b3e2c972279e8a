//! The command line itself: help, pages, completions, usage errors, colours, volume.

use crate::support::{TestCli, cli, cli_in, shop};

fn anywhere() -> (tempfile::TempDir, TestCli) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cli = cli_in(folder.path());
    (folder, cli)
}

const COMMANDS: [&str; 8] = [
    "run",
    "check",
    "status",
    "preview",
    "backup",
    "report",
    "completions",
    "man",
];

#[test]
fn help_and_version_need_no_project() {
    let (folder, cli) = anywhere();
    let ran = cli.clone().arg("--help").run().expect(0);
    for command in COMMANDS {
        assert!(
            ran.stdout.contains(&format!("  {command}")),
            "{command}\n{}",
            ran.snapshot()
        );
        let own = cli.clone().args([command, "--help"]).run().expect(0);
        assert!(
            own.stdout
                .contains(&format!("Usage: django-migrate {command}")),
            "{}",
            own.snapshot()
        );
        assert_eq!(own.stderr, "");
    }
    assert!(
        !ran.stdout.contains("reference"),
        "a hidden command shows\n{}",
        ran.snapshot()
    );
    let ran = cli.clone().arg("--version").run().expect(0);
    assert!(
        ran.stdout.starts_with("django-migrate "),
        "{}",
        ran.snapshot()
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_help_of_run_shows_each_default() {
    let (_folder, cli) = anywhere();
    let ran = cli.args(["run", "--help"]).run().expect(0);
    for words in [
        "--apply",
        "--no-backup",
        "--acknowledge-no-backup",
        "--confirm-destructive",
        "--plan",
        "[default: true]",
        "[default: 2s]",
        "./backups",
        ".django-migrate/runs",
    ] {
        assert!(ran.stdout.contains(words), "{words}\n{}", ran.snapshot());
    }
}

#[test]
fn completions_name_commands_and_flags() {
    let (_folder, cli) = anywhere();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = cli.clone().args(["completions", shell]).run().expect(0);
        for word in ["preview", "no-backup", "confirm-destructive"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
        assert_eq!(ran.stderr, "");
    }
    cli.args(["completions", "tcsh"]).run().expect(2);
}

#[test]
fn bash_takes_the_completions() {
    let (folder, cli) = anywhere();
    let script = folder.path().join("complete.bash");
    fs_err::write(
        &script,
        cli.args(["completions", "bash"]).run().expect(0).stdout,
    )
    .unwrap();
    let loaded = format!("source {} && complete -p django-migrate", script.display());
    let said = std::process::Command::new("bash")
        .args(["--norc", "-c", &loaded])
        .output()
        .expect("bash");
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
}

#[test]
fn manual_pages() {
    let (folder, cli) = anywhere();
    let ran = cli.clone().arg("man").run().expect(0);
    assert!(
        ran.stdout.contains(".TH django-migrate 1"),
        "{}",
        ran.stdout.chars().take(300).collect::<String>()
    );
    cli.args(["man", "--dir", "pages"]).run().expect(0);
    for command in COMMANDS {
        let page = folder
            .path()
            .join(format!("pages/django-migrate-{command}.1"));
        assert!(
            fs_err::read_to_string(&page).unwrap().contains(command),
            "{}",
            page.display()
        );
    }
}

#[test]
fn usage_errors_are_2_in_text_and_json() {
    let (_folder, cli) = anywhere();
    for (arguments, word) in [
        (&["preview", "--lock-timeout", "2s"][..], "--lock-timeout"),
        (&["check", "--no-such-flag"], "--no-such-flag"),
        (&["frobnicate"], "frobnicate"),
        (&["status", "a", "b"], "'b'"),
        (&["check", "-q", "-v"], "cannot be used with"),
    ] {
        let ran = cli.clone().args(arguments).run().expect(2);
        assert!(ran.stderr.contains(word), "{word}\n{}", ran.snapshot());
        assert_eq!(ran.stdout, "", "{}", ran.snapshot());
        for json in [&["--format", "json"][..], &["--format=json"]] {
            let ran = cli.clone().args(arguments).args(json).run().expect(2);
            let document = ran.json();
            assert_eq!(document["error"]["class"], "usage", "{}", ran.snapshot());
            assert_eq!(
                (&document["error"]["code"], &document["changed"]),
                (&2.into(), &"no".into())
            );
            let known = COMMANDS.contains(&arguments[0]);
            assert_eq!(
                document["command"],
                if known { arguments[0] } else { "" },
                "{}",
                ran.snapshot()
            );
            let message = document["error"]["message"].as_str().unwrap();
            assert!(message.contains(word), "{}", ran.snapshot());
            for of_a_screen in ["error:", "Usage:", "For more information", "\n"] {
                assert!(!message.contains(of_a_screen), "{}", ran.snapshot());
            }
        }
    }
}

#[test]
fn the_command_of_a_usage_error_is_found_behind_flags() {
    let (_folder, cli) = anywhere();
    let ran = cli
        .args(["--project", "check", "status", "--nope", "--format", "json"])
        .run()
        .expect(2);
    assert_eq!(ran.json()["command"], "status", "{}", ran.snapshot());
}

#[test]
fn an_argument_that_is_no_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let (_folder, cli) = anywhere();
    let mut command = cli.args(["check", "--nope"]).command();
    command.arg(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    let said = command.output().expect("it starts");
    let talk = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(2), "{talk}");
    assert!(
        talk.contains("--nope") && !talk.contains("panicked"),
        "{talk}"
    );
}

#[test]
fn without_a_command_the_help_is_shown() {
    let (_folder, cli) = anywhere();
    let ran = cli.run().expect(2);
    assert!(
        ran.stderr.contains("Usage: django-migrate"),
        "{}",
        ran.snapshot()
    );
}

#[test]
fn parameters_at_odds() {
    let shop = shop("5.2", 15);
    for (arguments, words) in [
        (
            &["run", "--dry-run", "--apply"][..],
            ["--dry-run", "--apply"],
        ),
        (
            &["run", "--backup-first", "--no-backup"],
            ["--backup-first", "--no-backup"],
        ),
        (
            &["run", "--acknowledge-no-backup"],
            ["--acknowledge-no-backup", "--no-backup"],
        ),
    ] {
        super::halt::halts(&shop, arguments, 2, "usage").says(&words);
        assert!(
            !shop.folder().join(".django-migrate").exists(),
            "a run that never began has no folder"
        );
    }
}

#[test]
fn a_report_of_a_run_that_is_not_there() {
    let (folder, cli) = anywhere();
    for run in ["latest", "20200101-000000-1", "no/such/folder"] {
        for format in ["text", "markdown"] {
            let ran = cli
                .clone()
                .args(["report", run, "--format", format])
                .run()
                .expect(2);
            assert!(
                ran.stderr.starts_with("error: ") && ran.stderr.contains("hint:"),
                "{}",
                ran.snapshot()
            );
        }
        let ran = cli
            .clone()
            .args(["report", run, "--format", "json"])
            .run()
            .expect(2);
        assert_eq!(
            ran.json()["error"]["class"],
            "unknown-run",
            "{}",
            ran.snapshot()
        );
        assert_eq!(ran.json()["command"], "report");
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "`report` writes nothing"
    );
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let shop = shop("5.2", 15);
    let coloured = |cli: TestCli| {
        let mut terminal = cli.args(["status", "shop"]).tty();
        assert_eq!(terminal.finish(), 0);
        let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
        assert!(raw.contains("5 pending"), "{raw}");
        raw.contains("\u{1b}[1m") || raw.contains("\u{1b}[2m")
    };
    assert!(coloured(cli(&shop)));
    assert!(!coloured(cli(&shop).arg("--no-color")));
    assert!(!coloured(cli(&shop).env("NO_COLOR", "1")));
    let ran = cli(&shop).args(["status"]).run().expect(0);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'));
}

#[test]
fn quiet_says_only_the_answer() {
    let shop = shop("5.2", 15);
    for arguments in [
        &["run", "-q", "--no-backup", "--acknowledge-no-backup"][..],
        &["status", "-q"],
        &["check", "-q"],
        &["preview", "--quiet"],
    ] {
        let ran = cli(&shop).args(arguments).run().expect(0);
        assert_eq!(ran.stderr, "", "{}", ran.snapshot());
        assert_ne!(ran.stdout, "", "the answer is no talk");
    }
    // an error is no talk either
    let ran = cli(&shop).args(["-q", "run", "shoop"]).run().expect(2);
    assert!(ran.stderr.contains("shoop"), "{}", ran.snapshot());
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let shop = shop("5.2", 15);
    let mut command = cli(&shop).args(["preview"]).command();
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    drop(child.stdout.take());
    let said = child.wait_with_output().expect("it ends");
    let talk = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.status.success() && !talk.contains("panicked"),
        "{talk}"
    );
}

//! The live screen, as somebody sees it and types.

use super::people::{DBA, dsn, soon};
use crate::support::{Database, Terminal, TestCli, cli_in};

/// The command that watches as the role that may signal.
pub(super) fn cli(database: &Database) -> TestCli {
    cli_as(&dsn(database, DBA))
}

pub(super) fn cli_as(dsn: &str) -> TestCli {
    cli_in(&std::env::temp_dir()).args(["locks", "--watch", "--interval", "200ms", "--dsn", dsn])
}

#[track_caller]
pub(super) fn watch(database: &Database) -> Terminal {
    cli(database).tty_of(150, 30)
}

/// Waits until the screen, as it looks now, has all of these at once.
#[track_caller]
pub(super) fn shows(terminal: &Terminal, texts: &[&str]) {
    until(terminal, &format!("{texts:?}"), |screen| {
        texts.iter().all(|text| screen.contains(text))
    });
}

#[track_caller]
pub(super) fn until(terminal: &Terminal, what: &str, is: impl Fn(&str) -> bool) {
    let mut last = String::new();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while std::time::Instant::now() < deadline {
        last = terminal.screen();
        if is(&last) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("never on the screen: {what}\n{last}");
}

/// The first line with this text.
#[track_caller]
pub(super) fn line(terminal: &Terminal, text: &str) -> String {
    let screen = terminal.screen();
    let found = screen.lines().find(|line| line.contains(text));
    found
        .unwrap_or_else(|| panic!("no line with {text}:\n{screen}"))
        .to_owned()
}

/// Presses keys and waits until the screen has this.
#[track_caller]
pub(super) fn press(terminal: &mut Terminal, keys: &str, texts: &[&str]) {
    terminal.type_bytes(keys.as_bytes());
    shows(terminal, texts);
}

/// Ends it by its own key. The terminal is as it was: the other screen is left, the cursor is seen again.
#[track_caller]
pub(super) fn quit(terminal: &mut Terminal) {
    terminal.type_bytes(b"q");
    assert_eq!(terminal.finish(), 0, "{}", terminal.output());
    given_back(terminal);
}

#[track_caller]
pub(super) fn given_back(terminal: &Terminal) {
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    let (taken, left) = (raw.rfind("\x1b[?1049h"), raw.rfind("\x1b[?1049l"));
    assert!(taken.is_some() && left > taken, "{raw:?}");
    assert!(
        raw.rfind("\x1b[?25h") > taken,
        "the cursor stays hidden: {raw:?}"
    );
}

/// The picture of the screen, for whoever wants to look: `WATCH_PICTURES` names a folder.
pub(super) fn picture(terminal: &Terminal, name: &str) {
    if let Some(folder) = std::env::var_os("WATCH_PICTURES") {
        let file = std::path::Path::new(&folder).join(format!("{name}.svg"));
        std::fs::write(&file, terminal.picture()).expect("a picture");
    }
}

/// Waits until something is true of the server.
#[track_caller]
pub(super) fn becomes(what: &str, is: impl FnMut() -> bool) {
    soon(what, is);
}

//! The tool at a terminal: a pseudo-terminal, and a screen that understands what is written to it.

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pty_process::Size;
use pty_process::blocking::Pty;
use rustix::process::{Pid, Signal, kill_process};

use super::Filters;

/// How long [`Terminal::wait_for`] and [`Terminal::finish`] wait before the test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running tool and the screen that it writes to. Ends with the value.
pub struct Terminal {
    child: Child,
    keyboard: Arc<Pty>,
    seen: Arc<Mutex<Seen>>,
    reader: Option<JoinHandle<()>>,
    filters: Filters,
}

struct Seen {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

impl Terminal {
    pub(super) fn start(
        command: Command,
        columns: u16,
        rows: u16,
        filters: Filters,
    ) -> Result<Self> {
        let (pty, pts) = pty_process::blocking::open()?;
        pty.resize(Size::new(rows, columns))?;
        let program = command.get_program().display().to_string();
        let child = pty_process::blocking::Command::from(command).spawn(pts);
        let child = child.with_context(|| format!("cannot start {program}"))?;
        let keyboard = Arc::new(pty);
        let seen = Arc::new(Mutex::new(Seen {
            screen: vt100::Parser::new(at_least_1(rows), at_least_1(columns), 10_000),
            bytes: Vec::new(),
        }));
        let reader = std::thread::spawn({
            let (pty, seen) = (Arc::clone(&keyboard), Arc::clone(&seen));
            move || read_all(&pty, &seen)
        });
        Ok(Self {
            child,
            keyboard,
            seen,
            reader: Some(reader),
            filters,
        })
    }

    /// Types a line and Return.
    ///
    /// # Panics
    /// When nobody reads any more.
    #[track_caller]
    pub fn type_line(&mut self, text: &str) {
        self.type_bytes(format!("{text}\r").as_bytes());
    }

    /// Presses Ctrl-C.
    ///
    /// # Panics
    /// When nobody reads any more.
    #[track_caller]
    pub fn ctrl_c(&mut self) {
        self.type_bytes(b"\x03");
    }

    /// Types any keys.
    ///
    /// # Panics
    /// When nobody reads any more.
    #[track_caller]
    pub fn type_bytes(&mut self, keys: &[u8]) {
        let typed = (&*self.keyboard).write_all(keys);
        typed.unwrap_or_else(|why| panic!("cannot type: {why}\n{}", self.screen()));
    }

    /// Pulls the window to another size.
    ///
    /// # Panics
    /// When the terminal is gone.
    #[track_caller]
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.keyboard
            .resize(Size::new(rows, columns))
            .unwrap_or_else(|why| panic!("cannot resize: {why}"));
        let mut seen = self.seen();
        seen.screen.set_size(at_least_1(rows), at_least_1(columns));
    }

    /// Sends a signal to the tool itself.
    ///
    /// # Panics
    /// When it is gone.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .expect("a child has a pid");
        kill_process(pid, signal).unwrap_or_else(|why| panic!("cannot signal: {why}"));
    }

    /// Waits until the text was written, on whichever row, colours aside.
    ///
    /// # Panics
    /// When it was not within two minutes, or the tool ended before.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let begun = Instant::now();
        loop {
            let over = matches!(self.child.try_wait(), Ok(Some(_)))
                && self.reader.as_ref().is_none_or(JoinHandle::is_finished);
            if self.output().contains(text) || self.screen().contains(text) {
                return;
            }
            assert!(
                !over,
                "it ended and never said `{text}`:\n{}",
                self.output()
            );
            assert!(
                begun.elapsed() < PATIENCE,
                "it did not say `{text}` within {PATIENCE:?}:\n{}",
                self.output()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The rows as they look now, without what has scrolled away; blanks at the ends removed.
    pub fn screen(&self) -> String {
        let seen = self.seen();
        let rows: Vec<String> = seen
            .screen
            .screen()
            .rows(0, seen.screen.screen().size().1.get())
            .collect();
        let text: Vec<&str> = rows.iter().map(|row| row.trim_end()).collect();
        text.join("\n").trim_end().to_owned()
    }

    /// The screen as an SVG picture.
    pub fn picture(&self) -> String {
        super::picture::svg(self.seen().screen.screen())
    }

    /// [`Terminal::screen`] with the filters applied, for a snapshot.
    pub fn snapshot(&self) -> String {
        self.filters.apply(&self.screen())
    }

    /// Everything written so far, escape sequences taken out; lines that were written over are all there.
    pub fn output(&self) -> String {
        let text = String::from_utf8_lossy(&self.seen().bytes).into_owned();
        let escapes = regex::Regex::new(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9])")
            .expect("a fixed pattern");
        escapes.replace_all(&text, "").replace("\r\n", "\n")
    }

    /// Everything written so far, as it was.
    pub fn raw(&self) -> Vec<u8> {
        self.seen().bytes.clone()
    }

    /// Waits for the end and gives the exit code (for a signal, 128 and its number).
    ///
    /// # Panics
    /// When it does not end within two minutes.
    #[track_caller]
    pub fn finish(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt as _;
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap_or_else(|why| panic!("{why}")) {
                Some(status) => break status,
                None if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
                None => panic!("it did not end within {PATIENCE:?}:\n{}", self.output()),
            }
        };
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn at_least_1(size: u16) -> NonZero<u16> {
    NonZero::new(size).unwrap_or(NonZero::<u16>::MIN)
}

/// Until the other side is closed, which Linux reports as an error and macOS as the end.
fn read_all(pty: &Pty, seen: &Mutex<Seen>) {
    let mut buffer = [0; 4096];
    loop {
        match (&mut &*pty).read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(length) => {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.screen.process(&buffer[..length]);
                seen.bytes.extend_from_slice(&buffer[..length]);
            }
        }
    }
}

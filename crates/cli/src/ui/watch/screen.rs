//! The terminal: taken over, drawn on, given back on every way out; and its keys.
//!
//! Absent here: what is drawn, and what a key means.

use std::io::{self, IsTerminal, Stdout, Write as _, stdin, stdout};
use std::sync::Once;
use std::time::Duration;

use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::cursor::Show;
use ratatui_crossterm::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use ratatui_crossterm::crossterm::execute;
use ratatui_crossterm::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use tokio::sync::mpsc;

use super::draw::Palette;
use super::state::State;

/// Ours until it is dropped.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    palette: Palette,
    pressed: mpsc::UnboundedReceiver<Pressed>,
}

/// What came from the terminal.
pub(crate) enum Pressed {
    Key(KeyEvent),
    /// Another size, or the focus: draw again.
    Changed,
}

impl Screen {
    /// Somebody sits there who can see and type.
    pub(crate) fn is_possible() -> bool {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        stdin().is_terminal() && stdout().is_terminal() && !dumb
    }

    pub(crate) fn take() -> io::Result<Self> {
        give_back_on_panic();
        let taken = Taken::take()?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        std::mem::forget(taken);
        let (sender, pressed) = mpsc::unbounded_channel();
        std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || read(&sender))?;
        Ok(Self {
            terminal,
            palette: Palette::here(),
            pressed,
        })
    }

    /// Draws what differs from last time.
    pub(crate) fn draw(&mut self, state: &mut State) -> io::Result<()> {
        let palette = self.palette;
        execute!(stdout(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(|frame| {
            let area = frame.area();
            state.resize(area);
            state.draw(palette, area, frame.buffer_mut());
        });
        execute!(stdout(), EndSynchronizedUpdate)?;
        drawn.map(drop)
    }

    /// The next key or change; none when the terminal is gone.
    pub(crate) async fn next(&mut self) -> Option<Pressed> {
        self.pressed.recv().await
    }

    /// One that has come already: a held key is drawn once.
    pub(crate) fn at_hand(&mut self) -> Option<Pressed> {
        self.pressed.try_recv().ok()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Half-way in, an error must find the way back, too.
struct Taken;

impl Taken {
    fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        let taken = Self;
        execute!(stdout(), EnterAlternateScreen)?;
        Ok(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Harmless where it is done already. A terminal that is gone needs nothing.
fn give_back() {
    let _ = execute!(stdout(), EndSynchronizedUpdate, LeaveAlternateScreen, Show);
    let _ = stdout().flush();
    let _ = disable_raw_mode();
}

/// A message on the other screen, in raw mode, would be lost. The hook runs also where a panic aborts.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
        }));
    });
}

/// Until nobody listens, or the terminal is gone.
fn read(sender: &mpsc::UnboundedSender<Pressed>) {
    const LISTENS: Duration = Duration::from_millis(250);
    while !sender.is_closed() {
        let pressed = match event::poll(LISTENS) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(_) => return,
        };
        let pressed = match pressed {
            Ok(Event::Key(key)) if key.kind == KeyEventKind::Release => continue,
            Ok(Event::Key(key)) => Pressed::Key(key),
            Ok(_) => Pressed::Changed,
            Err(_) => return,
        };
        if sender.send(pressed).is_err() {
            return;
        }
    }
}

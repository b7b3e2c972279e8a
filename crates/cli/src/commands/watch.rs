//! `locks --watch`: a screen that looks again and again, and cancels or terminates only what was confirmed.
//!
//! Three take part: the screen's state, which is pure; the terminal; and an observer of its own task, so that keys
//! answer at once however slow the server is. Absent here: what is shown ([`crate::ui::watch`]).

mod observer;

use std::time::Duration;

use tokio::sync::mpsc;

use super::Context;
use crate::database::Reach;
use crate::exit::Class;
use crate::failure::Failure;
use crate::locks::{Us, View};
use crate::settings;
use crate::signal::Asked;
use crate::ui::out;
use crate::ui::watch::{Event, Pressed, Screen, State, Told, Wish};
use observer::{Order, Watched};

/// Often enough to see a queue build up; what a look costs is kept below a fiftieth of the time however short it is.
const INTERVAL: Duration = Duration::from_secs(1);
/// Nobody reads faster.
const SHORTEST: Duration = Duration::from_millis(100);

/// Before anything else: a screen needs a terminal.
pub(super) fn interval(flag: Option<&str>) -> Result<Duration, Failure> {
    if !Screen::is_possible() {
        return Err(Failure::new(
            Class::Usage,
            "--watch needs a terminal on stdin and stdout, and TERM to say which",
        )
        .hint("for scripts: `django-migrate locks --format json`, once or in a loop"));
    }
    let Some(flag) = flag else {
        return Ok(INTERVAL);
    };
    let wrong = |why: &str| Failure::new(Class::Usage, format!("--interval {flag}: {why}"));
    match settings::duration(flag) {
        Err(why) => Err(wrong(&why)),
        Ok(interval) if interval < SHORTEST => Err(wrong("at least 100ms")),
        Ok(interval) => Ok(interval),
    }
}

/// Until somebody ends it. What was cancelled or terminated stands on the terminal afterwards.
pub(super) async fn watch(
    reach: &Reach,
    us: Us,
    view: View,
    interval: Duration,
    context: &Context,
) -> Result<u8, Failure> {
    let (orders, taken) = mpsc::unbounded_channel();
    let (events, mut seen) = mpsc::unbounded_channel();
    let watched = Watched::new(reach.clone(), us, view, interval);
    let observer = tokio::spawn(observer::observe(watched, taken, events));
    let mut state = State::new(reach.describe(), interval);
    let mut done = Vec::new();
    let ended = {
        let terminal = |e: std::io::Error| Failure::new(Class::Usage, format!("no screen: {e}"));
        let mut screen = Screen::take().map_err(terminal)?;
        let mut desk = Desk {
            orders: &orders,
            done: &mut done,
        };
        desk.work(&mut screen, &mut state, &mut seen, context).await
    };
    drop(orders);
    observer.abort();
    for line in done {
        out::talk(line);
    }
    ended.map(|()| 0)
}

/// Where what happens meets what is wished.
struct Desk<'a> {
    orders: &'a mpsc::UnboundedSender<Order>,
    done: &'a mut Vec<String>,
}

impl Desk<'_> {
    async fn work(
        &mut self,
        screen: &mut Screen,
        state: &mut State,
        seen: &mut mpsc::UnboundedReceiver<Event>,
        context: &Context,
    ) -> Result<(), Failure> {
        loop {
            // a terminal that is gone says so by SIGHUP, too
            screen.draw(state).map_err(|e| {
                Failure::new(Class::Terminated, format!("the terminal is gone: {e}"))
            })?;
            let event = tokio::select! {
                biased;
                asked = context.signals.more_than(Asked::default()) => return Err(asked.failure()),
                pressed = screen.next() => match pressed {
                    Some(Pressed::Key(key)) => Some(Event::Key(key)),
                    Some(Pressed::Changed) => None,
                    None => return Err(Failure::new(Class::Terminated, "the terminal is gone")),
                },
                event = seen.recv() => event,
            };
            if self.take(state, event) == Goes::Off {
                return Ok(());
            }
            // whatever has come meanwhile is drawn with it
            while let Some(pressed) = screen.at_hand() {
                if let Pressed::Key(key) = pressed
                    && self.take(state, Some(Event::Key(key))) == Goes::Off
                {
                    return Ok(());
                }
            }
        }
    }

    fn take(&mut self, state: &mut State, event: Option<Event>) -> Goes {
        let Some(event) = event else {
            return Goes::On;
        };
        if let Event::Signalled(told) = &event {
            self.note(told);
        }
        let order = match state.update(event) {
            None => return Goes::On,
            Some(Wish::Quit) => return Goes::Off,
            Some(Wish::Pause) => Order::Pause,
            Some(Wish::Resume) => Order::Look,
            Some(Wish::Held(pid)) => Order::Held(pid),
            Some(Wish::Signal(target)) => Order::Signal(target),
        };
        // the observer ends after us
        let _ = self.orders.send(order);
        Goes::On
    }

    fn note(&mut self, told: &Told) {
        let now = observer::clock();
        self.done.push(format!("{now} {}", told.text()));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    On,
    Off,
}

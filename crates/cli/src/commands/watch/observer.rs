//! Who asks the server for the screen, at a pace that the server does not feel; who reconnects, and who signals.
//!
//! Absent here: whom to signal. That was typed, and is looked at once more here.

use std::time::{Duration, Instant};

use jiff::Zoned;
use pgdriver::activity::{self, locks};
use pgdriver::{PooledObserver, QueryError, Session};
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout};

use crate::database::Reach;
use crate::locks::{Us, View, look};
use crate::ui::watch::{Event, Link, Picture, Signal, Target, Told};

/// A look may take a fiftieth of the time: two percent of one of the server's cores.
const SHARE: u32 = 50;
/// But nobody is left blind: in the worst case, a look of two seconds, this is seven percent.
const LONGEST: Duration = Duration::from_secs(30);
/// A connection over which nothing comes for so long is given up. The observer's own queries end after two seconds, but
/// on a server in distress a connection that is there is worth waiting for.
const ANSWER: Duration = Duration::from_secs(30);
/// A look that takes so long is told of while it lasts.
const SLOW: Duration = Duration::from_secs(2);
/// Between two attempts to connect, at the most.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to watch what a signal does.
const EFFECT: Duration = Duration::from_secs(2);

/// What the screen orders.
pub(super) enum Order {
    /// At once, and then at the interval.
    Look,
    Pause,
    Held(i32),
    Signal(Box<Target>),
}

/// What is watched, and over which connection.
pub(super) struct Watched {
    reach: Reach,
    us: Us,
    view: View,
    interval: Duration,
    connection: Option<Connection>,
    /// In vain, since the last success.
    attempts: u32,
}

struct Connection {
    session: PooledObserver,
    /// How long a question without work takes: the way there and back.
    way: Duration,
    /// What a look costs, of late: one that was slow by chance must not slow down the next.
    cost: Option<Duration>,
}

impl Watched {
    pub(super) fn new(reach: Reach, us: Us, view: View, interval: Duration) -> Self {
        Self {
            reach,
            us,
            view,
            interval,
            connection: None,
            attempts: 0,
        }
    }

    /// The connection that there is, else a new one. The server may be another one by then.
    async fn connection(&mut self) -> Result<&Connection, String> {
        if self
            .connection
            .as_ref()
            .is_none_or(|known| known.session.is_closed())
        {
            self.connection = None;
            let session = self.reach.observer().await.map_err(|e| {
                // the screen says already where
                let prefix = format!("no connection to {}: ", self.reach.describe());
                e.message
                    .strip_prefix(&prefix)
                    .unwrap_or(&e.message)
                    .to_owned()
            })?;
            let us = answered(Us::of(&session)).await?;
            let begun = Instant::now();
            answered(session.query_text("SELECT 1")).await?;
            self.us = us;
            self.connection = Some(Connection {
                session,
                way: begun.elapsed(),
                cost: None,
            });
        }
        self.connection
            .as_ref()
            .ok_or_else(|| "no connection".to_owned())
    }

    async fn look(&mut self) -> Result<Picture, String> {
        self.connection().await?;
        let Some(connection) = &mut self.connection else {
            return Err("no connection".to_owned());
        };
        let begun = Instant::now();
        let snapshot = answered(look(&connection.session, &self.us, &self.view)).await?;
        let own = begun.elapsed().saturating_sub(connection.way);
        let cost = match connection.cost {
            Some(before) => (before * 7 + own) / 8,
            None => own,
        };
        connection.cost = Some(cost);
        Ok(Picture {
            snapshot,
            at: Instant::now(),
            clock: clock(),
            cost,
            pause: self.interval.max(pause_after(cost)),
        })
    }

    /// After a look that failed: what is the matter, and how long to wait before the next.
    fn failed(&mut self, why: String, took: Duration) -> (Link, Duration) {
        let lives = self
            .connection
            .as_ref()
            .is_some_and(|known| !known.session.is_closed());
        if lives && why != SILENCE {
            return (Link::Trouble { why }, self.interval.max(pause_after(took)));
        }
        self.connection = None;
        self.attempts += 1;
        let attempts = self.attempts;
        let pause = Duration::from_millis(250) * 2u32.pow(attempts.min(6));
        (Link::Lost { why, attempts }, pause.min(PATIENCE))
    }
}

const SILENCE: &str = "the server does not answer";

async fn answered<T>(work: impl Future<Output = Result<T, QueryError>>) -> Result<T, String> {
    match timeout(ANSWER, work).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(SILENCE.to_owned()),
    }
}

/// Until the next look, so that the server does not feel it.
fn pause_after(cost: Duration) -> Duration {
    (cost * SHARE).min(LONGEST)
}

/// `12:04:05`, here.
pub(super) fn clock() -> String {
    Zoned::now().strftime("%H:%M:%S").to_string()
}

/// Looks and obeys until the screen is gone.
pub(super) async fn observe(
    mut watched: Watched,
    mut orders: mpsc::UnboundedReceiver<Order>,
    events: mpsc::UnboundedSender<Event>,
) {
    let mut due = Some(tokio::time::Instant::now());
    loop {
        let order = tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(order) => Some(order),
                None => return,
            },
            () = reached(due) => None,
        };
        let event = match order {
            Some(Order::Pause) => {
                due = None;
                continue;
            }
            Some(Order::Look) => {
                due = Some(tokio::time::Instant::now());
                continue;
            }
            Some(Order::Held(pid)) => Event::Held(pid, held(&mut watched, pid).await),
            Some(Order::Signal(target)) => {
                let told = signal(&mut watched, &target).await;
                // whoever paused wants the picture to stand still
                due = due.map(|_| tokio::time::Instant::now());
                Event::Signalled(told)
            }
            None => {
                let begun = tokio::time::Instant::now();
                let (event, pause) = match telling(&events, watched.look()).await {
                    Ok(picture) => {
                        watched.attempts = 0;
                        let pause = picture.pause;
                        (Event::Looked(Box::new(picture)), pause)
                    }
                    Err(why) => {
                        let (link, pause) = watched.failed(why, begun.elapsed());
                        (Event::Link(link), pause)
                    }
                };
                due = Some(begun + pause);
                event
            }
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

/// The look, with word of it while it lasts.
async fn telling<T>(events: &mpsc::UnboundedSender<Event>, work: impl Future<Output = T>) -> T {
    let (begun, mut work) = (Instant::now(), std::pin::pin!(work));
    loop {
        if let Ok(done) = timeout(SLOW, &mut work).await {
            return done;
        }
        let seconds = begun.elapsed().as_secs();
        let _ = events.send(Event::Link(Link::Slow { seconds }));
    }
}

async fn reached(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn held(watched: &mut Watched, pid: i32) -> Result<Vec<String>, String> {
    let connection = watched.connection().await?;
    let held = answered(locks::held_by(&connection.session, pid)).await?;
    Ok(held
        .into_iter()
        .map(|(relation, mode)| format!("{mode} on {relation}"))
        .collect())
}

/// Looks once more whether it is still the one that was meant, then signals, and watches what comes of it.
async fn signal(watched: &mut Watched, target: &Target) -> Told {
    let what = target.short();
    let told = async {
        let session = &watched.connection().await?.session;
        let now = answered(activity::sessions(session)).await?;
        let now = now.iter().find(|session| session.pid == target.pid());
        if let Err(why) = target.is_still(now, Instant::now()) {
            return Ok(Told::Bad(format!("{what}: not done, {why}")));
        }
        let heard = match target.signal {
            Signal::Cancel => answered(activity::cancel_backend(session, target.pid())).await?,
            Signal::Terminate => {
                answered(activity::terminate_backend(session, target.pid())).await?
            }
        };
        if !heard {
            return Ok(Told::Bad(format!("{what}: it was gone already")));
        }
        effect(session, target).await
    };
    match told.await {
        Ok(told) => told,
        Err(why) => Told::Bad(format!("{what}: refused, {why}")),
    }
}

/// A signal is a request: what comes of it is seen afterwards.
async fn effect(session: &Session, target: &Target) -> Result<Told, String> {
    let (what, pid) = (target.short(), target.pid());
    let begun = Instant::now();
    while begun.elapsed() < EFFECT {
        let over = match target.signal {
            Signal::Terminate => !answered(activity::backend_exists(session, pid)).await?,
            Signal::Cancel => match answered(activity::wait_of(session, pid)).await? {
                None => true,
                Some(wait) => wait
                    .seen()
                    .is_some_and(|wait| wait.state.as_deref() != Some("active")),
            },
        };
        if over {
            return Ok(Told::Good(match target.signal {
                Signal::Terminate => format!("{what}: done, it is gone"),
                Signal::Cancel => format!("{what}: done, its query has ended"),
            }));
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(Told::Bad(format!(
        "{what}: told, but not seen to obey within {} s",
        EFFECT.as_secs()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_takes_a_fiftieth_of_the_time_and_nobody_is_left_blind() {
        let pause = |millis| pause_after(Duration::from_millis(millis)).as_millis();
        assert_eq!([pause(3), pause(20), pause(400)], [150, 1000, 20_000]);
        assert_eq!(pause(2000), 30_000);
    }
}

//! A network between a client and a server that can go silent: it keeps every connection and delivers nothing.
//!
//! A TCP proxy. What was sent into the silence is delivered once it is over, as TCP does it; so is the end of a
//! connection. Absent here: the kernel's part (keepalives are answered).

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{Context as _, Result};

use super::Server;

/// The way to a server, by TCP. Dropped, all of its connections end.
#[derive(Debug)]
pub struct Network {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    to: (String, u16),
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    silent: bool,
    closed: bool,
    held_back: usize,
    streams: Vec<TcpStream>,
}

impl Network {
    /// A sound one.
    ///
    /// # Errors
    /// What the system said.
    pub fn before(server: &Server) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no port")?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            to: (server.host().to_owned(), server.port()),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let its = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if its.state().closed {
                    return;
                }
                if let Ok(client) = client {
                    let its = Arc::clone(&its);
                    std::thread::spawn(move || its.carry(client));
                }
            }
        });
        Ok(Self { port, shared })
    }

    /// `127.0.0.1`.
    pub fn host(&self) -> &str {
        "127.0.0.1"
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on nothing is delivered.
    pub fn go_silent(&self) {
        self.shared.state().silent = true;
    }

    /// How many connections have something that is not delivered.
    pub fn held_back(&self) -> usize {
        self.shared.state().held_back
    }

    /// All that was held back is delivered.
    pub fn heal(&self) {
        self.shared.state().silent = false;
        self.shared.changed.notify_all();
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.closed = true;
        for stream in &state.streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
        // the listener looks up
        let _ = TcpStream::connect((self.host(), self.port));
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry(self: &Arc<Self>, client: TcpStream) {
        self.delivers();
        let Ok(server) = TcpStream::connect((self.to.0.as_str(), self.to.1)) else {
            return;
        };
        let both = || -> std::io::Result<[(TcpStream, TcpStream); 2]> {
            Ok([
                (client.try_clone()?, server.try_clone()?),
                (server.try_clone()?, client.try_clone()?),
            ])
        };
        let Ok(ways) = both() else { return };
        for (from, to) in ways {
            let its = Arc::clone(self);
            std::thread::spawn(move || its.copy(from, to));
        }
        self.state().streams.extend([client, server]);
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 * 1024];
        loop {
            let read = from.read(&mut bytes).unwrap_or(0);
            self.delivers();
            if read == 0 || to.write_all(&bytes[..read]).is_err() {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    }

    /// Waits until something is delivered again.
    fn delivers(&self) {
        let mut state = self.state();
        state.held_back += 1;
        let waiting = |state: &mut State| state.silent && !state.closed;
        let state = self.changed.wait_while(state, waiting);
        state.unwrap_or_else(PoisonError::into_inner).held_back -= 1;
    }
}

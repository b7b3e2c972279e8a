//! The process id that the server gave with its cancel key (BackendKeyData). A pooler makes one up, so a difference
//! from `pg_backend_pid()` shows it.
//!
//! tokio-postgres keeps that number to itself; but it writes it into a cancel request, on whatever stream it is given.
//! Here that is a piece of memory, and nothing is sent.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio_postgres::CancelToken;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// Length, request code, process id, key: four big-endian numbers.
const CANCEL_REQUEST: usize = 16;

pub(super) async fn key_pid(token: &CancelToken) -> Option<i32> {
    let (near, mut far) = duplex(64);
    // the "server" agrees to TLS at once, for tokens that ask first
    far.write_all(b"S").await.ok()?;
    token.cancel_query_raw(near, Identity).await.ok()?;
    let mut written = Vec::new();
    far.read_to_end(&mut written).await.ok()?;
    let request = written.get(written.len().checked_sub(CANCEL_REQUEST)?..)?;
    Some(i32::from_be_bytes(request.get(8..12)?.try_into().ok()?))
}

/// "TLS" that changes nothing.
struct Identity;

impl TlsConnect<DuplexStream> for Identity {
    type Stream = Memory;
    type Error = io::Error;
    type Future = Ready<io::Result<Memory>>;

    fn connect(self, stream: DuplexStream) -> Self::Future {
        ready(Ok(Memory(stream)))
    }
}

struct Memory(DuplexStream);

impl TlsStream for Memory {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}

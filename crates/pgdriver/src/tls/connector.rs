//! rustls under tokio-postgres, with channel binding.
//!
//! tokio-postgres-rustls does the same, but its 0.13 reads the certificate's signature algorithm from the wrong
//! structure, never finds one, and so never uses SCRAM-SHA-256-PLUS; `channel_binding=require` fails with it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use sha2::{Digest, Sha256, Sha384, Sha512};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{self, ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::TlsConnector;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::oid::db::rfc5912;

use super::TlsError;
use super::shown::Shown;

/// Makes TLS connections as one [`ClientConfig`] says, or fails each with the same reason.
#[derive(Clone)]
pub(crate) struct Connector(Result<Ready, TlsError>);

#[derive(Clone)]
struct Ready {
    config: Arc<ClientConfig>,
    shown: Arc<Shown>,
}

impl Connector {
    pub(super) fn new(config: ClientConfig, shown: Arc<Shown>) -> Self {
        let config = Arc::new(config);
        Self(Ok(Ready { config, shown }))
    }

    pub(super) fn broken(error: TlsError) -> Self {
        Self(Err(error))
    }

    /// Why `sslcertmode=require` is not content with the handshake that was made.
    pub(crate) fn certificate_complaint(&self) -> Option<&'static str> {
        self.0.as_ref().ok()?.shown.complaint()
    }
}

impl<S> MakeTlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = TlsStream<S>;
    type TlsConnect = Named;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Named, InvalidDnsNameError> {
        let config = self.0.as_ref().map(|ready| Arc::clone(&ready.config));
        Ok(Named {
            config: config.map_err(Clone::clone),
            name: ServerName::try_from(host)?.to_owned(),
        })
    }
}

/// A connector that knows whom it speaks to.
pub(crate) struct Named {
    config: Result<Arc<ClientConfig>, TlsError>,
    name: ServerName<'static>,
}

impl<S> TlsConnect<S> for Named
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = TlsStream<S>;
    type Error = io::Error;
    type Future = Handshake<S>;

    fn connect(self, stream: S) -> Handshake<S> {
        match self.config {
            Ok(config) => Handshake::Going(Box::new(
                TlsConnector::from(config).connect(self.name, stream),
            )),
            Err(error) => Handshake::Broken(error),
        }
    }
}

pub(crate) enum Handshake<S> {
    Going(Box<tokio_rustls::Connect<S>>),
    Broken(TlsError),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Handshake<S> {
    type Output = io::Result<TlsStream<S>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Going(handshake) => {
                let stream = ready!(Pin::new(handshake).poll(cx))?;
                Poll::Ready(Ok(TlsStream(stream)))
            }
            Self::Broken(error) => Poll::Ready(Err(io::Error::other(error.clone()))),
        }
    }
}

pub(crate) struct TlsStream<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> tls::TlsStream for TlsStream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let certificates = self.0.get_ref().1.peer_certificates();
        match certificates
            .and_then(|chain| chain.first())
            .and_then(|first| end_point(first))
        {
            Some(hash) => ChannelBinding::tls_server_end_point(hash),
            None => ChannelBinding::none(),
        }
    }
}

/// RFC 5929, section 4.1: the certificate's hash by its own signature's function, with SHA-256 for MD5 and SHA-1.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let algorithm = Certificate::from_der(certificate)
        .ok()?
        .signature_algorithm
        .oid;
    const SHA256: [ObjectIdentifier; 3] = [
        rfc5912::SHA_1_WITH_RSA_ENCRYPTION,
        rfc5912::SHA_256_WITH_RSA_ENCRYPTION,
        rfc5912::ECDSA_WITH_SHA_256,
    ];
    const SHA384: [ObjectIdentifier; 2] = [
        rfc5912::SHA_384_WITH_RSA_ENCRYPTION,
        rfc5912::ECDSA_WITH_SHA_384,
    ];
    const SHA512: [ObjectIdentifier; 2] = [
        rfc5912::SHA_512_WITH_RSA_ENCRYPTION,
        rfc5912::ECDSA_WITH_SHA_512,
    ];
    match algorithm {
        oid if SHA256.contains(&oid) => Some(Sha256::digest(certificate).to_vec()),
        oid if SHA384.contains(&oid) => Some(Sha384::digest(certificate).to_vec()),
        oid if SHA512.contains(&oid) => Some(Sha512::digest(certificate).to_vec()),
        // Ed25519 among them: RFC 5929 knows no hash for it, and neither do libpq and the server
        _ => None,
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
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

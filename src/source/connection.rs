//! One HTTP/2 connection to a source over mTLS: opened when first needed, opened again when it ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::frame::Single;
use crate::stream::Gathered;

/// Flow-control window of a stream and of a connection, in bytes: large, so that an answer is not chopped at a
/// window's edge into frames so small that the peer takes them for an attack.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// Why a question was not answered.
pub enum Unanswered {
    /// There is no connection, or the peer never began with the question.
    Unsent,
    /// The peer broke off: it may have seen the question.
    BrokenOff,
}

/// A source's address, and the connection to it.
pub struct Connection {
    host: Box<str>,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConnector,
    open: Mutex<Option<SendRequest<Single>>>,
    opening: tokio::sync::Mutex<()>,
}

impl Connection {
    /// A connection to `https://host:port`, not yet opened. `None` where the endpoint is no such address.
    pub fn to(endpoint: &http::Uri, tls: Arc<rustls::ClientConfig>) -> Option<Self> {
        let host = endpoint.host()?.trim_matches(['[', ']']);
        Some(Self {
            host: host.into(),
            port: endpoint.port_u16().unwrap_or(443),
            name: ServerName::try_from(host.to_owned()).ok()?,
            tls: TlsConnector::from(tls),
            open: Mutex::new(None),
            opening: tokio::sync::Mutex::new(()),
        })
    }

    /// Sends a request. One that the peer never began to process, because the connection had just ended, is
    /// sent once more on a new connection.
    ///
    /// # Errors
    /// Where the peer cannot be reached, or breaks off.
    pub async fn send(&self, request: Request<Single>) -> Result<Response<Incoming>, Unanswered> {
        let mut sender = self.sender().await?;
        match sender.try_send_request(request).await {
            Ok(response) => Ok(response),
            Err(mut failed) => {
                let unsent = failed.take_message().ok_or(Unanswered::BrokenOff)?;
                self.forget();
                let mut sender = self.sender().await?;
                sender.try_send_request(unsent).await.map_err(|mut failed| match failed.take_message() {
                    Some(_) => Unanswered::Unsent,
                    None => Unanswered::BrokenOff,
                })
            }
        }
    }

    async fn sender(&self) -> Result<SendRequest<Single>, Unanswered> {
        if let Some(sender) = self.current() {
            return Ok(sender);
        }
        let _one_at_a_time = self.opening.lock().await;
        if let Some(sender) = self.current() {
            return Ok(sender);
        }
        let opened = tokio::time::timeout(CONNECT, self.connect()).await;
        let sender = opened.unwrap_or_else(|late| Err(late.into())).map_err(|error| {
            tracing::warn!(host = %self.host, port = self.port, %error, "a source cannot be reached");
            Unanswered::Unsent
        })?;
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
        Ok(sender)
    }

    fn current(&self) -> Option<SendRequest<Single>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().filter(|sender| !sender.is_closed()).cloned()
    }

    fn forget(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    async fn connect(&self) -> std::io::Result<SendRequest<Single>> {
        let stream = TcpStream::connect((&*self.host, self.port)).await?;
        stream.set_nodelay(true)?;
        let stream = self.tls.connect(self.name.clone(), stream).await?;
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(Some(Duration::from_secs(20)))
            .keep_alive_timeout(Duration::from_secs(10))
            .handshake(TokioIo::new(Gathered(stream)))
            .await
            .map_err(std::io::Error::other)?;
        tokio::spawn(async move {
            if connection.await.is_err() {
                tracing::debug!("a connection to a source ended");
            }
        });
        Ok(sender)
    }
}

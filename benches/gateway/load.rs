//! The load: connections and streams in a closed loop, each reply held against what it must be. One wrong reply ends
//! the run: a benchmark of errors is worth nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderValue, Request, Uri};
use rustls::ClientConfig;
use sluis::frame::{self, Single};
use sluis::identity::tls::{self, ALPN_H2};
use sluis::rpc::exchange::LOG_INDEX;
use sluis::source::Connection;
use tokio::task::JoinSet;

use crate::Fallible;
use crate::world::METHOD;

/// HTTP/2 windows of every client here, in bytes; [`Connection`] has the same.
pub const STREAM_WINDOW: u32 = 1 << 20;
/// See [`STREAM_WINDOW`].
pub const CONNECTION_WINDOW: u32 = 8 << 20;

/// The largest answer that is read, in bytes.
const ANSWER: usize = 1 << 20;

/// Who asks, and what.
#[derive(Clone)]
pub struct Caller {
    tls: Arc<ClientConfig>,
    headers: HeaderMap,
    question: Bytes,
}

/// Who is asked, and what must come back.
#[derive(Clone)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// The message of every answer.
    pub answer: Bytes,
    /// The answer names its entry in the log.
    pub logged: bool,
}

/// How many at once.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Connections.
    pub connections: usize,
    /// Questions under way on each.
    pub streams: usize,
}

/// What a run of requests took.
pub struct Taken {
    /// All of it.
    pub elapsed: Duration,
    /// Each request, in nanoseconds.
    pub latencies: Histogram<u64>,
}

impl Caller {
    /// A caller with this certificate, who sends a message and metadata; the token is added by
    /// [`Caller::bearing`].
    pub fn new(
        certificate: &Path,
        key: &Path,
        ca: &Path,
        metadata: &[(&'static str, &'static str)],
        question: Bytes,
    ) -> Fallible<Self> {
        let own = tls::Credentials::from_pem(&std::fs::read(certificate)?, &std::fs::read(key)?)?;
        let authorities = tls::certificates(&std::fs::read(ca)?)?;
        let tls = Arc::new(tls::client_config(&own, &authorities, &[ALPN_H2])?);
        let mut headers = HeaderMap::new();
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, frame::CONTENT_TYPE);
        for &(name, value) in metadata {
            headers.insert(name, HeaderValue::from_static(value));
        }
        Ok(Self { tls, headers, question })
    }

    /// The same caller with a token.
    pub fn bearing(mut self, token: &str) -> Fallible<Self> {
        self.headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
        Ok(self)
    }

    /// Connections to a target, one by one asked a first question.
    pub async fn connect(&self, target: &Target, shape: Shape) -> Fallible<Line> {
        let base: Uri = format!("https://{}", target.address).parse()?;
        let uri: Uri = format!("https://{}{METHOD}", target.address).parse()?;
        let mut connections = Vec::with_capacity(shape.connections);
        for _ in 0..shape.connections {
            let connection = Connection::to(&base, Arc::clone(&self.tls)).ok_or("no such address")?;
            connections.push(Arc::new(connection));
        }
        let line =
            Line { caller: self.clone(), target: target.clone(), streams: shape.streams, uri, connections };
        for connection in &line.connections {
            line.ask(connection).await?;
        }
        Ok(line)
    }
}

/// Open connections to one target.
#[derive(Clone)]
pub struct Line {
    caller: Caller,
    target: Target,
    streams: usize,
    uri: Uri,
    connections: Vec<Arc<Connection>>,
}

impl Line {
    /// Asks so many questions, and times each.
    pub async fn drive(&self, requests: u64) -> Fallible<Taken> {
        let left = Arc::new(AtomicU64::new(requests));
        let latencies = Arc::new(Mutex::new(Histogram::new_with_bounds(1, 60_000_000_000, 3)?));
        let started = Instant::now();
        let mut streams = JoinSet::new();
        for connection in &self.connections {
            for _ in 0..self.streams {
                let (line, connection) = (self.clone(), Arc::clone(connection));
                let (left, latencies) = (Arc::clone(&left), Arc::clone(&latencies));
                streams.spawn(async move {
                    while take(&left) {
                        let asked = Instant::now();
                        line.ask(&connection).await?;
                        let took = u64::try_from(asked.elapsed().as_nanos()).unwrap_or(u64::MAX);
                        latencies.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(took);
                    }
                    Ok::<(), String>(())
                });
            }
        }
        while let Some(stream) = streams.join_next().await {
            stream??;
        }
        let elapsed = started.elapsed();
        let latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if latencies.len() != requests {
            return Err(format!("{} replies to {requests} requests", latencies.len()).into());
        }
        Ok(Taken { elapsed, latencies })
    }

    async fn ask(&self, connection: &Connection) -> Result<(), String> {
        let mut request = Request::post(self.uri.clone())
            .body(Single::question(&self.caller.question))
            .map_err(|error| error.to_string())?;
        *request.headers_mut() = self.caller.headers.clone();
        let response = connection.send(request).await.map_err(|_| "a request was not answered")?;
        let (head, body) = response.into_parts();
        if head.headers.contains_key(frame::STATUS) {
            return Err(format!("a request was refused: {:?}", head.headers));
        }
        let received = frame::receive(body, ANSWER).await.map_err(|error| format!("a bad reply: {error:?}"))?;
        let status = received.trailers.as_ref().and_then(|trailers| trailers.get(frame::STATUS));
        if head.status != http::StatusCode::OK || status.map(HeaderValue::as_bytes) != Some(b"0") {
            return Err(format!("a reply of status {}, {status:?}", head.status));
        }
        if received.message.as_ref() != Some(&self.target.answer) {
            return Err("a reply holds other bytes than it must".to_owned());
        }
        if head.headers.contains_key(LOG_INDEX) != self.target.logged {
            return Err("a reply's entry in the log is not as it must be".to_owned());
        }
        Ok(())
    }
}

fn take(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

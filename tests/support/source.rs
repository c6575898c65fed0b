//! A source that says what a test tells it to, over mutual TLS, and keeps what it was asked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sluis::cli::demo::Setting;
use sluis::frame;
use sluis::identity::tls::{self, Credentials};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The protocol that a source speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// SOAP.
    Http1,
    /// gRPC.
    Http2,
}

/// An answer, word for word.
#[derive(Clone, Debug, Default)]
pub struct Saying {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What follows the body, without end.
    pub endless: Option<Bytes>,
    pub trailers: HeaderMap,
}

/// A question, as it arrived.
#[derive(Clone, Debug)]
pub struct Heard {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

pub struct Source {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    saying: Mutex<Saying>,
    /// What the next questions get before that.
    first: Mutex<VecDeque<Saying>>,
    heard: Mutex<Vec<Heard>>,
    /// Bytes of bodies that were handed to the transport.
    sent: AtomicU64,
    /// Bodies that are over, ended or broken off.
    over: watch::Sender<u64>,
}

impl Saying {
    /// A SOAP envelope around what stands in its body.
    pub fn soap(content: &str) -> Self {
        let declaration = content.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
        let content = declaration.map_or(content, |(_, content)| content);
        Self::text(
            200,
            &format!(
                r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{content}</e:Body></e:Envelope>"#
            ),
        )
    }

    pub fn text(status: u16, text: &str) -> Self {
        Self { status, body: Bytes::from(text.to_owned()), ..Self::default() }.with("content-type", "text/xml")
    }

    /// A status of gRPC, and nothing else.
    pub fn status(status: &str) -> Self {
        Self { status: 200, ..Self::default() }
            .with("content-type", "application/grpc")
            .with("grpc-status", status)
    }

    /// A message of gRPC, and the status OK.
    pub fn message(message: &[u8]) -> Self {
        Self { status: 200, body: frame::frame(message), ..Self::default() }
            .with("content-type", "application/grpc")
            .after("grpc-status", "0")
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
        self
    }

    pub fn after(mut self, name: &str, value: &str) -> Self {
        self.trailers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
        self
    }
}

impl Source {
    /// With the certificate of the demo's sources; the gateway must show its own.
    pub async fn start(setting: &Setting, speaks: Speaks) -> Self {
        let read = |path| std::fs::read(path).unwrap();
        let own =
            Credentials::from_pem(&read(&setting.sources.certificate), &read(&setting.sources.key)).unwrap();
        let authorities = tls::certificates(&read(&setting.authority())).unwrap();
        let alpn: &[u8] = if speaks == Speaks::Http2 { b"h2" } else { b"http/1.1" };
        let config = tls::source_server_config(&own, &authorities, &[alpn]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            saying: Mutex::default(),
            first: Mutex::default(),
            heard: Mutex::default(),
            sent: AtomicU64::new(0),
            over: watch::Sender::new(0),
        });
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let serving = tokio::spawn(accept(listener, acceptor, Arc::clone(&shared), speaks));
        Self { address, shared, serving }
    }

    /// From now on, every question gets this answer.
    pub fn say(&self, saying: Saying) {
        *self.shared.saying.lock().unwrap() = saying;
    }

    /// The next question gets this answer, and only that one.
    pub fn say_once(&self, saying: Saying) {
        self.shared.first.lock().unwrap().push_back(saying);
    }

    /// All questions so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.shared.heard.lock().unwrap().clone()
    }

    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// Waits until so many answers are over.
    pub async fn over(&self, answers: u64) {
        self.shared.over.subscribe().wait_for(|over| *over >= answers).await.unwrap();
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>, speaks: Speaks) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, acceptor.clone(), Arc::clone(&shared), speaks));
    }
}

async fn converse(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>, speaks: Speaks) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let serve = service_fn(move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let path = head.uri.path().to_owned();
            shared.heard.lock().unwrap().push(Heard { path, headers: head.headers, body });
            let first = shared.first.lock().unwrap().pop_front();
            let saying = first.unwrap_or_else(|| shared.saying.lock().unwrap().clone());
            let mut response = Response::new(Speech::new(saying.clone(), shared));
            *response.status_mut() = saying.status.try_into().unwrap();
            *response.headers_mut() = saying.headers;
            Ok::<_, Infallible>(response)
        }
    });
    // How a connection ended is the gateway's business.
    let _ = match speaks {
        Speaks::Http1 => conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve).await,
        Speaks::Http2 => {
            conn::http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), serve).await
        }
    };
}

/// The body of an answer, counted as it goes.
struct Speech {
    body: Option<Bytes>,
    endless: Option<Bytes>,
    trailers: Option<HeaderMap>,
    shared: Arc<Shared>,
}

impl Speech {
    fn new(saying: Saying, shared: Arc<Shared>) -> Self {
        let Saying { body, endless, trailers, .. } = saying;
        let body = (!body.is_empty()).then_some(body);
        Self { body, endless, trailers: (!trailers.is_empty()).then_some(trailers), shared }
    }
}

impl Drop for Speech {
    fn drop(&mut self) {
        self.shared.over.send_modify(|over| *over += 1);
    }
}

impl Body for Speech {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.body.take().or_else(|| self.endless.clone());
        self.shared.sent.fetch_add(data.as_ref().map_or(0, Bytes::len) as u64, Ordering::SeqCst);
        let frame = data.map(Frame::data).or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none() && self.endless.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.body, &self.endless) {
            (_, Some(_)) => SizeHint::default(),
            (body, None) => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
        }
    }
}

//! A source that shows what it was sent, and answers when it is told to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use sluis::cli::serve;
use sluis::config::Config;
use sluis::disclosure::store::Store;
use sluis::frame::{CONTENT_TYPE, Single};
use sluis::identity::tls::{self, Credentials};
use sluis::proto::sandbox::{GetHousingFileResponse, HousingFile};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::support::World;

/// What it answers.
#[derive(Clone)]
pub enum Says {
    /// gRPC: the file of this person.
    File(&'static str),
    /// gRPC: this message.
    Message(Vec<u8>),
    /// HTTP/1.1: this status and body.
    Text(u16, String),
}

impl Says {
    fn is_grpc(&self) -> bool {
        !matches!(self, Self::Text(..))
    }
}

pub struct Spy {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    says: Says,
    seen: Mutex<Vec<HeaderMap>>,
    arrived: Semaphore,
    go: Semaphore,
    dropped: Semaphore,
    connections: AtomicUsize,
}

/// A question that is being answered; who asked may go away meanwhile.
struct Answering(Arc<Inner>, bool);

impl Drop for Answering {
    fn drop(&mut self) {
        if !self.1 {
            self.0.dropped.add_permits(1);
        }
    }
}

impl Spy {
    /// Listens, and answers nothing until [`Spy::answer`].
    pub async fn start(world: &World, says: Says) -> Self {
        let read = |path| std::fs::read(path).unwrap();
        let sources = &world.setting.sources;
        let own = Credentials::from_pem(&read(&sources.certificate), &read(&sources.key)).unwrap();
        let authorities = tls::certificates(&read(&world.setting.authority())).unwrap();
        let alpn: &[u8] = if says.is_grpc() { b"h2" } else { b"http/1.1" };
        let acceptor =
            TlsAcceptor::from(Arc::new(tls::source_server_config(&own, &authorities, &[alpn]).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            says,
            seen: Mutex::default(),
            arrived: Semaphore::new(0),
            go: Semaphore::new(0),
            dropped: Semaphore::new(0),
            connections: AtomicUsize::new(0),
        });
        tokio::spawn(serve_all(listener, acceptor, Arc::clone(&inner)));
        Self { address, inner }
    }

    /// Waits for the next question; gives its headers.
    pub async fn question(&self) -> HeaderMap {
        self.inner.arrived.acquire().await.unwrap().forget();
        self.inner.seen.lock().unwrap().pop().unwrap()
    }

    /// Waits until it is told that nobody wants an answer any more.
    pub async fn gone(&self) {
        self.inner.dropped.acquire().await.unwrap().forget();
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// Lets it answer one more question.
    pub fn answer(&self) {
        self.inner.go.add_permits(1);
    }
}

async fn serve_all(listener: TcpListener, acceptor: TlsAcceptor, inner: Arc<Inner>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, inner) = (acceptor.clone(), Arc::clone(&inner));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            inner.connections.fetch_add(1, Ordering::SeqCst);
            let grpc = inner.says.is_grpc();
            let service = service_fn(move |request| respond(Arc::clone(&inner), request));
            let stream = TokioIo::new(stream);
            if grpc {
                let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service).await;
            } else {
                let _ = http1::Builder::new().serve_connection(stream, service).await;
            }
        });
    }
}

async fn respond(
    inner: Arc<Inner>,
    request: Request<Incoming>,
) -> Result<Response<Either<Single, Full<Bytes>>>, Infallible> {
    let (head, body) = request.into_parts();
    let _ = body.collect().await;
    inner.seen.lock().unwrap().push(head.headers);
    let mut answering = Answering(Arc::clone(&inner), false);
    inner.arrived.add_permits(1);
    inner.go.acquire().await.unwrap().forget();
    answering.1 = true;
    let mut response = match &inner.says {
        Says::File(insz) => {
            let file =
                HousingFile { insz: (*insz).into(), file_number: "HD-1".into(), ..HousingFile::default() };
            let message = GetHousingFileResponse { file: Some(file) }.encode_to_vec();
            Response::new(Either::Left(Single::answer(&message)))
        }
        Says::Message(message) => Response::new(Either::Left(Single::answer(message))),
        Says::Text(_, text) => Response::new(Either::Right(Full::new(text.clone().into()))),
    };
    response.headers_mut().insert("content-type", CONTENT_TYPE);
    if let Says::Text(status, _) = inner.says {
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    }
    Ok(response)
}

/// Has the gateway ask `spy` in place of `source` from now on: it is stopped, and started on the same log.
pub async fn instead_of(world: &mut World, source: &str, spy: &Spy) {
    world.stop().await;
    reroute(world, source, spy);
    world.running = Some(serve::start(world.config.clone()).await.unwrap());
}

fn reroute(world: &mut World, source: &str, spy: &Spy) {
    let text = std::fs::read_to_string(world.setting.config()).unwrap();
    let (before, after) = text.split_once(&format!("name = \"{source}\"")).unwrap();
    let (kept, rest) = after.split_once("endpoint = ").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let endpoint = format!("https://{}", spy.address);
    let text = format!("{before}name = \"{source}\"{kept}endpoint = \"{endpoint}\"\n{rest}");
    std::fs::write(world.setting.config(), text).unwrap();
    world.config = Config::read(&world.setting.config()).unwrap();
}

/// Has the gateway write its log through another store.
pub async fn on_store(world: &mut World, store: impl Store) {
    if world.running.is_some() {
        world.stop().await;
    }
    world.running = Some(serve::start_with(world.config.clone(), store).await.unwrap());
}

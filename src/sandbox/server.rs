//! Accepts connections over mutual TLS and hands requests to a source.

use std::{future::Future, io, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::body::Script;

/// A peer that has not finished its handshake by then is dropped.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Questions in flight on one connection; the gateway has bounds of its own.
const MAX_STREAMS: u32 = 4096;

/// Something that answers requests.
pub trait Source: Send + Sync + 'static {
    /// The one protocol that this source speaks, as ALPN names it.
    const ALPN: &'static [u8];

    /// An error breaks the connection off.
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = io::Result<Response<Script>>> + Send;
}

/// Serves until dropped; its connections end with it.
pub async fn serve<S: Source>(listener: TcpListener, mut tls: ServerConfig, source: Arc<S>) {
    tls.alpn_protocols = vec![S::ALPN.to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, acceptor.clone(), Arc::clone(&source)));
                }
                // Out of file descriptors, say: wait for some to come back.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection<S: Source>(stream: TcpStream, acceptor: TlsAcceptor, source: Arc<S>) {
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await else { return };
    // How a connection ended is the peer's business: there is nothing to do about it here.
    let _ = converse(stream, source).await;
}

async fn converse<S: Source>(stream: TlsStream<TcpStream>, source: Arc<S>) -> hyper::Result<()> {
    let stream = TokioIo::new(stream);
    let service = service_fn(move |request| {
        let source = Arc::clone(&source);
        async move { source.answer(request).await }
    });
    if S::ALPN == b"h2" {
        conn::http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(MAX_STREAMS)
            .timer(TokioTimer::new())
            .serve_connection(stream, service)
            .await
    } else {
        conn::http1::Builder::new().timer(TokioTimer::new()).serve_connection(stream, service).await
    }
}

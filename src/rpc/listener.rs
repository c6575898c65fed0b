//! The listener: mutual TLS, then HTTP/2. Connections are accepted once and dealt to the runtimes in turn; each
//! runtime serves its own on one thread.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::admission::{Admission, Holder, Place};
use super::exchange::{self, Body, Bounds, Session};
use super::services::Services;
use crate::config::Limits;
use crate::gateway::Gateway;
use crate::identity::certificate::PeerCertificate;
use crate::identity::tls::ALPN_H2;
use crate::stream::Gathered;
use crate::telemetry::Meters;

/// Flow-control windows, in bytes: requests are small, and what is sent before it is read takes memory.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// Streams that a peer may reset before it is taken for an attacker.
const RESETS: usize = 128;
/// Bytes of answers that wait for one stream's window.
const SEND_BUFFER: usize = 256 * 1024;

/// What every runtime shares.
pub struct Shared {
    /// TLS, replaced as a whole when certificates or revocation lists change.
    pub tls: ArcSwap<ServerConfig>,
    /// Bounds.
    pub limits: Limits,
    /// Who may hold a connection.
    pub admission: Arc<Admission>,
    /// Turns true when the gateway drains.
    pub draining: watch::Receiver<bool>,
}

/// One runtime's part: its gateway, and the services beside the exchanges.
pub struct Worker {
    /// The exchange core.
    pub gateway: Arc<Gateway>,
    /// Audit, health, reflection.
    pub services: Services,
    /// How exchanges end, counted.
    pub meters: Meters,
    /// What it shares with the others.
    pub shared: Arc<Shared>,
}

/// Accepts connections until the gateway drains, and deals them to `workers` in turn.
///
/// # Errors
/// Where the listener breaks.
pub async fn accept(
    listener: TcpListener,
    workers: Vec<tokio::sync::mpsc::Sender<std::net::TcpStream>>,
    shared: Arc<Shared>,
) -> std::io::Result<()> {
    let mut draining = shared.draining.clone();
    for worker in workers.iter().cycle() {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, or a peer that is gone already: neither ends the gateway.
                    tracing::warn!(kind = %error.kind(), "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
            () = drain(&mut draining) => return Ok(()),
        };
        if worker.send(stream.into_std()?).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Serves the connections that are dealt to one runtime, until there are no more and all have ended.
pub async fn serve(worker: Arc<Worker>, mut dealt: tokio::sync::mpsc::Receiver<std::net::TcpStream>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            stream = dealt.recv() => match stream {
                None => break,
                Some(stream) => {
                    let place = stream.peer_addr().ok().and_then(|address| {
                        worker.shared.admission.enter(Holder::Address(address.ip()))
                    });
                    let Some(place) = place else {
                        metrics::counter!("sluis_connections_refused_total").increment(1);
                        continue;
                    };
                    let worker = Arc::clone(&worker);
                    connections.spawn(async move { connection(&worker, stream, place).await });
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_millis(worker.shared.limits.drain_ms), drained).await.is_err() {
        tracing::warn!("connections were cut off at the end of the drain");
    }
}

/// A connection, from its handshake to its end.
async fn connection(worker: &Arc<Worker>, stream: std::net::TcpStream, shaking_hands: Place) {
    let Some((stream, peer)) = handshake(worker, stream).await else { return };
    let known = worker.gateway.knows(&peer);
    let holder = if known { Holder::Key(*peer.key()) } else { Holder::Stranger };
    let Some(place) = worker.shared.admission.enter(holder) else {
        metrics::counter!("sluis_connections_refused_total").increment(1);
        return;
    };
    drop(shaking_hands);
    let served = serve_connection(worker, stream, Arc::new(Session::new(peer, place)));
    if known {
        served.await;
    } else {
        // Long enough to be told that it is a stranger.
        let _ = tokio::time::timeout(Duration::from_millis(worker.shared.limits.handshake_ms), served).await;
    }
}

async fn handshake(
    worker: &Worker,
    stream: std::net::TcpStream,
) -> Option<(TlsStream<TcpStream>, PeerCertificate)> {
    let limits = &worker.shared.limits;
    let stream = TcpStream::from_std(stream).ok()?;
    let _ = stream.set_nodelay(true);
    let acceptor = TlsAcceptor::from(worker.shared.tls.load_full());
    let handshake = tokio::time::timeout(Duration::from_millis(limits.handshake_ms), acceptor.accept(stream));
    let Ok(Ok(stream)) = handshake.await else {
        metrics::counter!("sluis_handshakes_failed_total").increment(1);
        return None;
    };
    // A client that names no protocol may mean another one: nothing is said to it.
    if stream.get_ref().1.alpn_protocol() != Some(ALPN_H2) {
        metrics::counter!("sluis_handshakes_failed_total").increment(1);
        return None;
    }
    let peer = PeerCertificate::from_der(stream.get_ref().1.peer_certificates()?.first()?).ok()?;
    // Names are compared, never trusted: the key alone identifies.
    if let Some(system) = worker.gateway.policy.load().registry.system(peer.key())
        && !system.named_by(&peer)
    {
        tracing::info!(organisation = %system.organisation.id, system = %system.name, "a certificate bears another name");
    }
    Some((stream, peer))
}

async fn serve_connection(worker: &Arc<Worker>, stream: TlsStream<TcpStream>, session: Arc<Session>) {
    let limits = &worker.shared.limits;
    let service = service_fn(|request| {
        let (worker, session) = (Arc::clone(worker), Arc::clone(&session));
        // Boxed: the transport moves what it serves from hand to hand, and an exchange is large.
        Box::pin(async move { Ok::<_, Infallible>(respond(&worker, &session, request).await) })
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .keep_alive_timeout(Duration::from_secs(10))
        .serve_connection(TokioIo::new(Gathered(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let mut draining = worker.shared.draining.clone();
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drain(&mut draining) => {
            // Says GOAWAY, and finishes what is under way.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if ended.is_err() {
        tracing::debug!("a connection ended with an error");
    }
}

async fn respond(worker: &Worker, session: &Session, request: Request<Incoming>) -> Response<Body> {
    if worker.services.serve(request.uri().path()) {
        return worker.services.respond(&worker.gateway, session, request).await;
    }
    let bounds = Bounds::of(&worker.shared.limits);
    exchange::serve(&worker.gateway, &worker.meters, session, bounds, request).await
}

/// Returns when the gateway drains.
async fn drain(draining: &mut watch::Receiver<bool>) {
    // The sender is gone only when the gateway is.
    let _ = draining.wait_for(|&draining| draining).await;
}

//! What the gateway is measured against: tonic as one finds it (its own transport, multi-thread runtime, mutual TLS),
//! with a codec that leaves bytes alone. Each runs in a process of its own, which is this program again.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use http::{Request, Response};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::UnaryService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, Server, ServerTlsConfig};
use tonic::{Status, client, server};
use tower::Service;

use crate::world::METHOD;
use crate::{Fallible, load};

/// Streams at once on one connection: more than the load opens in all.
const STREAMS: u32 = 4096;

/// Which peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Answers from memory: the source of the others, and, asked directly, the least that an answer costs.
    Bare,
    /// Passes bytes on and back.
    Pass,
}

/// How this program is told to be a peer.
#[derive(Debug, clap::Args)]
pub struct PeerArgs {
    /// Be a peer, for the benchmark that started this process
    #[arg(long, hide = true)]
    pub peer: Option<Role>,
    /// Its certificate
    #[arg(long, hide = true, default_value = ".")]
    pub certificate: PathBuf,
    /// The certificate's key
    #[arg(long, hide = true, default_value = ".")]
    pub key: PathBuf,
    /// Who issues all certificates
    #[arg(long, hide = true, default_value = ".")]
    pub ca: PathBuf,
    /// Of `bare`: the file with its one answer
    #[arg(long, hide = true, default_value = ".")]
    pub answer: PathBuf,
    /// Of `pass`: whom it passes to
    #[arg(long, hide = true, default_value = ".")]
    pub upstream: String,
}

/// Serves until standard input ends, so never longer than the benchmark; says its address on standard output.
pub fn run(role: Role, args: &PeerArgs) -> Fallible<()> {
    let (gone, stop) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        gone.send(())
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match role {
            Role::Bare => serve(args, Answers(std::fs::read(&args.answer)?.into()), stop).await,
            Role::Pass => serve(args, Passes(client::Grpc::new(upstream(args).await?)), stop).await,
        }
    })
}

async fn serve<S>(args: &PeerArgs, service: S, stop: tokio::sync::oneshot::Receiver<()>) -> Fallible<()>
where
    S: UnaryService<Bytes, Response = Bytes> + Clone + Send + 'static,
    S::Future: Send,
{
    let tls = ServerTlsConfig::new().identity(identity(args)?).client_ca_root(authority(args)?);
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into())?.with_nodelay(Some(true));
    writeln!(std::io::stdout(), "{}", incoming.local_addr()?)?;
    Server::builder()
        .tls_config(tls)?
        .max_concurrent_streams(STREAMS)
        .serve_with_incoming_shutdown(Unary(service), incoming, async {
            // Told to, or the benchmark is gone.
            let _ = stop.await;
        })
        .await?;
    Ok(())
}

async fn upstream(args: &PeerArgs) -> Fallible<Channel> {
    let tls = ClientTlsConfig::new().ca_certificate(authority(args)?).identity(identity(args)?);
    let endpoint = Endpoint::from_shared(format!("https://{}", args.upstream))?
        .tls_config(tls.domain_name("localhost"))?
        .tcp_nodelay(true)
        .initial_stream_window_size(load::STREAM_WINDOW)
        .initial_connection_window_size(load::CONNECTION_WINDOW);
    Ok(endpoint.connect().await?)
}

fn identity(args: &PeerArgs) -> Fallible<Identity> {
    Ok(Identity::from_pem(std::fs::read(&args.certificate)?, std::fs::read(&args.key)?))
}

fn authority(args: &PeerArgs) -> Fallible<Certificate> {
    Ok(Certificate::from_pem(std::fs::read(&args.ca)?))
}

/// One answer to every question.
#[derive(Clone)]
struct Answers(Bytes);

impl UnaryService<Bytes> for Answers {
    type Response = Bytes;
    type Future = Ready<Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, _: tonic::Request<Bytes>) -> Self::Future {
        ready(Ok(tonic::Response::new(self.0.clone())))
    }
}

/// The upstream's answer to every question. Metadata stays behind, as it does at the gateway.
#[derive(Clone)]
struct Passes(client::Grpc<Channel>);

impl UnaryService<Bytes> for Passes {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let mut upstream = self.0.clone();
        Box::pin(async move {
            upstream.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let question = tonic::Request::new(request.into_inner());
            let answer = upstream.unary(question, PathAndQuery::from_static(METHOD), Raw).await?;
            Ok(tonic::Response::new(answer.into_inner()))
        })
    }
}

/// A unary method on every path: no router, so as little as tonic can do.
#[derive(Clone)]
struct Unary<S>(S);

impl<S> Service<Request<Body>> for Unary<S>
where
    S: UnaryService<Bytes, Response = Bytes> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.0.clone();
        Box::pin(async move { Ok(server::Grpc::new(Raw).unary(service, request).await) })
    }
}

/// Bytes as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

//! A client that may do wrong what a good client cannot: other certificates, other protocols, other bytes.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use sluis::cli::client::Refusal;
use sluis::cli::pki::{Issued, Pki, Profile, Subject};
use sluis::clock;
use sluis::frame::{CONTENT_TYPE, STATUS};
use sluis::identity::tls::{ALPN_H2, Credentials, certificates, client_config};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Status;

use crate::support::World;

/// A TLS connection to the gateway, as far as the client can tell.
pub async fn tls(world: &World, shown: &Issued, alpn: &[&[u8]]) -> io::Result<TlsStream<TcpStream>> {
    let read = |path| std::fs::read(path).unwrap();
    let own = Credentials::from_pem(&read(&shown.certificate), &read(&shown.key)).unwrap();
    let authorities = certificates(&read(&world.setting.authority())).unwrap();
    connect(world, client_config(&own, &authorities, alpn).unwrap()).await
}

pub async fn connect(world: &World, config: rustls::ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(world.running().gateway).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// A certificate of the world's own authority whose key nobody registered.
pub fn unregistered(world: &World, name: &str) -> Issued {
    let pki = Pki::open(&world.setting.dir.join("pki")).unwrap();
    let name = name.parse().unwrap();
    let organisation = "stad-leuven".parse().unwrap();
    let subject = Subject { name: &name, organisation: Some(&organisation), sans: &[] };
    pki.issue(Profile::Caller, subject, clock::now()).unwrap()
}

/// Puts an organisation's certificate on the revocation list.
pub fn revoke(world: &World, organisation: &str) {
    let pki = Pki::open(&world.setting.dir.join("pki")).unwrap();
    let certificate = &world.setting.party(organisation).unwrap().issued.certificate;
    assert!(pki.revoke(certificate, clock::now()).unwrap());
}

/// An HTTP/2 connection.
pub struct Raw(SendRequest<Full<Bytes>>);

/// What came back, all of it.
pub struct Answer {
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Raw {
    pub async fn open(world: &World, shown: &Issued) -> Self {
        let stream = tls(world, shown, &[ALPN_H2]).await.unwrap();
        let (sender, connection) =
            Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Sends headers and a body as they are.
    pub async fn send(&mut self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let (head, body) = self.ask(path, headers, body).await.into_parts();
        let collected = body.collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Answer { headers: head.headers, body: collected.to_bytes(), trailers }
    }

    /// Sends a body, and gives the answer as it begins.
    pub async fn begin(&mut self, path: &str, body: impl Into<Bytes>) -> Response<Incoming> {
        self.ask(path, &[], body).await
    }

    async fn ask(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        self.0.ready().await.unwrap();
        let uri = format!("https://localhost{path}");
        let mut request = Request::post(uri).body(Full::new(body.into())).unwrap();
        request.headers_mut().insert("content-type", CONTENT_TYPE);
        for (name, value) in headers {
            request.headers_mut().append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        self.0.send_request(request).await.unwrap()
    }
}

impl Answer {
    /// The status, wherever it stands.
    pub fn status(&self) -> Status {
        let place = if self.headers.contains_key(STATUS) { &self.headers } else { &self.trailers };
        Status::from_header_map(place).unwrap()
    }

    /// As the ordinary client would tell it.
    pub fn refusal(self) -> Box<Refusal> {
        assert!(self.body.is_empty(), "a refusal holds no message");
        let status = self.status();
        let info = tonic_types::StatusExt::get_details_error_info(&status);
        let index = self.headers.get("sluis-log-index");
        Box::new(Refusal {
            reason: info.as_ref().map(|info| info.reason.clone()),
            metadata: info.map(|info| info.metadata).unwrap_or_default(),
            log_index: index.map(|index| index.to_str().unwrap().parse().unwrap()),
            headers: self.headers,
            status,
        })
    }
}

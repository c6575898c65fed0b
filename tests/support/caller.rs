//! A caller that keeps all that it is told: status, headers, every byte of the body, trailers.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use sluis::cli::pki::Issued;
use sluis::frame;
use sluis::identity::tls::{self, Credentials};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic_types::StatusExt;

pub struct Caller(SendRequest<BoxBody<Bytes, Infallible>>);

/// A whole response.
#[derive(Clone, Debug)]
pub struct Whole {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
    /// Frames of data.
    pub frames: usize,
    /// It was broken off.
    pub broken: bool,
}

impl Caller {
    /// A connection of its own, with an organisation's certificate.
    pub async fn connect(address: &str, authority: &Path, own: &Issued) -> Self {
        let read = |path: &Path| std::fs::read(path).unwrap();
        let own = Credentials::from_pem(&read(&own.certificate), &read(&own.key)).unwrap();
        let authorities = tls::certificates(&read(authority)).unwrap();
        let config = tls::client_config(&own, &authorities, &[b"h2"]).unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let (sender, connection) =
            Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Calls a method with these headers and one message.
    pub async fn call(&self, path: &str, headers: &[(&str, &str)], message: &[u8]) -> Whole {
        self.send(path, headers, Full::new(frame::frame(message)).boxed()).await.unwrap()
    }

    /// Calls a method with any body; an error where the gateway gives no response at all.
    pub async fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: BoxBody<Bytes, Infallible>,
    ) -> hyper::Result<Whole> {
        let mut request = Request::post(format!("https://localhost{path}"))
            .version(Version::HTTP_2)
            .header("te", "trailers")
            .header("content-type", "application/grpc");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut sender = self.0.clone();
        sender.ready().await?;
        let (head, mut incoming) = sender.send_request(request.body(body).unwrap()).await?.into_parts();
        let (status, headers) = (head.status.as_u16(), head.headers);
        let (mut body, mut trailers, mut frames, mut broken) = (Vec::new(), HeaderMap::new(), 0, false);
        while let Some(frame) = incoming.frame().await {
            let Ok(frame) = frame else {
                broken = true;
                break;
            };
            match frame.into_data() {
                Ok(data) => {
                    frames += 1;
                    body.extend_from_slice(&data);
                }
                Err(frame) => trailers = frame.into_trailers().unwrap(),
            }
        }
        Ok(Whole { status, headers, body: body.into(), trailers, frames, broken })
    }
}

impl Whole {
    /// The one message of an answer with status OK.
    pub fn message(&self) -> Bytes {
        assert_eq!(self.trailers.get("grpc-status").map(HeaderValue::as_bytes), Some(&b"0"[..]), "{self:?}");
        let length = u32::from_be_bytes(self.body[1..5].try_into().unwrap()) as usize;
        assert_eq!((self.body[0], self.body.len()), (0, 5 + length));
        self.body.slice(5..)
    }

    /// The reason of a refusal, or `RELEASED`.
    pub fn outcome(&self) -> String {
        let place = if self.headers.contains_key("grpc-status") { &self.headers } else { &self.trailers };
        let status = Status::from_header_map(place).unwrap();
        match status.get_details_error_info() {
            Some(info) => info.reason,
            None if status.code() == tonic::Code::Ok => "RELEASED".to_owned(),
            None => format!("{:?}", status.code()),
        }
    }

    pub fn log_index(&self) -> u64 {
        self.headers["sluis-log-index"].to_str().unwrap().parse().unwrap()
    }

    /// All bytes of it: names and values of headers and trailers, decoded details, the body.
    pub fn everything(&self) -> Vec<u8> {
        let mut all = self.body.to_vec();
        for (name, value) in self.headers.iter().chain(&self.trailers) {
            all.extend_from_slice(name.as_str().as_bytes());
            all.push(b'=');
            all.extend_from_slice(value.as_bytes());
            all.push(b'\n');
        }
        for place in [&self.headers, &self.trailers] {
            if let Some(status) = Status::from_header_map(place) {
                all.extend_from_slice(status.message().as_bytes());
                all.extend_from_slice(status.details());
            }
        }
        all
    }

    /// Names of the headers, in order, as often as they stand.
    pub fn header_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.headers.iter().map(|(name, _)| name.to_string()).collect();
        names.sort();
        names
    }
}

//! `sluis source probe`: a connection to a source, step by step, as the gateway makes it. Nothing is asked about a
//! person: the last step is a health check, or a request for the root.

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use serde_json::json;
use tokio::io::AsyncBufReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::say;
use crate::cli::output::Output;
use crate::cli::{Failure, sources};
use crate::config::{Config, Source, Wire};
use crate::domain::causes::causes;
use crate::frame::{self, Single};
use crate::gateway::brussels;
use crate::identity::certificate::PeerCertificate;
use crate::identity::tls::ALPN_H2;

/// Test the connection to a source step by step, without asking about anybody
#[derive(Debug, clap::Args)]
pub struct ProbeArgs {
    /// The source, by its name in the configuration
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "sluis.toml")]
    pub config: PathBuf,
    /// How to show the result
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// How long one step may take.
const STEP: Duration = Duration::from_secs(5);
/// How long a source may take to refuse the gateway's certificate. One that speaks HTTP/1.1 says nothing until asked.
const SECOND_THOUGHTS: Duration = Duration::from_millis(500);
/// Bytes of an answer to a health check.
const ANSWER: usize = 4096;

/// What came of a step: what was found, or what went wrong and what to mend.
type Found = Result<String, String>;

/// Probes.
///
/// # Errors
/// Where the configuration does not name the source, or a step fails; the message names the step.
pub fn run(args: &ProbeArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let config = Config::read(&args.config).map_err(Failure::misconfigured)?;
    let Some(source) = config.sources.iter().find(|source| source.name == args.name) else {
        let names: Vec<&str> = config.sources.iter().map(|source| source.name.as_str()).collect();
        return Err(Failure::configuration(format_args!(
            "{}: no source is called \"{}\"; there are: {}",
            args.config.display(),
            args.name,
            names.join(", ")
        )));
    };
    let client = sources::tls_towards(&config, source)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format_args!("no runtime: {error}")))?;
    let mut steps = Vec::new();
    runtime.block_on(walk(source, client, &mut steps));
    match args.output {
        Output::Table => {
            for (step, found) in &steps {
                let (word, text) = match found {
                    Ok(text) => ("ok", text),
                    Err(text) => ("FAILED", text),
                };
                say(out, format_args!("{step:8} {word:6} {text}"))?;
            }
        }
        Output::Json => {
            let steps = steps.iter().map(|(step, found)| match found {
                Ok(text) => json!({ "step": step, "ok": true, "found": text }),
                Err(text) => json!({ "step": step, "ok": false, "fault": text }),
            });
            say(out, format_args!("{:#}", json!(steps.collect::<Vec<_>>())))?;
        }
    }
    match steps.last() {
        Some((step, Err(fault))) => {
            Err(Failure::unavailable(format_args!("source \"{}\": {step}: {fault}", source.name)))
        }
        _ => Ok(()),
    }
}

/// Takes the steps, up to the first that fails.
async fn walk(source: &Source, client: ClientConfig, steps: &mut Vec<(&'static str, Found)>) {
    let mut done = |step, found: Result<(), String>, text: String| {
        let going = found.is_ok();
        steps.push((step, found.map(|()| text)));
        going
    };
    let Some((host, port, name)) = address(&source.endpoint) else {
        done("endpoint", Err("write it as https://host:port".to_owned()), String::new());
        return;
    };
    let addresses = match within(tokio::net::lookup_host((host.as_str(), port))).await {
        Ok(found) => found.collect::<Vec<_>>(),
        Err(error) => {
            let fault =
                format!("{host} has no address ({error}): mend the name in `endpoint`, or this machine's DNS");
            done("resolve", Err(fault), String::new());
            return;
        }
    };
    let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    done("resolve", Ok(()), listed.join(", "));

    let stream = match within(TcpStream::connect(&*addresses)).await {
        Ok(stream) => stream,
        Err(error) => {
            let fault =
                format!("{error}: is the port right, does the source listen, does a firewall let us through?");
            done("connect", Err(fault), String::new());
            return;
        }
    };
    done("connect", Ok(()), stream.peer_addr().map_or_else(|_| host.clone(), |peer| peer.to_string()));

    let stream = match within(handshake(client, name, stream)).await {
        Ok(stream) => stream,
        Err(error) => {
            done("tls", Err(tls_fault(&error, source, &host)), String::new());
            return;
        }
    };
    done("tls", Ok(()), shaken(&stream));
    let spoken = match source.wire {
        Wire::Grpc if stream.get_ref().1.alpn_protocol() != Some(ALPN_H2) => {
            let fault = "it does not agree on HTTP/2 (ALPN h2), which gRPC needs: is it a gRPC server, and is nothing \
                         before it that ends TLS?";
            done("alpn", Err(fault.to_owned()), String::new());
            return;
        }
        Wire::Grpc => {
            done("alpn", Ok(()), "h2".to_owned());
            ("grpc", within(health(stream, &source.endpoint)).await)
        }
        Wire::Magda => ("http", within(root(stream, &host)).await),
    };
    match spoken {
        (step, Ok(text)) => done(step, Ok(()), text),
        (step, Err(error)) => done(step, Err(tls_fault(&*error, source, &host)), String::new()),
    };
}

/// Host, port and name of `https://host:port`.
fn address(endpoint: &str) -> Option<(String, u16, ServerName<'static>)> {
    let endpoint: Uri = endpoint.parse().ok()?;
    let host = endpoint.host()?.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host.clone()).ok()?;
    Some((host, endpoint.port_u16().unwrap_or(443), name))
}

/// The handshake, and whether the source still says so a moment later: in TLS 1.3 it looks at the client's certificate
/// when the client believes all done.
async fn handshake(
    client: ClientConfig,
    name: ServerName<'static>,
    stream: TcpStream,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
    match tokio::time::timeout(SECOND_THOUGHTS, stream.fill_buf()).await {
        Ok(Err(error)) => Err(error),
        Ok(Ok([])) => Err(std::io::Error::other("the source closed the connection after the handshake")),
        Ok(Ok(_)) | Err(_) => Ok(stream),
    }
}

/// The outcome of a step, or that it took too long.
async fn within<T, E: From<Late>>(step: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    tokio::time::timeout(STEP, step).await.unwrap_or_else(|_| Err(Late.into()))
}

/// A step took too long.
#[derive(Debug)]
struct Late;

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {} seconds", STEP.as_secs())
    }
}

impl Error for Late {}

impl From<Late> for std::io::Error {
    fn from(late: Late) -> Self {
        Self::new(std::io::ErrorKind::TimedOut, late)
    }
}

/// What a handshake agreed on, and with whom.
fn shaken(stream: &TlsStream<TcpStream>) -> String {
    let (_, session) = stream.get_ref();
    let version = session.protocol_version().map_or_else(String::new, |version| format!("{version:?}, "));
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    match certificate.map(|der| PeerCertificate::from_der(der)) {
        Some(Ok(peer)) => format!(
            "{version}certificate of {}, until {}",
            peer.common_name().unwrap_or("(no name)"),
            brussels(peer.not_after())
        ),
        _ => format!("{version}a certificate that cannot be read"),
    }
}

/// What went wrong once there was a connection, and what to mend.
fn tls_fault(error: &(dyn Error + 'static), source: &Source, host: &str) -> String {
    let ca = source.ca.display();
    match rustls_error(error) {
        Some(rustls::Error::InvalidCertificate(fault)) => match fault {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
                "its certificate is not of an authority in {ca}: ask the source who issues it, and put that one there"
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
                "its certificate is not for {host}: write a name that it holds in `endpoint`, or have the source renew it"
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate is past its end: have the source renew it, and look at this machine's clock"
                    .to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet: look at this machine's clock".to_owned()
            }
            other => format!("its certificate does not hold ({other})"),
        },
        Some(rustls::Error::AlertReceived(alert)) => format!(
            "the source broke off ({alert:?}): have it trust the gateway's certificate, and agree on TLS 1.2 or newer"
        ),
        Some(rustls::Error::InvalidMessage(_)) => "it does not speak TLS there: look at the port".to_owned(),
        Some(other) => other.to_string(),
        None => {
            format!("{}: does it speak this wire there, and trust the gateway's certificate?", causes(&error))
        }
    }
}

/// The error of TLS beneath others.
fn rustls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    // What is within an error of input and output is not its source, but stands in its place.
    let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match within {
        Some(within) => rustls_error(within),
        None => error.source().and_then(rustls_error),
    }
}

type Spoken = Result<String, Box<dyn Error + Send + Sync>>;

/// `grpc.health.v1.Health/Check` for the whole server. Whatever status comes back: it speaks gRPC.
async fn health(stream: TlsStream<TcpStream>, base: &str) -> Spoken {
    let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = shaken.await?;
    tokio::spawn(connection);
    let request = Request::post(format!("{}/grpc.health.v1.Health/Check", base.trim_end_matches('/')))
        .header(http::header::TE, "trailers")
        .header(http::header::CONTENT_TYPE, frame::CONTENT_TYPE)
        .body(Single::question(b""))?;
    let response = sender.send_request(request).await?;
    if response.status() != http::StatusCode::OK {
        return Err(format!("HTTP {}, which is not gRPC", response.status().as_u16()).into());
    }
    let (head, body) = response.into_parts();
    let mut status = head.headers.get(frame::STATUS).cloned();
    let mut message = None;
    if status.is_none() {
        let received = frame::receive(body, ANSWER).await.map_err(|_| "an answer that is not gRPC")?;
        status = received.trailers.unwrap_or_default().get(frame::STATUS).cloned();
        message = received.message;
    }
    match (status.as_ref().map(http::HeaderValue::as_bytes), message.as_deref()) {
        (Some(b"0"), Some(b"\x08\x01")) => Ok("health: SERVING".to_owned()),
        (Some(b"0"), _) => Err("it says of itself that it is not SERVING: ask the source".into()),
        (Some(b"12"), _) => Ok("speaks gRPC, and has no health service".to_owned()),
        (Some(b"7" | b"16"), _) => Ok("speaks gRPC, and tells its health to others only".to_owned()),
        (Some(other), _) => Ok(format!("speaks gRPC; health: status {}", String::from_utf8_lossy(other))),
        (None, _) => Err("an answer without a status, which is not gRPC".into()),
    }
}

/// The root of a server that speaks HTTP/1.1. Whatever status comes back: it speaks HTTP.
async fn root(stream: TlsStream<TcpStream>, host: &str) -> Spoken {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request =
        Request::get("/").header(http::header::HOST, host).body(Empty::<bytes::Bytes>::new().boxed())?;
    let response = sender.send_request(request).await?;
    Ok(format!("speaks HTTP; its root answers {}", response.status().as_u16()))
}

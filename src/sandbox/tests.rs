//! The sources over loopback mTLS, seen from outside.

use std::{collections::HashSet, net::Ipv4Addr, path::Path};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::PrivateKeyDer, server::WebPkiClientVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::frame::frame;
use crate::proto::sandbox::{GetHousingFileRequest, GetHousingFileResponse};

mod housing;
mod magda;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const KNOWN: &str = "gemeente.example/leuven/parkeren";

struct Pki {
    server: ServerConfig,
    client: ClientConfig,
    stranger: ClientConfig,
}

fn pki() -> Pki {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let roots = Arc::new(roots);
    let issue = || {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
    let (chain, key) = issue();
    let server =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let server =
        server.unwrap().with_client_cert_verifier(verifier.build().unwrap()).with_single_cert(chain, key);
    let client = || {
        let client =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        client.unwrap().with_root_certificates(Arc::clone(&roots))
    };
    let (chain, key) = issue();
    Pki {
        server: server.unwrap(),
        client: client().with_client_auth_cert(chain, key).unwrap(),
        stranger: client().with_no_client_auth(),
    }
}

struct World {
    sandbox: Sandbox,
    client: ClientConfig,
    stranger: ClientConfig,
}

async fn world(journal: Option<&Path>) -> World {
    let pki = pki();
    let settings = Settings {
        magda: (Ipv4Addr::LOCALHOST, 0).into(),
        housing: (Ipv4Addr::LOCALHOST, 0).into(),
        tls: pki.server,
        identifications: vec![KNOWN.to_owned()],
        journal: journal.map(Path::to_path_buf),
        delay: Duration::from_millis(1),
    };
    World { sandbox: Sandbox::start(settings).await.unwrap(), client: pki.client, stranger: pki.stranger }
}

/// Status, headers, as much of the body as came, trailers, and whether it broke off.
struct Seen {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    trailers: HeaderMap,
    broken: bool,
}

impl Seen {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn grpc_status(&self) -> &str {
        let status = self.trailers.get("grpc-status").or(self.headers.get("grpc-status"));
        status.map_or("", |status| status.to_str().unwrap())
    }

    /// Whether the body is one message, as long as its prefix says.
    fn is_one_message(&self) -> bool {
        let length = self.body[1..5].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        self.body[0] == 0 && self.body.len() == 5 + length
    }

    fn file(&self) -> GetHousingFileResponse {
        GetHousingFileResponse::decode(&self.body[5..]).unwrap()
    }
}

async fn seen<B: hyper::body::Body<Error = hyper::Error, Data = Bytes> + Unpin>(
    response: http::Response<B>,
) -> Seen {
    let (head, mut body) = response.into_parts();
    let mut seen = Seen {
        status: head.status,
        headers: head.headers,
        body: Vec::new(),
        trailers: HeaderMap::new(),
        broken: false,
    };
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(bytes)) => seen.body.extend_from_slice(&bytes),
            Ok(Err(frame)) => seen.trailers = frame.into_trailers().unwrap(),
            Err(_) => {
                seen.broken = true;
                break;
            }
        }
    }
    seen
}

async fn connect(
    address: SocketAddr,
    mut config: ClientConfig,
    alpn: &[u8],
) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(address).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await?;
    Ok(TokioIo::new(stream))
}

impl World {
    async fn post(&self, path: &str, content_type: &str, body: &str) -> Seen {
        let stream =
            connect(self.sandbox.address(Played::Magda), self.client.clone(), b"http/1.1").await.unwrap();
        let (mut sender, connection) = conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post(path)
            .header("host", "localhost")
            .header("content-type", content_type)
            .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
            .body(Full::new(Bytes::from(body.to_owned())));
        seen(sender.send_request(request.unwrap()).await.unwrap()).await
    }

    async fn magda(&self, insz: &str) -> Seen {
        self.post(MAGDA_PATH, "text/xml; charset=utf-8", &question(insz, KNOWN)).await
    }

    async fn call(&self, path: &str, message: &[u8]) -> Seen {
        let stream = connect(self.sandbox.address(Played::Housing), self.client.clone(), b"h2").await.unwrap();
        let (mut sender, connection) = conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post(format!("https://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"))
            .body(Full::new(Bytes::copy_from_slice(message)));
        seen(sender.send_request(request.unwrap()).await.unwrap()).await
    }

    async fn housing(&self, insz: &str) -> Seen {
        let request = GetHousingFileRequest { insz: insz.to_owned(), ..Default::default() };
        let message = frame(&request.encode_to_vec());
        self.call("/sandbox.housing.v1.HousingService/GetHousingFile", &message).await
    }
}

fn question(insz: &str, identification: &str) -> String {
    format!(
        r#"<s:Envelope xmlns:s="{}"><s:Body><GeefPersoon xmlns="{}"><Verzoek xmlns=""><Context><Naam>GeefPersoon</Naam>
        <Versie>02.02.0000</Versie><Bericht><Type>VRAAG</Type><Tijdstip><Datum>2026-11-22</Datum><Tijd>10:00:00.000</Tijd>
        </Tijdstip><Afzender><Identificatie>{identification}</Identificatie><Referte>afzender-1</Referte></Afzender></Bericht>
        </Context><Vragen><Vraag><Referte>vraag-1</Referte><Inhoud><Criteria><INSZ>{insz}</INSZ></Criteria><Bron>RR</Bron>
        <Taal>nl</Taal></Inhoud></Vraag></Vragen></Verzoek></GeefPersoon></s:Body></s:Envelope>"#,
        soap::ENVELOPE,
        operation::GEEF_PERSOON.namespace
    )
}

fn someone(what: impl Fn(&population::Person) -> bool) -> String {
    let population = population().unwrap();
    let found = population.everybody().find(|(_, person)| what(person)).unwrap();
    found.1.insz.clone()
}

#[tokio::test]
async fn strangers_do_not_get_in() {
    let world = world(None).await;
    for (source, alpn) in [(Played::Magda, &b"http/1.1"[..]), (Played::Housing, b"h2")] {
        // In TLS 1.3 the client learns of the refusal with its first read.
        let Ok(stream) = connect(world.sandbox.address(source), world.stranger.clone(), alpn).await else {
            continue;
        };
        let mut stream = stream.into_inner();
        let read = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1]).await;
        assert!(read.is_err(), "{source:?}");
        assert_eq!(world.sandbox.questions(source), 0);
    }
}

#[tokio::test]
async fn questions_are_counted_and_written_down_before_the_answer() {
    let path = std::env::temp_dir().join(format!("sluis-sandbox-journal-{}", std::process::id()));
    let mut world = world(Some(&path)).await;
    let insz = someone(|_| true);
    world.magda(&insz).await;
    world.housing(Trouble::Closed.insz()).await;
    world.post(MAGDA_PATH, "text/xml", "no xml").await;
    let lines = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let closed = pseudonym(Trouble::Closed.insz());
    let expected =
        format!("magda\t{TRACE}\t{}\nhousing\t{TRACE}\t{closed}\nmagda\t{TRACE}\t-\n", pseudonym(&insz));
    assert_eq!(lines, expected);
    assert_eq!(pseudonym("62710512470"), "e12a35d49e680c60");
    assert_eq!((world.sandbox.questions(Played::Magda), world.sandbox.questions(Played::Housing)), (2, 1));

    let address = world.sandbox.address(Played::Magda);
    world.sandbox.stop(Played::Magda).await;
    world.sandbox.stop(Played::Magda).await;
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(world.housing(&insz).await.grpc_status(), "0");
}

#[test]
fn the_list_names_everybody_once() {
    let list = list().unwrap();
    let numbers: HashSet<&str> = list.iter().map(|listed| listed.insz.as_str()).collect();
    assert!(numbers.len() == list.len() && list.len() >= 40 + Trouble::ALL.len());
    assert!(list.iter().any(|listed| listed.note == Trouble::Huge.description()));
    assert!(
        list.iter().any(|listed| listed.note.contains("address protected from 2025-06-01 until 2035-12-31"))
    );
}

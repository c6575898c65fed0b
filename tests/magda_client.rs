//! The wire of MAGDA over the network: mutual TLS, what is sent, and what each status and silence means.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sluis::domain::facts::Facts;
use sluis::domain::grant::Trie;
use sluis::domain::vocabulary::Vocabulary;
use sluis::source::magda::{EndpointError, Envelope, Failure, Limits, MagdaSource, Plan};
use sluis::source::{Retrieved, SourceError};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const PERSON: &str = "<Antwoorden><Antwoord><Inhoud><Persoon><INSZ>85673003360</INSZ></Persoon></Inhoud></Antwoord></Antwoorden>";
const THROTTLE: &str =
    "<e:Fault><faultstring>Exceeded the max throttle rate of 10 within 1000ms</faultstring></e:Fault>";

fn envelope(body: &str) -> String {
    format!(
        r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{body}</e:Body></e:Envelope>"#
    )
}

fn answer(repliek: &str) -> String {
    let namespace = "http://magda.vlaanderen.be/persoon/soap/geefpersoon/v02_02";
    envelope(&format!(
        "<q:GeefPersoonResponse xmlns:q='{namespace}'><Repliek>{repliek}</Repliek></q:GeefPersoonResponse>"
    ))
}

/// An authority, and one certificate of it that serves both ends.
struct Trust {
    roots: Arc<RootCertStore>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Trust {
    fn new() -> Self {
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(["localhost".into()]).unwrap().signed_by(&key, &authority).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        Self {
            roots: Arc::new(roots),
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    fn client(&self) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(Arc::clone(&self.roots));
        config.with_client_auth_cert(vec![self.certificate.clone()], self.key.clone_key()).unwrap()
    }

    fn server(&self) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&self.roots), Arc::clone(&provider))
                .build()
                .unwrap();
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_client_cert_verifier(clients);
        config.with_single_cert(vec![self.certificate.clone()], self.key.clone_key()).unwrap()
    }
}

/// What a played source saw: path, headers and body of each question; and how many connections.
#[derive(Default)]
struct Seen {
    questions: Vec<(String, HeaderMap, Bytes)>,
    connections: usize,
}

/// Plays a source that answers every question with this status and body; none: it never answers.
async fn play(trust: &Trust, reply: Option<(u16, String)>) -> (Uri, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(trust.server()));
    let seen = Arc::new(Mutex::new(Seen::default()));
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            shared.lock().unwrap().connections += 1;
            let (shared, reply) = (Arc::clone(&shared), reply.clone());
            let serve = service_fn(move |request: Request<Incoming>| {
                let (shared, reply) = (Arc::clone(&shared), reply.clone());
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    shared.lock().unwrap().questions.push((head.uri.to_string(), head.headers, body));
                    let Some((status, body)) = reply else { std::future::pending().await };
                    let response = Response::builder().status(status).body(Full::new(Bytes::from(body)));
                    Ok::<_, Infallible>(response.unwrap())
                }
            });
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), serve);
            tokio::spawn(connection);
        }
    });
    (base, seen)
}

/// What came, in a form that a test may show and compare.
#[derive(Debug, PartialEq)]
struct Got {
    answer: Bytes,
    facts: Facts,
}

impl From<Retrieved> for Got {
    fn from(Retrieved { answer, facts }: Retrieved) -> Self {
        Self { answer, facts }
    }
}

async fn ask(source: &MagdaSource, deadline: Duration) -> Result<Got, Failure> {
    let path = "/sluis.rijksregister.v1.PersonService/GetPerson";
    let method = Vocabulary::embedded().unwrap().method(path).unwrap().clone();
    let plan = Plan::compile(&method, &Trie::compile(&method.output, &["person.insz"]).unwrap()).unwrap();
    let path = "/GeefPersoonDienst-02.02/soap/WebService".into();
    let asked = "85673003360".into();
    let question = Envelope { path, body: Bytes::from_static(b"<question/>"), asked };
    source.retrieve(&question, &plan, deadline, TRACE).await.map(Got::from)
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_question_travels_with_its_trace_and_nothing_else() {
    let trust = Trust::new();
    let (base, seen) = play(&trust, Some((200, answer(PERSON)))).await;
    let source = MagdaSource::new(&base, trust.client(), Limits::default()).unwrap();
    for _ in 0..3 {
        let retrieved = ask(&source, LONG).await.unwrap();
        assert_eq!(retrieved.facts.returned.as_deref(), Some("85673003360"));
        assert!(!retrieved.answer.is_empty());
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen.connections, 1, "connections are used again");
    let (path, headers, body) = &seen.questions[0];
    assert_eq!(path, "/GeefPersoonDienst-02.02/soap/WebService");
    assert_eq!(&body[..], b"<question/>");
    let mut sent: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    sent.retain(|(name, _)| *name != "host");
    sent.sort_unstable();
    let expected = [
        ("content-length", "11"),
        ("content-type", "text/xml; charset=utf-8"),
        ("soapaction", "\"\""),
        ("traceparent", TRACE),
    ];
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_status_means_what_its_body_cannot_unsay() {
    let trust = Trust::new();
    let table = [
        (200, envelope(THROTTLE), SourceError::Throttled),
        (200, "<html/>".into(), SourceError::AnswerInvalid),
        (204, String::new(), SourceError::AnswerInvalid),
        (302, answer(PERSON), SourceError::AnswerInvalid),
        (400, answer(PERSON), SourceError::Refused),
        (403, String::new(), SourceError::Refused),
        (429, String::new(), SourceError::Throttled),
        (500, envelope(THROTTLE), SourceError::Throttled),
        (500, envelope("<e:Fault><faultstring>x</faultstring></e:Fault>"), SourceError::Unavailable),
        (500, answer(PERSON), SourceError::Unavailable),
        (503, "down".into(), SourceError::Down),
        (502, "bad".into(), SourceError::BrokenOff),
        (200, answer(&" ".repeat(3000)), SourceError::AnswerTooLarge),
        (500, answer(&" ".repeat(3000)), SourceError::AnswerTooLarge),
    ];
    for (status, body, expected) in table {
        let (base, _) = play(&trust, Some((status, body.clone()))).await;
        let limits = Limits { body: 2000, ..Limits::default() };
        let source = MagdaSource::new(&base, trust.client(), limits).unwrap();
        let failure = ask(&source, LONG).await.unwrap_err().error;
        assert_eq!(failure, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let trust = Trust::new();
    let (base, _) = play(&trust, None).await;
    let source = MagdaSource::new(&base, trust.client(), Limits::default()).unwrap();
    assert_eq!(ask(&source, Duration::from_millis(100)).await, Err(SourceError::TooSlow.into()));
}

#[tokio::test]
async fn a_stranger_is_not_asked() {
    let (trust, stranger) = (Trust::new(), Trust::new());
    let (base, seen) = play(&stranger, Some((200, answer(PERSON)))).await;
    let source = MagdaSource::new(&base, trust.client(), Limits::default()).unwrap();
    assert_eq!(ask(&source, LONG).await, Err(SourceError::Down.into()));
    assert!(seen.lock().unwrap().questions.is_empty());
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let base = format!("https://localhost:{closed}").parse().unwrap();
    let source = MagdaSource::new(&base, trust.client(), Limits::default()).unwrap();
    assert_eq!(ask(&source, LONG).await, Err(SourceError::Down.into()));
}

#[test]
fn an_endpoint_is_a_host_over_tls() {
    let trust = Trust::new();
    for address in ["http://localhost", "https://localhost/path", "https://localhost/?q", "localhost", "/path"]
    {
        let made = MagdaSource::new(&address.parse().unwrap(), trust.client(), Limits::default());
        assert_eq!(made.err(), Some(EndpointError), "{address}");
    }
}

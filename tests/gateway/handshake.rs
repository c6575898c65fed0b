//! Who is kept out before a word is said: foreign, missing and revoked certificates, other protocols.

use std::io;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConfig, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use sluis::cli::demo::Setting;
use sluis::clock;
use sluis::identity::tls::{ALPN_H2, Credentials, certificates, client_config};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::raw::{connect, revoke, tls};
use crate::support::{Ask, Folder, World};

/// What every HTTP/2 client says first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// What the gateway says to whoever speaks HTTP/2: bytes, or the alert that it ended with.
async fn heard(connected: io::Result<TlsStream<TcpStream>>) -> Result<usize, Option<AlertDescription>> {
    let mut stream = match connected {
        Ok(stream) => stream,
        Err(error) => return Err(alert(&error)),
    };
    let mut heard = [0; 64];
    let _ = stream.write_all(PREFACE).await;
    match stream.read(&mut heard).await {
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(alert(&error)),
    }
}

fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

/// A client that shows nothing.
fn nameless(world: &World, version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for authority in certificates(&std::fs::read(world.setting.authority()).unwrap()).unwrap() {
        roots.add(authority).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config
}

#[tokio::test]
async fn whoever_is_not_let_in_gets_an_alert_and_no_http() {
    let world = World::start("alerts").await;
    let own = |organisation: &str| world.setting.party(organisation).unwrap().issued.clone();

    assert!(heard(tls(&world, &own("stad-diest"), &[ALPN_H2]).await).await.unwrap() > 0, "settings are said");
    revoke(&world, "stad-diest");
    world.running().reload().await.unwrap();
    let revoked = heard(tls(&world, &own("stad-diest"), &[ALPN_H2]).await).await;
    assert_eq!(revoked, Err(Some(AlertDescription::CertificateRevoked)));

    let missing = heard(connect(&world, nameless(&world, &TLS13)).await).await;
    assert_eq!(missing, Err(Some(AlertDescription::CertificateRequired)));
    let old = heard(connect(&world, nameless(&world, &TLS12)).await).await;
    assert_eq!(old, Err(Some(AlertDescription::ProtocolVersion)));

    let elsewhere = Folder::new("elsewhere");
    let foreign = Setting::make(&elsewhere.0, clock::now()).unwrap();
    let foreign = heard(connect(&world, showing(&world, &foreign)).await).await;
    assert_eq!(foreign, Err(Some(AlertDescription::UnknownCA)));

    let http1 = heard(tls(&world, &own("stad-leuven"), &[b"http/1.1"]).await).await;
    assert_eq!(http1, Err(Some(AlertDescription::NoApplicationProtocol)));

    world.call(&Ask::default()).await.expect("the others go on");
}

/// A client that trusts this gateway and shows a certificate of another world, though nobody asks for such.
fn showing(world: &World, foreign: &Setting) -> ClientConfig {
    #[derive(Debug)]
    struct Always(Arc<CertifiedKey>);
    impl ResolvesClientCert for Always {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
        fn has_certs(&self) -> bool {
            true
        }
    }
    let read = |path| std::fs::read(path).unwrap();
    let issued = &foreign.party("stad-leuven").unwrap().issued;
    let own = Credentials::from_pem(&read(&issued.certificate), &read(&issued.key)).unwrap();
    let authorities = certificates(&read(&world.setting.authority())).unwrap();
    let mut config = client_config(&own, &authorities, &[ALPN_H2]).unwrap();
    // rustls keeps a certificate to itself that its peer does not ask for.
    let resolver = Arc::clone(&config.client_auth_cert_resolver);
    let schemes = [SignatureScheme::ECDSA_NISTP256_SHA256];
    config.client_auth_cert_resolver = Arc::new(Always(resolver.resolve(&[], &schemes).unwrap()));
    config
}

#[tokio::test]
async fn a_client_that_names_no_protocol_is_not_served() {
    let world = World::start("no-alpn").await;
    let shown = &world.setting.party("stad-leuven").unwrap().issued;
    let mut stream = tls(&world, shown, &[]).await.unwrap();
    let mut heard = Vec::new();
    let _ = stream.write_all(PREFACE).await;
    // However it ends: closed, or reset because nobody read what was sent.
    let _ = stream.read_to_end(&mut heard).await;
    assert!(heard.is_empty(), "{heard:?}");
    world.call(&Ask::default()).await.expect("the others are");
}

//! Real handshakes between rustls and rustls, in memory, at a fixed time.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS12;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, ProtocolVersion, RootCertStore,
    ServerConfig, ServerConnection,
};
use sluis::cli::pki::{Issued, Profile};
use sluis::identity::certificate::PeerCertificate;
use sluis::identity::registry::{Registry, Stranger};
use sluis::identity::tls::{
    ALPN_H2, TlsError, certificates, client_config, server_config, source_server_config,
};

use crate::{World, certificate, credentials, issue, now, peer, seconds};

#[derive(Debug)]
struct Fixed(Timestamp);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        let second = self.0.as_second().unsigned_abs();
        Some(UnixTime::since_unix_epoch(Duration::from_secs(second)))
    }
}

/// What each side says at the end.
struct Outcome {
    server: Result<ServerConnection, Error>,
    client: Result<ClientConnection, Error>,
}

/// The server judges at `at`, the client always now.
fn shake(server: ServerConfig, client: ClientConfig, at: Timestamp) -> Outcome {
    let (mut server, mut client) = (server, client);
    server.time_provider = Arc::new(Fixed(at));
    client.time_provider = Arc::new(Fixed(now()));
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let (mut said_server, mut said_client) = (Ok(()), Ok(()));
    for _ in 0..8 {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).unwrap();
        }
        server.read_tls(&mut flight.as_slice()).unwrap();
        said_server = said_server.and(server.process_new_packets().map(drop));
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        client.read_tls(&mut flight.as_slice()).unwrap();
        said_client = said_client.and(client.process_new_packets().map(drop));
    }
    Outcome { server: said_server.map(|()| server), client: said_client.map(|()| client) }
}

fn listener(world: &World, registry: &Registry) -> ServerConfig {
    server_config(&credentials(&world.gateway), registry.trust()).unwrap()
}

fn caller(world: &World, issued: &Issued) -> ClientConfig {
    let authorities = [certificate(&world.pki.authority())];
    client_config(&credentials(issued), &authorities, &[ALPN_H2]).unwrap()
}

#[test]
fn a_registered_key_comes_through_and_is_recognised() {
    let world = World::new();
    let registry = world.registry();
    let outcome = shake(listener(&world, &registry), caller(&world, &world.parking), now());
    let server = outcome.server.unwrap();
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(server.alpn_protocol(), Some(ALPN_H2));
    let seen = PeerCertificate::from_der(&server.peer_certificates().unwrap()[0]).unwrap();
    let system = registry.caller(&seen, now()).unwrap();
    assert_eq!((system.organisation.id.as_str(), system.name.as_str()), ("stad-leuven", "parking"));
    assert_eq!(outcome.client.unwrap().tls13_tickets_received(), 0, "nothing to resume with");
}

#[test]
fn strangers_end_in_an_alert() {
    let world = World::new();
    let registry = world.registry();
    let elsewhere = World::new();
    let server_only = issue(&world.pki, Profile::Source, None, "source", &["localhost".to_owned()]);
    world.pki.revoke(&world.social.certificate, now()).unwrap();
    let with_revocation = world.registry();

    let mut nameless = caller(&world, &world.parking);
    nameless.client_auth_cert_resolver = Arc::new(NoCertificate);
    // Sends its certificate although the gateway does not name its authority.
    let foreign = caller(&world, &elsewhere.parking);
    let year = seconds(366 * 86_400);
    for (what, registry, client, server_error, alert) in [
        ("missing", &registry, nameless, Error::NoCertificatesPresented, AlertDescription::CertificateRequired),
        ("foreign", &registry, foreign, CertificateError::UnknownIssuer.into(), AlertDescription::UnknownCA),
        (
            "revoked",
            &with_revocation,
            caller(&world, &world.social),
            CertificateError::Revoked.into(),
            AlertDescription::CertificateRevoked,
        ),
    ] {
        let outcome = shake(listener(&world, registry), client, now());
        assert_eq!(outcome.server.err(), Some(server_error), "{what}");
        assert_eq!(outcome.client.err(), Some(Error::AlertReceived(alert)), "{what}");
    }
    let usage = shake(listener(&world, &registry), caller(&world, &server_only), now());
    assert!(matches!(usage.server.err(), Some(Error::InvalidCertificate(_))));
    assert!(matches!(usage.client.err(), Some(Error::AlertReceived(_))));

    let late = caller(&world, &world.parking);
    let outcome = shake(listener(&world, &registry), late, now() + year);
    assert!(matches!(
        outcome.server.err(),
        Some(Error::InvalidCertificate(CertificateError::ExpiredContext { .. }))
    ));
    assert_eq!(outcome.client.err(), Some(Error::AlertReceived(AlertDescription::CertificateExpired)));
}

#[test]
fn a_certificate_revoked_during_a_connection_is_found_by_the_next_request() {
    let world = World::new();
    let before = world.registry();
    let connected = peer(&world.parking.certificate);
    assert!(before.caller(&connected, now()).is_ok());
    world.pki.revoke(&world.parking.certificate, now()).unwrap();
    let after = world.registry();
    assert_eq!(after.caller(&connected, now()), Err(Stranger::Revoked));
    assert!(after.caller(&peer(&world.social.certificate), now()).is_ok(), "the others go on");
    assert_ne!(before.hash(), after.hash());
}

#[test]
fn old_versions_and_other_protocols_are_refused() {
    let world = World::new();
    let registry = world.registry();
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&world.pki.authority())).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let old = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let outcome = shake(listener(&world, &registry), old, now());
    assert!(matches!(outcome.server.err(), Some(Error::PeerIncompatible(_))));

    let mut http1 = caller(&world, &world.parking);
    http1.alpn_protocols = vec![b"http/1.1".to_vec()];
    let outcome = shake(listener(&world, &registry), http1, now());
    assert_eq!(outcome.server.err(), Some(Error::NoApplicationProtocol));
}

#[test]
fn the_gateway_speaks_with_sources_old_and_new() {
    let world = World::new();
    let authorities = [certificate(&world.pki.authority())];
    let source = issue(&world.pki, Profile::Source, None, "source", &["localhost".to_owned()]);
    let server = || source_server_config(&credentials(&source), &authorities, &[b"http/1.1"]).unwrap();
    let client = || client_config(&credentials(&world.gateway), &authorities, &[b"http/1.1"]).unwrap();
    let outcome = shake(server(), client(), now());
    assert_eq!(outcome.client.unwrap().protocol_version(), Some(ProtocolVersion::TLSv1_3));

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_file(&source.key).unwrap();
    let old = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate(&source.certificate)], key)
        .unwrap();
    let outcome = shake(old, client(), now());
    assert_eq!(outcome.client.unwrap().protocol_version(), Some(ProtocolVersion::TLSv1_2));

    let elsewhere = World::new();
    let strange = [certificate(&elsewhere.pki.authority())];
    let client = client_config(&credentials(&world.gateway), &strange, &[b"http/1.1"]).unwrap();
    let outcome = shake(server(), client, now());
    assert_eq!(outcome.client.err(), Some(CertificateError::UnknownIssuer.into()));
}

#[test]
fn stale_revocations_close_only_where_configured() {
    let world = World::new();
    let lenient = world.registry_text();
    let strict = lenient.replace("[callers]\n", "[callers]\nenforce_revocation_expiry = true\n");
    let late = now() + seconds(91 * 86_400);
    for (text, at, stale) in
        [(&lenient, now(), false), (&lenient, late, false), (&strict, now(), false), (&strict, late, true)]
    {
        let registry = world.load(text).unwrap();
        let asked = registry.caller(&peer(&world.parking.certificate), at);
        assert_eq!(asked.err(), stale.then_some(Stranger::StaleRevocations));
        let outcome = shake(listener(&world, &registry), caller(&world, &world.parking), at);
        assert_eq!(outcome.server.is_err(), stale);
        assert_eq!(outcome.client.is_err(), stale);
    }
    let late = world.registry().caller(&peer(&world.parking.certificate), now() + seconds(366 * 86_400));
    assert_eq!(late.err(), Some(Stranger::Expired));
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let world = World::new();
    let mixed = Issued { key: world.social.key.clone(), ..world.gateway.clone() };
    let refused = server_config(&credentials(&mixed), world.registry().trust());
    assert!(matches!(refused, Err(TlsError::Refused(_))));
    let none = fs::read(&world.gateway.key).unwrap();
    assert!(matches!(certificates(&none), Err(TlsError::Certificates)));
}

#[derive(Debug)]
struct NoCertificate;

impl rustls::client::ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

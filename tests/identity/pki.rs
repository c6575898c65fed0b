//! The trial authority: nothing overwritten, keys for their owner only, lists that add up.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sluis::cli::pki::{Pki, PkiArgs, PkiCommand, PkiError, Profile, Subject, run};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::{Folder, World, certificate, issue, now, peer, seconds};

#[test]
fn keys_are_for_their_owner_only() {
    let world = World::new();
    let issuer = world.path("issuers/stad-leuven.key");
    for key in [&world.path("ca.key"), &world.parking.key, &world.gateway.key, &issuer] {
        let mode = fs::metadata(key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", key.display());
    }
}

#[test]
fn init_again_changes_nothing_and_issue_again_is_refused() {
    let world = World::new();
    world.pki.revoke(&world.social.certificate, now()).unwrap();
    let files = ["ca.pem", "ca.key", "crl.pem"];
    let before = files.map(|name| fs::read(world.path(name)).unwrap());
    let again = Pki::create(&world.folder.0, now() + seconds(60)).unwrap();
    assert_eq!(before, files.map(|name| fs::read(world.path(name)).unwrap()));

    let (name, id) = ("parking".parse().unwrap(), "stad-leuven".parse().unwrap());
    let subject = Subject { name: &name, organisation: Some(&id), sans: &[] };
    let refused = again.issue(Profile::Caller, subject, now());
    assert!(matches!(refused, Err(PkiError::Exists(path)) if path == world.parking.certificate));
    assert!(matches!(again.issuer(&id), Err(PkiError::Exists(_))));
}

#[test]
fn certificates_say_what_they_are_for() {
    let world = World::new();
    let source = issue(&world.pki, Profile::Source, None, "source", &["localhost".to_owned()]);
    for (issued, server, client) in
        [(&world.parking, false, true), (&source, true, false), (&world.gateway, true, true)]
    {
        let der = certificate(&issued.certificate);
        let (_, leaf) = X509Certificate::from_der(&der).unwrap();
        let usage = leaf.extended_key_usage().unwrap().unwrap().value;
        assert_eq!((usage.server_auth, usage.client_auth), (server, client));
        let usage = leaf.key_usage().unwrap().unwrap().value;
        assert!(usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign());
        assert!(!leaf.is_ca());
        let (from, to) = (leaf.validity().not_before, leaf.validity().not_after);
        let age = now().as_second() - from.timestamp();
        assert!((0..=2 * 86_400).contains(&age), "backdated by {age} s");
        assert_eq!(to.timestamp(), (now() + seconds(365 * 86_400)).as_second());
    }
    let authority = certificate(&world.pki.authority());
    let (_, authority) = X509Certificate::from_der(&authority).unwrap();
    assert!(authority.is_ca());
    assert!(authority.validity().not_after.timestamp() > now().as_second() + 3_600 * 86_400);
}

#[test]
fn a_server_needs_a_name() {
    let world = World::new();
    let name = "nameless".parse().unwrap();
    let subject = Subject { name: &name, organisation: None, sans: &[] };
    let refused = world.pki.issue(Profile::Source, subject, now());
    assert!(matches!(refused, Err(PkiError::ServerWithoutName)));
}

#[test]
fn revocations_add_up_under_rising_numbers() {
    let world = World::new();
    let read = || {
        let pem = fs::read(world.pki.revocations()).unwrap();
        let (_, pem) = x509_parser::pem::parse_x509_pem(&pem).unwrap();
        let (_, list) = CertificateRevocationList::from_der(&pem.contents).unwrap();
        (u64::try_from(list.crl_number().unwrap()).unwrap(), list.iter_revoked_certificates().count())
    };
    assert_eq!(read(), (1, 0));
    assert!(world.pki.revoke(&world.parking.certificate, now()).unwrap());
    assert_eq!(read(), (2, 1));
    assert!(!world.pki.revoke(&world.parking.certificate, now()).unwrap(), "it is there already");
    assert_eq!(read(), (2, 1));
    assert!(world.pki.revoke(&world.social.certificate, now()).unwrap());
    assert_eq!(read(), (3, 2));

    let elsewhere = World::new();
    let foreign = world.pki.revoke(&elsewhere.parking.certificate, now());
    assert!(matches!(foreign, Err(PkiError::Foreign(_))));
    assert_eq!(read(), (3, 2));
}

#[test]
fn the_command_prints_what_to_register() {
    let folder = Folder::new();
    let dir = folder.0.clone();
    let print = |command| {
        let mut out = Vec::new();
        run(&PkiArgs { command }, now(), &mut out).unwrap();
        String::from_utf8(out).unwrap().trim_end().to_owned()
    };
    print(PkiCommand::Init { dir: dir.clone() });
    let thumbprint = print(PkiCommand::Issue {
        output: sluis::cli::output::Output::Table,
        dir: dir.clone(),
        profile: Profile::Caller,
        name: "parking".parse().unwrap(),
        organisation: None,
        san: vec![],
    });
    assert_eq!(thumbprint, peer(&dir.join("parking.pem")).key().to_string());
    let jwks = print(PkiCommand::Issuer { dir, organisation: "stad-leuven".parse().unwrap() });
    assert!(fs::read_to_string(jwks).unwrap().contains("\"P-256\""));
}

//! The registry: who is told apart, and what a mistake in the files says.

use std::fs;
use std::path::Path;

use sluis::cli::pki::{Profile, Subject};
use sluis::identity::registry::{Fault, Registry, Stranger};

use crate::{World, issue, now, peer};

#[test]
fn two_organisations_that_share_a_kbo_number_stay_apart() {
    let world = World::new();
    let registry = world.registry();
    let zorg = registry.caller(&peer(&world.zorg.certificate), now()).unwrap();
    let wonen = registry.caller(&peer(&world.wonen.certificate), now()).unwrap();
    assert_eq!(zorg.organisation.kbo, wonen.organisation.kbo);
    assert_eq!(zorg.name, wonen.name);
    assert_ne!(zorg.organisation.key(), wonen.organisation.key());
    assert_eq!((zorg.organisation.id.as_str(), wonen.organisation.id.as_str()), ("zorg", "wonen"));
}

#[test]
fn a_processor_acts_for_the_controllers_that_are_named() {
    let world = World::new();
    let registry = world.registry();
    let parking = registry.system(&world.parking.thumbprint).unwrap();
    let ids: Vec<_> = parking.acts_for.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["ocmw-leuven"]);
    assert!(registry.system(&world.social.thumbprint).unwrap().acts_for.is_empty());
}

#[test]
fn a_renewed_certificate_with_the_same_key_keeps_its_registration() {
    let world = World::new();
    let registry = world.registry();
    let old = peer(&world.parking.certificate);
    fs::rename(&world.parking.certificate, world.path("old.pem")).unwrap();
    let renewed = issue(&world.pki, Profile::Caller, Some("stad-leuven"), "parking", &[]);
    let new = peer(&renewed.certificate);
    assert_ne!(old.thumbprint(), new.thumbprint());
    assert_ne!(old.serial(), new.serial());
    assert_eq!(registry.caller(&old, now()).unwrap(), registry.caller(&new, now()).unwrap());

    // The old certificate revoked, the new one goes on.
    world.pki.revoke(&world.path("old.pem"), now()).unwrap();
    let registry = world.registry();
    assert_eq!(registry.caller(&old, now()), Err(Stranger::Revoked));
    assert!(registry.caller(&new, now()).is_ok());
}

#[test]
fn names_in_a_certificate_are_compared_and_never_trusted() {
    let world = World::new();
    // Another key whose certificate claims to be the parking system.
    let name = "parking".parse().unwrap();
    let subject = Subject { name: &name, organisation: None, sans: &[] };
    let impostor = world.pki.issue(Profile::Caller, subject, now()).unwrap();
    let impostor = peer(&impostor.certificate);
    let registry = world.registry();
    assert_eq!(registry.caller(&impostor, now()), Err(Stranger::NotRegistered));

    let parking = registry.system(&world.parking.thumbprint).unwrap();
    assert!(parking.named_by(&impostor), "the name fits, and gives nothing");
    let social = peer(&world.social.certificate);
    assert!(!parking.named_by(&social));
}

#[test]
fn a_certificate_of_an_authority_without_a_list_is_unknown() {
    let (world, elsewhere) = (World::new(), World::new());
    let stranger = peer(&elsewhere.parking.certificate);
    assert_eq!(world.registry().caller(&stranger, now()), Err(Stranger::UnknownIssuer));
}

#[test]
fn the_hash_covers_every_file() {
    let world = World::new();
    let hash = *world.registry().hash();
    assert_eq!(hash, *world.registry().hash());
    for name in ["ca.pem", "crl.pem", "jwks/stad-leuven.json"] {
        let path = world.path(name);
        let before = fs::read(&path).unwrap();
        fs::write(&path, [&before[..], b"\n"].concat()).unwrap();
        assert_ne!(hash, *world.registry().hash(), "{name}");
        fs::write(&path, before).unwrap();
    }
    assert_ne!(hash, *world.load(&(world.registry_text() + "# later\n")).unwrap().hash());
    assert_eq!(hash, *world.registry().hash());
}

#[test]
fn mistakes_are_shown_with_their_line_and_what_to_mend() {
    let world = World::new();
    let good = world.registry_text();
    let key = world.parking.thumbprint.to_string();
    let social = world.social.thumbprint.to_string();
    for (from, to, line, says) in [
        ("name = \"Stad Leuven\"", "naam = \"Stad Leuven\"", 7, "unknown field `naam`"),
        ("kbo = \"0207521503\"", "kbo = \"0207521504\"", 8, "check digits"),
        ("kbo = \"0207521503\"", "kbo = 207521503", 8, "string"),
        (
            "roles = [\"requester\"]\n[organisation.issuer]",
            "roles = [\"asker\"]\n[organisation.issuer]",
            9,
            "unknown variant `asker`",
        ),
        ("jwks = \"jwks/stad-leuven.json\"\n", "", 10, "missing field `jwks`"),
        ("https://issuer", "http://issuer", 11, "https"),
        (key.as_str(), "sha256:abc", 15, "sluis pki issue"),
        ("[\"ocmw-leuven\"]", "[\"ocmw-leuvn\"]", 16, "acts for `ocmw-leuvn`"),
        ("[\"ocmw-leuven\"]", "[\"stad-leuven\"]", 16, "not another organisation"),
        ("id = \"ocmw-leuven\"", "id = \"stad-leuven\"", 19, "line 6"),
        (social.as_str(), key.as_str(), 25, "line 15"),
        ("ovo = \"OVO100001\"\n", "", 30, "add `ovo`"),
        ("OVO100002", "OVO100001", 41, "line 31"),
        ("OVO100002", "OVO1", 41, "six digits"),
        ("[\"crl.pem\"]", "[]", 3, "at least one revocation list"),
        ("[callers]\n", "[callers\n", 1, ""),
    ] {
        assert!(good.contains(from), "{from}");
        let error = world.load(&good.replacen(from, to, 1)).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.line, Some(line), "{text}");
        assert!(text.contains(says), "{text}");
        assert!(text.contains(&format!("registry.toml:{line}: ")), "{text}");
    }
    // The same name twice in one organisation.
    let twice = format!(
        "[[organisation.system]]\nname = \"social\"\nkey = \"{}\"\n\n[[organisation]]\nid = \"zorg\"",
        world.gateway.thumbprint
    );
    let error = world.load(&good.replace("[[organisation]]\nid = \"zorg\"", &twice)).unwrap_err();
    assert!(matches!(error.fault, Fault::DuplicateSystem(24)), "{error}");
}

#[test]
fn a_kbo_number_shared_by_surprise_needs_codes_too() {
    let world = World::new();
    let shared = world.registry_text().replace("0212345668", "0207521503");
    let error = world.load(&shared).unwrap_err();
    assert!(matches!(error.fault, Fault::SharedKboWithoutOvo), "{error}");
    // Nothing tells that the Flemish number is shared when one agency alone uses it, but we know.
    let alone = world.registry_text().replace("0212345668", "0316380841");
    assert!(matches!(world.load(&alone).unwrap_err().fault, Fault::SharedKboWithoutOvo));
}

#[test]
fn files_that_do_not_belong_are_named() {
    let (world, elsewhere) = (World::new(), World::new());
    let break_file = |name: &str, bytes: &[u8]| {
        let before = fs::read(world.path(name)).unwrap();
        fs::write(world.path(name), bytes).unwrap();
        let error = world.load(&world.registry_text()).unwrap_err();
        fs::write(world.path(name), before).unwrap();
        assert!(error.file.ends_with(name), "{error}");
        error.fault
    };
    let foreign = fs::read(elsewhere.path("crl.pem")).unwrap();
    assert!(matches!(break_file("crl.pem", &foreign), Fault::Revocation(_)));
    assert!(matches!(break_file("crl.pem", b""), Fault::Trust(_)));
    assert!(matches!(break_file("ca.pem", b"garbage"), Fault::Trust(_)));
    assert!(matches!(break_file("jwks/stad-leuven.json", b"{}"), Fault::Keys(_)));

    let missing = world.registry_text().replace("jwks/stad-leuven.json", "jwks/nobody.json");
    assert!(matches!(world.load(&missing).unwrap_err().fault, Fault::Unreadable(_)));
    let nowhere = Registry::load(Path::new("/nonexistent/registry.toml")).unwrap_err();
    assert!(matches!(nowhere.fault, Fault::Unreadable(_)));
}

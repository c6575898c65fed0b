//! Tokens: what binds, and what the memory of verified tokens may not forgive.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};
use sluis::cli::token::{TokenArgs, mint};
use sluis::identity::certificate::PeerCertificate;
use sluis::identity::registry::Registry;
use sluis::identity::token::{EndUser, TokenError, TokenVerifier};

use crate::{ISSUER, World, now, organisation, peer, seconds};

pub(crate) const AUDIENCE: &str = "https://sluis.example";

/// A world with its registry, a verifier, and the parking system's certificate.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) registry: Registry,
    pub(crate) verifier: TokenVerifier,
    pub(crate) parking: PeerCertificate,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let world = World::new();
        let (registry, parking) = (world.registry(), peer(&world.parking.certificate));
        Self { world, registry, parking, verifier: TokenVerifier::new(AUDIENCE, 64) }
    }

    pub(crate) fn key(&self) -> EncodingKey {
        let pem = fs::read(self.world.path("issuers/stad-leuven.key")).unwrap();
        EncodingKey::from_ec_pem(&pem).unwrap()
    }

    pub(crate) fn key_id(&self) -> String {
        let jwks = fs::read(self.world.path("jwks/stad-leuven.json")).unwrap();
        let jwks: Value = serde_json::from_slice(&jwks).unwrap();
        jwks["keys"][0]["kid"].as_str().unwrap().to_owned()
    }

    pub(crate) fn claims(&self) -> Value {
        let now = now().as_second();
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "an.agent@leuven.example",
            "iat": now, "nbf": now, "exp": now + 300,
            "cnf": { "x5t#S256": b64(self.parking.thumbprint()) },
        })
    }

    pub(crate) fn signed(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.key_id());
        jsonwebtoken::encode(&header, claims, &self.key()).unwrap()
    }

    pub(crate) fn ask(&self, token: &str, at: Timestamp) -> Result<String, TokenError> {
        self.ask_as(token, &self.parking, "stad-leuven", at)
    }

    fn ask_as(
        &self,
        token: &str,
        peer: &PeerCertificate,
        id: &str,
        at: Timestamp,
    ) -> Result<String, TokenError> {
        let organisation = organisation(&self.registry, id);
        let user = self.verifier.verify(token, peer, organisation, &self.registry, at)?;
        Ok(user.id().to_string())
    }
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

pub(crate) fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn the_command_prints_a_token_that_is_taken() {
    let stage = Stage::new();
    let args = TokenArgs {
        issuer_key: stage.world.path("issuers/stad-leuven.key"),
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        subject: "batch:nightly".to_owned(),
        certificate: stage.world.parking.certificate.clone(),
        lifetime: 60,
        purpose: Some("parking".to_owned()),
        case: None,
    };
    let token = mint(&args, now()).unwrap();
    let organisation = organisation(&stage.registry, "stad-leuven");
    let user: &EndUser =
        &stage.verifier.verify(&token, &stage.parking, organisation, &stage.registry, now()).unwrap();
    assert_eq!((&**user.id(), &**user.asserted_by()), ("batch:nightly", ISSUER));
    assert_eq!((user.purpose(), user.case(), user.client()), (Some("parking"), None, None));
    assert_eq!(user.expires(), now() + seconds(60));
    assert!(user.token_id().is_some());
    assert!(!format!("{user:?}").contains("nightly"), "Debug shows no personal datum");
    assert_ne!(token, mint(&args, now()).unwrap(), "each is fresh");
}

#[test]
fn several_keys_need_a_kid_and_eddsa_is_one_of_them() {
    let stage = Stage::new();
    let ed = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let path = stage.world.path("jwks/stad-leuven.json");
    let mut jwks: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": b64(ed.public_key_raw())});
    jwks["keys"].as_array_mut().unwrap().push(key);
    fs::write(&path, jwks.to_string()).unwrap();
    let stage = Stage { registry: stage.world.registry(), ..stage };

    let private = EncodingKey::from_ed_der(ed.serialized_der());
    let mut header = Header::new(Algorithm::EdDSA);
    let unnamed = jsonwebtoken::encode(&header, &stage.claims(), &private).unwrap();
    assert_eq!(stage.ask(&unnamed, now()).err(), Some(TokenError::KeyUnknown));
    header.kid = Some("ed".to_owned());
    let named = jsonwebtoken::encode(&header, &stage.claims(), &private).unwrap();
    assert!(stage.ask(&named, now()).is_ok());
    assert!(stage.ask(&stage.signed(&stage.claims()), now()).is_ok());
}

#[test]
fn a_token_bound_to_the_key_outlives_the_certificate() {
    let stage = Stage::new();
    let jkt = json!({ "jkt": b64(stage.parking.jwk_thumbprint().unwrap()) });
    let by_key = stage.signed(&with(&stage.claims(), "cnf", jkt));
    let by_certificate = stage.signed(&stage.claims());
    fs::remove_file(&stage.world.parking.certificate).unwrap();
    let renewed =
        crate::issue(&stage.world.pki, sluis::cli::pki::Profile::Caller, Some("stad-leuven"), "parking", &[]);
    let renewed = peer(&renewed.certificate);
    assert!(stage.ask_as(&by_key, &renewed, "stad-leuven", now()).is_ok());
    let refused = stage.ask_as(&by_certificate, &renewed, "stad-leuven", now());
    assert_eq!(refused.err(), Some(TokenError::BoundToAnother));
}

#[test]
fn a_remembered_token_is_still_judged() {
    let stage = Stage::new();
    let token = stage.signed(&stage.claims());
    let social = peer(&stage.world.social.certificate);
    for _ in 0..2 {
        assert!(stage.ask(&token, now()).is_ok());
        assert!(stage.ask(&token, now() + seconds(329)).is_ok());
        assert_eq!(stage.ask(&token, now() + seconds(330)).err(), Some(TokenError::Expired));
        assert_eq!(stage.ask(&token, now() - seconds(31)).err(), Some(TokenError::NotYetValid));
        let stolen = stage.ask_as(&token, &social, "stad-leuven", now());
        assert_eq!(stolen.err(), Some(TokenError::BoundToAnother));
        let elsewhere = stage.ask_as(&token, &stage.parking, "ocmw-leuven", now());
        assert_eq!(elsewhere.err(), Some(TokenError::IssuerUnknown));
    }
}

#[test]
fn a_new_registry_forgets_what_the_old_one_verified() {
    let stage = Stage::new();
    let token = stage.signed(&stage.claims());
    assert!(stage.ask(&token, now()).is_ok());
    let other = KeyPair::generate().unwrap();
    let raw = other.public_key_raw();
    let key = json!({"kty": "EC", "crv": "P-256", "x": b64(&raw[1..33]), "y": b64(&raw[33..])});
    let path = stage.world.path("jwks/stad-leuven.json");
    fs::write(&path, json!({ "keys": [with(&key, "kid", json!(stage.key_id()))] }).to_string()).unwrap();
    let stage = Stage { registry: stage.world.registry(), ..stage };
    assert_eq!(stage.ask(&token, now()).err(), Some(TokenError::Signature));
}

#[test]
fn memory_is_bounded_and_forgets_nothing_that_matters() {
    let stage = Stage::new();
    let small = Stage { verifier: TokenVerifier::new(AUDIENCE, 4), ..stage };
    let tokens: Vec<_> =
        (0..16).map(|n| small.signed(&with(&small.claims(), "sub", json!(format!("user-{n}"))))).collect();
    for _ in 0..2 {
        for (n, token) in tokens.iter().enumerate() {
            assert_eq!(small.ask(token, now()), Ok(format!("user-{n}")));
        }
    }
}

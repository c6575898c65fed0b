//! Tokens that are refused, and why.

use std::fs;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use rcgen::KeyPair;
use serde_json::{Value, json};
use sluis::identity::token::TokenError;

use crate::token::{AUDIENCE, Stage, b64, with, without};
use crate::{now, peer};

/// Signs each set of claims and holds the answer against what is expected.
fn judge<const N: usize>(stage: &Stage, table: [(&str, Value, Result<(), TokenError>); N]) {
    for (what, claims, expected) in table {
        let answer = stage.ask(&stage.signed(&claims), now());
        assert_eq!(answer.map(drop), expected, "{what}");
    }
}

#[test]
fn times_are_held_to_thirty_seconds_and_life_to_five_minutes() {
    use TokenError::{Expired, LifeTooLong, Malformed, NotYetValid};
    let stage = Stage::new();
    let good = stage.claims();
    let second = now().as_second();
    let at = |name: &str, by: i64| with(&good, name, json!(second + by));
    let ended = |by: i64| with(&at("iat", -60), "exp", json!(second + by));
    let table = [
        ("as it should be", good.clone(), Ok(())),
        ("no nbf", without(&good, "nbf"), Ok(())),
        ("nbf 30 s ahead", at("nbf", 30), Ok(())),
        ("nbf 31 s ahead", at("nbf", 31), Err(NotYetValid)),
        ("iat 30 s ahead", at("iat", 30), Ok(())),
        ("iat 31 s ahead", at("iat", 31), Err(NotYetValid)),
        ("expired 29 s ago", ended(-29), Ok(())),
        ("expired 30 s ago", ended(-30), Err(Expired)),
        ("lives 301 s", at("exp", 301), Err(LifeTooLong)),
        ("lives for ever", at("exp", i64::MAX - second), Err(Malformed)),
        ("no exp", without(&good, "exp"), Err(Malformed)),
        ("no iat", without(&good, "iat"), Err(Malformed)),
    ];
    judge(&stage, table);
}

#[test]
fn issuer_audience_and_subject_are_judged() {
    use TokenError::{Audience, Issuer, Malformed, Subject, TooLong};
    let stage = Stage::new();
    let good = stage.claims();
    let set = |name: &str, value: Value| with(&good, name, value);
    let long = |n: usize| json!("x".repeat(n));
    let elsewhere = json!("https://else.example");
    let table = [
        ("another issuer", set("iss", elsewhere.clone()), Err(Issuer)),
        ("no issuer", without(&good, "iss"), Err(Malformed)),
        ("two audiences", set("aud", json!(["other", AUDIENCE])), Ok(())),
        ("another audience", set("aud", elsewhere), Err(Audience)),
        ("start of ours", set("aud", json!("https://sluis")), Err(Audience)),
        ("empty audience", set("aud", json!([])), Err(Audience)),
        ("no audience", without(&good, "aud"), Err(Malformed)),
        ("no subject", without(&good, "sub"), Err(Malformed)),
        ("empty subject", set("sub", json!("")), Err(Subject)),
        ("subject of 128", set("sub", long(128)), Ok(())),
        ("subject of 129", set("sub", long(129)), Err(Subject)),
        ("subject of 2 lines", set("sub", json!("a\nb")), Err(Subject)),
        ("case of 2 lines", set("case", json!("a\nb")), Err(Subject)),
        ("token of 4 KiB", set("sub", long(4096)), Err(TooLong)),
    ];
    judge(&stage, table);
}

#[test]
fn a_token_is_bound_to_this_client() {
    use TokenError::{BoundToAnother, Malformed, Unbound};
    let stage = Stage::new();
    let good = stage.claims();
    let social = peer(&stage.world.social.certificate);
    let cnf = |cnf: Value| with(&good, "cnf", cnf);
    let own = b64(stage.parking.thumbprint());
    let own_key = b64(stage.parking.jwk_thumbprint().unwrap());
    let other = b64(social.thumbprint());
    let other_key = b64(social.jwk_thumbprint().unwrap());
    let table = [
        ("both ours", cnf(json!({"x5t#S256": own, "jkt": own_key})), Ok(())),
        ("our key", cnf(json!({"jkt": own_key})), Ok(())),
        ("unbound", without(&good, "cnf"), Err(Unbound)),
        ("bound to nothing", cnf(json!({})), Err(Unbound)),
        ("bound otherwise", cnf(json!({"jwk": {}})), Err(Unbound)),
        ("another certificate", cnf(json!({"x5t#S256": other})), Err(BoundToAnother)),
        ("another key", cnf(json!({"jkt": other_key})), Err(BoundToAnother)),
        ("half ours", cnf(json!({"x5t#S256": own, "jkt": other_key})), Err(BoundToAnother)),
        ("swapped", cnf(json!({"x5t#S256": own_key, "jkt": own})), Err(BoundToAnother)),
        ("a short hash", cnf(json!({"jkt": "c2hvcnQ"})), Err(Malformed)),
    ];
    judge(&stage, table);
}

#[test]
fn the_key_tells_the_algorithm_and_the_header_may_only_agree() {
    let stage = Stage::new();
    let id = stage.key_id();
    let jwks = fs::read(stage.world.path("jwks/stad-leuven.json")).unwrap();
    let good = stage.signed(&stage.claims());
    let signature = good.rsplit_once('.').unwrap().1;
    let forged = |header: Value, signature: &str| {
        format!("{}.{}.{signature}", b64(header.to_string()), b64(stage.claims().to_string()))
    };
    let hmac = |secret: &[u8]| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(id.clone());
        jsonwebtoken::encode(&header, &stage.claims(), &EncodingKey::from_secret(secret)).unwrap()
    };
    let other_key = KeyPair::generate().unwrap();
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some(id.clone());
    let other = EncodingKey::from_ec_der(other_key.serialized_der());
    let by_other = jsonwebtoken::encode(&header, &stage.claims(), &other).unwrap();
    let mut critical = header.clone();
    critical.extras.insert("crit", ["exp"]);
    let critical = jsonwebtoken::encode(&critical, &stage.claims(), &stage.key()).unwrap();
    let zeros = b64([0; 64]);
    for (what, token, expected) in [
        ("none", forged(json!({"alg": "none", "kid": id}), ""), TokenError::Algorithm),
        ("HS256 with the public key", hmac(&jwks), TokenError::Algorithm),
        ("RS256", forged(json!({"alg": "RS256", "kid": id}), signature), TokenError::Algorithm),
        ("EdDSA", forged(json!({"alg": "EdDSA", "kid": id}), signature), TokenError::Algorithm),
        ("unknown kid", forged(json!({"alg": "ES256", "kid": "x"}), signature), TokenError::KeyUnknown),
        ("another key", by_other, TokenError::Signature),
        ("no signature", forged(json!({"alg": "ES256", "kid": id}), ""), TokenError::Signature),
        ("zero signature", forged(json!({"alg": "ES256", "kid": id}), &zeros), TokenError::Signature),
        ("another's signature", forged(json!({"alg": "ES256", "kid": id}), signature), TokenError::Signature),
        ("critical header", critical, TokenError::Critical),
        ("empty", String::new(), TokenError::Malformed),
        ("two parts", "a.b".to_owned(), TokenError::Malformed),
        ("not base64", "%.%.%".to_owned(), TokenError::Malformed),
        ("four parts", format!("{good}.x"), TokenError::Signature),
        ("claim twice", twice(&stage), TokenError::Malformed),
    ] {
        assert_eq!(stage.ask(&token, now()).err(), Some(expected), "{what}");
    }
    // A set of one key may do without a kid.
    let plain = Header::new(Algorithm::ES256);
    let plain = jsonwebtoken::encode(&plain, &stage.claims(), &stage.key()).unwrap();
    assert!(stage.ask(&plain, now()).is_ok());
}

/// Rightly signed, with `sub` there twice.
fn twice(stage: &Stage) -> String {
    let claims = stage.claims().to_string().replacen('{', r#"{"sub":"someone.else","#, 1);
    let header = json!({"alg": "ES256", "kid": stage.key_id()}).to_string();
    let message = format!("{}.{}", b64(header), b64(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &stage.key(), Algorithm::ES256).unwrap();
    format!("{message}.{signature}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_changed_token_never_passes(at in 0_usize..10_000, letter in "[A-Za-z0-9_.-]") {
        thread_local! {
            static STAGE: (Stage, String) = {
                let stage = Stage::new();
                let token = stage.signed(&stage.claims());
                assert!(stage.ask(&token, now()).is_ok());
                (stage, token)
            };
        }
        STAGE.with(|(stage, token)| {
            let at = at % token.len();
            let mut changed = token.clone();
            changed.replace_range(at..=at, &letter);
            prop_assume!(changed != *token);
            prop_assert!(stage.ask(&changed, now()).is_err());
            Ok(())
        })?;
    }
}

//! The keys with which an organisation signs the tokens of its end users (RFC 7517).

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

use super::certificate::hash_from_base64;

/// The public keys of one issuer. ES256 and `EdDSA` only; the key's own type tells which.
pub struct KeySet {
    keys: Vec<Key>,
}

pub(super) struct Key {
    id: Option<Box<str>>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

#[derive(Deserialize)]
struct SetFile {
    keys: Vec<KeyFile>,
}

// Unknown members are ignored, as RFC 7517 (4) wants; private ones are named, to refuse them.
#[derive(Deserialize)]
struct KeyFile {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    d: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl KeySet {
    /// Reads a JWKS document.
    pub fn from_json(json: &[u8]) -> Result<Self, KeySetError> {
        let file: SetFile = serde_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
        let keys = file.keys.into_iter().map(Key::try_from).collect::<Result<Vec<_>, _>>()?;
        let unnamed = keys.len() > 1 && keys.iter().any(|key| key.id.is_none());
        let twice = (1..keys.len())
            .any(|n| keys.iter().skip(n).any(|key| keys.get(n - 1).is_some_and(|k| k.id == key.id)));
        match () {
            () if keys.is_empty() => Err(KeySetError::Empty),
            () if unnamed => Err(KeySetError::Unnamed),
            () if twice => Err(KeySetError::DuplicateId),
            () => Ok(Self { keys }),
        }
    }

    /// The key with this id; a set of one key may do without.
    pub(super) fn key(&self, id: Option<&str>) -> Option<&Key> {
        match (id, self.keys.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(_), keys) => keys.iter().find(|key| key.id.as_deref() == id),
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl TryFrom<KeyFile> for Key {
    type Error = KeySetError;

    fn try_from(file: KeyFile) -> Result<Self, KeySetError> {
        if file.d.is_some() || file.k.is_some() {
            return Err(KeySetError::Private);
        }
        if file.usage.is_some_and(|usage| usage != "sig") {
            return Err(KeySetError::Usage);
        }
        let x = file.x.as_deref().filter(|x| hash_from_base64(x).is_some());
        let y = file.y.as_deref().filter(|y| hash_from_base64(y).is_some());
        let (algorithm, name, decoding) = match (file.kty.as_str(), file.crv.as_deref(), x, y) {
            ("EC", Some("P-256"), Some(x), Some(y)) => {
                (Algorithm::ES256, "ES256", DecodingKey::from_ec_components(x, y))
            }
            ("OKP", Some("Ed25519"), Some(x), None) => {
                (Algorithm::EdDSA, "EdDSA", DecodingKey::from_ed_components(x))
            }
            _ => return Err(KeySetError::Algorithm),
        };
        if file.alg.is_some_and(|alg| alg != name) {
            return Err(KeySetError::Algorithm);
        }
        let decoding = decoding.map_err(|_| KeySetError::Algorithm)?;
        Ok(Self { id: file.kid.map(Into::into), algorithm, decoding })
    }
}

/// Why a JWKS document was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// Not a JWKS document.
    Malformed,
    /// Holds no key.
    Empty,
    /// Holds a private or shared key.
    Private,
    /// A key that is not for signatures.
    Usage,
    /// A key of another kind than P-256 (ES256) or Ed25519 (`EdDSA`).
    Algorithm,
    /// Several keys, of which one has no id.
    Unnamed,
    /// Two keys with one id.
    DuplicateId,
}

impl fmt::Display for KeySetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a JWKS document: `{\"keys\": [...]}` (RFC 7517)",
            Self::Empty => "the JWKS holds no key: nobody's token could be verified",
            Self::Private => {
                "the JWKS holds a private or shared key: replace that key, it has been seen, and \
                 register the public one"
            }
            Self::Usage => "the JWKS holds a key that is not for signatures: leave it out",
            Self::Algorithm => {
                "the JWKS holds a key that is neither P-256 (ES256) nor Ed25519 (EdDSA): leave it out"
            }
            Self::Unnamed => "the JWKS holds several keys: give each a `kid`",
            Self::DuplicateId => "the JWKS holds two keys with the same `kid`",
        })
    }
}

impl std::error::Error for KeySetError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_public_signature_keys_of_two_kinds_are_taken() {
        let c = "A".repeat(43);
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": c, "kid": "a"});
        let ec = json!({"kty": "EC", "crv": "P-256", "x": c, "y": c, "alg": "ES256", "use": "sig"});
        let with = |base: &serde_json::Value, name: &str, value: &str| {
            let mut key = base.clone();
            key[name] = json!(value);
            key
        };
        for good in [vec![ed.clone()], vec![ec.clone()], vec![ed.clone(), with(&ec, "kid", "b")]] {
            let json = json!({ "keys": good }).to_string();
            assert!(KeySet::from_json(json.as_bytes()).is_ok(), "{json}");
        }
        for (bad, why) in [
            (vec![], KeySetError::Empty),
            (vec![with(&ed, "d", &c)], KeySetError::Private),
            (vec![json!({"kty": "oct", "k": c})], KeySetError::Private),
            (vec![json!({"kty": "RSA", "n": c, "e": "AQAB"})], KeySetError::Algorithm),
            (vec![with(&ec, "crv", "P-384")], KeySetError::Algorithm),
            (vec![with(&ec, "crv", "secp256k1")], KeySetError::Algorithm),
            (vec![with(&ec, "alg", "HS256")], KeySetError::Algorithm),
            (vec![with(&ec, "x", "AAAA")], KeySetError::Algorithm),
            (vec![with(&ec, "use", "enc")], KeySetError::Usage),
            (vec![ed.clone(), ec.clone()], KeySetError::Unnamed),
            (vec![ed.clone(), with(&ec, "kid", "a")], KeySetError::DuplicateId),
        ] {
            let json = json!({ "keys": bad }).to_string();
            assert_eq!(KeySet::from_json(json.as_bytes()).err(), Some(why), "{json}");
        }
        assert_eq!(KeySet::from_json(b"[]").err(), Some(KeySetError::Malformed));
    }
}

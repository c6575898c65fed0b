//! What a peer's certificate says: its public key, which identifies, and what binds tokens to it.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// `id-Ed25519`, RFC 8410.
const ED25519: &str = "1.3.101.112";

/// SHA-256 of a `SubjectPublicKeyInfo` in DER: the public key, whatever certificate carries it.
/// As text: `sha256:` and unpadded base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct KeyThumbprint([u8; 32]);

impl KeyThumbprint {
    /// The thumbprint of a `SubjectPublicKeyInfo` in DER.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// The hash.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyThumbprint({self})")
    }
}

impl FromStr for KeyThumbprint {
    type Err = CertificateError;

    fn from_str(text: &str) -> Result<Self, CertificateError> {
        let hash = text.strip_prefix("sha256:").ok_or(CertificateError::Thumbprint)?;
        hash_from_base64(hash).map(Self).ok_or(CertificateError::Thumbprint)
    }
}

impl TryFrom<String> for KeyThumbprint {
    type Error = CertificateError;

    fn try_from(text: String) -> Result<Self, CertificateError> {
        text.parse()
    }
}

/// A SHA-256 hash from unpadded base64url, as `cnf` members and thumbprints have it.
pub(super) fn hash_from_base64(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// A peer's end-entity certificate, read once per connection. That its chain is sound is the
/// handshake's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    key: KeyThumbprint,
    certificate: [u8; 32],
    jwk: Option<[u8; 32]>,
    issuer: Box<[u8]>,
    serial: Box<[u8]>,
    not_after: Timestamp,
    common_name: Option<Box<str>>,
}

impl PeerCertificate {
    /// Reads an X.509 certificate in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let malformed = |_| CertificateError::Malformed;
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
        if !rest.is_empty() {
            return Err(CertificateError::Malformed);
        }
        let spki = parsed.public_key();
        let not_after = parsed.validity().not_after.timestamp();
        Ok(Self {
            key: KeyThumbprint::of(spki.raw),
            certificate: Sha256::digest(der).into(),
            jwk: jwk_thumbprint(spki),
            issuer: parsed.issuer().as_raw().into(),
            serial: significant(parsed.raw_serial()).into(),
            not_after: Timestamp::from_second(not_after).map_err(malformed)?,
            common_name: common_name(&parsed),
        })
    }

    /// Thumbprint of the public key: the identity.
    pub fn key(&self) -> &KeyThumbprint {
        &self.key
    }

    /// SHA-256 of the DER certificate: `x5t#S256` of RFC 8705.
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.certificate
    }

    /// RFC 7638 thumbprint of the public key: `jkt`. None for keys of a kind that JWK does not name.
    pub fn jwk_thumbprint(&self) -> Option<&[u8; 32]> {
        self.jwk.as_ref()
    }

    /// The issuer's distinguished name, DER.
    pub fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// Serial number, big-endian, without leading zeros.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Last instant of its validity.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// First common name of the subject. To be compared, not trusted.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }
}

/// DER integers may start with a zero byte that is only a sign.
pub(super) fn significant(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    integer.get(zeros..).unwrap_or_default()
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<Box<str>> {
    let attribute = certificate.subject().iter_common_name().next()?;
    attribute.as_str().ok().map(Into::into)
}

/// RFC 7638: SHA-256 over the required members in lexical order, without whitespace.
fn jwk_thumbprint(spki: &SubjectPublicKeyInfo<'_>) -> Option<[u8; 32]> {
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let json = match spki.parsed().ok()? {
        PublicKey::EC(point) => {
            // Uncompressed (SEC 1, 2.3.3). The handshake knows only the NIST curves, so that the
            // length tells the curve.
            let coordinates = point.data().strip_prefix(&[4])?;
            let curve = match coordinates.len() {
                64 => "P-256",
                96 => "P-384",
                132 => "P-521",
                _ => return None,
            };
            let (x, y) = coordinates.split_at_checked(coordinates.len() / 2)?;
            format!(r#"{{"crv":"{curve}","kty":"EC","x":"{}","y":"{}"}}"#, b64(x), b64(y))
        }
        PublicKey::RSA(key) => {
            let (n, e) = (significant(key.modulus), significant(key.exponent));
            format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, b64(e), b64(n))
        }
        PublicKey::Unknown(key) if spki.algorithm.algorithm.to_id_string() == ED25519 => {
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, b64(key))
        }
        _ => return None,
    };
    Some(Sha256::digest(json).into())
}

/// Why bytes or text are not what a certificate has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// Not one X.509 certificate in DER.
    Malformed,
    /// Not a thumbprint of a public key.
    Thumbprint,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not an X.509 certificate",
            Self::Thumbprint => {
                "a key is `sha256:` and the unpadded base64url of the SHA-256 of its \
                 SubjectPublicKeyInfo, as `sluis pki issue` prints it"
            }
        })
    }
}

impl std::error::Error for CertificateError {}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;

    #[test]
    fn jwk_thumbprints_agree_with_an_independent_implementation() {
        use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
        use jsonwebtoken::{Algorithm, EncodingKey};
        for (key, algorithm) in [
            (KeyPair::generate().unwrap(), Algorithm::ES256),
            (KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(), Algorithm::ES384),
        ] {
            let der = CertificateParams::default().self_signed(&key).unwrap();
            let peer = PeerCertificate::from_der(der.der()).unwrap();
            let encoding = EncodingKey::from_ec_der(key.serialized_der());
            let jwk = Jwk::from_encoding_key(&encoding, algorithm).unwrap();
            let expected = jwk.thumbprint(ThumbprintHash::SHA256).unwrap();
            assert_eq!(peer.jwk_thumbprint(), hash_from_base64(&expected).as_ref());
        }
    }

    #[test]
    fn an_ed25519_key_has_a_jwk_thumbprint() {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let der = CertificateParams::default().self_signed(&key).unwrap();
        let peer = PeerCertificate::from_der(der.der()).unwrap();
        let x = URL_SAFE_NO_PAD.encode(key.public_key_raw());
        let json = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        assert_eq!(peer.jwk_thumbprint(), Some(&Sha256::digest(json).into()));
    }

    #[test]
    fn thumbprints_read_back_and_garbage_does_not() {
        let key = KeyPair::generate().unwrap();
        let der = CertificateParams::default().self_signed(&key).unwrap();
        let peer = PeerCertificate::from_der(der.der()).unwrap();
        assert_eq!(peer.key().to_string().parse(), Ok(*peer.key()));
        let padded = format!("{}=", peer.key());
        for bad in ["", "sha256:", "sha1:abc", "sha256:AAAA", padded.as_str()] {
            assert_eq!(bad.parse::<KeyThumbprint>(), Err(CertificateError::Thumbprint), "{bad}");
        }
        let mut longer = der.der().to_vec();
        longer.push(0);
        for bad in [&b""[..], b"\x30\x03abc", &longer] {
            assert_eq!(PeerCertificate::from_der(bad), Err(CertificateError::Malformed));
        }
    }
}

//! Whether an answer was signed by whom we know, and whether what is read of it is what was signed.
//!
//! The key is one of those that are configured; what the message says of its key is not read. The signature must cover
//! the SOAP body that the envelope really has, by an id that stands once; parts beside it that it names must fit too.

use std::fmt;

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RsaParameters, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::canonical::canonical;
use super::scan::{Place, Reference, scan};
use super::{Algorithm, Digest, EXCLUSIVE, Unsigned};
use crate::source::magda::Limits;

/// Who may sign the answers of a source: RSA public keys of at least 2048 bits.
#[derive(Clone)]
pub struct Signatories(Vec<Vec<u8>>);

/// A certificate cannot be that of a signatory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatoryError {
    /// There is none.
    None,
    /// It cannot be read.
    Malformed,
    /// Its key is not RSA.
    NotRsa,
}

impl fmt::Display for SignatoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "holds no certificate of who signs the answers",
            Self::Malformed => "holds a certificate that cannot be read",
            Self::NotRsa => "holds a certificate whose key is not RSA: answers are signed by RSA",
        })
    }
}

impl std::error::Error for SignatoryError {}

impl Signatories {
    /// The keys of these certificates. Their validity is not looked at: they are pinned, and taken out of the
    /// configuration when they shall no longer count.
    ///
    /// # Errors
    /// [`SignatoryError`].
    pub fn of(certificates: &[CertificateDer<'_>]) -> Result<Self, SignatoryError> {
        let key = |certificate: &CertificateDer<'_>| {
            let (_, certificate) =
                X509Certificate::from_der(certificate).map_err(|_| SignatoryError::Malformed)?;
            let key = certificate.public_key();
            match key.parsed() {
                Ok(PublicKey::RSA(_)) => Ok(key.subject_public_key.data.to_vec()),
                Ok(_) => Err(SignatoryError::NotRsa),
                Err(_) => Err(SignatoryError::Malformed),
            }
        };
        if certificates.is_empty() {
            return Err(SignatoryError::None);
        }
        certificates.iter().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the body of this SOAP message is signed by one of them.
    ///
    /// # Errors
    /// [`Unsigned`], whatever the reason: who forges learns nothing.
    pub fn verify(&self, text: &str, limits: &Limits) -> Result<(), Unsigned> {
        let scanned = scan(text, limits)?;
        let signature = scanned.signature.ok_or(Unsigned)?;
        let body = scanned.body.filter(|id| !id.is_empty()).ok_or(Unsigned)?;
        if !signature.references.iter().any(|reference| reference.uri.strip_prefix('#') == Some(&*body)) {
            return Err(Unsigned);
        }
        // The signature first: what it covers costs more to look at.
        let (method, list) = &signature.canonicalisation;
        if method != EXCLUSIVE {
            return Err(Unsigned);
        }
        let info = form(text, signature.info.as_ref().ok_or(Unsigned)?, list, limits)?;
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.uri() == signature.method);
        let parameters = parameters(algorithm.ok_or(Unsigned)?);
        let value = base64(&signature.value)?;
        let signs =
            |key: &Vec<u8>| UnparsedPublicKey::new(parameters, key).verify(info.as_bytes(), &value).is_ok();
        if !self.0.iter().any(signs) {
            return Err(Unsigned);
        }
        for reference in &signature.references {
            let id = reference.uri.strip_prefix('#').ok_or(Unsigned)?;
            let place = scanned.by_id.get(id).and_then(Option::as_ref).ok_or(Unsigned)?;
            fits(text, reference, place, limits)?;
        }
        Ok(())
    }
}

fn parameters(algorithm: Algorithm) -> &'static RsaParameters {
    match algorithm {
        Algorithm::RsaSha256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RsaSha512 => &RSA_PKCS1_2048_8192_SHA512,
    }
}

/// Whether a part has the digest that was signed.
fn fits(text: &str, reference: &Reference, place: &Place, limits: &Limits) -> Result<(), Unsigned> {
    let [(transform, list)] = reference.transforms.as_slice() else { return Err(Unsigned) };
    if transform != EXCLUSIVE {
        return Err(Unsigned);
    }
    let digest = Digest::ALL.into_iter().find(|digest| digest.uri() == reference.digest_method);
    let digest = digest.ok_or(Unsigned)?.of(form(text, place, list, limits)?.as_bytes());
    if base64(&reference.digest)? == digest { Ok(()) } else { Err(Unsigned) }
}

fn form(text: &str, place: &Place, list: &str, limits: &Limits) -> Result<String, Unsigned> {
    let inclusive: Vec<&str> =
        list.split_ascii_whitespace().map(|prefix| if prefix == "#default" { "" } else { prefix }).collect();
    let element = text.get(place.at.clone()).ok_or(Unsigned)?;
    canonical(element, &place.scope, &inclusive, limits.attributes)
}

fn base64(text: &str) -> Result<Vec<u8>, Unsigned> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).map_err(|_| Unsigned)
}

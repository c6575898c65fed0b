//! XML signatures of SOAP messages: ours on questions, a source's on its answers.
//!
//! Exactly what platforms like MAGDA and the Crossroads Bank ask for, and no more of XML Signature (W3C, version 1.1):
//! RSA with SHA-256 or SHA-512, exclusive canonicalisation 1.0 without comments, parts of the same document named by
//! their id, of which the SOAP body is one. No `XPath`, no enveloped signatures, no SHA-1, no key taken from the message:
//! who may sign is configured.
//!
//! ```text
//! sign       envelope → the same with a header that signs its body
//! scan       document → where body, signature and what has an id stand
//! canonical  an element → its one form
//! verify     document, who may sign → signed, or not
//! ```

mod canonical;
mod scan;
mod sign;
#[cfg(test)]
mod tests;
mod verify;

pub(in crate::source) use canonical::escape;
pub use sign::{KeyReference, Signer, SignerError};
pub use verify::{Signatories, SignatoryError};

/// How an RSA signature is made (RFC 8017, PKCS #1 v1.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// With SHA-256.
    #[default]
    RsaSha256,
    /// With SHA-512.
    RsaSha512,
}

impl Algorithm {
    const ALL: [Self; 2] = [Self::RsaSha256, Self::RsaSha512];

    const fn uri(self) -> &'static str {
        match self {
            Self::RsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            Self::RsaSha512 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        }
    }

    const fn digest(self) -> Digest {
        match self {
            Self::RsaSha256 => Digest::Sha256,
            Self::RsaSha512 => Digest::Sha512,
        }
    }
}

/// A digest of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digest {
    Sha256,
    Sha512,
}

impl Digest {
    const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    const fn uri(self) -> &'static str {
        match self {
            Self::Sha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
            Self::Sha512 => "http://www.w3.org/2001/04/xmlenc#sha512",
        }
    }

    fn of(self, bytes: &[u8]) -> Vec<u8> {
        use sha2::Digest as _;
        match self {
            Self::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
        }
    }
}

/// Exclusive canonicalisation 1.0, without comments.
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// XML Signature.
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
/// SOAP 1.1.
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// WS-Security 1.0 (OASIS, 2004).
const WSSE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
/// Its utilities, among them the id of an element.
const WSU: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";

/// The document cannot be read as one that is signed in a known way. Says nothing of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsigned;

impl From<quick_xml::Error> for Unsigned {
    fn from(_: quick_xml::Error) -> Self {
        Self
    }
}

//! Signs the body of a question. What the gateway writes is in canonical form already, so that only the namespaces
//! that stand outside the body have to be thought of.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Algorithm, DSIG, EXCLUSIVE, SOAP, WSSE, WSU};

/// How a signature says whose key made it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyReference {
    /// WS-Security's X.509 token profile: the certificate as a binary security token.
    #[default]
    BinaryToken,
    /// The same, with the whole chain (`PKIPath`).
    PathToken,
    /// XML Signature alone, without WS-Security: the certificate as `X509Data`.
    X509Data,
}

/// The gateway's own signature on questions to one source.
#[derive(Debug)]
pub struct Signer {
    key: RsaKeyPair,
    algorithm: Algorithm,
    reference: KeyReference,
    /// The certificate or the chain, as the key reference has it, in base64.
    token: Box<str>,
}

/// Why a signer cannot be made, or does not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerError {
    /// The key is not RSA of at least 2048 bits.
    Key,
    /// There is no certificate.
    NoCertificate,
    /// The message is none that the gateway wrote.
    Message,
    /// The key did not sign.
    Refused,
}

impl fmt::Display for SignerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "the signing key is not RSA of 2048 bits or more, in PKCS #8 or PKCS #1",
            Self::NoCertificate => "there is no certificate of the signing key",
            Self::Message => "the message is none that the gateway wrote",
            Self::Refused => "the key did not sign",
        })
    }
}

impl std::error::Error for SignerError {}

/// The id of the body in questions, and of the token.
const BODY: &str = "Body";
const TOKEN: &str = "X509";
const TOKEN_PROFILE: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0";
const BASE64: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";

/// Where the questions that the gateway writes have their header and begin their body.
const UNSIGNED: &str = "<soapenv:Header/><soapenv:Body>";

impl Signer {
    /// Signs with `key`, whose certificate is the first of `chain`.
    ///
    /// # Errors
    /// [`SignerError`].
    pub fn new(
        key: &PrivateKeyDer<'_>,
        chain: &[CertificateDer<'_>],
        algorithm: Algorithm,
        reference: KeyReference,
    ) -> Result<Self, SignerError> {
        let key = match key {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err(SignerError::Key),
        };
        let key = key.map_err(|_| SignerError::Key)?;
        let first = chain.first().ok_or(SignerError::NoCertificate)?;
        let token = match reference {
            KeyReference::BinaryToken | KeyReference::X509Data => STANDARD.encode(first),
            KeyReference::PathToken => STANDARD.encode(path(chain)),
        };
        Ok(Self { key, algorithm, reference, token: token.into() })
    }

    /// The same message with a signature of its body in its header.
    ///
    /// # Errors
    /// [`SignerError`].
    pub fn sign(&self, envelope: &str) -> Result<String, SignerError> {
        let (before, rest) = envelope.split_once(UNSIGNED).ok_or(SignerError::Message)?;
        let (content, after) = rest.rsplit_once("</soapenv:Body>").ok_or(SignerError::Message)?;
        let (id, space) = match self.reference {
            KeyReference::X509Data => ("Id", String::new()),
            _ => ("wsu:Id", format!(r#" xmlns:wsu="{WSU}""#)),
        };
        let body =
            format!(r#"<soapenv:Body xmlns:soapenv="{SOAP}"{space} {id}="{BODY}">{content}</soapenv:Body>"#);
        let digest = self.algorithm.digest();
        let info = format!(
            concat!(
                r#"<ds:SignedInfo xmlns:ds="{dsig}">"#,
                r#"<ds:CanonicalizationMethod Algorithm="{exclusive}"></ds:CanonicalizationMethod>"#,
                r#"<ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>"#,
                r##"<ds:Reference URI="#{body}"><ds:Transforms>"##,
                r#"<ds:Transform Algorithm="{exclusive}"></ds:Transform></ds:Transforms>"#,
                r#"<ds:DigestMethod Algorithm="{digest}"></ds:DigestMethod>"#,
                r#"<ds:DigestValue>{value}</ds:DigestValue></ds:Reference></ds:SignedInfo>"#,
            ),
            dsig = DSIG,
            exclusive = EXCLUSIVE,
            method = self.algorithm.uri(),
            body = BODY,
            digest = digest.uri(),
            value = STANDARD.encode(digest.of(body.as_bytes())),
        );
        let signature = format!(
            r#"<ds:Signature xmlns:ds="{DSIG}">{info}<ds:SignatureValue>{value}</ds:SignatureValue>{key}</ds:Signature>"#,
            value = STANDARD.encode(self.value(info.as_bytes())?),
            key = self.key_info(),
        );
        Ok([before, "<soapenv:Header>", &self.header(&signature), "</soapenv:Header>", &body, after].concat())
    }

    fn value(&self, info: &[u8]) -> Result<Vec<u8>, SignerError> {
        let padding = match self.algorithm {
            Algorithm::RsaSha256 => &RSA_PKCS1_SHA256,
            Algorithm::RsaSha512 => &RSA_PKCS1_SHA512,
        };
        let mut value = vec![0; self.key.public_modulus_len()];
        self.key.sign(padding, &SystemRandom::new(), info, &mut value).map_err(|_| SignerError::Refused)?;
        Ok(value)
    }

    fn token_type(&self) -> &'static str {
        if self.reference == KeyReference::PathToken { "X509PKIPathv1" } else { "X509v3" }
    }

    fn key_info(&self) -> String {
        match self.reference {
            KeyReference::X509Data => format!(
                "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
                self.token
            ),
            _ => format!(
                concat!(
                    r#"<ds:KeyInfo><wsse:SecurityTokenReference>"#,
                    r##"<wsse:Reference URI="#{}" ValueType="{}#{}"></wsse:Reference>"##,
                    r#"</wsse:SecurityTokenReference></ds:KeyInfo>"#,
                ),
                TOKEN,
                TOKEN_PROFILE,
                self.token_type()
            ),
        }
    }

    fn header(&self, signature: &str) -> String {
        match self.reference {
            KeyReference::X509Data => signature.to_owned(),
            _ => format!(
                concat!(
                    r#"<wsse:Security xmlns:wsse="{wsse}" xmlns:wsu="{wsu}" soapenv:mustUnderstand="1">"#,
                    r#"<wsse:BinarySecurityToken EncodingType="{base64}" ValueType="{profile}#{kind}" wsu:Id="{id}">"#,
                    r#"{token}</wsse:BinarySecurityToken>{signature}</wsse:Security>"#,
                ),
                wsse = WSSE,
                wsu = WSU,
                base64 = BASE64,
                profile = TOKEN_PROFILE,
                kind = self.token_type(),
                id = TOKEN,
                token = self.token,
                signature = signature,
            ),
        }
    }
}

/// The DER of a `PKIPath` (RFC 6066, 10.1): a sequence of certificates, that of the key last.
fn path(chain: &[CertificateDer<'_>]) -> Vec<u8> {
    let length = chain.iter().map(|certificate| certificate.len()).sum::<usize>();
    let bytes = length.to_be_bytes();
    let significant = bytes.iter().skip_while(|byte| **byte == 0);
    let mut der = vec![0x30];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => der.push(short),
        _ => {
            let significant: Vec<u8> = significant.copied().collect();
            der.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
            der.extend(significant);
        }
    }
    chain.iter().rev().for_each(|certificate| der.extend_from_slice(certificate));
    der
}

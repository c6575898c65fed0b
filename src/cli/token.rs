//! `sluis token`: prints a fresh bearer token, as an organisation's own issuer would make it.
//! For the demo, tests and trials.

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

use super::Exit;
use crate::identity::certificate::PeerCertificate;

/// Print a fresh bearer token
#[derive(Clone, clap::Args)]
pub struct TokenArgs {
    /// The issuer's private key (P-256, PKCS #8 in PEM), as `sluis pki issuer` makes it
    #[arg(long, value_name = "FILE")]
    pub issuer_key: PathBuf,
    /// The issuer, as the registry has it
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// The gateway's audience
    #[arg(long)]
    pub audience: String,
    /// The end user
    #[arg(long, value_name = "USER")]
    pub subject: String,
    /// The client certificate to bind the token to
    #[arg(long, value_name = "FILE")]
    pub certificate: PathBuf,
    /// How long it lives, in seconds, at most 300
    #[arg(long, value_name = "SECONDS", default_value_t = 300,
          value_parser = clap::value_parser!(i64).range(1..=300))]
    pub lifetime: i64,
    /// The purpose to assert
    #[arg(long)]
    pub purpose: Option<String>,
    /// The case to assert
    #[arg(long)]
    pub case: Option<String>,
}

// The subject is a personal datum.
impl fmt::Debug for TokenArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenArgs").finish_non_exhaustive()
    }
}

/// Makes the token.
pub fn mint(args: &TokenArgs, now: Timestamp) -> Result<String, MintError> {
    let read = |path: &Path| fs::read(path).map_err(|e| MintError::Unreadable(path.to_owned(), e));
    let malformed = |path: &Path| MintError::Malformed(path.to_owned());

    let certificate =
        CertificateDer::from_pem_slice(&read(&args.certificate)?).map_err(|_| malformed(&args.certificate))?;
    let certificate = PeerCertificate::from_der(&certificate).map_err(|_| malformed(&args.certificate))?;
    let key = EncodingKey::from_ec_pem(&read(&args.issuer_key)?).map_err(|_| malformed(&args.issuer_key))?;
    let mut header = Header::new(Algorithm::ES256);
    header.kid = public_jwk(&key).map_err(|_| malformed(&args.issuer_key))?.common.key_id;

    let mut token_id = [0; 16];
    getrandom::fill(&mut token_id).map_err(|_| MintError::NoRandomness)?;
    let mut claims = json!({
        "iss": args.issuer,
        "aud": args.audience,
        "sub": args.subject,
        "iat": now.as_second(),
        "nbf": now.as_second(),
        "exp": now.as_second() + args.lifetime,
        "jti": URL_SAFE_NO_PAD.encode(token_id),
        "cnf": { "x5t#S256": URL_SAFE_NO_PAD.encode(certificate.thumbprint()) },
    });
    if let Some(claims) = claims.as_object_mut() {
        let asserted = [("purpose", &args.purpose), ("case", &args.case)];
        claims.extend(
            asserted
                .into_iter()
                .filter_map(|(name, value)| value.as_ref().map(|value| (name.to_owned(), json!(value)))),
        );
    }
    jsonwebtoken::encode(&header, &claims, &key).map_err(|_| malformed(&args.issuer_key))
}

/// Makes the token and prints it.
pub fn run(args: &TokenArgs, now: Timestamp, out: &mut dyn Write) -> Result<(), MintError> {
    let token = mint(args, now)?;
    writeln!(out, "{token}").map_err(|e| MintError::Unreadable("standard output".into(), e))
}

/// The public half of an ES256 key; its id is its RFC 7638 thumbprint.
pub(super) fn public_jwk(key: &EncodingKey) -> Result<Jwk, jsonwebtoken::errors::Error> {
    let mut jwk = Jwk::from_encoding_key(key, Algorithm::ES256)?;
    jwk.common.key_id = Some(jwk.thumbprint(ThumbprintHash::SHA256)?);
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    Ok(jwk)
}

/// Why there is no token.
#[derive(Debug)]
pub enum MintError {
    /// The file cannot be read or written.
    Unreadable(PathBuf, std::io::Error),
    /// The file does not hold a P-256 private key or a certificate.
    Malformed(PathBuf),
    /// The operating system gives no randomness.
    NoRandomness,
}

impl MintError {
    /// How a command ends with it.
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Unreadable(..) | Self::NoRandomness => Exit::Unavailable,
            Self::Malformed(_) => Exit::Configuration,
        }
    }
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, _) => write!(f, "{}: cannot be read or written", path.display()),
            Self::Malformed(path) => {
                write!(f, "{}: does not hold the key or certificate that it should", path.display())
            }
            Self::NoRandomness => f.write_str("the operating system gives no randomness"),
        }
    }
}

impl std::error::Error for MintError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, error) => Some(error),
            _ => None,
        }
    }
}

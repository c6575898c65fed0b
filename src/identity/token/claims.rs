//! The header and the claims of a token, as far as they are read. A claim that is there twice is
//! refused, so that nobody reads another value than we do.

use serde::Deserialize;

use super::TokenError;

#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    pub(super) crit: Option<serde::de::IgnoredAny>,
}

// Times are whole seconds: RFC 7519 allows fractions, issuers do not use them.
#[derive(Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: Audience,
    pub(super) sub: String,
    pub(super) iat: i64,
    pub(super) exp: i64,
    pub(super) nbf: Option<i64>,
    pub(super) cnf: Option<Confirmation>,
    pub(super) jti: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) case: Option<String>,
    pub(super) client: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    pub(super) fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Many(many) => many.iter().any(|one| one == audience),
        }
    }
}

/// What the token is bound to (RFC 7800).
#[derive(Deserialize)]
pub(super) struct Confirmation {
    /// SHA-256 of the client's certificate (RFC 8705, 3.1).
    #[serde(rename = "x5t#S256")]
    pub(super) certificate: Option<String>,
    /// Thumbprint of the client's public key (RFC 7638).
    #[serde(rename = "jkt")]
    pub(super) key: Option<String>,
}

/// A name as a log can show it: 1 to 128 printable ASCII characters.
pub(super) fn name(text: Option<String>) -> Result<Option<Box<str>>, TokenError> {
    let printable =
        |text: &String| (1..=128).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    match text {
        Some(text) if !printable(&text) => Err(TokenError::Subject),
        text => Ok(text.map(Into::into)),
    }
}

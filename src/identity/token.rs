//! Who asks: the end user (or batch process), from a bearer JWT (RFC 7519) that the organisation's
//! own issuer signed and that is bound to the client's certificate or key (RFC 8705, RFC 7800).
//!
//! Not OAuth: no introspection, no keys fetched over the network, no scopes. A token may be used
//! again until it expires; its signature is then not verified again, everything else is.

mod cache;
mod claims;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use sha2::{Digest as _, Sha256};

use self::cache::Cache;
use self::claims::{Claims, Header};
use super::certificate::{PeerCertificate, hash_from_base64};
use super::registry::Registry;
use crate::domain::party::{Organisation, OrganisationId};

/// How far clocks may differ.
pub const LEEWAY: SignedDuration = SignedDuration::from_secs(30);
/// How long a token may live, from `iat` to `exp`.
pub const MAX_LIFE: SignedDuration = SignedDuration::from_mins(5);
/// How long a token may be, in bytes: more than a real one, less than a header may be.
pub const MAX_LENGTH: usize = 4096;

/// Who asks, and who says so. Proof of a verified token: only [`TokenVerifier::verify`] makes one.
#[derive(Clone, PartialEq, Eq)]
pub struct EndUser {
    id: Arc<str>,
    asserted_by: Arc<str>,
    expires: Timestamp,
    token_id: Option<Box<str>>,
    purpose: Option<Box<str>>,
    case: Option<Box<str>>,
    client: Option<Box<str>>,
}

impl EndUser {
    /// The user as the issuer knows them (`sub`). A personal datum.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The issuer that says so (`iss`).
    pub fn asserted_by(&self) -> &Arc<str> {
        &self.asserted_by
    }

    /// When the token expires (`exp`): until then its `jti` must be remembered, plus [`LEEWAY`].
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The token's own id (`jti`), unique for its issuer.
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// The purpose that the issuer asserts.
    pub fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
    }

    /// The case that the issuer asserts.
    pub fn case(&self) -> Option<&str> {
        self.case.as_deref()
    }

    /// The client that the issuer asserts.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }
}

impl fmt::Debug for EndUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndUser").field("asserted_by", &self.asserted_by).finish_non_exhaustive()
    }
}

/// Verifies tokens, and remembers those whose signature it has verified.
pub struct TokenVerifier {
    audience: Box<str>,
    cache: Mutex<Cache>,
}

impl TokenVerifier {
    /// For tokens meant for this audience; remembers at most `capacity` of them.
    pub fn new(audience: &str, capacity: usize) -> Self {
        Self { audience: audience.into(), cache: Mutex::new(Cache::new(capacity)) }
    }

    /// The end user that a token names. The peer's certificate, the organisation that it belongs
    /// to and the registry are those of this request; a token that was verified under another
    /// registry or for another organisation is verified anew.
    pub fn verify(
        &self,
        token: &str,
        peer: &PeerCertificate,
        organisation: &Organisation,
        registry: &Registry,
        now: Timestamp,
    ) -> Result<Arc<EndUser>, TokenError> {
        if token.len() > MAX_LENGTH {
            return Err(TokenError::TooLong);
        }
        let digest = Sha256::digest(token).into();
        let known = self.cache.lock().unwrap_or_else(PoisonError::into_inner).find(&digest);
        if let Some(known) = known.filter(|known| known.is_for(organisation, registry)) {
            return known.admit(peer, now);
        }
        let verified = Arc::new(self.verify_anew(token, organisation, registry)?);
        let user = verified.admit(peer, now)?;
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, verified);
        Ok(user)
    }

    fn verify_anew(
        &self,
        token: &str,
        organisation: &Organisation,
        registry: &Registry,
    ) -> Result<Verified, TokenError> {
        let issuer = registry.issuer(&organisation.id).ok_or(TokenError::IssuerUnknown)?;
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = part(header)?;
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        // The key's own type tells the algorithm (RFC 8725, 3.1); the header may only agree.
        let key = issuer.keys.key(header.kid.as_deref()).ok_or(TokenError::KeyUnknown)?;
        if header.alg != algorithm_name(key.algorithm) {
            return Err(TokenError::Algorithm);
        }
        let genuine = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.decoding, key.algorithm);
        if !genuine.unwrap_or(false) {
            return Err(TokenError::Signature);
        }

        let claims: Claims = part(payload)?;
        if claims.iss != *issuer.url {
            return Err(TokenError::Issuer);
        }
        if !claims.aud.contains(&self.audience) {
            return Err(TokenError::Audience);
        }
        Verified::new(claims, organisation, registry)
    }
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier").field("audience", &self.audience).finish_non_exhaustive()
    }
}

fn part<T: serde::de::DeserializeOwned>(encoded: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
}

fn algorithm_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::ES256 => "ES256",
        Algorithm::EdDSA => "EdDSA",
        _ => "", // a key set has no other
    }
}

/// A token whose signature, issuer and audience are right. Whether it may be used now, on this
/// connection, is asked each time.
struct Verified {
    user: Arc<EndUser>,
    organisation: OrganisationId,
    registry: [u8; 32],
    not_before: Timestamp,
    certificate: Option<[u8; 32]>,
    key: Option<[u8; 32]>,
}

impl Verified {
    fn new(claims: Claims, organisation: &Organisation, registry: &Registry) -> Result<Self, TokenError> {
        let instant = |at| Timestamp::from_second(at).map_err(|_| TokenError::Malformed);
        let (issued, expires) = (instant(claims.iat)?, instant(claims.exp)?);
        if expires.duration_since(issued) > MAX_LIFE {
            return Err(TokenError::LifeTooLong);
        }
        let cnf = claims.cnf.ok_or(TokenError::Unbound)?;
        let thumbprint = |text: Option<String>| {
            text.map(|text| hash_from_base64(&text).ok_or(TokenError::Malformed)).transpose()
        };
        let (certificate, key) = (thumbprint(cnf.certificate)?, thumbprint(cnf.key)?);
        if certificate.is_none() && key.is_none() {
            return Err(TokenError::Unbound);
        }
        let user = EndUser {
            id: claims::name(Some(claims.sub))?.ok_or(TokenError::Subject)?.into(),
            asserted_by: claims.iss.into(),
            expires,
            token_id: claims::name(claims.jti)?,
            purpose: claims::name(claims.purpose)?,
            case: claims::name(claims.case)?,
            client: claims::name(claims.client)?,
        };
        Ok(Self {
            user: Arc::new(user),
            organisation: organisation.id.clone(),
            registry: *registry.hash(),
            not_before: issued.max(claims.nbf.map_or(Ok(issued), instant)?),
            certificate,
            key,
        })
    }

    fn is_for(&self, organisation: &Organisation, registry: &Registry) -> bool {
        self.organisation == organisation.id && self.registry == *registry.hash()
    }

    fn admit(&self, peer: &PeerCertificate, now: Timestamp) -> Result<Arc<EndUser>, TokenError> {
        // Differences are taken, not sums: those cannot leave the calendar.
        if now.duration_since(self.user.expires) >= LEEWAY {
            return Err(TokenError::Expired);
        }
        if self.not_before.duration_since(now) > LEEWAY {
            return Err(TokenError::NotYetValid);
        }
        let certificate_fits = self.certificate.is_none_or(|bound| bound == *peer.thumbprint());
        let key_fits = self.key.is_none_or(|bound| peer.jwk_thumbprint() == Some(&bound));
        if !certificate_fits || !key_fits {
            return Err(TokenError::BoundToAnother);
        }
        Ok(self.user.clone())
    }
}

/// Why a token names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Longer than [`MAX_LENGTH`].
    TooLong,
    /// Not a signed JWT with the claims that are needed, in their form.
    Malformed,
    /// Has critical headers, of which none is understood.
    Critical,
    /// The organisation has no issuer.
    IssuerUnknown,
    /// The issuer has no such key, or several and the token does not say which.
    KeyUnknown,
    /// Another algorithm than the key's.
    Algorithm,
    /// The signature is wrong.
    Signature,
    /// Another issuer than the organisation's.
    Issuer,
    /// Meant for another audience.
    Audience,
    /// Expired.
    Expired,
    /// Not valid yet.
    NotYetValid,
    /// Lives longer than [`MAX_LIFE`].
    LifeTooLong,
    /// Not bound to a client.
    Unbound,
    /// Bound to another client than the one at the other end of this connection.
    BoundToAnother,
    /// Names no subject, or one that is too long or not printable.
    Subject,
}

impl TokenError {
    /// What is wrong with the token. Holds nothing of it.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::TooLong => "the token is longer than 4096 bytes",
            Self::Malformed => "the token is not a JWT with iss, aud, sub, iat, exp and cnf in their form",
            Self::Critical => "the token has critical headers that are not understood",
            Self::IssuerUnknown => "no issuer is registered for the organisation",
            Self::KeyUnknown => "the issuer's registered keys have none with the token's kid",
            Self::Algorithm => "the token's alg is not that of the key: ES256 or EdDSA",
            Self::Signature => "the token's signature is wrong",
            Self::Issuer => "the token's iss is not the organisation's registered issuer",
            Self::Audience => "the token's aud does not name this gateway",
            Self::Expired => "the token is expired",
            Self::NotYetValid => "the token is not valid yet: compare the clocks",
            Self::LifeTooLong => "the token lives longer than 5 minutes",
            Self::Unbound => "the token is not bound to a client: add cnf with x5t#S256 or jkt",
            Self::BoundToAnother => "the token is bound to another client certificate or key",
            Self::Subject => "the token's names are not 1 to 128 printable ASCII characters",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause())
    }
}

impl std::error::Error for TokenError {}

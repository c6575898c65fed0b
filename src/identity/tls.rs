//! TLS on both sides of the gateway. Every configuration is made afresh and shares no sessions
//! with another, so that a reload forgets what the old one trusted.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// ALPN of HTTP/2 over TLS (RFC 9113, 3.2).
pub const ALPN_H2: &[u8] = b"h2";

/// A certificate chain, end entity first, and its private key.
pub struct Credentials {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Credentials {
    /// Reads PEM: the chain, and the key in PKCS #8, PKCS #1 or SEC 1.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key)?;
        Ok(Self { chain, key })
    }

    /// The chain, end entity first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// What a caller's certificate is held against at the handshake.
#[derive(Clone, Debug)]
pub struct CallerTrust {
    /// The authorities that certify callers.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Their revocation lists, of every authority that issues end-entity certificates.
    pub revocations: Vec<CertificateRevocationListDer<'static>>,
    /// Refuse all callers once a list is past its `nextUpdate`. Off by default: a list that failed
    /// to arrive would close the gateway, while an old list still knows what it knew.
    pub enforce_revocation_expiry: bool,
}

impl CallerTrust {
    /// The check of a client certificate: chain, validity, usage, revocation of the end entity;
    /// an issuer without a list is refused.
    pub fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let roots = Arc::new(roots(&self.authorities)?);
        let mut builder = WebPkiClientVerifier::builder_with_provider(roots, provider())
            .with_crls(self.revocations.iter().cloned())
            .only_check_end_entity_revocation();
        if self.enforce_revocation_expiry {
            builder = builder.enforce_revocation_expiration();
        }
        builder.build().map_err(|_| TlsError::Revocations)
    }
}

/// The gateway's own listener: TLS 1.3, client certificate required, `h2` and nothing else. No
/// resumption, for a resumed session would not look at the revocation lists again. A client that
/// offers no ALPN at all gets through the handshake: the accept loop asks `alpn_protocol()`.
pub fn server_config(own: &Credentials, callers: &CallerTrust) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(TlsError::Refused)?
        .with_client_cert_verifier(callers.verifier()?)
        .with_single_cert(own.chain.clone(), own.key.clone_key())
        .map_err(TlsError::Refused)?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The gateway as client of one source: TLS 1.2 or newer, with our certificate, and only the
/// authorities that certify this source.
pub fn client_config(
    own: &Credentials,
    authorities: &[CertificateDer<'static>],
    alpn: &[&[u8]],
) -> Result<ClientConfig, TlsError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Refused)?
        .with_root_certificates(roots(authorities)?)
        .with_client_auth_cert(own.chain.clone(), own.key.clone_key())
        .map_err(TlsError::Refused)?;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// A source as the sandbox plays it: TLS 1.2 or newer, client certificate required, no
/// revocation lists.
pub fn source_server_config(
    own: &Credentials,
    authorities: &[CertificateDer<'static>],
    alpn: &[&[u8]],
) -> Result<ServerConfig, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(authorities)?), provider())
        .build()
        .map_err(|_| TlsError::NoAuthority)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TlsError::Refused)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(own.chain.clone(), own.key.clone_key())
        .map_err(TlsError::Refused)?;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// The certificates of a PEM bundle, at least one.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| TlsError::Certificates)?;
    if all.is_empty() { Err(TlsError::Certificates) } else { Ok(all) }
}

/// The revocation lists of a PEM file, at least one.
pub fn revocation_lists(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let all: Vec<_> = CertificateRevocationListDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::Revocations)?;
    if all.is_empty() { Err(TlsError::Revocations) } else { Ok(all) }
}

fn roots(authorities: &[CertificateDer<'_>]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for authority in authorities {
        store.add(authority.clone()).map_err(|_| TlsError::Certificates)?;
    }
    if store.is_empty() { Err(TlsError::NoAuthority) } else { Ok(store) }
}

/// Named in each configuration, for other crates may bring another provider along.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Why there is no TLS configuration.
#[derive(Debug)]
pub enum TlsError {
    /// No certificate in PEM.
    Certificates,
    /// No private key in PEM.
    Key,
    /// No authority to trust.
    NoAuthority,
    /// No revocation list in PEM, or one that cannot be used.
    Revocations,
    /// rustls does not take it, for instance a key that is not the certificate's.
    Refused(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificates => "the file holds no certificate in PEM, or one that is malformed",
            Self::Key => "the file holds no private key in PEM (PKCS #8, PKCS #1 or SEC 1)",
            Self::NoAuthority => "name at least one authority to trust",
            Self::Revocations => {
                "the file holds no certificate revocation list in PEM, or one of a kind that is \
                 not read (delta, indirect)"
            }
            Self::Refused(_) => "certificate and key cannot be used together",
        })
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

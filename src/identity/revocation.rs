//! Which certificates are revoked, so that a long connection can be refused in the middle.
//!
//! The same lists go into the handshake. Only end-entity certificates are looked up, here and
//! there: a rogue intermediate authority gains nothing, since the *registered key* identifies.
//! Delta and indirect lists are not read.

use std::collections::{HashMap, HashSet};
use std::fmt;

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::certificate::{PeerCertificate, significant};

/// What the lists say about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its issuer's list does not have it.
    Good,
    /// Revoked.
    Revoked,
    /// No list of its issuer is here.
    Unknown,
}

/// The revocation lists, by issuer.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    serials: HashMap<Box<[u8]>, HashSet<Box<[u8]>>>,
    next_update: Option<Timestamp>,
}

impl Revocations {
    /// Reads the lists. Each must be signed by one of the authorities; several of one issuer add up.
    pub fn read(
        lists: &[CertificateRevocationListDer<'_>],
        authorities: &[CertificateDer<'_>],
    ) -> Result<Self, RevocationError> {
        let mut all = Self::default();
        for list in lists {
            let (_, list) =
                CertificateRevocationList::from_der(list).map_err(|_| RevocationError::Malformed)?;
            if !authorities.iter().any(|authority| signed_by(&list, authority)) {
                return Err(RevocationError::Foreign);
            }
            let serials = all.serials.entry(list.issuer().as_raw().into()).or_default();
            serials.extend(list.iter_revoked_certificates().map(|r| significant(r.raw_serial()).into()));
            let next = list.next_update().and_then(|at| Timestamp::from_second(at.timestamp()).ok());
            all.next_update = all.next_update.into_iter().chain(next).min();
        }
        Ok(all)
    }

    /// Looks a certificate up.
    pub fn standing(&self, certificate: &PeerCertificate) -> Standing {
        match self.serials.get(certificate.issuer()) {
            None => Standing::Unknown,
            Some(serials) if serials.contains(certificate.serial()) => Standing::Revoked,
            Some(_) => Standing::Good,
        }
    }

    /// When the first of the lists should have been replaced by a newer one: worth an alarm.
    pub fn next_update(&self) -> Option<Timestamp> {
        self.next_update
    }
}

fn signed_by(list: &CertificateRevocationList<'_>, authority: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(authority).is_ok_and(|(_, authority)| {
        authority.subject().as_raw() == list.issuer().as_raw()
            && list.verify_signature(authority.public_key()).is_ok()
    })
}

/// Why a revocation list was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationError {
    /// Not a certificate revocation list.
    Malformed,
    /// Not signed by an authority of the bundle.
    Foreign,
}

impl fmt::Display for RevocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a certificate revocation list",
            Self::Foreign => "the revocation list is not signed by an authority of the bundle",
        })
    }
}

impl std::error::Error for RevocationError {}

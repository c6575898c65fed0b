//! Who is known: organisations, the keys of their systems, the issuers of their end users' tokens,
//! and what certificates are held against. `registry.toml` and all files it names are one unit:
//! read once, checked together, hashed together, replaced together.
//!
//! The registered public key identifies. A renewed certificate with the same key keeps its
//! registration; a new key is registered as a system of its own before the old one goes.

mod file;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::certificate::{KeyThumbprint, PeerCertificate};
use super::jwks::{KeySet, KeySetError};
use super::revocation::{RevocationError, Revocations, Standing};
use super::tls::{CallerTrust, TlsError};
use crate::domain::party::{Organisation, OrganisationId, SystemName};

/// A system of an organisation, known by its public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// Whose it is.
    pub organisation: Arc<Organisation>,
    /// Its name there.
    pub name: SystemName,
    /// Its public key.
    pub thumbprint: KeyThumbprint,
    /// The controllers for whom the organisation may act as processor with it.
    pub acts_for: Box<[Arc<Organisation>]>,
}

impl System {
    /// Whether the certificate's common name is one of the names registered for this system. A
    /// difference is worth a line in the log of operation, and nothing more.
    pub fn named_by(&self, certificate: &PeerCertificate) -> bool {
        let organisation = &self.organisation;
        certificate.common_name().is_some_and(|name| {
            [self.name.as_str(), organisation.id.as_str(), &organisation.name].contains(&name)
                || organisation.kbo.to_string() == name
                || organisation.ovo.is_some_and(|ovo| ovo.to_string() == name)
        })
    }
}

/// Who signs the tokens of an organisation's end users.
#[derive(Debug)]
pub struct Issuer {
    pub(super) url: Box<str>,
    pub(super) keys: KeySet,
}

/// All that is registered, as of one moment.
#[derive(Debug)]
pub struct Registry {
    organisations: BTreeMap<OrganisationId, Arc<Organisation>>,
    systems: HashMap<KeyThumbprint, Arc<System>>,
    issuers: HashMap<OrganisationId, Issuer>,
    trust: CallerTrust,
    revocations: Revocations,
    hash: [u8; 32],
}

impl Registry {
    /// Reads `registry.toml` and every file it names, relative to its folder. All or nothing.
    pub fn load(path: &Path) -> Result<Self, RegistryError> {
        file::load(path)
    }

    /// SHA-256 over the bytes of all files, for the log: a domain tag, then `registry.toml`, then
    /// the others by name; before each its name as written and its length (u64, big-endian, each).
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }

    /// The organisation with this id.
    pub fn organisation(&self, id: &OrganisationId) -> Option<&Arc<Organisation>> {
        self.organisations.get(id)
    }

    /// All organisations, by id.
    pub fn organisations(&self) -> impl Iterator<Item = &Arc<Organisation>> {
        self.organisations.values()
    }

    /// The system with this public key.
    pub fn system(&self, key: &KeyThumbprint) -> Option<Arc<System>> {
        self.systems.get(key).cloned()
    }

    /// The system behind a certificate, asked per request: what the handshake saw may be revoked
    /// or expired by now, and this registry may be newer than the connection.
    pub fn caller(&self, peer: &PeerCertificate, now: Timestamp) -> Result<Arc<System>, Stranger> {
        match self.revocations.standing(peer) {
            Standing::Good => {}
            Standing::Revoked => return Err(Stranger::Revoked),
            Standing::Unknown => return Err(Stranger::UnknownIssuer),
        }
        if now > peer.not_after() {
            return Err(Stranger::Expired);
        }
        let stale = self.revocations.next_update().is_some_and(|next| now > next);
        if stale && self.trust.enforce_revocation_expiry {
            return Err(Stranger::StaleRevocations);
        }
        self.system(peer.key()).ok_or(Stranger::NotRegistered)
    }

    /// What the listener holds client certificates against.
    pub fn trust(&self) -> &CallerTrust {
        &self.trust
    }

    /// The revocation lists.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    pub(super) fn issuer(&self, organisation: &OrganisationId) -> Option<&Issuer> {
        self.issuers.get(organisation)
    }
}

/// Why a certificate that passed the handshake is not a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// Revoked since.
    Revoked,
    /// Expired since.
    Expired,
    /// Its issuer's revocation list is gone.
    UnknownIssuer,
    /// A revocation list is past its `nextUpdate`, and the registry enforces that.
    StaleRevocations,
    /// No system has this key.
    NotRegistered,
}

impl Stranger {
    /// What is wrong. Constant.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::Revoked => "the certificate is revoked",
            Self::Expired => "the certificate is expired",
            Self::UnknownIssuer => "no revocation list of the certificate's issuer is registered",
            Self::StaleRevocations => "the revocation lists are past their next update",
            Self::NotRegistered => "no system is registered with this public key",
        }
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause())
    }
}

impl std::error::Error for Stranger {}

/// What is wrong in the registry, and where.
#[derive(Debug)]
pub struct RegistryError {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1, where there is one to show.
    pub line: Option<usize>,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.fault)
    }
}

impl std::error::Error for RegistryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Unreadable(error) => Some(error),
            Fault::Trust(TlsError::Refused(error)) => Some(error),
            _ => None,
        }
    }
}

/// What can be wrong in the registry.
#[derive(Debug)]
pub enum Fault {
    /// The file cannot be read.
    Unreadable(std::io::Error),
    /// Not TOML, an unknown or missing key, a malformed value.
    Syntax(String),
    /// Two organisations have one id; the first is on this line.
    DuplicateOrganisation(usize),
    /// Several organisations have this KBO number and this one has no OVO code.
    SharedKboWithoutOvo,
    /// Two organisations have one OVO code; the first is on this line.
    DuplicateOvo(usize),
    /// Two systems of an organisation have one name; the first is on this line.
    DuplicateSystem(usize),
    /// Two systems have one public key; the first is on this line.
    DuplicateKey(usize),
    /// Acts for an organisation that is not in the registry, or for itself.
    UnknownController(OrganisationId),
    /// No revocation list is named.
    NoRevocations,
    /// The issuer is not a URL.
    IssuerUrl,
    /// The issuer's keys.
    Keys(KeySetError),
    /// The authorities of callers.
    Trust(TlsError),
    /// A revocation list.
    Revocation(RevocationError),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(_) => f.write_str("cannot be read"),
            Self::Syntax(message) => f.write_str(message),
            Self::DuplicateOrganisation(line) => {
                write!(f, "the organisation of line {line} has this id too: give each its own")
            }
            Self::SharedKboWithoutOvo => f.write_str(
                "several organisations share this KBO number: add `ovo`, the code that tells them \
                 apart",
            ),
            Self::DuplicateOvo(line) => {
                write!(f, "the organisation of line {line} has this OVO code too: correct one of them")
            }
            Self::DuplicateSystem(line) => {
                write!(f, "the system of line {line} has this name too: give each its own")
            }
            Self::DuplicateKey(line) => write!(
                f,
                "the system of line {line} has this key too: a key identifies one system, make \
                 another with `sluis pki issue`"
            ),
            Self::UnknownController(id) => write!(
                f,
                "acts for `{id}`, which is not another organisation of this registry: add it, or \
                 leave it out"
            ),
            Self::NoRevocations => {
                f.write_str("name at least one revocation list: an empty one, signed by the authority, will do")
            }
            Self::IssuerUrl => f.write_str("an issuer is an https URL, as its tokens have it in `iss`"),
            Self::Keys(error) => error.fmt(f),
            Self::Trust(error) => error.fmt(f),
            Self::Revocation(error) => error.fmt(f),
        }
    }
}

//! `sluis pki`: a small certificate authority for the demo, tests and trials.
//!
//! Not for production: its key lies on a disk. Every function can be called again; none overwrites
//! a key or a certificate.

mod args;
mod error;
mod profile;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::Add;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::JwkSet;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

pub use self::args::{PkiArgs, PkiCommand, run};
pub use self::error::PkiError;
pub use self::profile::Profile;
use self::profile::Profiles;
use super::token::public_jwk;
use crate::domain::party::{OrganisationId, SystemName};
use crate::identity::certificate::{KeyThumbprint, PeerCertificate};

/// A certificate authority in a folder: `ca.pem`, `ca.key`, `crl.pem`, and what it issued.
pub struct Pki {
    dir: PathBuf,
    authority: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    profiles: Profiles,
}

/// What a certificate is issued for.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Common name, and the name of the files.
    pub name: &'a SystemName,
    /// Organisation, in front of the name of the files.
    pub organisation: Option<&'a OrganisationId>,
    /// DNS names and IP addresses; a server needs one.
    pub sans: &'a [String],
}

/// An issued certificate.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PKCS #8 in PEM.
    pub key: PathBuf,
    /// Of the public key: what the registry wants.
    pub thumbprint: KeyThumbprint,
}

/// The key of a token issuer.
#[derive(Clone, Debug)]
pub struct TokenIssuer {
    /// The private key, PKCS #8 in PEM.
    pub key: PathBuf,
    /// The public key, JWKS.
    pub jwks: PathBuf,
}

impl Pki {
    /// Makes the authority, with an empty revocation list; opens it if it is there already.
    pub fn create(dir: &Path, now: Timestamp) -> Result<Self, PkiError> {
        fs::create_dir_all(dir).map_err(|error| PkiError::io(dir, error))?;
        let profiles = Profiles::built_in()?;
        let path = dir.join("ca.pem");
        if !path.exists() {
            let key = key_pair(&dir.join("ca.key"))?;
            let mut params = certificate_params(profiles.validity(profiles.authority.days, now)?)?;
            let [a, b, c, d, ..] = random_serial()?;
            let mark = u32::from_be_bytes([a, b, c, d]);
            params.distinguished_name.push(DnType::CommonName, format!("Sluis trial authority {mark:08x}"));
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            let pem = params.self_signed(&key).map_err(PkiError::Refused)?.pem();
            write_new(&path, pem.as_bytes(), 0o644)?;
        }
        let pki = Self::open(dir)?;
        if !pki.revocations().exists() {
            pki.sign_revocations(1, Vec::new(), now)?;
        }
        Ok(pki)
    }

    /// Opens an authority that [`Pki::create`] made.
    pub fn open(dir: &Path) -> Result<Self, PkiError> {
        let path = dir.join("ca.pem");
        let key = read_key(&dir.join("ca.key"))?;
        let certificate = read_certificate(&path)?;
        let authority = Issuer::from_ca_cert_der(&certificate, key).map_err(PkiError::Refused)?;
        Ok(Self { dir: dir.to_owned(), authority, certificate, profiles: Profiles::built_in()? })
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Its revocation list.
    pub fn revocations(&self) -> PathBuf {
        self.dir.join("crl.pem")
    }

    /// Issues a certificate. If only its key is there the key is used: so a certificate is renewed
    /// by moving the old one away.
    pub fn issue(&self, profile: Profile, subject: Subject<'_>, now: Timestamp) -> Result<Issued, PkiError> {
        let leaf = self.profiles.leaf(profile);
        if leaf.server && subject.sans.is_empty() {
            return Err(PkiError::ServerWithoutName);
        }
        let stem = match subject.organisation {
            Some(organisation) => format!("{organisation}.{}", subject.name),
            None => subject.name.to_string(),
        };
        let certificate = self.dir.join(format!("{stem}.pem"));
        let key = self.dir.join(format!("{stem}.key"));
        if certificate.exists() {
            return Err(PkiError::Exists(certificate));
        }
        let mut params = certificate_params(self.profiles.validity(leaf.days, now)?)?;
        params.subject_alt_names =
            CertificateParams::new(subject.sans).map_err(PkiError::Refused)?.subject_alt_names;
        params.distinguished_name.push(DnType::CommonName, subject.name.as_str());
        if let Some(organisation) = subject.organisation {
            params.distinguished_name.push(DnType::OrganizationName, organisation.as_str());
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let usages = [
            (leaf.server, ExtendedKeyUsagePurpose::ServerAuth),
            (leaf.client, ExtendedKeyUsagePurpose::ClientAuth),
        ];
        params.extended_key_usages = usages.into_iter().filter_map(|(on, usage)| on.then_some(usage)).collect();
        params.use_authority_key_identifier_extension = true;

        let signed = params.signed_by(&key_pair(&key)?, &self.authority).map_err(PkiError::Refused)?;
        write_new(&certificate, signed.pem().as_bytes(), 0o644)?;
        let thumbprint = *peer(&certificate, signed.der())?.key();
        Ok(Issued { certificate, key, thumbprint })
    }

    /// Puts a certificate on the revocation list, under the next number. False if it is there.
    pub fn revoke(&self, certificate: &Path, now: Timestamp) -> Result<bool, PkiError> {
        let lock = File::open(self.authority()).map_err(|e| PkiError::io(&self.authority(), e))?;
        lock.lock().map_err(|e| PkiError::io(&self.authority(), e))?;
        let der = read_certificate(certificate)?;
        let peer = peer(certificate, &der)?;
        if !self.issued(&der) {
            return Err(PkiError::Foreign(certificate.to_owned()));
        }
        let (number, mut revoked) = self.revoked()?;
        if revoked.iter().any(|earlier| earlier.serial_number.as_ref() == peer.serial()) {
            return Ok(false);
        }
        revoked.push(revocation(peer.serial(), now.as_second()));
        self.sign_revocations(number + 1, revoked, now)?;
        Ok(true)
    }

    /// Makes the key with which an organisation signs the tokens of its end users, and the JWKS
    /// that the registry names.
    pub fn issuer(&self, organisation: &OrganisationId) -> Result<TokenIssuer, PkiError> {
        let key = self.dir.join("issuers").join(format!("{organisation}.key"));
        let jwks = self.dir.join("jwks").join(format!("{organisation}.json"));
        if jwks.exists() {
            return Err(PkiError::Exists(jwks));
        }
        for path in [&key, &jwks] {
            let folder = path.parent().unwrap_or(&self.dir);
            fs::create_dir_all(folder).map_err(|error| PkiError::io(folder, error))?;
        }
        let private = EncodingKey::from_ec_der(key_pair(&key)?.serialized_der());
        let public = public_jwk(&private).map_err(|_| PkiError::Malformed(key.clone()))?;
        let json = serde_json::to_vec_pretty(&JwkSet { keys: vec![public] })
            .map_err(|_| PkiError::Malformed(jwks.clone()))?;
        write_new(&jwks, &json, 0o644)?;
        Ok(TokenIssuer { key, jwks })
    }

    fn issued(&self, der: &[u8]) -> bool {
        let own = X509Certificate::from_der(&self.certificate);
        let leaf = X509Certificate::from_der(der);
        matches!((own, leaf), (Ok((_, own)), Ok((_, leaf)))
            if leaf.issuer().as_raw() == own.subject().as_raw()
                && leaf.verify_signature(Some(own.public_key())).is_ok())
    }

    /// Number and entries of the present list.
    fn revoked(&self) -> Result<(u64, Vec<RevokedCertParams>), PkiError> {
        let path = self.revocations();
        let malformed = || PkiError::Malformed(path.clone());
        let pem = fs::read(&path).map_err(|error| PkiError::io(&path, error))?;
        let der = CertificateRevocationListDer::from_pem_slice(&pem).map_err(|_| malformed())?;
        let (_, list) = CertificateRevocationList::from_der(&der).map_err(|_| malformed())?;
        let number = list.crl_number().and_then(|number| u64::try_from(number).ok());
        let entries = list.iter_revoked_certificates().map(|entry| {
            let serial: Vec<u8> = entry.raw_serial().iter().copied().skip_while(|byte| *byte == 0).collect();
            revocation(&serial, entry.revocation_date.timestamp())
        });
        Ok((number.ok_or_else(malformed)?, entries.collect()))
    }

    fn sign_revocations(
        &self,
        number: u64,
        revoked_certs: Vec<RevokedCertParams>,
        now: Timestamp,
    ) -> Result<(), PkiError> {
        let (from, to) = self.profiles.validity(self.profiles.revocations.days, now)?;
        let list = CertificateRevocationListParams {
            this_update: moment(date_time_ymd(1970, 1, 1), from.as_second()),
            next_update: moment(date_time_ymd(1970, 1, 1), to.as_second()),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let pem = list.signed_by(&self.authority).and_then(|list| list.pem()).map_err(PkiError::Refused)?;
        // Replaced as a whole: a gateway that reads meanwhile sees the old list or the new one.
        let (path, fresh) = (self.revocations(), self.dir.join("crl.pem.new"));
        fs::write(&fresh, pem).map_err(|error| PkiError::io(&fresh, error))?;
        fs::rename(&fresh, &path).map_err(|error| PkiError::io(&path, error))
    }
}

fn peer(path: &Path, der: &[u8]) -> Result<PeerCertificate, PkiError> {
    PeerCertificate::from_der(der).map_err(|_| PkiError::Malformed(path.to_owned()))
}

fn revocation(serial: &[u8], at: i64) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: moment(date_time_ymd(1970, 1, 1), at),
        reason_code: None,
        invalidity_date: None,
    }
}

fn certificate_params((from, to): (Timestamp, Timestamp)) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.not_before = moment(date_time_ymd(1970, 1, 1), from.as_second());
    params.not_after = moment(date_time_ymd(1970, 1, 1), to.as_second());
    // rcgen would derive it from the key, so that a renewed certificate had the old one's number.
    params.serial_number = Some(SerialNumber::from_slice(&random_serial()?));
    params.distinguished_name = DistinguishedName::new();
    Ok(params)
}

/// The instant in the type that rcgen wants, which it does not name for us.
fn moment<T: Add<Duration, Output = T>>(epoch: T, second: i64) -> T {
    epoch + Duration::from_secs(second.unsigned_abs())
}

/// 127 random bits, positive and without leading zeros (RFC 5280, 4.1.2.2).
fn random_serial() -> Result<[u8; 16], PkiError> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|_| PkiError::NoRandomness)?;
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(serial)
}

fn key_pair(path: &Path) -> Result<KeyPair, PkiError> {
    if path.exists() {
        return read_key(path);
    }
    let key = KeyPair::generate().map_err(PkiError::Refused)?;
    write_new(path, key.serialize_pem().as_bytes(), 0o600)?;
    Ok(key)
}

fn read_key(path: &Path) -> Result<KeyPair, PkiError> {
    let pem = fs::read_to_string(path).map_err(|error| PkiError::io(path, error))?;
    KeyPair::from_pem(&pem).map_err(|_| PkiError::Malformed(path.to_owned()))
}

fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, PkiError> {
    let pem = fs::read(path).map_err(|error| PkiError::io(path, error))?;
    CertificateDer::from_pem_slice(&pem).map_err(|_| PkiError::Malformed(path.to_owned()))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PkiError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    created.and_then(|mut file| file.write_all(bytes)).map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            PkiError::Exists(path.to_owned())
        } else {
            PkiError::io(path, error)
        }
    })
}

/// A duration of whole days.
fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

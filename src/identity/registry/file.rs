//! The form of `registry.toml`, and the checks across its records.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::{Fault, Issuer, Registry, RegistryError, System};
use crate::domain::party::{Kbo, Organisation, OrganisationId, OvoCode, Role, SystemName};
use crate::identity::certificate::KeyThumbprint;
use crate::identity::jwks::KeySet;
use crate::identity::revocation::Revocations;
use crate::identity::tls::{self, CallerTrust};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistryFile {
    callers: CallersFile,
    #[serde(default, rename = "organisation")]
    organisations: Vec<OrganisationFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallersFile {
    authorities: String,
    revocations: Spanned<Vec<String>>,
    #[serde(default)]
    enforce_revocation_expiry: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrganisationFile {
    id: Spanned<OrganisationId>,
    name: String,
    kbo: Spanned<Kbo>,
    ovo: Option<Spanned<OvoCode>>,
    roles: Vec<Role>,
    issuer: Option<IssuerFile>,
    #[serde(default, rename = "system")]
    systems: Vec<SystemFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerFile {
    issuer: Spanned<String>,
    jwks: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SystemFile {
    name: Spanned<SystemName>,
    key: Spanned<KeyThumbprint>,
    #[serde(default)]
    acts_for: Vec<Spanned<OrganisationId>>,
}

pub(super) fn load(path: &Path) -> Result<Registry, RegistryError> {
    let mut unit = Unit::open(path)?;
    let text = unit.text.clone();
    let file: RegistryFile = toml::from_str(&text)
        .map_err(|error| unit.fault(error.span().unwrap_or(0..0), Fault::Syntax(error.message().to_owned())))?;

    let organisations = organisations(&unit, &file.organisations)?;
    let systems = systems(&unit, &file.organisations, &organisations)?;
    let mut issuers = HashMap::new();
    for organisation in &file.organisations {
        if let Some(issuer) = &organisation.issuer {
            issuers.insert(organisation.id.get_ref().clone(), read_issuer(&mut unit, issuer)?);
        }
    }
    let (trust, revocations) = read_trust(&mut unit, &file.callers)?;
    Ok(Registry { organisations, systems, issuers, trust, revocations, hash: unit.hash() })
}

type Organisations = BTreeMap<OrganisationId, Arc<Organisation>>;

fn organisations(unit: &Unit, files: &[OrganisationFile]) -> Result<Organisations, RegistryError> {
    let mut ids = Seen::default();
    let mut ovos = Seen::default();
    let mut all = Organisations::new();
    for file in files {
        ids.first(unit, &file.id, Fault::DuplicateOrganisation)?;
        if let Some(ovo) = &file.ovo {
            ovos.first(unit, ovo, Fault::DuplicateOvo)?;
        }
        let kbo = *file.kbo.get_ref();
        let shared = kbo.is_shared() || files.iter().filter(|other| *other.kbo.get_ref() == kbo).count() > 1;
        if shared && file.ovo.is_none() {
            return Err(unit.fault(file.kbo.span(), Fault::SharedKboWithoutOvo));
        }
        let id = file.id.get_ref().clone();
        let ovo = file.ovo.as_ref().map(|ovo| *ovo.get_ref());
        let organisation = Organisation::new(id.clone(), &file.name, kbo, ovo, &file.roles);
        all.insert(id, Arc::new(organisation));
    }
    Ok(all)
}

fn systems(
    unit: &Unit,
    files: &[OrganisationFile],
    organisations: &Organisations,
) -> Result<HashMap<KeyThumbprint, Arc<System>>, RegistryError> {
    let mut keys = Seen::default();
    let mut all = HashMap::new();
    for file in files {
        let Some(organisation) = organisations.get(file.id.get_ref()) else {
            continue;
        };
        let mut names = Seen::default();
        for system in &file.systems {
            names.first(unit, &system.name, Fault::DuplicateSystem)?;
            keys.first(unit, &system.key, Fault::DuplicateKey)?;
            let controller = |id: &Spanned<OrganisationId>| {
                let known = organisations.get(id.get_ref()).filter(|c| c.id != organisation.id);
                let unknown = || Fault::UnknownController(id.get_ref().clone());
                known.cloned().ok_or_else(|| unit.fault(id.span(), unknown()))
            };
            let thumbprint = *system.key.get_ref();
            let system = System {
                organisation: organisation.clone(),
                name: system.name.get_ref().clone(),
                thumbprint,
                acts_for: system.acts_for.iter().map(controller).collect::<Result<_, _>>()?,
            };
            all.insert(thumbprint, Arc::new(system));
        }
    }
    Ok(all)
}

fn read_issuer(unit: &mut Unit, file: &IssuerFile) -> Result<Issuer, RegistryError> {
    let url = file.issuer.get_ref();
    if !url.starts_with("https://") || url.contains(char::is_whitespace) {
        return Err(unit.fault(file.issuer.span(), Fault::IssuerUrl));
    }
    let json = unit.read(&file.jwks)?;
    let keys = KeySet::from_json(&json).map_err(|e| unit.fault_in(&file.jwks, Fault::Keys(e)))?;
    Ok(Issuer { url: url.as_str().into(), keys })
}

fn read_trust(unit: &mut Unit, file: &CallersFile) -> Result<(CallerTrust, Revocations), RegistryError> {
    let bundle = &file.authorities;
    let authorities = unit.read(bundle)?;
    let authorities = tls::certificates(&authorities).map_err(|e| unit.fault_in(bundle, Fault::Trust(e)))?;
    let mut lists = Vec::new();
    for name in file.revocations.get_ref() {
        let pem = unit.read(name)?;
        let some = tls::revocation_lists(&pem).map_err(|e| unit.fault_in(name, Fault::Trust(e)))?;
        Revocations::read(&some, &authorities).map_err(|e| unit.fault_in(name, Fault::Revocation(e)))?;
        lists.extend(some);
    }
    if lists.is_empty() {
        return Err(unit.fault(file.revocations.span(), Fault::NoRevocations));
    }
    let all = Revocations::read(&lists, &authorities)
        .map_err(|e| unit.fault(file.revocations.span(), Fault::Revocation(e)))?;
    let trust = CallerTrust {
        authorities,
        revocations: lists,
        enforce_revocation_expiry: file.enforce_revocation_expiry,
    };
    // rustls reads the lists more strictly than we do: better now than at each handshake.
    trust.verifier().map_err(|e| unit.fault(file.revocations.span(), Fault::Trust(e)))?;
    Ok((trust, all))
}

/// The files of a registry, each read once, so that what is hashed is what was parsed.
struct Unit {
    path: PathBuf,
    text: String,
    others: BTreeMap<String, Vec<u8>>,
}

impl Unit {
    fn open(path: &Path) -> Result<Self, RegistryError> {
        let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, e))?;
        Ok(Self { path: path.to_owned(), text, others: BTreeMap::new() })
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, RegistryError> {
        if let Some(bytes) = self.others.get(name) {
            return Ok(bytes.clone());
        }
        let path = self.beside(name);
        let bytes = std::fs::read(&path).map_err(|e| unreadable(&path, e))?;
        self.others.insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.path.parent().map_or_else(|| name.into(), |folder| folder.join(name))
    }

    fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(b"sluis registry v1\n");
        let own = ("registry.toml", self.text.as_bytes());
        let others = self.others.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        for (name, bytes) in std::iter::once(own).chain(others) {
            for part in [name.as_bytes(), bytes] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hash.finalize().into()
    }

    fn fault(&self, span: Range<usize>, fault: Fault) -> RegistryError {
        RegistryError { file: self.path.clone(), line: Some(self.line(span.start)), fault }
    }

    fn fault_in(&self, name: &str, fault: Fault) -> RegistryError {
        RegistryError { file: self.beside(name), line: None, fault }
    }

    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }
}

fn unreadable(path: &Path, error: std::io::Error) -> RegistryError {
    RegistryError { file: path.to_owned(), line: None, fault: Fault::Unreadable(error) }
}

/// What must be there once, with the line where it was first.
struct Seen<T>(HashMap<T, usize>);

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Clone + Eq + Hash> Seen<T> {
    fn first(
        &mut self,
        unit: &Unit,
        value: &Spanned<T>,
        fault: impl FnOnce(usize) -> Fault,
    ) -> Result<(), RegistryError> {
        let line = unit.line(value.span().start);
        match self.0.insert(value.get_ref().clone(), line) {
            None => Ok(()),
            Some(first) => Err(unit.fault(value.span(), fault(first))),
        }
    }
}

//! Identity, with real certificates, lists, handshakes and tokens.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

mod handshake;
mod pki;
mod refusals;
mod registry;
mod token;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sluis::cli::pki::{Issued, Pki, Profile, Subject};
use sluis::domain::party::{Organisation, OrganisationId, SystemName};
use sluis::identity::certificate::PeerCertificate;
use sluis::identity::registry::{Registry, RegistryError};
use sluis::identity::tls::Credentials;

pub(crate) const ISSUER: &str = "https://issuer.stad-leuven.example";

/// A folder that goes when the test ends.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sluis-identity-{}-{n}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Monday morning.
pub(crate) fn now() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

pub(crate) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// A city, its OCMW, and two agencies that share a KBO number; one system each.
pub(crate) struct World {
    pub(crate) folder: Folder,
    pub(crate) pki: Pki,
    pub(crate) parking: Issued,
    pub(crate) social: Issued,
    pub(crate) zorg: Issued,
    pub(crate) wonen: Issued,
    pub(crate) gateway: Issued,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = Folder::new();
        let pki = Pki::create(&folder.0, now()).unwrap();
        let caller = |organisation, name| issue(&pki, Profile::Caller, Some(organisation), name, &[]);
        let (parking, social) = (caller("stad-leuven", "parking"), caller("ocmw-leuven", "social"));
        let (zorg, wonen) = (caller("zorg", "register"), caller("wonen", "register"));
        let sans = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let gateway = issue(&pki, Profile::Gateway, None, "gateway", &sans);
        pki.issuer(&"stad-leuven".parse().unwrap()).unwrap();
        Self { folder, pki, parking, social, zorg, wonen, gateway }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    pub(crate) fn registry_text(&self) -> String {
        format!(
            r#"[callers]
authorities = "ca.pem"
revocations = ["crl.pem"]

[[organisation]]
id = "stad-leuven"
name = "Stad Leuven"
kbo = "0207521503"
roles = ["requester"]
[organisation.issuer]
issuer = "{ISSUER}"
jwks = "jwks/stad-leuven.json"
[[organisation.system]]
name = "parking"
key = "{}"
acts_for = ["ocmw-leuven"]

[[organisation]]
id = "ocmw-leuven"
name = "OCMW Leuven"
kbo = "0212345668"
roles = ["requester"]
[[organisation.system]]
name = "social"
key = "{}"

[[organisation]]
id = "zorg"
name = "Departement Zorg"
kbo = "0316380841"
ovo = "OVO100001"
roles = ["source", "requester"]
[[organisation.system]]
name = "register"
key = "{}"

[[organisation]]
id = "wonen"
name = "Wonen in Vlaanderen"
kbo = "0316380841"
ovo = "OVO100002"
roles = ["source"]
[[organisation.system]]
name = "register"
key = "{}"
"#,
            self.parking.thumbprint, self.social.thumbprint, self.zorg.thumbprint, self.wonen.thumbprint
        )
    }

    pub(crate) fn load(&self, text: &str) -> Result<Registry, RegistryError> {
        let path = self.path("registry.toml");
        fs::write(&path, text).unwrap();
        Registry::load(&path)
    }

    pub(crate) fn registry(&self) -> Registry {
        self.load(&self.registry_text()).unwrap()
    }
}

pub(crate) fn issue(
    pki: &Pki,
    profile: Profile,
    organisation: Option<&str>,
    name: &str,
    sans: &[String],
) -> Issued {
    let organisation: Option<OrganisationId> = organisation.map(|id| id.parse().unwrap());
    let name: SystemName = name.parse().unwrap();
    let subject = Subject { name: &name, organisation: organisation.as_ref(), sans };
    pki.issue(profile, subject, now()).unwrap()
}

pub(crate) fn certificate(path: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(&fs::read(path).unwrap()).unwrap()
}

pub(crate) fn peer(path: &Path) -> PeerCertificate {
    PeerCertificate::from_der(&certificate(path)).unwrap()
}

pub(crate) fn credentials(issued: &Issued) -> Credentials {
    let (chain, key) = (fs::read(&issued.certificate).unwrap(), fs::read(&issued.key).unwrap());
    Credentials::from_pem(&chain, &key).unwrap()
}

pub(crate) fn organisation<'a>(registry: &'a Registry, id: &str) -> &'a Organisation {
    registry.organisation(&id.parse().unwrap()).unwrap()
}
